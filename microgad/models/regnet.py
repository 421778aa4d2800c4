"""RegNet: Radosavovic et al. (2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, Module, ReLU, Sequential, init
from ..tensor import Tensor
from .blocks import Conv2dNormActivation, SqueezeExcitation, make_divisible
from .builders import init_small_normal, variant

Layer = Callable[..., Module]


class SimpleStemIN(Conv2dNormActivation):
    """The first convolution, which halves the image. Source: torchvision.models.regnet.SimpleStemIN."""

    def __init__(self, width_in: int, width_out: int, norm_layer: Layer, activation_layer: Layer) -> None:
        super().__init__(width_in, width_out, stride=2, norm_layer=norm_layer, activation_layer=activation_layer)


class BottleneckTransform(Sequential):
    """Pointwise, grouped and pointwise convolution. Source: torchvision.models.regnet.BottleneckTransform."""

    def __init__(
        self, width_in: int, width_out: int, stride: int, norm_layer: Layer, activation_layer: Layer,
        group_width: int, bottleneck_multiplier: float, se_ratio: float | None,
    ) -> None:  # fmt: skip
        super().__init__()
        width = round(width_out * bottleneck_multiplier)
        how: Any = {"norm_layer": norm_layer, "activation_layer": activation_layer}
        self.a = Conv2dNormActivation(width_in, width, 1, **how)
        self.b = Conv2dNormActivation(width, width, stride=stride, groups=width // group_width, **how)
        if se_ratio:
            self.se = SqueezeExcitation(width, round(se_ratio * width_in), activation=activation_layer)
        self.c = Conv2dNormActivation(width, width_out, 1, norm_layer=norm_layer, activation_layer=None)


class ResBottleneckBlock(Module):
    """BottleneckTransform and a residual connection, projected where shapes differ.

    Source: torchvision.models.regnet.ResBottleneckBlock.
    """

    def __init__(
        self, width_in: int, width_out: int, stride: int, norm_layer: Layer, activation_layer: Layer,
        group_width: int = 1, bottleneck_multiplier: float = 1.0, se_ratio: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(
                width_in, width_out, 1, stride=stride, norm_layer=norm_layer, activation_layer=None
            )
        layers = norm_layer, activation_layer
        self.f = BottleneckTransform(width_in, width_out, stride, *layers, group_width, bottleneck_multiplier, se_ratio)
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class AnyStage(Sequential):
    """Blocks of one width, of which the first has the stride. Source: torchvision.models.regnet.AnyStage."""

    def __init__(
        self, width_in: int, width_out: int, stride: int, depth: int, block_constructor: Layer, norm_layer: Layer,
        activation_layer: Layer, group_width: int, bottleneck_multiplier: float, se_ratio: float | None = None,
        stage_index: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        rest = norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio
        for i in range(depth):
            block = block_constructor(width_out if i else width_in, width_out, 1 if i else stride, *rest)
            self.add_module(f"block{stage_index}-{i}", block)


@dataclass
class BlockParams:
    """The depths, widths and groups of the stages. Source: torchvision.models.regnet.BlockParams."""

    depths: list[int]
    widths: list[int]
    group_widths: list[int]
    bottleneck_multipliers: list[float]
    strides: list[int]
    se_ratio: float | None = None

    @classmethod
    def from_init_params(
        cls, depth: int, w_0: int, w_a: float, w_m: float, group_width: int, bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None, **kwargs: Any,
    ) -> BlockParams:  # fmt: skip
        """Make the stages of `depth` blocks, whose widths grow like w_0 + i w_a, rounded to w_0 w_mⁿ and to 8.

        Raises ValueError for other settings than growing widths, w_0 a multiple of 8.
        """
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError("Invalid RegNet settings")
        powers = [round(math.log((w_0 + i * w_a) / w_0) / math.log(w_m)) for i in range(depth)]
        found = [8 * round(w_0 * w_m**power / 8) for power in powers]
        widths = sorted(set(found))
        depths = [found.count(width) for width in widths]
        wide = [int(width * bottleneck_multiplier) for width in widths]
        groups = [min(group_width, width) for width in wide]
        fitting = [
            int(make_divisible(width, group) / bottleneck_multiplier) for width, group in zip(wide, groups, strict=True)
        ]
        n = len(widths)
        return cls(depths, fitting, groups, [bottleneck_multiplier] * n, [2] * n, se_ratio)

    def _get_expanded_params(self) -> Iterator[tuple[int, int, int, int, float]]:
        return zip(self.widths, self.strides, self.depths, self.group_widths, self.bottleneck_multipliers, strict=True)


class RegNet(Module):
    """(N, 3, H, W) -> (N, num_classes). Source: torchvision.models.RegNet.

    >>> sizes = torch.models.regnet.BlockParams.from_init_params(4, 8, 8.0, 2.0, 8)
    >>> torch.models.RegNet(sizes, num_classes=10).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self, block_params: BlockParams, num_classes: int = 1000, stem_width: int = 32, stem_type: Layer | None = None,
        block_type: Layer | None = None, norm_layer: Layer | None = None, activation: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        layers = norm_layer or BatchNorm2d, activation or ReLU
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, *layers)
        width, self.trunk_output = stem_width, Sequential()
        block: Any = block_type or ResBottleneckBlock
        for i, (out, stride, depth, *sizes) in enumerate(block_params._get_expanded_params(), 1):
            rest: dict[str, Any] = {"se_ratio": block_params.se_ratio, "stage_index": i}
            rest["group_width"], rest["bottleneck_multiplier"] = sizes
            stage = AnyStage(width, out, stride, depth, block, *layers, **rest)
            self.trunk_output.add_module(f"block{i}", stage)
            width = out
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.fc = Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, Conv2d):
                fan_out = math.prod(module.kernel_size) * module.out_channels  # of all groups
                init.normal_(module.weight, 0.0, math.sqrt(2 / fan_out))
            elif isinstance(module, BatchNorm2d):
                init.ones_(module.get_parameter("weight"))
                init.zeros_(module.get_parameter("bias"))
            elif isinstance(module, Linear):
                init_small_normal(module)
                init.zeros_(module.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.trunk_output(self.stem(x))).flatten(1))


