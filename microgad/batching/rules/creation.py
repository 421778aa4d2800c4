"""Rules of making arrays like others, and of writing into them."""

from __future__ import annotations

from typing import Any

import numpy

from ...backend.axis_order import inverse, outermost_first
from ...type_aliases import Array
from ..array import BatchedArray, Level, align
from ..dispatch import RULES
from .common import Rule, batch_of, rule

np: Any = numpy  # NumPy's stubs don't know BatchedArray


def _made_like(func: Any) -> Rule:
    def made(level: Level, a: Array, *args: Any, shape: Any = None, **kwargs: Any) -> Array:
        if shape is not None:
            shape = (level.count, *(shape if isinstance(shape, (tuple, list)) else (shape,)))
        ndim = a.ndim if shape is None else len(shape) - 1
        given = [align(x, level, ndim) for x in args]
        return BatchedArray(func(_batch_outermost(batch_of(a, level)), *given, shape=shape, **kwargs), level)

    return made


def _batch_outermost(whole: Array) -> Array:
    """Return `whole`, or an empty array like it whose batch axis is outermost in memory.

    What is made like it then has slices without gaps, as NumPy makes them, so that their `reshape(-1)` is a view.
    """
    if whole.strides[0] == max(whole.strides):
        return whole
    order = [0, *(axis for axis in outermost_first(whole.strides) if axis)]
    return np.empty_like(whole.transpose(order), order="C").transpose(inverse(order))


for _func in (np.empty_like, np.full_like, np.ones_like, np.zeros_like):
    RULES[_func] = _made_like(_func)


@rule(np.copyto)
def _copyto(level: Level, dst: Array, src: Array, casting: Any = "same_kind") -> None:
    np.copyto(batch_of(dst, level), align(src, level, dst.ndim), casting)
