"""Rules of what changes a shape without computing, and of what only asks for shape, dtype or memory."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...type_aliases import Array
from ..array import BatchedArray, Level, align
from ..dispatch import RULES, NoRuleError
from .common import all_axes, batch_of, flatten_slices, rule, shift_axes

np: Any = numpy  # NumPy's stubs don't know BatchedArray


@rule(np.reshape)
def _reshape(level: Level, a: Array, shape: Any, order: str = "C") -> Array:
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    known = math.prod(n for n in shape if n != -1)
    if order != "C" or (not known and -1 in shape):
        raise NoRuleError
    return a.like(batch_of(a, level).reshape(level.count, *(a.size // known if n == -1 else n for n in shape)))


@rule(np.ravel)
def _ravel(level: Level, a: Array) -> Array:
    return a.like(flatten_slices(a))


@rule(np.transpose, np.permute_dims)
def _transpose(level: Level, a: Array, axes: Any = None) -> Array:
    order = range(a.ndim, 0, -1) if axes is None else shift_axes(axes, a.ndim)
    return a.like(batch_of(a, level).transpose(0, *order))


@rule(np.swapaxes)
def _swapaxes(level: Level, a: Array, axis1: int, axis2: int) -> Array:
    return a.like(batch_of(a, level).swapaxes(*shift_axes((axis1, axis2), a.ndim)))


@rule(np.moveaxis)
def _moveaxis(level: Level, a: Array, source: Any, destination: Any) -> Array:
    return a.like(np.moveaxis(batch_of(a, level), shift_axes(source, a.ndim), shift_axes(destination, a.ndim)))


@rule(np.expand_dims)
def _expand_dims(level: Level, a: Array, axis: Any) -> Array:
    axis = axis if isinstance(axis, (tuple, list)) else (axis,)
    return a.like(np.expand_dims(batch_of(a, level), shift_axes(axis, a.ndim + len(axis))))


@rule(np.squeeze)
def _squeeze(level: Level, a: Array, axis: Any = None) -> Array:
    ones = tuple(i for i, n in enumerate(a.shape, 1) if n == 1)
    return a.like(np.squeeze(batch_of(a, level), ones if axis is None else shift_axes(axis, a.ndim)))


@rule(np.broadcast_to)
def _broadcast_to(level: Level, array: Array, shape: Any) -> Array:
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    return array.like(np.broadcast_to(align(array, level, len(shape)), (level.count, *shape)))


@rule(np.broadcast_arrays)
def _broadcast_arrays(level: Level, *arrays: Array) -> Any:
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple(np.broadcast_to(x, shape) for x in arrays)


@rule(np.flip)
def _flip(level: Level, m: Array, axis: Any = None) -> Array:
    return m.like(np.flip(batch_of(m, level), all_axes(axis, m)))


@rule(np.diagonal)
def _diagonal(level: Level, a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    return a.like(np.diagonal(batch_of(a, level), offset, *shift_axes((axis1, axis2), a.ndim)))


@rule(np.split, np.array_split)
def _split(level: Level, ary: Array, indices_or_sections: Any, axis: int = 0) -> Any:
    parts = np.array_split(batch_of(ary, level), indices_or_sections, shift_axes(axis, ary.ndim))
    return [ary.like(x) for x in parts]


RULES[np.real], RULES[np.imag] = (lambda level, val: val.real), (lambda level, val: val.imag)


RULES[np.shape] = lambda level, a: tuple(a.shape)
RULES[np.ndim] = lambda level, a: a.ndim
RULES[np.size] = lambda level, a, axis=None: a.size if axis is None else a.shape[axis]
RULES[np.can_cast] = lambda level, from_, *args, **kwargs: np.can_cast(from_.dtype, *args, **kwargs)
RULES[np.result_type] = lambda level, *args: np.result_type(*(x.dtype if type(x) is BatchedArray else x for x in args))


def _memory(x: Array) -> Array:
    return x.innermost if type(x) is BatchedArray else x


RULES[np.may_share_memory] = lambda level, a, b, *most: np.may_share_memory(_memory(a), _memory(b), *most)
RULES[np.shares_memory] = lambda level, a, b, *most: np.shares_memory(_memory(a), _memory(b), *most)
