"""MaxViT: Tu et al. (2022)."""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import nn
from ..dtypes import float32
from ..errors import ArgumentError, CallError
from ..nn import Module, ModuleList, Sequential, init
from ..ops import creation
from ..parameter import Parameter
from ..tensor import Tensor
from .blocks import Conv2dNormActivation, Layer, SqueezeExcitation, StochasticDepth
from .builders import init_layers, variant
from .swin_transformer import relative_position_bias, relative_position_index
from .weights import WeightsEnum


def _halved(size: Sequence[int]) -> tuple[int, int]:
    """Return the size of the results of a 3×3 convolution with stride 2 and padding 1."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2


class MBConv(Module):
    """(N, in, H, W) -> (N, out, H / stride, W / stride): an inverted bottleneck with a residual connection.

    Source: torchvision.models.maxvit.MBConv.
    """

    def __init__(
        self, in_channels: int, out_channels: int, expansion_ratio: float, squeeze_ratio: float, stride: int,
        activation_layer: Layer, norm_layer: Layer, p_stochastic_dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.proj: Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            pool = [nn.AvgPool2d(3, stride, padding=1)] if stride == 2 else []
            self.proj = Sequential(*pool, nn.Conv2d(in_channels, out_channels, 1))
        self.stochastic_depth = StochasticDepth(p_stochastic_dropout, "row") if p_stochastic_dropout else nn.Identity()
        width = int(out_channels * expansion_ratio)
        how: Any = {"activation_layer": activation_layer, "norm_layer": norm_layer, "inplace": None}
        layers: OrderedDict[str, Module] = OrderedDict(pre_norm=norm_layer(in_channels))
        layers["conv_a"] = Conv2dNormActivation(in_channels, width, 1, **how)
        layers["conv_b"] = Conv2dNormActivation(width, width, 3, stride, groups=width, **how)
        layers["squeeze_excitation"] = SqueezeExcitation(width, int(out_channels * squeeze_ratio), activation=nn.SiLU)
        layers["conv_c"] = nn.Conv2d(width, out_channels, 1)
        self.layers = Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativePositionalMultiHeadAttention(Module):
    """(N, groups, P, feat_dim) -> (N, groups, P, feat_dim): attention among P = max_seq_len pixels of a square.

    Raises ValueError unless head_dim divides feat_dim. Source:
    torchvision.models.maxvit.RelativePositionalMultiHeadAttention.

    >>> attention = torch.models.maxvit.RelativePositionalMultiHeadAttention(8, 4, 9)
    >>> attention(torch.zeros(1, 5, 9, 8)).shape
    torch.Size([1, 5, 9, 8])
    """

    relative_position_index: Tensor

    def __init__(self, feat_dim: int, head_dim: int, max_seq_len: int) -> None:
        super().__init__()
        if feat_dim % head_dim:
            raise ArgumentError(f"feat_dim: {feat_dim} must be divisible by head_dim: {head_dim}")
        self.n_heads, self.head_dim = feat_dim // head_dim, head_dim
        self.size, self.max_seq_len = int(math.sqrt(max_seq_len)), max_seq_len
        self.to_qkv = nn.Linear(feat_dim, 3 * feat_dim)
        self.scale_factor = feat_dim**-0.5
        self.merge = nn.Linear(feat_dim, feat_dim)
        table = creation.empty((2 * self.size - 1) ** 2, self.n_heads, dtype=float32)
        self.relative_position_bias_table = Parameter(init.trunc_normal_(table, std=0.02))
        self.register_buffer("relative_position_index", relative_position_index(self.size, self.size))

    def get_relative_positional_bias(self) -> Tensor:
        """Return what is added to the scores: (1, heads, P, P)."""
        return relative_position_bias(self.relative_position_bias_table, self.relative_position_index, self.max_seq_len)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.to_qkv(x).reshape(*x.shape[:3], 3, self.n_heads, self.head_dim)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)  # each (N, groups, heads, P, head_dim)
        scores = q @ (k * self.scale_factor).mT + self.get_relative_positional_bias()
        return self.merge((scores.softmax(-1) @ v).transpose(2, 3).flatten(3))


class SwapAxes(Module):
    """Exchange two dimensions. Source: torchvision.models.maxvit.SwapAxes."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Tensor) -> Tensor:
        return x.swapaxes(self.a, self.b)


