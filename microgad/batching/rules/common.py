"""What the rules share: how they are registered, and arrays and axes as a rule needs them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy

from ...type_aliases import Array
from ..array import Level, is_batched_at
from ..dispatch import RULES, NoRuleError

np: Any = numpy  # NumPy's stubs don't know BatchedArray
Rule = Callable[..., Any]


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Register the decorated function as the rule for NumPy functions, or (by name) for a method of all ufuncs."""

    def register(body: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, body))
        return body

    return register


def batch_of(x: Array, level: Level) -> Array:
    """Return x with its batch axis in front, (slices, ...). Raises NoRuleError if x isn't batched."""
    if not is_batched_at(x, level):
        raise NoRuleError
    return x.whole


def expand_to_batch(x: Array, level: Level) -> Array:
    """Return x with the batch axis in front, (slices, ...); an array that the slices share is broadcast."""
    return x.whole if is_batched_at(x, level) else np.broadcast_to(x, (level.count, *np.shape(x)))


def flatten_slices(x: Array) -> Array:
    """Return x with each slice flattened, (slices, elements)."""
    return x.whole.reshape(x.level.count, -1)


def shift_axes(axis: Any, ndim: int) -> Any:
    """Translate axes of a slice, which has `ndim` of them, to axes of the batched array."""
    if isinstance(axis, (tuple, list)):
        return tuple(shift_axes(a, ndim) for a in axis)
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise NoRuleError  # of a 0-d slice, or out of range: left to NumPy
    return axis % ndim + 1


def all_axes(axis: Any, x: Array) -> Any:
    """Translate axes of a slice as `shift_axes` does; None stands for all of them."""
    return tuple(range(1, x.ndim + 1)) if axis is None else shift_axes(axis, x.ndim)
