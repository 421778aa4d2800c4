"""Swin Transformer: Liu et al. (2021), and its second version: Liu et al. (2022)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from .. import nn
from ..dtypes import float32
from ..errors import ArgumentError
from ..nn import Module, Sequential, init
from ..nn import functional as F
from ..ops import creation
from ..ops.grids import meshgrid
from ..ops.movement import cat, roll, stack
from ..parameter import Parameter
from ..tensor import Tensor
from .blocks import MLP, Layer, Permute, StochasticDepth
from .builders import Builder, init_layers, init_transformer_mlp, variant


def relative_position_index(height: int, width: int) -> Tensor:
    """(P, P) for the P pixels of a window: the row, for their distance, in a table of (2·height - 1)·(2·width - 1)."""
    rows, columns = creation.arange(height), creation.arange(width)
    down = rows[:, None] - rows + height - 1
    right = columns[:, None] - columns + width - 1
    index = down[:, None, :, None] * (2 * width - 1) + right[:, None, :]
    return index.reshape(height * width, height * width)


def relative_position_bias(table: Tensor, index: Tensor, positions: int) -> Tensor:
    """(distances, heads), indices of P² pairs -> (1, heads, P, P)."""
    return table[index.flatten()].view(positions, positions, -1).permute(2, 0, 1).contiguous().unsqueeze(0)


def _merged(x: Tensor) -> Tensor:
    """(..., H, W, C) -> (..., ceil(H / 2), ceil(W / 2), 4 C): the channels of 2×2 pixels, column by column."""
    height, width, _ = x.shape[-3:]
    x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    return cat([x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)], -1)


class PatchMerging(Module):
    """(..., H, W, dim) -> (..., ceil(H / 2), ceil(W / 2), 2 dim): halve the image, which is padded to even sizes.

    Source: torchvision.models.swin_transformer.PatchMerging.

    >>> torch.models.swin_transformer.PatchMerging(4)(torch.zeros(1, 3, 6, 4)).shape
    torch.Size([1, 2, 3, 8])
    """

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(_merged(x)))


class PatchMergingV2(Module):
    """PatchMerging that normalizes its results. Source: torchvision.models.swin_transformer.PatchMergingV2."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(_merged(x)))


