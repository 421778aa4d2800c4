"""Indexing of `BatchedArray`s, to read and to write."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy

from ..backend import is_array, like
from ..duck_arrays import Fallback
from ..type_aliases import Array
from .array import BatchedArray, align, innermost_level, is_batched_at, ndim_of
from .per_slice import call_per_slice

np: Any = numpy  # NumPy's stubs don't know BatchedArray


def getitem(x: BatchedArray, index: Any) -> Array:
    """Implement `x[index]`."""
    items = index if isinstance(index, tuple) else (index,)
    if innermost_level(items) is None and not _moves_axes(items):
        return x.like(x.whole[(slice(None), *items)])
    place = _batched_index(items, x)
    if place is None:
        return call_per_slice(operator.getitem, x.level, (x, index), {})
    return BatchedArray(x.whole[place], x.level)


def _batched_index(items: tuple[Any, ...], x: BatchedArray) -> Any:
    """Turn an index of integers, batched or not, into an index of `x.whole`; None for other kinds of index."""
    if len(items) > x.ndim or any(getattr(i, "dtype", np.dtype(type(i))).kind not in "iu" for i in items):
        return None
    ndim = max(map(ndim_of, items))
    slices = like(np.arange(x.level.count).reshape(-1, *(1,) * ndim), x.whole)
    return (slices, *(align(i, x.level, ndim) for i in items))


def setitem(x: BatchedArray, index: Any, value: Array | complex, write: Callable[..., Any] = operator.setitem) -> None:
    """Implement `x[index] = value`, or `write(x, index, value)`, for all slices at once where possible."""
    items = index if isinstance(index, tuple) else (index,)
    level, inner = x.level, innermost_level((value, *items))
    if inner is not None and inner.depth > level.depth:
        raise Fallback  # the inner mapping's slices share x
    if innermost_level(items) is not None:
        place = _batched_mask(items, x, value) or _batched_index(items, x)
        ndim = x.ndim - len(items) + place[0].ndim - 1 if place else 0
    else:
        place = None if _moves_axes(items) else (slice(None), *items)
        ndim = x.whole[:1][place].ndim - 1 if place else 0
    if place is None:
        call_per_slice(write, level, (x, index, value), {})
    else:
        write(x.whole, place, align(value, level, ndim))


def _batched_mask(items: tuple[Any, ...], x: BatchedArray, value: Array | complex) -> Any:
    """Turn a batched mask into an index of `x.whole` to which `value` can be written; None for another index or value.

    The value must be the same wherever the mask holds.
    """
    mask, *more = items
    if more or not is_batched_at(mask, x.level) or mask.dtype.kind != "b":
        return None
    shared = not is_batched_at(value, x.level) and ndim_of(value) <= x.ndim - mask.ndim
    return (mask.whole,) if shared else None


def _moves_axes(items: tuple[Any, ...]) -> bool:
    """Whether NumPy may move the axes selected by index arrays to the front, before the batch axis."""
    arrays = [is_array(i) or isinstance(i, list) for i in items]
    if any(isinstance(i, (bool, np.bool_)) or (is_array(i) and not i.ndim) for i in items):
        return True
    places = [k for k, i in enumerate(items) if arrays[k] or isinstance(i, (int, np.integer))]
    return any(arrays) and places != list(range(places[0], places[-1] + 1))
