"""SqueezeNet: Iandola et al. (2016)."""

from __future__ import annotations

from typing import Any

from ..nn import AdaptiveAvgPool2d, Conv2d, Dropout, MaxPool2d, Module, ReLU, Sequential, init
from ..ops.movement import cat
from ..tensor import Tensor
from .builders import builder


class Fire(Module):
    """A 1×1 convolution to few channels, then 1×1 and 3×3 ones to many. Source: torchvision.models.squeezenet.Fire.

    >>> torch.models.squeezenet.Fire(8, 2, 4, 4)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = ReLU(inplace=True)
        self.expand1x1 = Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = ReLU(inplace=True)
        self.expand3x3 = Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        wide = (self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x)))
        return cat(wide, 1)


# Channels and kernel of the first convolution; then M for a pooling, else the squeezed channels of a Fire module.
_VERSIONS: dict[str, tuple[int, int, list[Any]]] = {
    "1_0": (96, 7, ["M", 16, 16, 32, "M", 32, 48, 48, 64, "M", 64]),
    "1_1": (64, 3, ["M", 16, 16, "M", 32, 32, "M", 48, 48, 64, 64]),
}


class SqueezeNet(Module):
    """(N, 3, H, W) -> (N, num_classes).

    Raises ValueError for a version other than "1_0" and "1_1". Source: torchvision.models.SqueezeNet.

    >>> torch.models.SqueezeNet("1_1", num_classes=10).eval()(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 10])
    """

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in _VERSIONS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.num_classes = num_classes
        channels, kernel, plan = _VERSIONS[version]
        layers: list[Module] = [Conv2d(3, channels, kernel_size=kernel, stride=2), ReLU(inplace=True)]
        for squeezed in plan:
            if squeezed == "M":
                layers.append(MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            else:
                layers.append(Fire(channels, squeezed, 4 * squeezed, 4 * squeezed))
                channels = 8 * squeezed
        self.features = Sequential(*layers)
        last = Conv2d(512, num_classes, kernel_size=1)
        self.classifier = Sequential(Dropout(p=dropout), last, ReLU(inplace=True), AdaptiveAvgPool2d((1, 1)))
        for module in self.modules():
            if isinstance(module, Conv2d):
                if module is last:
                    init.normal_(module.weight, mean=0.0, std=0.01)
                else:
                    init.kaiming_uniform_(module.weight)
                init.zeros_(module.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(1)


@builder
def squeezenet1_0(**options: Any) -> SqueezeNet:
    """Build SqueezeNet 1.0. Source: torchvision.models.squeezenet1_0."""
    return SqueezeNet("1_0", **options)


@builder
def squeezenet1_1(**options: Any) -> SqueezeNet:
    """Build SqueezeNet 1.1. Source: torchvision.models.squeezenet1_1."""
    return SqueezeNet("1_1", **options)
