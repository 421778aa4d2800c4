"""Rules of reductions, scans and sorting along axes."""

from __future__ import annotations

from typing import Any

import numpy

from ...type_aliases import Array
from ..array import BatchedArray, Level, innermost_level
from ..dispatch import RULES, NoRuleError
from .common import Rule, all_axes, batch_of, flatten_slices, rule, shift_axes

np: Any = numpy  # NumPy's stubs don't know BatchedArray


def _reduction(func: Any) -> Rule:
    """Make the rule for a reduction: a function (a, axis, ...)."""

    def reduced(level: Level, a: Array, axis: Any = None, *args: Any, **kwargs: Any) -> Array:
        return BatchedArray(func(batch_of(a, level), all_axes(axis, a), *args, **kwargs), level)

    return reduced


def _along_axis(func: Any, default: int | None, place: int = 1) -> Rule:
    """Make the rule for a function along one axis, its argument number `place`; None means the flattened array."""

    def of_axis(level: Level, *args: Any, **kwargs: Any) -> Array:
        given = list(args)
        axis = given.pop(place) if len(given) > place else kwargs.pop("axis", default)
        a, *rest = given
        if innermost_level((*rest, *kwargs.values())) is not None or (axis is None and kwargs.get("keepdims")):
            raise NoRuleError
        values, at = batch_of(a, level), 1 if axis is None else shift_axes(axis, a.ndim)
        return BatchedArray(func(flatten_slices(a) if axis is None else values, *rest, axis=at, **kwargs), level)

    return of_axis


for _func in (
    np.sum, np.prod, np.mean, np.max, np.min, np.any, np.all, np.var, np.std, np.count_nonzero, np.nansum, np.nanmax,
    np.nanmin, np.nanmean,
):  # fmt: skip
    RULES[_func] = _reduction(_func)
for _func, _axis in {
    np.argmax: None, np.argmin: None, np.argsort: -1, np.cumprod: None, np.cumsum: None, np.median: None, np.sort: -1,
}.items():  # fmt: skip
    RULES[_func] = _along_axis(_func, _axis)
for _func, _axis in {
    np.argpartition: -1, np.diff: -1, np.partition: -1, np.repeat: None,
}.items():  # fmt: skip
    RULES[_func] = _along_axis(_func, _axis, place=2)


@rule("reduce")
def _reduce(level: Level, ufunc: Any, array: Array, axis: Any = 0, *args: Any, **kwargs: Any) -> Array:
    return BatchedArray(ufunc.reduce(batch_of(array, level), all_axes(axis, array), *args, **kwargs), level)


@rule("accumulate")
def _accumulate(level: Level, ufunc: Any, array: Array, axis: int = 0, *args: Any, **kwargs: Any) -> Array:
    return BatchedArray(ufunc.accumulate(batch_of(array, level), shift_axes(axis, array.ndim), *args, **kwargs), level)


@rule(np.roll)
def _roll(level: Level, a: Array, shift: Any, axis: Any = None) -> Array:
    values = batch_of(a, level)
    if axis is None:
        return BatchedArray(np.roll(flatten_slices(a), shift, 1).reshape(values.shape), level)
    return BatchedArray(np.roll(values, shift, shift_axes(axis, a.ndim)), level)
