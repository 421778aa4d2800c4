"""Axes: an index along one; those of a reduction, the shape that is left, and the number of elements reduced to one."""

from __future__ import annotations

import math
from typing import Any

Axis = int | tuple[int, ...] | None
WHOLE = (slice(None),)  # the index of an axis of which nothing is left out


def wrapped(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return an axis, several, or all (None) as a tuple of numbers that aren't negative."""
    if axis is None or not ndim:
        return tuple(range(ndim))
    return tuple([a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))])


def reduced_shape(shape: tuple[int, ...], axis: Axis, keepdims: bool = True) -> tuple[int, ...]:
    """Return the shape after a reduction: the axes have length 1, or are gone."""
    if axis is None:
        return (1,) * (len(shape) if keepdims else 0)
    axes = wrapped(axis, len(shape))
    return tuple([1 if a in axes else n for a, n in enumerate(shape) if keepdims or a not in axes])


def reduction_size(shape: tuple[int, ...], axis: Axis) -> int:
    """Return how many elements are reduced to one."""
    if axis is None or not shape:
        return math.prod(shape)
    return math.prod([shape[a] for a in axis]) if isinstance(axis, tuple) else shape[axis]


def at_axis(axis: int, *items: Any) -> tuple[Any, ...]:
    """Return the index of `items` from an axis on: x[at_axis(2, 0)] is x[:, :, 0]."""
    return WHOLE * axis + items


def slice_along(axis: int, start: int | None, stop: int | None, step: int | None = None) -> tuple[slice, ...]:
    """Return the index of a slice along an axis: x[slice_along(1, 0, 3)] is x[:, 0:3]."""
    return (*WHOLE * axis, slice(start, stop, step))
