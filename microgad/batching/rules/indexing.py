"""Rules of indexing by index arrays."""

from __future__ import annotations

from typing import Any

import numpy

from ...type_aliases import Array
from ..array import BatchedArray, Level, align, innermost_level, is_batched_at
from ..dispatch import NoRuleError
from .common import batch_of, expand_to_batch, flatten_slices, rule, shift_axes

np: Any = numpy  # NumPy's stubs don't know BatchedArray


@rule(np.take)
def _take(level: Level, a: Array, indices: Array, axis: Any = None, mode: str = "raise") -> Array:
    values, at = (flatten_slices(a), 1) if axis is None else (batch_of(a, level), shift_axes(axis, a.ndim))
    if not is_batched_at(indices, level):
        return BatchedArray(np.take(values, indices, at, **({} if mode == "raise" else {"mode": mode})), level)
    if mode != "raise" or at != 1:
        raise NoRuleError
    return (a if axis is not None else np.ravel(a))[indices]


@rule(np.take_along_axis)
def _take_along_axis(level: Level, arr: Array, indices: Array, axis: Any = -1) -> Array:
    if axis is None:
        raise NoRuleError
    given = expand_to_batch(arr, level), expand_to_batch(indices, level)
    return BatchedArray(np.take_along_axis(*given, shift_axes(axis, arr.ndim)), level)


@rule(np.put_along_axis)
def _put_along_axis(level: Level, arr: Array, indices: Array, values: Array, axis: Any) -> None:
    if axis is None:
        raise NoRuleError
    given = expand_to_batch(indices, level), align(values, level, arr.ndim)
    np.put_along_axis(batch_of(arr, level), *given, shift_axes(axis, arr.ndim))


@rule(np.searchsorted)
def _searchsorted(level: Level, a: Array, v: Array, side: Any = "left", sorter: Any = None) -> Array:
    if innermost_level((a, sorter)) is not None:
        raise NoRuleError
    return BatchedArray(np.searchsorted(a, v.whole, side, sorter), level)
