"""Padding, with a constant or with the input's own values."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backend.axes import at_axis, slice_along
from ...errors import ArgumentError, ShapeError
from ...errors.arguments import as_sizes
from ...function import Function
from ...function.linear_map import LinearMap
from ...type_aliases import Array, Tensor
from ..creation.scalars import checked_scalar
from ..elementwise import Flat
from ..support import layouts
from ..support.spelling import tensors_only
from .conversion import Clone, clone, memory_format_of

Widths = tuple[tuple[int, int], ...]  # before and after, for each axis


class Pad(Function):
    """Pad with a constant `value`; `widths` has (before, after) for each axis."""

    symbol, node_name, numpy = "pad", "ConstantPadNd", np.pad

    def forward(self, x):
        if not any(map(any, self.widths)):
            return x.copy(layouts.copy_order(x))  # PyTorch clones what it only crops
        out = _with_empty_border(x, self.widths)
        for axis, (low, high) in enumerate(self.widths):
            if low:
                out[slice_along(axis, None, low)] = self.value
            if high:
                out[slice_along(axis, out.shape[axis] - high, None)] = self.value
        return out

    def grad_x(self, grad):
        middle = [slice(low, n - high) for n, (low, high) in zip(grad.shape, self.widths, strict=True)]
        return Clone.apply(grad[tuple(middle)], order="K")  # without gaps, as PyTorch's


class NonConstantPad(LinearMap):
    """Pad with x's own values; `mode` is NumPy's reflect, symmetric, edge or wrap."""

    symbol, operator, zero_link, native_half = "pad", "pad", Flat, True
    channels_last = False  # whether the gradient is in channels-last format, as x

    def forward(self, x):
        out = _with_empty_border(layouts.contiguous(x) if self.mode == "wrap" else x, self.widths)
        for put, source in _borders(x.shape, self.widths, self.mode):
            out[put] = out[source]
        return out

    def adjoint(self, grad):
        grad = layouts.in_format(grad, self.channels_last).copy("K")
        for axis, (low, high) in enumerate(self.widths):
            n = grad.shape[axis] - low - high
            for put, source in _border_along_axis(n, low, high, self.mode):
                part = grad[at_axis(axis, put)]
                grad[at_axis(axis, source)] += part.sum(axis, keepdims=True) if self.mode == "edge" else part
            grad = grad[slice_along(axis, low, low + n)]
        return layouts.in_format(grad, self.channels_last)


def _with_empty_border(x: Array, widths: Widths) -> Array:
    """Return a padded array with x in the middle and an uninitialized border."""
    shape, middle = _padded_shape(x.shape, widths)
    out = layouts.empty_in_format(x, shape)
    out[middle] = x
    return out


@functools.lru_cache(maxsize=256)
def _padded_shape(shape: tuple[int, ...], widths: Widths) -> tuple[tuple[int, ...], tuple[slice, ...]]:
    """Return the padded shape, and the index of the original within it."""
    whole = tuple([low + n + high for n, (low, high) in zip(shape, widths, strict=True)])
    return whole, tuple([slice(low, low + n) for n, (low, _) in zip(shape, widths, strict=True)])


@functools.lru_cache(maxsize=256)
def _borders(shape: tuple[int, ...], widths: Widths, mode: str) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """List, axis by axis, the indices of the border of a padded array and of the values to be copied there."""
    found = []
    for axis, (n, (low, high)) in enumerate(zip(shape, widths, strict=True)):
        borders = _border_along_axis(n, low, high, mode)
        found += [(at_axis(axis, put), at_axis(axis, source)) for put, source in borders]
    return found


@functools.lru_cache(maxsize=256)
def _border_along_axis(n: int, low: int, high: int, mode: str) -> list[tuple[slice, slice]]:
    """List the same along one axis: the slices of the border before and after n values, and of their sources."""
    end, skip = low + n, mode == "reflect"
    if mode == "edge":
        sources = slice(low, low + 1), slice(end - 1, end)
    elif mode == "wrap":
        sources = slice(end - low, end), slice(low, low + high)
    else:
        stop = end - skip - high - 1
        sources = slice(2 * low + skip - 1, low + skip - 1, -1), slice(end - skip - 1, stop if stop >= 0 else None, -1)
    return [(slice(low), sources[0])] * (low > 0) + [(slice(end, end + high), sources[1])] * (high > 0)


MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
TOO_WIDE = {
    "reflect": "Padding size should be less than the corresponding input dimension",
    "symmetric": "Padding size should be at most the corresponding input dimension",
    "edge": "Padding size should be 0 where there is nothing to repeat",
    "wrap": "Padding value causes wrapping around more than once",
}


@tensors_only
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: complex | None = None) -> Tensor:
    """Pad input by (before, after) widths, given from the last dimension backwards; negative widths crop.

    Modes: constant, and for the last 1, 2 or 3 dimensions after 1 or 2 others reflect, replicate, circular. Raises
    RuntimeError where widths don't fit. Source: torch.nn.functional.pad.

    >>> F.pad(torch.tensor([1, 2, 3]), (1, 2), value=9)
    tensor([9, 1, 2, 3, 9, 9])
    """
    if len(pad) % 2:
        raise ShapeError(f"pad: Padding length must be divisible by 2, got {len(pad)}")
    count = len(pad) // 2
    if count > input.ndim:
        raise ShapeError(
            f"pad: Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {input.ndim}"
        )
    ends = as_sizes("pad", "pad", pad)
    widths = [(0, 0)] * (input.ndim - count) + [*zip(ends[::2], ends[1::2], strict=True)][::-1]
    if mode != "constant":
        if mode not in MODES:
            raise NotImplementedError(f"pad: mode is constant, {', '.join(MODES)}, got '{mode}'")
        if value:
            raise ArgumentError(f'pad: Padding mode "{mode}" doesn\'t take in value argument, got {value}')
        if not 1 <= count <= 3 or input.ndim - count not in (1, 2) or input.ndim > 5:
            raise NotImplementedError(
                f"pad: Padding size {len(pad)} is not supported for {input.ndim}D input tensor: {mode} padding goes "
                "around the last 1, 2 or 3 dimensions behind 1 or 2 others"
            )
        if mode != "circular" and 0 in input.array.shape[input.ndim == count + 2 :]:
            raise ShapeError(
                f"pad: Expected {count + 1}D or {count + 2}D (batch mode) tensor with possibly 0 batch size and other "
                f"non-zero dimensions for input, but got: {[*input.shape]}"
            )
    return padded(input, widths, MODES.get(mode, mode), value or 0)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """Pad input with a constant: see `nn.functional.pad`.

    Raises RuntimeError for an odd number of widths. Source: torch.constant_pad_nd.

    >>> torch.constant_pad_nd(torch.tensor([1, 2]), (1, 0))
    tensor([0, 1, 2])
    """
    return globals()["pad"](input, pad, "constant", value)


def padded(input: Tensor, widths: Sequence[tuple[int, int]], mode: str, value: Any = 0) -> Tensor:
    """Pad input by (before, after) widths for each dimension, in one of NumPy's modes; negative widths crop."""
    shape = input.array.shape
    wide, crops = tuple(widths), []
    if min(map(min, widths), default=0) < 0:
        for axis, (n, (low, high)) in enumerate(zip(shape, widths, strict=True)):
            if n + (min(low, 0) + min(high, 0) if mode == "constant" else low + high) < 0:
                said = f"pad: widths ({low}, {high}) cut off more than dimension {axis} of input {shape} has"
                raise ShapeError(said)
        wide = tuple((max(low, 0), max(high, 0)) for low, high in widths)
        crops = [(max(-low, 0), max(-high, 0)) for low, high in widths]
    if mode in ("constant", "wrap"):  # crop before padding, so that cropped values don't wrap around
        input = _crop(input, crops)
        crops = []
    if mode == "constant":
        if input.array.dtype.kind in "iu":
            value = int(checked_scalar("pad", float(value), input.array.dtype))
        return Pad.apply(input, widths=wide, value=value)
    for axis, (n, (low, high)) in enumerate(zip(input.array.shape, wide, strict=True)):
        most = max(low, high)
        limit = most if mode == "edge" and n else n - (mode == "reflect")
        if most > max(limit, 0):
            raise ShapeError(
                f"pad: {TOO_WIDE[mode]}, but got: padding ({low}, {high}) at dimension {axis} of input "
                f"{list(input.shape)}"
            )
    last = mode != "wrap" and layouts.channels_last(input.array)
    out = NonConstantPad.apply(input, widths=wide, mode=mode, channels_last=last)
    return clone(_crop(out, crops), memory_format=memory_format_of(input.array)) if crops else out


def _crop(input: Tensor, crops: Sequence[tuple[int, int]]) -> Tensor:
    if not any(low or high for low, high in crops):
        return input
    return input[tuple(slice(low, n - high) for n, (low, high) in zip(input.shape, crops, strict=True))]
