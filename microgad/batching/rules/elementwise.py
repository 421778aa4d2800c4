"""Rules of elementwise functions that are no ufuncs."""

from __future__ import annotations

from typing import Any

import numpy

from ...type_aliases import Array
from ..array import BatchedArray, Level, align, innermost_level, ndim_of
from ..dispatch import RULES, NoRuleError
from .common import Rule, batch_of, rule

np: Any = numpy  # NumPy's stubs don't know BatchedArray


def _elementwise(func: Any, arrays: int) -> Rule:
    """Make the rule for an elementwise function whose first `arrays` arguments are arrays."""

    def of_each(level: Level, *args: Any, **kwargs: Any) -> Array:
        if innermost_level((*args[arrays:], *kwargs.values())) is not None or len(args) < min(arrays, 2):
            raise NoRuleError
        ndim = max(map(ndim_of, args[:arrays]))
        given = [align(x, level, ndim) for x in args[:arrays]]
        return BatchedArray(func(*given, *args[arrays:], **kwargs), level)

    return of_each


for _func, _count in {
    np.angle: 1, np.clip: 3, np.copy: 1, np.i0: 1, np.isclose: 2, np.nan_to_num: 1, np.round: 1, np.sinc: 1,
    np.where: 3,
}.items():  # fmt: skip
    RULES[_func] = _elementwise(_func, _count)
RULES[np.astype] = lambda level, x, dtype, copy=True: x.astype(dtype, copy=copy)


@rule(np.pad)
def _pad(level: Level, array: Array, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    if innermost_level(kwargs.values()) is not None or not isinstance(mode, str):
        raise NoRuleError
    widths = np.broadcast_to(pad_width, (array.ndim, 2)).tolist()
    return BatchedArray(np.pad(batch_of(array, level), [(0, 0), *widths], mode, **kwargs), level)
