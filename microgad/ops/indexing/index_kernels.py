"""Reading, writing and adding up at the places that an index names, on bare arrays.

An index is a tuple for NumPy's brackets, or one bare array of integers: those count in x.reshape(-1).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ... import backend
from ...backend.memory_layout import lying, order_by
from ...backend.meta import as_zeros
from .. import layouts
from .row_kernels import SMALL, at_elements, at_rows

FEW = 500  # up to so many values NumPy's own indexing is as fast
FEW_OF_MASK = 4096  # the same for the elements of a mask
WIDE = 32  # a row of so many values is worth moving as a whole
OFTEN = 8  # rows for each place, from which on they have to be four times as wide
ATOMIC = {np.add: "ilqILQefd", np.maximum: "ilqILQfd", np.minimum: "ilqILQfd"}  # dtypes that CUDA's operations take
ALL = slice(None)
BASIC = frozenset((int, slice, type(None), type(...)))


def all_in_range(indices: Any, count: int) -> bool:
    """Whether all are from 0 to count - 1. It is one number, for which a GPU is waited for: its own indexing wraps."""
    indices = as_zeros(indices)
    if not indices.size:
        return True
    # as unsigned numbers negative ones are huge: one comparison for both ends
    unsigned = indices.view(np.uint64) if indices.dtype == np.int64 else indices.astype(np.uint64)
    # in half of the method's overhead, where there is no GPU
    return bool((np.maximum.reduce(unsigned, None) if type(unsigned) is np.ndarray else unsigned.max()) < count)


class SingleAxisIndex(NamedTuple):
    """An index as one along the middle axis of x.reshape(before, length, after): integers `where` of any shape."""

    before: tuple[int, ...]
    length: int
    after: tuple[int, ...]
    where: Any
    once: bool  # no place comes twice

    @property
    def shape(self) -> tuple[int, int, int]:
        """What x is reshaped to."""
        return math.prod(self.before), self.length, math.prod(self.after)


def is_basic(index: Any) -> bool:
    """Whether an index has no arrays in it: then it gives a view."""
    return type(index) is tuple and (BASIC.issuperset(map(type, index)) or not any(map(backend.is_array, index)))


def unexpanded(x: Any) -> tuple[Any, ...]:
    """An index of all of x, but of what is expanded once."""
    return (*[slice(0, 1) if step == 0 else ALL for step in x.strides], ...) if 0 in x.strides else (...,)


def is_mask(item: Any) -> bool:
    """Whether an item of an index is a boolean array."""
    return backend.is_array(item) and item.dtype.kind == "b"


def _index_size(index: Any) -> int:
    """About how many places an index with arrays names."""
    return index.size if type(index) is not tuple else max(i.size for i in index if backend.is_array(i))


def _is_small(index: Any) -> bool:
    """Whether NumPy's own ways are as fast for an index with arrays."""
    if len(index) == 1 and is_mask(index[0]):
        return bool(index[0].size < FEW_OF_MASK)
    return _index_size(index) < FEW


def as_single_axis(index: Any, shape: tuple[int, ...]) -> SingleAxisIndex | None:
    """The index as one along a single axis, or None where it is not: arrays side by side, and else whole slices.

    Of x[:, i, j] with x of shape (A, N, M, B) that is x.reshape(A, N · M, B) at i · M + j along the middle.
    """
    if type(index) is not tuple:
        return SingleAxisIndex((), math.prod(shape), (), wrap_indices(index, math.prod(shape)), False)
    arrays: list[Any] = []
    stop = 0
    for i, item in enumerate(index):
        if backend.is_array(item):
            if arrays and i != stop:
                return None
            arrays.append(item)
            stop = i + 1
        elif type(item) is not slice or item != ALL:
            return None
    if len(index) > len(shape):
        return None
    start = stop - len(arrays)
    if len(arrays) == 1 and is_mask(arrays[0]):
        stop = start + arrays[0].ndim
        if not arrays[0].ndim or shape[start:stop] != arrays[0].shape:
            return None
        where = np.flatnonzero(arrays[0])
        return SingleAxisIndex(shape[:start], arrays[0].size, shape[stop:], where, True)
    if any(map(is_mask, arrays)):
        return None
    where = _joined(arrays, shape[start:stop], start)
    return SingleAxisIndex(shape[:start], math.prod(shape[start:stop]), shape[stop:], where, False)


