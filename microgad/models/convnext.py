"""ConvNeXt: Liu et al. (2022)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..nn import GELU, AdaptiveAvgPool2d, Conv2d, Flatten, LayerNorm, Linear, Module, Sequential, init
from ..ops import creation
from ..parameter import Parameter
from ..tensor import Tensor
from .blocks import Conv2dNormActivation, Layer, Permute, StochasticDepth
from .builders import Builder, init_layers, require_stages, variant


class LayerNorm2d(LayerNorm):
    """(N, C, H, W): LayerNorm over the channels. Source: torchvision.models.convnext.LayerNorm2d.

    >>> torch.models.convnext.LayerNorm2d(2)(torch.ones(1, 2, 1, 1)).flatten().tolist()
    [0.0, 0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class CNBlock(Module):
    """A 7×7 depthwise convolution, then a network over the channels of each pixel, with a residual connection.

    Source: torchvision.models.convnext.CNBlock.
    """

    def __init__(
        self, dim: int, layer_scale: float, stochastic_depth_prob: float, norm_layer: Layer | None = None
    ) -> None:
        super().__init__()
        norm = norm_layer or functools.partial(LayerNorm, eps=1e-6)
        self.block = Sequential(
            Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim, bias=True),
            Permute([0, 2, 3, 1]),
            norm(dim),
            Linear(dim, 4 * dim),
            GELU(),
            Linear(4 * dim, dim),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = Parameter(creation.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


@dataclass
class CNBlockConfig:
    """The channels and the number of blocks of a stage. Source: torchvision.models.convnext.CNBlockConfig."""

    input_channels: int
    out_channels: int | None
    num_layers: int


class ConvNeXt(Module):
    """(N, 3, H, W) -> (N, num_classes). Source: torchvision.models.ConvNeXt.

    >>> stages = [torch.models.convnext.CNBlockConfig(8, None, 1)]
    >>> torch.models.ConvNeXt(stages, num_classes=10).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        block_setting: Sequence[CNBlockConfig],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
        block: Layer | None = None,
        norm_layer: Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        require_stages("block_setting", block_setting, CNBlockConfig)
        norm = norm_layer or functools.partial(LayerNorm2d, eps=1e-6)
        how: Any = {"padding": 0, "norm_layer": norm, "activation_layer": None, "bias": True}
        layers: list[Module] = [Conv2dNormActivation(3, block_setting[0].input_channels, 4, 4, **how)]
        count, total = 0, sum(stage.num_layers for stage in block_setting)
        for stage in block_setting:
            blocks = []
            for _ in range(stage.num_layers):
                dropped = stochastic_depth_prob * count / (total - 1.0) if count else 0.0
                blocks.append((block or CNBlock)(stage.input_channels, layer_scale, dropped))
                count += 1
            layers.append(Sequential(*blocks))
            if stage.out_channels is not None:
                halved = Conv2d(stage.input_channels, stage.out_channels, kernel_size=2, stride=2)
                layers.append(Sequential(norm(stage.input_channels), halved))
        self.features = Sequential(*layers)
        self.avgpool = AdaptiveAvgPool2d(1)
        last = block_setting[-1].out_channels or block_setting[-1].input_channels
        self.classifier = Sequential(norm(last), Flatten(1), Linear(last, num_classes))
        init_layers(self, (Conv2d, Linear), init.trunc_normal_)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _convnext(name: str, channels: list[int], deep: int, dropped: float) -> Builder[ConvNeXt]:
    stages = zip(channels, [*channels[1:], None], (3, 3, deep, 3), strict=True)
    settings = [CNBlockConfig(*stage) for stage in stages]
    usual = {"stochastic_depth_prob": dropped}
    return variant(f"convnext_{name}", "a ConvNeXt", lambda **options: ConvNeXt(settings, **(usual | options)))


convnext_tiny = _convnext("tiny", [96, 192, 384, 768], 9, 0.1)
convnext_small = _convnext("small", [96, 192, 384, 768], 27, 0.4)
convnext_base = _convnext("base", [128, 256, 512, 1024], 27, 0.5)
convnext_large = _convnext("large", [192, 384, 768, 1536], 27, 0.5)
