"""MobileNetV2: Sandler et al. (2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..nn import BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU6, Sequential
from ..nn import functional as F
from ..tensor import Tensor
from .blocks import Conv2dNormActivation, make_divisible
from .builders import builder, init_kaiming, init_small_normal


class InvertedResidual(Module):
    """Expansion by expand_ratio, depthwise convolution and projection, with a residual connection if shapes allow it.

    Source: torchvision.models.mobilenetv2.InvertedResidual.

    >>> torch.models.mobilenetv2.InvertedResidual(8, 8, 1, 6)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(
        self, inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Callable[..., Module] | None = None
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm, hidden = norm_layer or BatchNorm2d, round(inp * expand_ratio)
        how: Any = {"norm_layer": norm, "activation_layer": ReLU6}
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        wider = [Conv2dNormActivation(inp, hidden, kernel_size=1, **how)] if expand_ratio != 1 else []
        self.conv = Sequential(
            *wider,
            Conv2dNormActivation(hidden, hidden, stride=stride, groups=hidden, **how),
            Conv2d(hidden, oup, 1, 1, 0, bias=False),
            norm(oup),
        )
        self.out_channels = oup
        self._is_cn = stride > 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


# For each stage: expansion ratio, channels, number of blocks, stride of the first block.
_STAGES = [
    [1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1],
]  # fmt: skip


class MobileNetV2(Module):
    """(N, 3, H, W) -> (N, num_classes); width_mult scales all channels.

    Raises ValueError unless inverted_residual_setting has lists of four numbers.
    Source: torchvision.models.MobileNetV2.

    >>> torch.models.MobileNetV2(num_classes=10, width_mult=0.25).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: list[list[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., Module] | None = None,
        norm_layer: Callable[..., Module] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        make, norm = block or InvertedResidual, norm_layer or BatchNorm2d
        stages = _STAGES if inverted_residual_setting is None else inverted_residual_setting
        if not stages or len(stages[0]) != 4:
            raise ValueError(
                f"inverted_residual_setting should be non-empty or a 4-element list, got {inverted_residual_setting}"
            )
        how: Any = {"norm_layer": norm, "activation_layer": ReLU6}
        channels = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[Module] = [Conv2dNormActivation(3, channels, stride=2, **how)]
        for expand_ratio, width, count, first in stages:
            out = make_divisible(width * width_mult, round_nearest)
            for i in range(count):
                stride = 1 if i else first
                features.append(make(channels, out, stride, expand_ratio=expand_ratio, norm_layer=norm))
                channels = out
        features.append(Conv2dNormActivation(channels, self.last_channel, kernel_size=1, **how))
        self.features = Sequential(*features)
        self.classifier = Sequential(Dropout(p=dropout), Linear(self.last_channel, num_classes))
        init_kaiming(self, "fan_out", linear=init_small_normal)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), (1, 1)).flatten(1))


@builder
def mobilenet_v2(**options: Any) -> MobileNetV2:
    """Build MobileNetV2. Source: torchvision.models.mobilenet_v2."""
    return MobileNetV2(**options)
