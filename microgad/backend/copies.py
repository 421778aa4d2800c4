"""Copies of arrays: in which order of axes, and in the fastest way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backend
from ..duck_arrays import DuckArray
from .arrays import Array
from .axis_order import inverse, order_by, outermost_first
from .memory_layout import elsewhere, has_gaps, memory_of

LONG_ROW = 1 << 9  # bytes of a row for which NumPy copies almost as fast as it can
MANY_ROWS = 1 << 9  # rows that repay the time to see them as items
MANY_BYTES = 1 << 16  # of an array that repays a loop over strips
WORDS = frozenset((2, 4, 8, 16))  # bytes of an item that NumPy copies as a number, which takes a fifth of the time


def copied(x: Array) -> Array:
    """A copy in the same axis order. Expanded axes (stride 0) are copied once, and stay expanded."""
    if 0 not in x.strides or isinstance(x, DuckArray):
        return x.copy("K")
    once = x[tuple(slice(0, 1) if step == 0 else slice(None) for step in x.strides)].copy("K")
    steps = tuple(0 if step == 0 else own for step, own in zip(x.strides, once.strides, strict=True))
    return backend.as_strided(once, x.shape, steps)  # np.broadcast_to's result would be read-only


def in_axis_order(copy: Callable[[Any], Any], x: Any, order: Sequence[int]) -> Any:
    """copy(x), with the axes in this order in memory, the outermost first, if `copy` makes an array in C order."""
    return copy(x.transpose(order)).transpose(inverse(order))


def moved(x: Array, move: Any) -> Array:
    """A copy on another device, with the axes in memory as here. CuPy copies to the host, and from it, in C order."""
    if isinstance(x, DuckArray):
        return x.map_innermost(lambda x: moved(x, move))
    if x.flags.c_contiguous:
        return move(x)
    return in_axis_order(move, x, order_by(x.shape, x.strides))


def copied_in_order(x: Array) -> Array:
    """A copy with the axes in memory as x has them, as of NumPy's order "K", but fast for rows of few bytes."""
    if type(x) is not np.ndarray or x.size < 1 << 12 or x.flags.c_contiguous:
        return x.copy("K")
    steps = [abs(step) for step in x.strides]
    if x.shape[steps.index(min(steps))] > 8:  # rows are long: the order of the axes, which takes longer, isn't needed
        return x.copy("K")
    return in_axis_order(copied_row_major, x, outermost_first(x.strides))


def copy_into(out: Array, x: Array) -> None:
    """Write x into `out`, which shares no memory with it, by `faster_copy`."""
    bare = x.size >= 2 * MANY_ROWS and type(x) is type(out) is np.ndarray
    copy = faster_copy(x, out.strides) if bare else None
    if copy is not None and (x.shape, x.dtype) == (out.shape, out.dtype):
        copy(out, x)
    else:
        out[...] = x


def copied_row_major(x: Array) -> Array:
    """A copy in C order, by `faster_copy`."""
    if type(x) is not np.ndarray or (copy := faster_copy(x)) is None:
        return x.copy("C")
    out = np.empty(x.shape, x.dtype)
    copy(out, x)
    return out


