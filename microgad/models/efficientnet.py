"""EfficientNet: Tan, Le (2019), and EfficientNetV2: Tan, Le (2021)."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

from ..nn import AdaptiveAvgPool2d, BatchNorm2d, Dropout, Linear, Module, Sequential, SiLU, init
from ..tensor import Tensor
from .blocks import Conv2dNormActivation, Layer, SqueezeExcitation, StochasticDepth, make_divisible
from .builders import Builder, init_kaiming, require_stages, variant


@dataclasses.dataclass
class MBConvConfig:
    """The settings of a stage, scaled in width and depth. Source: torchvision.models.efficientnet.MBConvConfig."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    width_mult: dataclasses.InitVar[float] = 1.0
    depth_mult: dataclasses.InitVar[float] = 1.0
    block: Layer | None = None

    def __post_init__(self, width_mult: float, depth_mult: float) -> None:
        self.input_channels = self.adjust_channels(self.input_channels, width_mult)
        self.out_channels = self.adjust_channels(self.out_channels, width_mult)
        self.num_layers = self.adjust_depth(self.num_layers, depth_mult)
        self.block = self.block or MBConv

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        """Scale the number of channels by the width."""
        return make_divisible(channels * width_mult, 8, min_value)

    @staticmethod
    def adjust_depth(num_layers: int, depth_mult: float) -> int:
        """Scale the number of layers by the depth."""
        return math.ceil(num_layers * depth_mult)


class FusedMBConvConfig(MBConvConfig):
    """The settings of a stage of fused blocks. Source: torchvision.models.efficientnet.FusedMBConvConfig."""

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        block: Layer | None = None,
    ) -> None:
        self.expand_ratio, self.kernel, self.stride = expand_ratio, kernel, stride
        self.input_channels, self.out_channels, self.num_layers = input_channels, out_channels, num_layers
        self.block = block or FusedMBConv


