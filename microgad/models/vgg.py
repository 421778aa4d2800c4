"""VGG: Simonyan, Zisserman (2015)."""

from __future__ import annotations

from typing import Any

from ..nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential
from ..tensor import Tensor
from .builders import Builder, init_kaiming, init_small_normal, variant


class VGG(Module):
    """`features`, average pooling to 7×7, and three linear layers.

    (N, 3, H, W) -> (N, num_classes). Source: torchvision.models.VGG.

    >>> with torch.device("meta"):  # weights without memory
    ...     net = torch.models.VGG(nn.Identity(), num_classes=10, init_weights=False)
    >>> net.classifier[6]
    Linear(in_features=4096, out_features=10, bias=True)
    """

    def __init__(
        self, features: Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = AdaptiveAvgPool2d((7, 7))
        self.classifier = Sequential(
            Linear(512 * 7 * 7, 4096),
            ReLU(True),
            Dropout(p=dropout),
            Linear(4096, 4096),
            ReLU(True),
            Dropout(p=dropout),
            Linear(4096, num_classes),
        )
        if init_weights:
            init_kaiming(self, "fan_out", "relu", init_small_normal)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# Channels of the 3×3 convolutions; M is a max pooling that halves the size.
_CONFIGS = {
    11: "64 M 128 M 256 256 M 512 512 M 512 512 M",
    13: "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    16: "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    19: "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


def make_layers(cfg: list[Any], batch_norm: bool = False) -> Sequential:
    """Make the features for a list of channels and "M"s. Source: torchvision.models.vgg.make_layers.

    >>> len(torch.models.vgg.make_layers([8, "M", 16]))
    5
    """
    layers: list[Module] = []
    channels = 3
    for width in cfg:
        if width == "M":
            layers.append(MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(Conv2d(channels, int(width), kernel_size=3, padding=1))
        layers += [BatchNorm2d(int(width))] * batch_norm
        layers.append(ReLU(inplace=True))
        channels = int(width)
    return Sequential(*layers)


def _vgg(depth: int, batch_norm: bool) -> Builder[VGG]:
    def build(**options: Any) -> VGG:
        return VGG(make_layers(_CONFIGS[depth].split(), batch_norm), **options)

    name = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"
    return variant(name, f"a VGG with {depth} layers", build, lambda _: {"init_weights": False})


vgg11, vgg13, vgg16, vgg19 = (_vgg(depth, False) for depth in _CONFIGS)
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = (_vgg(depth, True) for depth in _CONFIGS)