def _windows(x: Tensor, size: Sequence[int]) -> Tensor:
    """(N, H, W, C) -> (N·windows, P, C) for windows of P pixels, which must fit."""
    n, height, width, channels = x.shape
    tiles = x.reshape(n, height // size[0], size[0], width // size[1], size[1], channels)
    return tiles.transpose(2, 3).reshape(-1, size[0] * size[1], channels)


def _wrapped_mask(sizes: Sequence[int], window_size: Sequence[int], shift: Sequence[int], like: Tensor) -> Tensor:
    """(windows, P, P): -100 for pixels that a cyclic shift has brought together from opposite edges, else 0."""
    rows, columns = (
        creation.arange(size, device=like.device) >= size - by for size, by in zip(sizes, shift, strict=True)
    )
    regions = _windows((2 * rows[:, None] + columns)[None, :, :, None], window_size)  # (windows, P, 1)
    return (regions != regions.mT).to(like.dtype) * -100.0


def shifted_window_attention(
    input: Tensor,
    qkv_weight: Tensor,
    proj_weight: Tensor,
    relative_position_bias: Tensor,
    window_size: Sequence[int],
    num_heads: int,
    shift_size: Sequence[int],
    attention_dropout: float = 0.0,
    dropout: float = 0.0,
    qkv_bias: Tensor | None = None,
    proj_bias: Tensor | None = None,
    logit_scale: Tensor | None = None,
    training: bool = True,
) -> Tensor:
    """(N, H, W, C) -> (N, H, W, C): attention within windows of a padded image that is shifted cyclically.

    `relative_position_bias` (1, heads, P, P) is added to the scores of the P pixels of a window. With `logit_scale`
    (heads, 1, 1), scores are scaled cosines, as in the second version, and keys have no bias. Source:
    torchvision.models.swin_transformer.shifted_window_attention.
    """
    batch, height, width, channels = input.shape
    x = F.pad(input, (0, 0, 0, -width % window_size[1], 0, -height % window_size[0]))
    sizes = x.shape[1:3]
    shift = [0 if window >= size else by for window, size, by in zip(window_size, sizes, shift_size, strict=True)]
    shifted = sum(shift) > 0
    if shifted:
        x = roll(x, [-by for by in shift], (1, 2))
    x = _windows(x, window_size)
    if logit_scale is not None and qkv_bias is not None:
        queries, keys, values = qkv_bias.chunk(3)
        qkv_bias = cat([queries, creation.zeros_like(keys), values])
    qkv = F.linear(x, qkv_weight, qkv_bias).reshape(*x.shape[:2], 3, num_heads, channels // num_heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (N·windows, heads, P, channels of a head)
    if logit_scale is None:
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
    else:
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * logit_scale.clamp(max=math.log(100.0)).exp()
    scores = scores + relative_position_bias
    if shifted:
        mask = _wrapped_mask(sizes, window_size, shift, x)
        scores = (scores.unflatten(0, (batch, len(mask))) + mask[:, None]).flatten(0, 1)
    attention = F.dropout(F.softmax(scores, -1), attention_dropout, training)
    x = F.linear((attention @ v).transpose(1, 2).flatten(2), proj_weight, proj_bias)
    x = F.dropout(x, dropout, training)
    tiles = x.reshape(batch, sizes[0] // window_size[0], sizes[1] // window_size[1], *window_size, channels)
    x = tiles.transpose(2, 3).reshape(batch, *sizes, channels)
    if shifted:
        x = roll(x, shift, (1, 2))
    return x[:, :height, :width].contiguous()


class ShiftedWindowAttention(Module):
    """(N, H, W, dim) -> (N, H, W, dim): shifted_window_attention, whose bias is a table of distances.

    Raises ValueError unless window and shift have two sizes. Source:
    torchvision.models.swin_transformer.ShiftedWindowAttention.

    >>> torch.models.swin_transformer.ShiftedWindowAttention(8, [3, 3], [1, 1], 2)(torch.zeros(1, 5, 7, 8)).shape
    torch.Size([1, 5, 7, 8])
    """

    relative_position_index: Tensor

    def __init__(
        self, dim: int, window_size: Sequence[int], shift_size: Sequence[int], num_heads: int, qkv_bias: bool = True,
        proj_bias: bool = True, attention_dropout: float = 0.0, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ArgumentError("window_size and shift_size must be of length 2")
        self.window_size, self.shift_size, self.num_heads = window_size, shift_size, num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self.define_relative_position_bias_table()
        self.define_relative_position_index()

    def define_relative_position_bias_table(self) -> None:
        """Make the parameter of shape ((2·height - 1)·(2·width - 1), heads)."""
        height, width = self.window_size
        table = creation.empty((2 * height - 1) * (2 * width - 1), self.num_heads)
        self.relative_position_bias_table = Parameter(init.trunc_normal_(table, std=0.02))

    def define_relative_position_index(self) -> None:
        """Make the buffer of shape (P²,) with the row of the table for each pair of pixels."""
        self.register_buffer("relative_position_index", relative_position_index(*self.window_size).flatten())

    def get_relative_position_bias(self) -> Tensor:
        """Return what is added to the scores: (1, heads, P, P)."""
        return self._bias(self.relative_position_bias_table)

    def _bias(self, table: Tensor) -> Tensor:
        return relative_position_bias(table, self.relative_position_index, math.prod(self.window_size))

    def _attend(self, x: Tensor, logit_scale: Tensor | None = None) -> Tensor:
        bias, windows = self.get_relative_position_bias(), (self.window_size, self.num_heads, self.shift_size)
        return shifted_window_attention(
            x, self.qkv.weight, self.proj.weight, bias, *windows, self.attention_dropout, self.dropout, self.qkv.bias,
            self.proj.bias, logit_scale, self.training,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self._attend(x)


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """ShiftedWindowAttention of scaled cosines, whose bias a small network computes from distances.

    Source: torchvision.models.swin_transformer.ShiftedWindowAttentionV2.
    """

    relative_coords_table: Tensor

    def __init__(
        self, dim: int, window_size: Sequence[int], shift_size: Sequence[int], num_heads: int, qkv_bias: bool = True,
        proj_bias: bool = True, attention_dropout: float = 0.0, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        rates = attention_dropout, dropout
        super().__init__(dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, *rates)
        self.logit_scale = Parameter((10 * creation.ones(num_heads, 1, 1)).log())
        self.cpb_mlp = Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, num_heads, bias=False))
        if qkv_bias:
            self.qkv.get_parameter("bias").detach()[dim : 2 * dim].zero_()  # of the keys

    def define_relative_position_bias_table(self) -> None:
        """Make the buffer of shape (1, 2·height - 1, 2·width - 1, 2) with the logarithms of distances."""
        scaled = [8 * creation.arange(1 - n, n, dtype=float32) / (n - 1) for n in self.window_size]  # from -8 to 8
        logs = [x.sign() * (x.abs() + 1).log2() / 3 for x in scaled]
        self.register_buffer("relative_coords_table", stack(meshgrid(*logs, indexing="ij"), -1)[None])

    def get_relative_position_bias(self) -> Tensor:
        return self._bias(16 * self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads).sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self._attend(x, self.logit_scale)


class SwinTransformerBlock(Module):
    """(N, H, W, dim) -> (N, H, W, dim): attention and a network on each pixel, both normalized before and residual.

    Source: torchvision.models.swin_transformer.SwinTransformerBlock.
    """

    def __init__(
        self, dim: int, num_heads: int, window_size: Sequence[int], shift_size: Sequence[int], mlp_ratio: float = 4.0,
        dropout: float = 0.0, attention_dropout: float = 0.0, stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm, attn_layer: Layer = ShiftedWindowAttention,
    ) -> None:  # fmt: skip
        super().__init__()
        rates = {"attention_dropout": attention_dropout, "dropout": dropout}
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(dim, window_size, shift_size, num_heads, **rates)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        init_transformer_mlp(self.mlp)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """SwinTransformerBlock that normalizes after attention and network, before the residual connections.

    Source: torchvision.models.swin_transformer.SwinTransformerBlockV2.
    """

    def __init__(
        self, dim: int, num_heads: int, window_size: Sequence[int], shift_size: Sequence[int], mlp_ratio: float = 4.0,
        dropout: float = 0.0, attention_dropout: float = 0.0, stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm, attn_layer: Layer = ShiftedWindowAttentionV2,
    ) -> None:  # fmt: skip
        rates = dropout, attention_dropout, stochastic_depth_prob
        super().__init__(dim, num_heads, window_size, shift_size, mlp_ratio, *rates, norm_layer, attn_layer)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(Module):
    """(N, 3, H, W) -> (N, num_classes). Source: torchvision.models.SwinTransformer.

    >>> net = torch.models.SwinTransformer([4, 4], 8, [1, 2], [2, 4], [3, 3], num_classes=10).eval()
    >>> net(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self, patch_size: Sequence[int], embed_dim: int, depths: Sequence[int], num_heads: Sequence[int],
        window_size: Sequence[int], mlp_ratio: float = 4.0, dropout: float = 0.0, attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.1, num_classes: int = 1000, norm_layer: Layer | None = None,
        block: Layer | None = None, downsample_layer: Layer = PatchMerging,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_classes = num_classes
        norm = norm_layer or functools.partial(nn.LayerNorm, eps=1e-5)
        how: dict[str, Any] = {"window_size": window_size, "mlp_ratio": mlp_ratio, "norm_layer": norm}
        how |= {"dropout": dropout, "attention_dropout": attention_dropout}
        patch = patch_size[0], patch_size[1]
        embedding = nn.Conv2d(3, embed_dim, patch, patch), Permute([0, 2, 3, 1]), norm(embed_dim)
        layers: list[Module] = [Sequential(*embedding)]
        dim, count = embed_dim, 0
        for i, depth in enumerate(depths):
            if i:
                layers.append(downsample_layer(dim, norm))
                dim *= 2
            blocks = []
            for j in range(depth):
                how["shift_size"] = [w // 2 if j % 2 else 0 for w in window_size]
                how["stochastic_depth_prob"] = stochastic_depth_prob * count / (sum(depths) - 1)
                blocks.append((block or SwinTransformerBlock)(dim, num_heads[i], **how))
                count += 1
            layers.append(Sequential(*blocks))
        self.features = Sequential(*layers)
        self.norm = norm(dim)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(dim, num_classes)
        init_layers(self, nn.Linear, init.trunc_normal_)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.flatten(self.avgpool(self.permute(self.norm(self.features(x))))))


def _swin(
    name: str, embed_dim: int, deep: int, dropped: float, window: int = 7, **version: Any
) -> Builder[SwinTransformer]:
    depths, heads = [2, 2, deep, 2], [embed_dim // 32 * 2**i for i in range(4)]

    def build(**options: Any) -> SwinTransformer:
        windows = [window, window]
        return SwinTransformer(
            [4, 4], embed_dim, depths, heads, windows, stochastic_depth_prob=dropped, **version, **options
        )

    return variant(f"swin_{name}", "a Swin Transformer", build)


_swin_v2 = functools.partial(_swin, window=8, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)
swin_t = _swin("t", 96, 6, 0.2)
swin_s = _swin("s", 96, 18, 0.3)
swin_b = _swin("b", 128, 18, 0.5)
swin_v2_t = _swin_v2("v2_t", 96, 6, 0.2)
swin_v2_s = _swin_v2("v2_s", 96, 18, 0.3)
swin_v2_b = _swin_v2("v2_b", 128, 18, 0.5)