class _Residual(Module):
    """A block with a residual connection if the shapes allow it, and with stochastic depth."""

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, layers: list[Module]) -> None:
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Residual):
    """Expansion, depthwise convolution, squeeze-excitation, projection. Source: torchvision.models.efficientnet."""

    def __init__(
        self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Layer, se_layer: Layer = SqueezeExcitation
    ) -> None:
        how: Any = {"norm_layer": norm_layer, "activation_layer": SiLU}
        wide = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        layers: list[Module] = []
        if wide != cnf.input_channels:
            layers.append(Conv2dNormActivation(cnf.input_channels, wide, kernel_size=1, **how))
        layers.append(Conv2dNormActivation(wide, wide, cnf.kernel, stride=cnf.stride, groups=wide, **how))
        layers.append(se_layer(wide, max(1, cnf.input_channels // 4), activation=functools.partial(SiLU, inplace=True)))
        how["activation_layer"] = None
        layers.append(Conv2dNormActivation(wide, cnf.out_channels, kernel_size=1, **how))
        super().__init__(cnf, stochastic_depth_prob, layers)


class FusedMBConv(_Residual):
    """Expansion by a full convolution, then projection. Source: torchvision.models.efficientnet.FusedMBConv."""

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Layer) -> None:
        how: Any = {"norm_layer": norm_layer, "activation_layer": SiLU}
        wide = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        narrow = wide == cnf.input_channels
        first = cnf.out_channels if narrow else wide
        layers: list[Module] = [Conv2dNormActivation(cnf.input_channels, first, cnf.kernel, stride=cnf.stride, **how)]
        if not narrow:
            how["activation_layer"] = None
            layers.append(Conv2dNormActivation(wide, cnf.out_channels, kernel_size=1, **how))
        super().__init__(cnf, stochastic_depth_prob, layers)


def _init_linear(layer: Linear) -> None:
    bound = 1.0 / math.sqrt(layer.out_features)
    init.uniform_(layer.weight, -bound, bound)


class EfficientNet(Module):
    """(N, 3, H, W) -> (N, num_classes). Source: torchvision.models.EfficientNet.

    >>> stages = [torch.models.efficientnet.MBConvConfig(1, 3, 1, 8, 8, 1)]
    >>> torch.models.EfficientNet(stages, dropout=0.2, num_classes=10).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[MBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        settings = inverted_residual_setting
        require_stages("inverted_residual_setting", settings, MBConvConfig)
        how: Any = {"norm_layer": norm_layer or BatchNorm2d, "activation_layer": SiLU}
        layers: list[Module] = [Conv2dNormActivation(3, settings[0].input_channels, kernel_size=3, stride=2, **how)]
        count, total = 0, sum(setting.num_layers for setting in settings)
        for setting in settings:
            blocks: list[Module] = []
            for _ in range(setting.num_layers):
                make: Any = setting.block
                blocks.append(make(setting, stochastic_depth_prob * count / total, how["norm_layer"]))
                # The blocks after the first keep the channels and the size.
                setting = copy.copy(setting)
                setting.input_channels, setting.stride = setting.out_channels, 1
                count += 1
            layers.append(Sequential(*blocks))
        channels = settings[-1].out_channels
        last = 4 * channels if last_channel is None else last_channel
        layers.append(Conv2dNormActivation(channels, last, kernel_size=1, **how))
        self.features = Sequential(*layers)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.classifier = Sequential(Dropout(p=dropout, inplace=True), Linear(last, num_classes))
        init_kaiming(self, "fan_out", linear=_init_linear)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# For each stage: expansion ratio, kernel, stride, input channels, output channels, layers.
_V1_STAGES = [
    (1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1),
]  # fmt: skip
# For EfficientNetV2: three fused stages, and the others.
_V2_STAGES = {
    "s": ([(1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4)],
          [(4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)]),
    "m": ([(1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5)],
          [(4, 3, 2, 80, 160, 7), (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5)]),
    "l": ([(1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7)],
          [(4, 3, 2, 96, 192, 10), (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7)]),
}  # fmt: skip


def _efficientnet(name: str, stages: list[MBConvConfig], **usual: Any) -> Builder[EfficientNet]:
    return variant(f"efficientnet_{name}", "an EfficientNet", lambda **kwargs: EfficientNet(stages, **(usual | kwargs)))


def _v1(name: str, width: float, depth: float, dropout: float, **usual: Any) -> Builder[EfficientNet]:
    stages = [MBConvConfig(*stage, width_mult=width, depth_mult=depth) for stage in _V1_STAGES]
    return _efficientnet(name, stages, dropout=dropout, **usual)


def _v2(name: str, dropout: float) -> Builder[EfficientNet]:
    fused, rest = _V2_STAGES[name]
    stages = [FusedMBConvConfig(*stage) for stage in fused] + [MBConvConfig(*stage) for stage in rest]
    norm = functools.partial(BatchNorm2d, eps=1e-3)
    return _efficientnet(f"v2_{name}", stages, dropout=dropout, last_channel=1280, norm_layer=norm)


_bn_options = {"norm_layer": functools.partial(BatchNorm2d, eps=0.001, momentum=0.01)}
efficientnet_b0 = _v1("b0", 1.0, 1.0, 0.2)
efficientnet_b1 = _v1("b1", 1.0, 1.1, 0.2)
efficientnet_b2 = _v1("b2", 1.1, 1.2, 0.3)
efficientnet_b3 = _v1("b3", 1.2, 1.4, 0.3)
efficientnet_b4 = _v1("b4", 1.4, 1.8, 0.4)
efficientnet_b5 = _v1("b5", 1.6, 2.2, 0.4, **_bn_options)
efficientnet_b6 = _v1("b6", 1.8, 2.6, 0.5, **_bn_options)
efficientnet_b7 = _v1("b7", 2.0, 3.1, 0.5, **_bn_options)
efficientnet_v2_s = _v2("s", 0.2)
efficientnet_v2_m = _v2("m", 0.3)
efficientnet_v2_l = _v2("l", 0.4)
