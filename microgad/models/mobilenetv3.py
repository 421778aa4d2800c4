"""MobileNetV3: Howard et al. (2019)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import Any

from ..nn import AdaptiveAvgPool2d, BatchNorm2d, Dropout, Hardsigmoid, Hardswish, Linear, Module, ReLU, Sequential
from ..tensor import Tensor
from .blocks import Conv2dNormActivation, Layer, SqueezeExcitation, make_divisible
from .builders import builder, init_kaiming, init_small_normal, require_stages


@dataclass
class InvertedResidualConfig:
    """The channels and settings of a block. Source: torchvision.models.mobilenetv3.InvertedResidualConfig."""

    input_channels: int
    kernel: int
    expanded_channels: int
    out_channels: int
    use_se: bool
    activation: InitVar[str]
    stride: int
    dilation: int
    width_mult: InitVar[float]

    def __post_init__(self, activation: str, width_mult: float) -> None:
        for name in ("input_channels", "expanded_channels", "out_channels"):
            setattr(self, name, self.adjust_channels(getattr(self, name), width_mult))
        self.use_hs = activation == "HS"

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """Scale the number of channels by the width."""
        return make_divisible(channels * width_mult, 8)


class InvertedResidual(Module):
    """Expansion, depthwise convolution, optional squeeze-excitation and projection; residual if shapes allow it.

    Source: torchvision.models.mobilenetv3.InvertedResidual.
    """

    def __init__(self, cnf: InvertedResidualConfig, norm_layer: Layer, se_layer: Layer | None = None) -> None:
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        wide = cnf.expanded_channels
        how: Any = {"norm_layer": norm_layer, "activation_layer": Hardswish if cnf.use_hs else ReLU}
        layers: list[Module] = []
        if wide != cnf.input_channels:
            layers.append(Conv2dNormActivation(cnf.input_channels, wide, kernel_size=1, **how))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(
            Conv2dNormActivation(wide, wide, cnf.kernel, stride=stride, dilation=cnf.dilation, groups=wide, **how)
        )
        if cnf.use_se:
            scaled = se_layer or functools.partial(SqueezeExcitation, scale_activation=Hardsigmoid)
            layers.append(scaled(wide, make_divisible(wide // 4, 8)))
        how["activation_layer"] = None
        layers.append(Conv2dNormActivation(wide, cnf.out_channels, kernel_size=1, **how))
        self.block = Sequential(*layers)
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return result + input if self.use_res_connect else result


class MobileNetV3(Module):
    """(N, 3, H, W) -> (N, num_classes). Source: torchvision.models.MobileNetV3.

    >>> torch.models.mobilenet_v3_small(num_classes=10, width_mult=0.25).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[InvertedResidualConfig],
        last_channel: int,
        num_classes: int = 1000,
        block: Layer | None = None,
        norm_layer: Layer | None = None,
        dropout: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        settings = inverted_residual_setting
        require_stages("inverted_residual_setting", settings, InvertedResidualConfig)
        norm = norm_layer or functools.partial(BatchNorm2d, eps=0.001, momentum=0.01)
        how: Any = {"norm_layer": norm, "activation_layer": Hardswish}
        channels = settings[-1].out_channels
        self.features = Sequential(
            Conv2dNormActivation(3, settings[0].input_channels, kernel_size=3, stride=2, **how),
            *((block or InvertedResidual)(setting, norm) for setting in settings),
            Conv2dNormActivation(channels, 6 * channels, kernel_size=1, **how),
        )
        self.avgpool = AdaptiveAvgPool2d(1)
        self.classifier = Sequential(
            Linear(6 * channels, last_channel),
            Hardswish(inplace=True),
            Dropout(p=dropout, inplace=True),
            Linear(last_channel, num_classes),
        )
        init_kaiming(self, "fan_out", linear=init_small_normal)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# The last channels; for each block: input channels, kernel, expanded channels, output channels, whether it has
# squeeze-excitation, activation, stride. The blocks after the bar are the tail, which may be narrower or dilated.
_LARGE = (1280, """
    16 3 16 16 - RE 1; 16 3 64 24 - RE 2; 24 3 72 24 - RE 1; 24 5 72 40 + RE 2; 40 5 120 40 + RE 1; 40 5 120 40 + RE 1;
    40 3 240 80 - HS 2; 80 3 200 80 - HS 1; 80 3 184 80 - HS 1; 80 3 184 80 - HS 1; 80 3 480 112 + HS 1;
    112 3 672 112 + HS 1 | 112 5 672 160 + HS 2; 160 5 960 160 + HS 1; 160 5 960 160 + HS 1
""")  # fmt: skip
_SMALL = (1024, """
    16 3 16 16 + RE 2; 16 3 72 24 - RE 2; 24 3 88 24 - RE 1; 24 5 96 40 + HS 2; 40 5 240 40 + HS 1; 40 5 240 40 + HS 1;
    40 5 120 48 + HS 1; 48 5 144 48 + HS 1 | 48 5 288 96 + HS 2; 96 5 576 96 + HS 1; 96 5 576 96 + HS 1
""")  # fmt: skip


def _build(
    plan: tuple[int, str], width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False, **options: Any
) -> MobileNetV3:
    last, blocks = plan
    divider, settings = 2 if reduced_tail else 1, []
    for part, tail in zip(blocks.split("|"), (False, True), strict=True):
        for i, row in enumerate(part.split(";")):
            a, kernel, wide, b, scaled, activation, stride = row.split()
            inputs, outputs, width = int(a), int(b), int(wide)
            if tail:
                outputs //= divider
                inputs, width = (inputs // divider, width // divider) if i else (inputs, width)
            how = (scaled == "+", activation, int(stride), 2 if tail and dilated else 1, width_mult)
            settings.append(InvertedResidualConfig(inputs, int(kernel), width, outputs, *how))
    channels = InvertedResidualConfig.adjust_channels(last // divider, width_mult)
    return MobileNetV3(settings, channels, **options)


@builder
def mobilenet_v3_large(**options: Any) -> MobileNetV3:
    """Build the large MobileNetV3. Source: torchvision.models.mobilenet_v3_large."""
    return _build(_LARGE, **options)


@builder
def mobilenet_v3_small(**options: Any) -> MobileNetV3:
    """Build the small MobileNetV3. Source: torchvision.models.mobilenet_v3_small."""
    return _build(_SMALL, **options)
