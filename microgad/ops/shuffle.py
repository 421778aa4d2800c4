"""Pixel shuffles, which move values between channels and positions, and channel shuffle, between groups of channels."""

from __future__ import annotations

import math

import numpy as np

from ..backend.axis_order import inverse
from ..errors import ArgumentError, ShapeError
from ..function.linear_map import LinearMap
from ..state import composite
from ..type_aliases import Array, Tensor
from .support import layouts

FEW = 1 << 12  # elements that are copied faster by one call


class Shuffle(LinearMap):
    """x reshaped to `split`, permuted by `order`, and reshaped to `size`."""

    symbol, operator, native_half = "shuffle", None, True
    split: tuple[int, ...]
    order: tuple[int, ...]
    size: tuple[int, ...]

    def forward(self, x):
        return _shuffled(x, self.split, self.order, self.size)

    def adjoint(self, grad):
        return _shuffled(grad, tuple([self.split[i] for i in self.order]), tuple(inverse(self.order)), self.x_shape)


def _shuffled(x: Array, split: tuple[int, ...], order: tuple[int, ...], size: tuple[int, ...]) -> Array:
    """Return x reshaped, permuted and reshaped, in channels-last format if x is. It is copied once.

    All axes of `split` are parts of x's, and permuted those of the result's, so that reshaping makes views.
    """
    moved = x.reshape(split).transpose(order)
    if not layouts.channels_last(x):
        return moved.copy().reshape(size)
    out = layouts.empty_in_format(x, size)
    parts = out.reshape(moved.shape)
    short = [n for n, step in zip(parts.shape[2:], parts.strides[2:], strict=True) if step < parts.strides[1]]
    if math.prod(short) >= parts.shape[1] or x.size < FEW:
        parts[...] = moved
    else:  # the innermost parts of the channels are short: NumPy's inner loops should run along the first
        for at in np.ndindex(*short):
            parts[(slice(None), slice(None), *at)] = moved[(slice(None), slice(None), *at)]
    return out


@composite
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turn r² channels into r × r pixels of one channel, (..., C r², H, W) -> (..., C, H r, W r); r is upscale_factor.

    Raises RuntimeError if r² does not divide the channels. Source: torch.pixel_shuffle; Shi et al. (2016).

    >>> torch.pixel_shuffle(torch.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])
    """
    r = _check_factor("pixel_shuffle", input, upscale_factor)
    *lead, channels, height, width = input.array.shape
    if channels % (r * r):
        raise ShapeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n, c = len(lead), channels // (r * r)
    order, size = (*range(n + 1), n + 3, n + 1, n + 4, n + 2), (*lead, c, height * r, width * r)
    return Shuffle.apply(input, split=(*lead, c, r, r, height, width), order=order, size=size)


@composite
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Invert pixel_shuffle, (..., C, H r, W r) -> (..., C r², H, W). Source: torch.pixel_unshuffle.

    Raises RuntimeError if r does not divide height and width.

    >>> torch.pixel_unshuffle(torch.tensor([[[0, 1], [2, 3]]]), 2).shape
    torch.Size([4, 1, 1])
    """
    r = _check_factor("pixel_unshuffle", input, downscale_factor)
    *lead, c, height, width = input.array.shape
    if height % r or width % r:
        raise ShapeError(
            f"pixel_unshuffle expects height and width to be divisible by {r}, but they are {height}, {width}"
        )
    n = len(lead)
    height, width = height // r, width // r
    order, size = (*range(n + 1), n + 2, n + 4, n + 1, n + 3), (*lead, c * r * r, height, width)
    return Shuffle.apply(input, split=(*lead, c, height, r, width, r), order=order, size=size)


def _check_factor(op: str, input: Tensor, factor: int) -> int:
    if input.ndim < 3:
        raise ShapeError(f"{op} expects input to have at least 3 dimensions, but got input with {input.ndim}")
    if factor <= 0:
        raise ArgumentError(f"{op} expects a positive factor, but got {factor}")
    return factor


@composite
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave the channels of (N, C, ...): the first channel of each group, then the second, ...

    Raises RuntimeError if `groups` does not divide C. Source: torch.channel_shuffle; Zhang et al. (2018).

    >>> torch.channel_shuffle(torch.arange(4).reshape(1, 4, 1), 2).flatten()
    tensor([0, 2, 1, 3])
    """
    if input.ndim < 3:
        raise ShapeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {tuple(input.shape)}")
    if groups <= 0:
        raise ArgumentError(f"channel_shuffle: number of groups to divide channels in must be positive, got {groups}")
    n, c, *rest = input.array.shape
    if c % groups:
        raise ShapeError(f"channel_shuffle: number of channels {c} must be divisible by groups {groups}")
    order = (0, 2, 1, *range(3, len(rest) + 3))
    return Shuffle.apply(input, split=(n, groups, c // groups, *rest), order=order, size=input.array.shape)
