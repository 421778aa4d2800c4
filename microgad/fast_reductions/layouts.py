"""Ways to make an array simpler that doesn't lie in C order; `again(ufunc, x, axes)` reduces what is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend.arrays import Array
from ..backend.axes import reduced_shape
from .lines import BLOCK_SIZE

Axes = tuple[int, ...]
IN_TURN = 24  # elements of an axis that are faster to reduce in turn, each with a loop over the other axes


def once(again: Any, axes: Axes, expanded: Sequence[int], shape: Axes, ufunc: np.ufunc, x: Array) -> Array:
    """Reduce one of the equal elements of each expanded axis; the sum of all is a product, the rest of them copies."""
    out = np.asarray(again(ufunc, x[tuple([slice(1 if a in expanded else None) for a in range(x.ndim)])], axes))
    repeats = math.prod([x.shape[a] for a in expanded if a in axes]) if ufunc is np.add else 1
    out = out * repeats if repeats > 1 else out
    return out if out.shape == shape else np.broadcast_to(out, shape).copy()


def in_memory_order(
    again: Any, order: Sequence[int], axes: Axes, back: Sequence[int], ufunc: np.ufunc, x: Array
) -> Array:
    """Reduce `axes` of the array with its axes in this order, that of memory; `back` is the order of the result's."""
    return again(ufunc, x.transpose(order), axes).transpose(back)


def one_axis_first(again: Any, axes: Axes, axis: int, ufunc: np.ufunc, x: Array) -> Array:
    """Reduce one axis. The elements of a short one are reduced in turn, in long loops over the others."""
    if x.shape[axis] > IN_TURN:
        return again(ufunc, ufunc.reduce(x, axis, keepdims=True), axes)
    rows = x.transpose([*range(axis), *range(axis + 1, x.ndim), axis])
    out = np.empty(rows.shape[:-1], ufunc.reduce(rows[(0,) * (x.ndim - 1)]).dtype)
    step = max(1, BLOCK_SIZE * len(rows) // rows.size)
    for i in range(0, len(rows), step):
        _in_turn(ufunc, rows[i : i + step], out[i : i + step])
    return again(ufunc, out.reshape(reduced_shape(x.shape, axis)), axes)


def _in_turn(ufunc: np.ufunc, rows: Array, out: Array) -> None:
    """Reduce (..., n) -> (...): elements in turn, but the halves of many elements apart, as sums are more accurate."""
    n = rows.shape[-1]
    if n > 8:
        half = np.empty_like(out)
        _in_turn(ufunc, rows[..., : n // 2], out)
        _in_turn(ufunc, rows[..., n // 2 :], half)
        ufunc(out, half, out=out)
        return
    wide = {} if out.dtype.char in ("?", rows.dtype.char) else {"dtype": out.dtype}  # sums of bool or int8 are int64
    ufunc(rows[..., 0], rows[..., 1], out=out, **wide)
    for k in range(2, n):
        ufunc(out, rows[..., k], out=out, **wide)