class WindowPartition(Module):
    """(N, C, H, W), p -> (N, H / p · W / p, p², C): windows of p × p pixels.

    Source: torchvision.models.maxvit.WindowPartition.

    >>> torch.models.maxvit.WindowPartition()(torch.zeros(1, 3, 4, 6), 2).shape
    torch.Size([1, 6, 4, 3])
    """

    def forward(self, x: Tensor, p: int) -> Tensor:
        n, channels, height, width = x.shape
        tiles = x.reshape(n, channels, height // p, p, width // p, p).permute(0, 2, 4, 3, 5, 1)
        return tiles.reshape(n, (height // p) * (width // p), p * p, channels)


class WindowDepartition(Module):
    """(N, h · w, p², C), p, h, w -> (N, C, h p, w p): the inverse of WindowPartition.

    Source: torchvision.models.maxvit.WindowDepartition.

    >>> torch.models.maxvit.WindowDepartition()(torch.zeros(1, 6, 4, 3), 2, 2, 3).shape
    torch.Size([1, 3, 4, 6])
    """

    def forward(self, x: Tensor, p: int, h_partitions: int, w_partitions: int) -> Tensor:
        n, _, _, channels = x.shape
        tiles = x.reshape(n, h_partitions, w_partitions, p, p, channels).permute(0, 5, 1, 3, 2, 4)
        return tiles.reshape(n, channels, h_partitions * p, w_partitions * p)


class PartitionAttentionLayer(Module):
    """(N, C, H, W) -> (N, C, H, W): attention among partition_size² pixels, and a network on each pixel.

    The pixels are neighbors for the `partition_type` "window", and lie on a regular grid over the whole image for
    "grid". Raises ValueError for other types, and in forward AssertionError unless partition_size divides `grid_size`,
    which is (H, W). Source: torchvision.models.maxvit.PartitionAttentionLayer.
    """

    def __init__(
        self, in_channels: int, head_dim: int, partition_size: int, partition_type: str, grid_size: tuple[int, int],
        mlp_ratio: int, activation_layer: Layer, norm_layer: Layer, attention_dropout: float, mlp_dropout: float,
        p_stochastic_dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        if partition_type not in ("grid", "window"):
            raise ArgumentError("partition_type must be either 'grid' or 'window'")
        self.n_heads, self.head_dim = in_channels // head_dim, head_dim
        self.n_partitions = grid_size[0] // partition_size
        self.partition_type, self.grid_size = partition_type, grid_size
        grid = partition_type == "grid"
        sizes = partition_size, self.n_partitions
        self.p, self.g = sizes[::-1] if grid else sizes
        self.partition_op, self.departition_op = WindowPartition(), WindowDepartition()
        # A grid takes the pixels at one position of all windows.
        self.partition_swap, self.departition_swap = (SwapAxes(-2, -3) if grid else nn.Identity() for _ in range(2))
        attention = RelativePositionalMultiHeadAttention(in_channels, head_dim, partition_size**2)
        self.attn_layer = Sequential(norm_layer(in_channels), attention, nn.Dropout(attention_dropout))
        widen = nn.Linear(in_channels, in_channels * mlp_ratio)
        narrow = nn.Linear(in_channels * mlp_ratio, in_channels)
        self.mlp_layer = Sequential(
            nn.LayerNorm(in_channels), widen, activation_layer(), narrow, nn.Dropout(mlp_dropout)
        )
        self.stochastic_dropout = StochasticDepth(p_stochastic_dropout, "row")

    def forward(self, x: Tensor) -> Tensor:
        height, width = self.grid_size
        rows, columns = height // self.p, width // self.p
        if height % self.p or width % self.p:
            raise CallError(
                "Grid size must be divisible by partition size. "
                f"Got grid size of {self.grid_size} and partition size of {self.p}"
            )
        x = self.partition_swap(self.partition_op(x, self.p))
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        return self.departition_op(self.departition_swap(x), self.p, rows, columns)


class MaxVitLayer(Module):
    """(N, in, H, W) -> (N, out, H / stride, W / stride): MBConv, attention in windows, attention in grids.

    `grid_size` is that of the results. Source: torchvision.models.maxvit.MaxVitLayer.
    """

    def __init__(
        self, in_channels: int, out_channels: int, squeeze_ratio: float, expansion_ratio: float, stride: int,
        norm_layer: Layer, activation_layer: Layer, head_dim: int, mlp_ratio: int, mlp_dropout: float,
        attention_dropout: float, p_stochastic_dropout: float, partition_size: int, grid_size: tuple[int, int],
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = in_channels, out_channels, expansion_ratio, squeeze_ratio, stride
        layers: OrderedDict[str, Module] = OrderedDict()
        layers["MBconv"] = MBConv(*sizes, activation_layer, norm_layer, p_stochastic_dropout)
        rest = activation_layer, nn.LayerNorm, attention_dropout, mlp_dropout, p_stochastic_dropout
        for kind in ("window", "grid"):
            layers[f"{kind}_attention"] = PartitionAttentionLayer(
                out_channels, head_dim, partition_size, kind, grid_size, mlp_ratio, *rest
            )
        self.layers = Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MaxVitBlock(Module):
    """(N, in, H, W) -> (N, out, ceil(H / 2), ceil(W / 2)): layers, of which the first has stride 2.

    `p_stochastic` are the rates of stochastic depth of the layers. Raises ValueError unless there are `n_layers`.
    Source: torchvision.models.maxvit.MaxVitBlock.
    """

    def __init__(
        self, in_channels: int, out_channels: int, squeeze_ratio: float, expansion_ratio: float, norm_layer: Layer,
        activation_layer: Layer, head_dim: int, mlp_ratio: int, mlp_dropout: float, attention_dropout: float,
        partition_size: int, input_grid_size: tuple[int, int], n_layers: int, p_stochastic: Sequence[float],
    ) -> None:  # fmt: skip
        super().__init__()
        if len(p_stochastic) != n_layers:
            raise ArgumentError(f"p_stochastic must have length n_layers={n_layers}, got p_stochastic={p_stochastic}.")
        self.layers = ModuleList()
        self.grid_size = _halved(input_grid_size)
        ratios, layer_types = (squeeze_ratio, expansion_ratio), (norm_layer, activation_layer)
        for i, p in enumerate(p_stochastic):
            sizes = out_channels if i else in_channels, out_channels, *ratios, 1 if i else 2, *layer_types
            rates = mlp_dropout, attention_dropout, p
            self.layers.append(MaxVitLayer(*sizes, head_dim, mlp_ratio, *rates, partition_size, self.grid_size))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MaxVit(Module):
    """(N, 3, *input_size) -> (N, num_classes). Raises ValueError unless windows fit into the image of each block.

    Source: torchvision.models.MaxVit.

    >>> net = torch.models.MaxVit((32, 32), 4, 2, [8, 8], [1, 1], 4, 0.1, num_classes=10).eval()
    >>> net(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self, input_size: tuple[int, int], stem_channels: int, partition_size: int, block_channels: Sequence[int],
        block_layers: Sequence[int], head_dim: int, stochastic_depth_prob: float, norm_layer: Layer | None = None,
        activation_layer: Layer = nn.GELU, squeeze_ratio: float = 0.25, expansion_ratio: float = 4, mlp_ratio: int = 4,
        mlp_dropout: float = 0.0, attention_dropout: float = 0.0, num_classes: int = 1000,
    ) -> None:  # fmt: skip
        super().__init__()
        norm = norm_layer or functools.partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        sizes = [_halved(input_size)]  # of the results of the stem and of each block
        for i in range(len(block_channels)):
            sizes.append(_halved(sizes[-1]))
            if any(size % partition_size for size in sizes[-1]):
                raise ArgumentError(
                    f"Input size {sizes[-1]} of block {i} is not divisible by partition size {partition_size}."
                )
        self.stem = Sequential(
            Conv2dNormActivation(
                3, stem_channels, stride=2, norm_layer=norm, activation_layer=activation_layer, bias=False, inplace=None
            ),
            Conv2dNormActivation(stem_channels, stem_channels, norm_layer=None, activation_layer=None, bias=True),
        )
        self.partition_size = partition_size
        self.blocks = ModuleList()
        rates = np.linspace(0, stochastic_depth_prob, sum(block_layers)).tolist()
        widths = [stem_channels, *block_channels]
        for width, out, size, count in zip(widths, block_channels, sizes, block_layers, strict=False):
            now, rates = rates[:count], rates[count:]
            block = MaxVitBlock(
                width, out, squeeze_ratio, expansion_ratio, norm, activation_layer, head_dim, mlp_ratio, mlp_dropout,
                attention_dropout, partition_size, size, count, now,
            )  # fmt: skip
            self.blocks.append(block)
        last = widths[-1]
        head = nn.Linear(last, last), nn.Tanh(), nn.Linear(last, num_classes, bias=False)
        self.classifier = Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(last), *head)
        init_layers(self, (nn.Conv2d, nn.Linear), init.normal_)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x)


def _maxvit_t(input_size: tuple[int, int] = (224, 224), **options: Any) -> MaxVit:
    return MaxVit(
        input_size, stem_channels=64, partition_size=7, block_channels=[64, 128, 256, 512], block_layers=[2, 2, 5, 2],
        head_dim=32, stochastic_depth_prob=0.2, **options,
    )  # fmt: skip


def _size_of(weights: WeightsEnum) -> dict[str, Any]:
    return {"input_size": (weights.transforms.keywords["crop_size"],) * 2}


maxvit_t = variant("maxvit_t", "MaxViT", _maxvit_t, _size_of)
