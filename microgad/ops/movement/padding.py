"""Values put around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...function import Function
from ...linear_map import LinearMap
from ..creation.numbers import number
from ..elementwise import Flat
from ..spelling import tensors_only

if TYPE_CHECKING:
    from ...tensor import Tensor


class Pad(Function):
    """Widths of a constant value put around: `widths` has (before, after) for each axis."""

    symbol, numpy = "pad", np.pad

    def forward(self, x):
        out = _amid(x, self.widths)
        for axis, (low, high) in enumerate(self.widths):
            along = np.swapaxes(out, 0, axis)
            along[:low] = self.value
            along[len(along) - high :] = self.value
        return out

    def grad_x(self, grad):
        return grad[_middle(grad.shape, self.widths)]


class Border(LinearMap):
    """Widths of x's own values put around: `mode` is NumPy's reflect, symmetric, edge or wrap."""

    symbol, flat = "pad", Flat

    def forward(self, x):
        out = _amid(x, self.widths)
        for axis, (low, high) in enumerate(self.widths):
            if low or high:
                along = np.swapaxes(out, 0, axis)
                n = len(along) - high
                along[:low], along[n:] = _sources(along[low:n], low, high, self.mode)
        return out

    def adjoint(self, grad):
        for axis, (low, high) in enumerate(self.widths):
            if low or high:
                along = np.swapaxes(grad, 0, axis)
                n = len(along) - high
                inner = along[low:n].copy()
                for source, part in zip(_sources(inner, low, high, self.mode), (along[:low], along[n:]), strict=True):
                    source += part if len(source) == len(part) else part.sum(0, keepdims=True)
                grad = np.swapaxes(inner, 0, axis)
        return grad


def _middle(shape: tuple[int, ...], widths: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
    return tuple(slice(low, n - high) for n, (low, high) in zip(shape, widths, strict=True))


def _amid(x: Any, widths: Sequence[tuple[int, int]]) -> Any:
    """A larger array with x in it, and around it whatever its memory holds."""
    shape = tuple(low + n + high for n, (low, high) in zip(x.shape, widths, strict=True))
    out = np.empty_like(x, shape=shape, order="C")
    out[_middle(shape, widths)] = x
    return out


def _sources(inner: Any, low: int, high: int, mode: str) -> tuple[Any, Any]:
    """Views of the values along the first axis that come before it and after it."""
    n = len(inner)
    if mode == "edge":
        return inner[:1], inner[n - 1 :]
    if mode == "wrap":
        return inner[n - low :], inner[:high]
    skip = mode == "reflect"
    return np.flip(inner[skip : skip + low], 0), np.flip(inner[n - skip - high : n - skip], 0)


MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@tensors_only
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: complex | None = None) -> Tensor:
    """input with (before, after) widths put around, given from the last dimension backwards; negative ones cut off.

    Modes: constant, and for the last 1, 2 or 3 dimensions behind 1 or 2 others reflect, replicate, circular. Raises
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
    pairs = [(int(pad[2 * i]), int(pad[2 * i + 1])) for i in range(count)]
    widths = [(0, 0)] * (input.ndim - count) + pairs[::-1]
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
        for axis, n in enumerate(input.shape):
            if n == 0 and axis > 0:
                raise ShapeError(f"pad: expected non-zero dimensions behind the first, got input {tuple(input.shape)}")
    return padded(input, widths, MODES.get(mode, mode), value or 0)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """input with widths of a constant put around: see `nn.functional.pad`. Source: torch.constant_pad_nd.

    >>> torch.constant_pad_nd(torch.tensor([1, 2]), (1, 0))
    tensor([0, 1, 2])
    """
    return globals()["pad"](input, pad, "constant", value)


def padded(input: Tensor, widths: Sequence[tuple[int, int]], mode: str, value: Any = 0) -> Tensor:
    """input with (before, after) widths for each dimension put around, in one of NumPy's modes."""
    shape = tuple(input.shape)
    for axis, (n, (low, high)) in enumerate(zip(shape, widths, strict=True)):
        if n + low + high < 0:
            raise ShapeError(f"pad: widths ({low}, {high}) cut off more than dimension {axis} of input {shape} has")
    wide = [(max(low, 0), max(high, 0)) for low, high in widths]
    cuts = [(max(-low, 0), max(-high, 0)) for low, high in widths]
    if mode in ("constant", "wrap"):  # what is cut off doesn't come round
        input = _cut(input, cuts)
        cuts = []
    if mode == "constant":
        if input.array.dtype.kind in "iu":
            value = int(number("pad", float(value), input.array.dtype))
        return Pad.apply(input, widths=tuple(wide), value=value)
    for axis, (n, (low, high)) in enumerate(zip(input.shape, wide, strict=True)):
        limit = {"reflect": n - 1, "edge": max(low, high) if n else 0}.get(mode, n)
        if max(low, high) > max(limit, 0):
            raise ShapeError(
                f"pad: Padding size should be at most {limit} in mode {mode}, but got ({low}, {high}) for dimension "
                f"{axis} of input {tuple(input.shape)}"
            )
    return _cut(Border.apply(input, widths=tuple(wide), mode=mode), cuts).contiguous()


def _cut(input: Tensor, cuts: Sequence[tuple[int, int]]) -> Tensor:
    if not any(low or high for low, high in cuts):
        return input
    return input[tuple(slice(low, n - high) for n, (low, high) in zip(input.shape, cuts, strict=True))]
