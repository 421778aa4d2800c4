"""Rules of joining arrays."""

from __future__ import annotations

from typing import Any

import numpy

from ...type_aliases import Array
from ..array import BatchedArray, Level
from ..dispatch import NoRuleError
from .common import expand_to_batch, rule, shift_axes

np: Any = numpy  # NumPy's stubs don't know BatchedArray


@rule(np.concatenate)
def _concatenate(level: Level, arrays: Any, axis: Any = 0, **kwargs: Any) -> Array:
    if axis is None:
        raise NoRuleError
    parts = [expand_to_batch(x, level) for x in arrays]
    return BatchedArray(np.concatenate(parts, shift_axes(axis, parts[0].ndim - 1), **kwargs), level)


@rule(np.stack)
def _stack(level: Level, arrays: Any, axis: int = 0, **kwargs: Any) -> Array:
    parts = [expand_to_batch(x, level) for x in arrays]
    return BatchedArray(np.stack(parts, shift_axes(axis, parts[0].ndim), **kwargs), level)