def _regnet(
    name: str, depth: int, w_0: int, w_a: float, w_m: float, group_width: int, se_ratio: float | None = None
) -> Any:
    def build(norm_layer: Layer | None = None, **options: Any) -> RegNet:
        sizes = BlockParams.from_init_params(depth, w_0, w_a, w_m, group_width, se_ratio=se_ratio)
        return RegNet(sizes, norm_layer=norm_layer or partial(BatchNorm2d, eps=1e-05, momentum=0.1), **options)

    return variant(name, "a RegNet", build)


_regnet_y = partial(_regnet, se_ratio=0.25)
# The depth, w_0, w_a, w_m and the width of groups.
regnet_y_400mf = _regnet_y("regnet_y_400mf", 16, 48, 27.89, 2.09, 8)
regnet_y_800mf = _regnet_y("regnet_y_800mf", 14, 56, 38.84, 2.4, 16)
regnet_y_1_6gf = _regnet_y("regnet_y_1_6gf", 27, 48, 20.71, 2.65, 24)
regnet_y_3_2gf = _regnet_y("regnet_y_3_2gf", 21, 80, 42.63, 2.66, 24)
regnet_y_8gf = _regnet_y("regnet_y_8gf", 17, 192, 76.82, 2.19, 56)
regnet_y_16gf = _regnet_y("regnet_y_16gf", 18, 200, 106.23, 2.48, 112)
regnet_y_32gf = _regnet_y("regnet_y_32gf", 20, 232, 115.89, 2.53, 232)
regnet_y_128gf = _regnet_y("regnet_y_128gf", 27, 456, 160.83, 2.52, 264)
regnet_x_400mf = _regnet("regnet_x_400mf", 22, 24, 24.48, 2.54, 16)
regnet_x_800mf = _regnet("regnet_x_800mf", 16, 56, 35.73, 2.28, 16)
regnet_x_1_6gf = _regnet("regnet_x_1_6gf", 18, 80, 34.01, 2.25, 24)
regnet_x_3_2gf = _regnet("regnet_x_3_2gf", 25, 88, 26.31, 2.25, 48)
regnet_x_8gf = _regnet("regnet_x_8gf", 23, 80, 49.56, 2.88, 120)
regnet_x_16gf = _regnet("regnet_x_16gf", 22, 216, 55.59, 2.1, 128)
regnet_x_32gf = _regnet("regnet_x_32gf", 23, 320, 69.86, 2.0, 168)