def faster_copy(x: np.ndarray, steps: tuple[int, ...] | None = None) -> Callable[[Any, Any], None] | None:
    """Return the way to copy x into an array in C order, or of strides `steps`, a function (out, x), if not NumPy's.

    Columns in steps of 512 bytes are copied 8 to 32 at a time: in half to a fifth of the time. All the elements of such
    a row compete for a few lines of the processor's caches. If rows are few and long, a loop over strips would take
    longer. Many rows of a few bytes are copied column by column, in a tenth to half of the time, since NumPy starts a
    loop for each row; or as single items, if these are of a size that NumPy copies as a number, or not so short.
    """
    if (size := x.size) < 2 * MANY_ROWS or x.ndim < 2:
        return None
    if size < MANY_ROWS * (n := x.shape[-1]) and x.nbytes < MANY_BYTES:
        return None
    own = x.strides
    step = own[-1]
    joined = own[-2] == n * step  # NumPy sees rows that follow each other as one
    if steps is not None:
        if steps[-1] != x.itemsize:  # NumPy copies along another axis
            return None
        joined = joined and steps[-2:-1] == (n * x.itemsize,)
    if n <= 8 and _has_few_columns(x):
        return _copy_items if step == x.itemsize and n * step in WORDS else _copy_columns
    if step == x.itemsize:
        short = 1 < n <= LONG_ROW // step and size >= MANY_ROWS * n and not x.dtype.hasobject
        return _copy_items if short and not joined else None
    if x.nbytes < MANY_BYTES or step < 1024 or step % 512 or n**2 > 100 * x.size:
        return None
    return _copy_strips


def _copy_items(out: Array, x: Array) -> None:
    """Copy contiguous rows as items. NumPy takes as long to start a loop for a row as to copy some 100 bytes."""
    row = f"V{x.shape[-1] * x.itemsize}"
    out.view(row)[...] = x.view(row)


def _has_few_columns(x: Array) -> bool:
    """Whether a copy takes less time column by column: rows are many, of few bytes, and don't follow each other."""
    if x.ndim < 2 or not 1 < (n := x.shape[-1]) <= 8 or x.size < 1000 * n:
        return False
    if n > max(3, 16 // x.itemsize) or x.itemsize > 8 or x.dtype.hasobject:
        return False
    return bool(x.strides[-2] != n * x.strides[-1])


def _copy_strips(out: Array, x: Array) -> None:
    """Copy as many columns at a time as the first cache, 8 ways of 4096 bytes, has lines for an element of each.

    Of long rows at least 16: a line of `out` would leave the caches before the next strip completes it.
    """
    count = min(32, max(8 if x.shape[-1] <= 512 else 16, 8 * 4096 // math.gcd(x.strides[-1], 4096)))
    for i in range(0, x.shape[-1], count):
        out[..., i : i + count] = x[..., i : i + count]


def _copy_columns(out: Array, x: Array) -> None:
    """Copy the columns one after the other."""
    word = "d" if x.dtype.char == "F" else x.dtype  # NumPy would copy the parts of complex numbers one by one
    out, x = out.view(word), x.view(word)
    for k in range(x.shape[-1]):
        if _has_few_columns(column := x[..., k]):
            _copy_columns(out[..., k], column)
        else:
            out[..., k] = column


def deep_copied(x: Any, memo: dict[Any, Any]) -> tuple[Any, list[int]]:
    """Return the array's view of a copy of its memory, and that copy's version counter.

    Arrays that share memory get views of one copy, by `memo`, and one counter.
    """
    whole = backend.owner(x)
    place = "memory", id(whole)
    if place not in memo:
        memo[place] = whole.copy("K"), [0]
    memory, version = memo[place]
    if x is whole:
        return memory, version
    if memory.strides != whole.strides:  # memory of another library, with gaps
        return x.copy("K"), [0]
    return elsewhere(x, whole, memory_of(memory).view(np.uint8)), version


def copied_like(x: Array, values: Array) -> Array:
    """A copy of `values` with the axis order of `x`, or row-major if `x` has gaps."""
    if x.flags.c_contiguous or has_gaps(x):
        return values.copy()
    out = np.empty_like(x, values.dtype, shape=values.shape)
    out[...] = values
    return out


def cloned(x: Array) -> Array:
    """A dense copy with the axes in memory as PyTorch's clone has them; NumPy would put expanded ones innermost."""
    if isinstance(x, DuckArray):
        return x.map_innermost(cloned)
    if 0 not in x.strides:
        return copied_in_order(x)
    return in_axis_order(lambda x: x.copy("C"), x, order_by(x.shape, x.strides))