def _joined(arrays: list[Any], sizes: tuple[int, ...], start: int) -> Any:
    """Indices along the axes from start on as indices along one."""
    where = wrap_indices(arrays[0], sizes[0], axis=start)
    for axis, (item, size) in enumerate(zip(arrays[1:], sizes[1:], strict=True), start + 1):
        where = where * size + wrap_indices(item, size, axis=axis)
    return where


def wrap_indices(
    where: Any, size: int, op: str = "", error: type[Exception] = IndexError, negative: bool = True, axis: int = 0
) -> Any:
    """Indices along an axis, int64, negative ones counted from its end; `error` where one is outside (not on a GPU)."""
    if backend.is_gpu(where):
        return where % max(size, 1) if negative else where
    where = where.astype(np.int64, copy=False)
    if all_in_range(where, size):
        return where
    low, high, least = int(where.min()), int(where.max()), -size if negative else 0
    if low < least or high >= size:
        wrong = f"{op}: index" if op else "index"
        raise error(f"{wrong} {low if low < least else high} is out of bounds for dimension {axis} with size {size}")
    return np.where(where < 0, where + size, where)


def take(x: Any, index: Any) -> Any:
    """x[index]: a view where the index is basic."""
    if type(index) is not tuple:
        return x.take(index)
    if is_basic(index):
        view = x[index]
        if None in index:  # NumPy's new axes have the stride 0, those of a reshape PyTorch's
            view = x[tuple([i for i in index if i is not None])].reshape(view.shape)
        return view if type(view) is np.ndarray else backend.as_array(view)
    if not x.flags.c_contiguous:
        return _as_source(backend.as_array(x[index]), x, index)
    if len(index) == 1 and index[0].dtype.kind == "i" and x.ndim and x.size:
        return backend.as_array(x.take(index[0], 0))  # whole rows, in half of the time of brackets
    if backend.is_gpu(x) or _is_small(index):
        return layouts.contiguous(backend.as_array(x[index]))
    run = as_single_axis(index, x.shape)
    if run is None:
        return layouts.contiguous(x[index])
    return x.reshape(run.shape).take(run.where, 1).reshape(run.before + run.where.shape + run.after)


def _as_source(out: Any, x: Any, index: tuple[Any, ...]) -> Any:
    """What was taken from x by arrays: the axes that stay lie in memory as in x."""
    steps: list[int] = []  # of those
    axis, at = 0, []  # where the arrays stand among them
    for item in index:
        if backend.is_array(item):
            at.append(len(steps))
            axis += item.ndim if is_mask(item) else 1
        elif item is None:
            steps.append(0)
        else:
            steps += x.strides[axis : axis + 1] if type(item) is slice else ()
            axis += 1
    steps += x.strides[axis:]
    start = at[0] if at[0] == at[-1] else 0
    steps[start:start] = [0] * (out.ndim - len(steps))
    return lying(out, order_by(tuple(steps)))


def put(x: Any, index: Any, values: Any) -> None:
    """x[index] = values; of a place that comes more than once the last value stays."""
    if is_basic(index):
        x[index] = values
    elif not x.flags.c_contiguous:
        x[index if type(index) is tuple else np.unravel_index(index, x.shape)] = values
    elif type(index) is not tuple:
        x.reshape(-1)[index] = values
    else:
        run = None if backend.is_gpu(x) or _is_small(index) else as_single_axis(index, x.shape)
        if run is None:
            x[index] = values
        else:
            x.reshape((*run.before, run.length, *run.after))[(ALL,) * len(run.before) + (run.where,)] = values


def add(x: Any, index: Any, values: Any) -> None:
    """x[index] += values, where a place that comes more than once counts each time."""
    at(np.add, x, index, values)


