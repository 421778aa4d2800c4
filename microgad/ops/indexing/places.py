"""Where the elements that an index selects lie in memory, counted from an array's first element.

By its places an array with gaps, or with its axes in another order, is read and written without a copy of all of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ...backend.memory_layout import overlaps, row_major_strides
from ...type_aliases import Array
from ..support import fast_numpy, layouts


def flat_memory(x: Array, written: bool = False) -> tuple[Any, Any]:
    """Return the memory of x as a 1-d array from its first element on, and the steps along x's axes, in elements.

    They are x itself, flattened or to be flattened, and the steps of a contiguous array, unless x has gaps or another
    order of axes. No steps mean that it takes a copy: on a GPU; and of what is to be `written`, if elements share a
    place.
    """
    if x.flags.c_contiguous:
        return x.reshape(-1), row_major_strides(x.shape)
    size = x.itemsize
    if type(x) is not np.ndarray or not x.size or min(x.strides) < 0 or any(step % size for step in x.strides):
        return x, None
    if written and overlaps(x.shape, x.strides):
        return x, None
    steps = tuple([step // size for step in x.strides])
    if x.flags.f_contiguous:
        return x.T.reshape(-1), steps
    reach = sum([(n - 1) * step for n, step in zip(x.shape, steps, strict=True)]) + 1
    return layouts.strided_view(x, (reach,), (size,)), steps


def multiples(count: int, step: int, behind: int, x: Array | None = None) -> Array:
    """Return 0, step, 2 step, ..., with `behind` axes of size 1 after them, to be broadcast; on the GPU of x."""
    values = np.arange(0, count * step, step) if step else np.zeros(count, np.int64)
    return (values if x is None else backend.like(values, x)).reshape((-1,) + (1,) * behind)


def of_flat(index: Array, shape: tuple[int, ...], steps: tuple[int, ...]) -> Array:
    """Return the places of indices into x.reshape(-1), for x of that shape and steps."""
    sizes: list[int] = []
    joint: list[int] = []  # steps, once axes are joined that are like one
    for n, step in zip(shape, steps, strict=True):
        if joint and joint[-1] == n * step:
            sizes[-1], joint[-1] = sizes[-1] * n, step
        elif n > 1:
            sizes.append(n)
            joint.append(step)
    if len(sizes) < 2:
        return index * (joint[0] if joint else 0)
    parts = fast_numpy.unraveled(index, tuple(sizes))
    return sum([part * step for part, step in zip(parts, joint, strict=True)])