def at(ufunc: Any, x: Any, index: Any, values: Any) -> None:
    """x[index] = ufunc(x[index], values), where a place that comes more than once counts each time."""
    if is_basic(index):
        ufunc(x[index], values, out=x[index])
    elif type(index) is tuple and (backend.is_gpu(x) or max(_index_size(index), np.size(values)) < FEW):
        # NumPy 2.4 doesn't broadcast values along an index of more axes: it reads on.
        if x.ndim == 1 == np.ndim(values) and values.shape != x[index].shape:
            values = np.broadcast_to(values, x[index].shape)
        _ufunc_at(ufunc, x, index, values)
    elif not x.flags.c_contiguous:
        whole = x.copy()
        at(ufunc, whole, index, values)
        x[...] = whole
    elif type(index) is not tuple:
        if not backend.is_array(values) or values.shape != index.shape:
            values = np.broadcast_to(backend.like(values, x, x.dtype), index.shape)
        _ufunc_at(ufunc, x.reshape(-1), index.reshape(-1), values.reshape(-1))
    else:
        _at_single_axis(ufunc, x, index, values)


def _ufunc_at(ufunc: Any, x: Any, index: Any, values: Any) -> None:
    """The same on a GPU also where it has no atomic operation: of complex numbers, of small ones, multiplication."""
    if not backend.is_gpu(x) or (ufunc is not np.multiply and x.dtype.char in ATOMIC[ufunc]):
        backend.at(ufunc, x, index, values)
    elif ufunc is np.multiply:
        _multiply_at_gpu(x, index, values)
    elif x.dtype.kind == "c":
        backend.at(ufunc, x.real, index, values.real)
        backend.at(ufunc, x.imag, index, values.imag)
    else:
        wide = x.astype(np.float32 if x.dtype.kind == "f" else np.int64)
        backend.at(ufunc, wide, index, values)
        x[...] = wide


def _multiply_at_gpu(x: Any, index: Any, values: Any) -> None:
    """Multiplied, which CuPy has no `at` of: in turns in which a place comes once."""
    where = backend.like(np.arange(x.size), x).reshape(x.shape)[index]
    values, where = np.broadcast_to(values, where.shape).reshape(-1), where.reshape(-1)
    order = np.argsort(where)  # CuPy's is stable
    ordered, flat = where[order], x.reshape(-1)
    turn = backend.like(np.arange(where.size), x) - np.searchsorted(ordered, ordered)
    for i in range(int(turn.max()) + 1 if where.size else 0):
        chosen = order[turn == i]
        flat[where[chosen]] *= values[chosen]
    x[...] = flat.reshape(x.shape)


def _at_single_axis(ufunc: Any, x: Any, index: Any, values: Any) -> None:
    run = as_single_axis(index, x.shape)
    if run is None:
        index = np.arange(x.size).reshape(x.shape)[index]
        run = SingleAxisIndex((), x.size, (), index, False)
    before, _, after = shape = run.shape
    target, where = x.reshape(shape), run.where.reshape(-1)
    values, whole = np.asarray(values, x.dtype), run.before + run.where.shape + run.after
    if values.shape != whole:
        values = np.broadcast_to(values, whole)
    values = values.reshape(before, where.size, after)
    if run.once:
        target[:, where] = ufunc(target[:, where], values)
    elif before * after >= FEW and where.size <= FEW // 10:
        _at_place_by_place(ufunc, target, where, values)
    elif after < WIDE or values.size < SMALL or (before * after < 4 * WIDE and where.size >= OFTEN * run.length):
        at_elements(ufunc, target, where, values)
    else:
        at_rows(ufunc, target, where, values)


def _at_place_by_place(ufunc: Any, target: Any, where: Any, values: Any) -> None:
    for i, place in enumerate(where.tolist()):
        ufunc(target[:, place], values[:, i], out=target[:, place])


def last_write_mask(index: Any, x: Any) -> Any:
    """For each value put at index, whether no later one overwrote it, to be broadcast; None where none comes twice."""
    if 0 in x.shape:
        return None
    run = as_single_axis(index, x.shape)
    if run is not None and run.once:
        return None
    if run is None:
        whole = backend.like(np.arange(x.size), x).reshape(x.shape)
        run = SingleAxisIndex((), x.size, (), whole[index], False)
    order = backend.like(np.arange(run.where.size), x).reshape(run.where.shape)
    slots = np.zeros_like(order, shape=(run.length,))
    slots[run.where] = order
    return (slots[run.where] == order).reshape(run.where.shape + (1,) * len(run.after))
