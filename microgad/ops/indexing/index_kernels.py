"""Read, write and add at an index, on bare arrays, each in the fastest way that NumPy has for it.

An index is a tuple for NumPy's brackets, or one bare array of integers, which are indices into x.reshape(-1).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ... import backend
from ...backend.axes import at_axis
from ...backend.axis_order import lying, order_by
from ...backend.memory_layout import overlaps, row_major_strides
from ...backend.meta import as_zeros
from ...type_aliases import Array
from ..elementwise.selection_kernels import fast_select, fast_where
from ..support import fast_numpy, layouts
from . import places
from .row_kernels import at_rows

SMALL_INDEX = 500  # below this number of values NumPy's own indexing is as fast
SMALL_MASK = 4096  # and below this number of elements of a mask
WITH_BRANCHES = 20_000  # elements up to which NumPy's choice, with branches, is faster for most masks
SPARSE = 10  # masks of which at most one in so many elements is set are converted to indices
FEW = 8  # an array with gaps is copied to be written to at more than 1 / FEW as many indices as it has elements
ATOMIC = {np.add: "ilqILQefd", np.maximum: "ilqILQ", np.minimum: "ilqILQ"}  # dtypes of exact atomic operations in CUDA
ALL = slice(None)
INT64, UINT64 = np.dtype("int64"), np.dtype("uint64")
greatest = np.maximum.reduce  # on the CPU it has half of the overhead of `max`
ROWS = frozenset((int, slice))
BASIC = ROWS | {type(None), type(...)}


def all_in_range(indices: Array, count: int) -> bool:
    """Whether all indices are in [0, count). On a GPU this synchronizes; CuPy's own indexing wraps instead."""
    if not indices.size:
        return True
    indices = indices if type(indices) is np.ndarray else as_zeros(indices)
    # As unsigned numbers negative ones are huge, so that one comparison does for both ends.
    unsigned = indices.view(UINT64) if indices.dtype == INT64 else indices.astype(UINT64)
    if type(unsigned) is np.ndarray and unsigned.flags.c_contiguous:
        return unsigned.item(unsigned.argmax()) < count  # for few in half of the time of a maximum
    return bool((greatest(unsigned, None) if type(unsigned) is np.ndarray else unsigned.max()) < count)


class SingleAxisIndex(NamedTuple):
    """An index as integers `where`, of any shape, along the middle axis of x.reshape(before, length, after)."""

    before: tuple[int, ...]
    length: int
    after: tuple[int, ...]
    where: Any
    distinct: bool  # whether it is known that no index is repeated

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape to which x is reshaped."""
        return math.prod(self.before), self.length, math.prod(self.after)


def is_basic(index: Any) -> bool:
    """Whether an index has no arrays in it, so that it gives a view."""
    return type(index) is tuple and (BASIC.issuperset(map(type, index)) or not any(map(backend.is_array, index)))


def unexpanded(x: Array) -> tuple[Any, ...]:
    """Return an index that takes one element along each expanded axis of x, and all along the others."""
    return (*[slice(0, 1) if step == 0 else ALL for step in x.strides], ...) if 0 in x.strides else (...,)


def is_mask(item: Any) -> bool:
    """Whether an item of an index is a boolean array."""
    return backend.is_array(item) and item.dtype.kind == "b"


def _index_size(index: Any) -> int:
    """Estimate the number of elements that an index with arrays selects."""
    return index.size if type(index) is not tuple else max([i.size for i in index if backend.is_array(i)])


def _is_small(index: Any) -> bool:
    """Whether an index with arrays is so small that NumPy's own indexing is as fast."""
    if len(index) == 1 and is_mask(index[0]):
        return bool(index[0].size < SMALL_MASK)
    return _index_size(index) < SMALL_INDEX


def as_single_axis(index: Any, shape: tuple[int, ...]) -> SingleAxisIndex | None:
    """Rewrite one mask, or adjacent arrays of integers, among full slices as an index along one axis; else None.

    For example, x[:, i, j] of x (A, N, M, B) is x.reshape(A, N · M, B)[:, i · M + j].
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


def _as_flat(index: Any, x: Array) -> SingleAxisIndex:
    """Rewrite an index of x as one of x.reshape(-1)."""
    return SingleAxisIndex((), x.size, (), _places(index, x, row_major_strides(x.shape)), False)


def _places(index: tuple[Any, ...], x: Array, steps: tuple[int, ...]) -> Array:
    """Return where in memory the elements of x[index] lie, in its shape, given the steps along the axes of x."""
    where: Any = 0  # what integers and arrays, which broadcast, and the starts of slices add up to
    lines: list[tuple[int, int]] = []  # the size of each other axis of the result, and the step along it
    axis, at = 0, []  # `at`: the positions of integers and arrays among these axes
    used = sum([item.ndim if is_mask(item) else item is not None for item in index])
    for item in (*index, *[ALL] * (x.ndim - used)):
        if item is None:
            lines.append((1, 0))
        elif type(item) is slice:
            start, stop, step = item.indices(x.shape[axis])
            lines.append((len(range(start, stop, step)), step * steps[axis]))
            where = where + start * steps[axis]
            axis += 1
        else:
            at.append(len(lines))
            parts: tuple[Any, ...] = ()
            if type(item) is int:
                parts = (int(wrap_indices(np.asarray(item), x.shape[axis], axis=axis)),)
            elif not is_mask(item):
                parts = (wrap_indices(item, x.shape[axis], axis=axis),)
            elif item.ndim:
                parts = np.nonzero(item)
            else:  # it adds an axis of one element, or none
                where = where + backend.like(np.zeros(int(item), np.int64), x)
            for part in parts:
                where = where + part * steps[axis]
                axis += 1
    start = at[0] if at[0] == at[-1] else 0  # arrays apart from each other put their axes first
    out = where.reshape((1,) * start + where.shape + (1,) * (len(lines) - start))
    for i, (count, step) in enumerate(lines):
        if count != 1:
            behind = len(lines) - 1 - i + (where.ndim if i < start else 0)
            out = out + places.multiples(count, step, behind, x if backend.is_gpu(x) else None)
    return out


def _joined(arrays: list[Array], sizes: tuple[int, ...], start: int) -> Array:
    """Combine indices along the axes from start on to indices along the merged axis."""
    where = wrap_indices(arrays[0], sizes[0], axis=start)
    for axis, (item, size) in enumerate(zip(arrays[1:], sizes[1:], strict=True), start + 1):
        where = where * size + wrap_indices(item, size, axis=axis)
    return where


def wrap_indices(
    where: Array, size: int, op: str = "", error: type[Exception] = IndexError, negative: bool = True, axis: int = 0
) -> Array:
    """Check indices along an axis, and count negative ones from its end. Raises `error` for one out of range.

    On a GPU indices are not checked, and wrap around if `negative`.
    """
    if backend.is_gpu(where):
        return where % max(size, 1) if negative else where
    if where.dtype != INT64:
        where = where.astype(INT64)
    if all_in_range(where, size):
        return where
    low, high, least = int(where.min()), int(where.max()), -size if negative else 0
    if low < least or high >= size:
        wrong = f"{op}: index" if op else "index"
        raise error(f"{wrong} {low if low < least else high} is out of bounds for dimension {axis} with size {size}")
    return np.where(where < 0, where + size, where)


def repays_copy(x: Array, count: int) -> bool:
    """Whether an array that isn't contiguous is copied in less time than so many indices are made into its memory's."""
    return bool(x.size < max(SMALL_MASK, FEW * count))


def _repays_copying_back(x: Array, count: int) -> bool:
    """The same for a write. Where elements overlap, copying back would overwrite what was written."""
    return repays_copy(x, count) and not overlaps(x.shape, x.strides)


def take(x: Array, index: Any) -> Array:
    """x[index]: a view where the index is basic."""
    if type(index) is not tuple:
        if type(x) is not np.ndarray or x.flags.c_contiguous or repays_copy(x, 2 * index.size):
            return x.take(index)  # it copies an x that isn't contiguous, once, where a write copies it twice
        return layouts.contiguous(x[fast_numpy.unraveled(index, x.shape)])
    if len(index) == 2 and index[1] is ... and type(index[0]) in ROWS:  # the usual case: nothing else is to be asked
        return x[index]
    if BASIC.issuperset(map(type, index)) or is_basic(index):
        view = x[index]
        if None in index:  # NumPy gives new axes the stride 0; a reshape mostly gives them PyTorch's strides
            view = x[tuple([i for i in index if i is not None])].reshape(view.shape)
        return view if type(view) is np.ndarray else backend.as_array(view)
    if not x.flags.c_contiguous:
        if _masks_all(index[0], x) and not _is_small(index) and _is_mixed(index[0]):
            return layouts.contiguous(x).take(np.flatnonzero(index[0]))
        return _in_memory_order_of(backend.as_array(x[index]), x, index)
    if len(index) == 1 and index[0].dtype.kind == "i" and x.ndim and x.size:
        return backend.as_array(x.take(index[0], 0))  # whole rows, in half the time of brackets
    flat = None if not backend.on_cpu(x) or _is_small(index) else as_single_axis(index, x.shape)
    if flat is None:
        return layouts.contiguous(backend.as_array(x[index]))
    return x.reshape(flat.shape).take(flat.where, 1).reshape(flat.before + flat.where.shape + flat.after)


def take_along(x: Array, index: Array, axis: int) -> Array:
    """Return x.take(index, axis) for a vector of indices; of few, without a copy of an x that isn't contiguous."""
    if type(x) is not np.ndarray or x.flags.c_contiguous or x.size < SMALL_MASK:
        return x.take(index, axis)
    if index.size * (4 if axis else 1) > x.shape[axis]:
        return x.take(index, axis)
    return layouts.row_major(x[at_axis(axis, index)])


def _in_memory_order_of(out: Array, x: Array, index: tuple[Any, ...]) -> Array:
    """Copy out = x[index] so that the axes not indexed by arrays have the memory order of x."""
    strides: list[int] = []  # of the axes that are not indexed by arrays
    axis, at = 0, []  # `at`: the positions of the arrays among these axes
    for item in index:
        if backend.is_array(item):
            at.append(len(strides))
            axis += item.ndim if is_mask(item) else 1
        elif item is None:
            strides.append(0)
        else:
            strides += x.strides[axis : axis + 1] if type(item) is slice else ()
            axis += 1
    strides += x.strides[axis:]
    start = at[0] if at[0] == at[-1] else 0  # arrays apart from each other put their axes first
    strides[start:start] = [0] * (out.ndim - len(strides))
    return lying(out, order_by(out.shape, tuple(strides)))


def _masks_all(item: Any, x: Array) -> bool:
    """Whether an item of an index is a mask of the shape of x; CPU only."""
    return type(x) is np.ndarray and is_mask(item) and item.shape == x.shape


def fills(x: Array, index: Any, values: Array | complex) -> bool:
    """Whether x[index] = values sets a large contiguous x to one value where a mask of its shape holds; CPU only."""
    if x.size < SMALL_MASK or type(index) is not tuple or len(index) > 1:
        return False
    return _masks_all(index[0], x) and x.flags.c_contiguous and np.size(values) == 1


def _is_dense(mask: Array) -> bool:
    """Whether a mask is set in so many places that converting it to indices doesn't pay."""
    part = mask[unexpanded(mask)]
    return bool(SPARSE * np.count_nonzero(part) > part.size)


def _is_mixed(mask: Array) -> bool:
    """Whether a mask holds and fails in so many places that it pays to copy a view, and to convert it to indices."""
    count = np.count_nonzero(mask)
    return bool(SPARSE * min(count, mask.size - count) > mask.size)


def filled(x: Array, mask: Array, value: Array | complex) -> Array:
    """Return what x is, in C order, once the elements where a mask of its shape holds are set to one value."""
    value = np.asarray(value, x.dtype).reshape(())
    if x.size < WITH_BRANCHES:
        return layouts.contiguous(np.where(mask, value, x))
    holds = mask.view(np.int8) != 0  # a view of bytes as booleans may have others than 0 and 1
    return layouts.contiguous(fast_where(holds, value, x))


def cleared(x: Array, mask: Array) -> Array:
    """Return `filled(x, mask, 0)`, in half of the passes for many elements."""
    if x.size < WITH_BRANCHES:
        return filled(x, mask, 0)
    return fast_select(mask[unexpanded(mask)].view(np.int8) == 0, x)  # a byte may be another than 0 and 1


def put(x: Array, index: Any, values: Array | complex) -> None:
    """x[index] = values; where an index is repeated, the last value stays."""
    if is_basic(index):
        x[index] = values
    elif fills(x, index, values) and _is_dense(index[0]):
        x[...] = filled(x, index[0], values)
    elif type(index) is not tuple and not x.flags.c_contiguous and _repays_copying_back(x, index.size):
        contiguous = x.copy()
        put(contiguous, index, values)
        x[...] = contiguous
    elif not x.flags.c_contiguous:
        x[index if type(index) is tuple else fast_numpy.unraveled(index, x.shape)] = values
    elif type(index) is not tuple:
        x.reshape(-1)[index] = values
    else:
        flat = None if not backend.on_cpu(x) or _is_small(index) else as_single_axis(index, x.shape)
        if flat is None:
            x[index] = values
        else:
            x.reshape((*flat.before, flat.length, *flat.after))[at_axis(len(flat.before), flat.where)] = values


def add(x: Array, index: Any, values: Array | complex, blank: bool = False) -> None:
    """x[index] += values, where a repeated index adds each of its values. A `blank` x holds zeros everywhere."""
    at(np.add, x, index, values, blank)


def at(ufunc: Any, x: Array, index: Any, values: Any, blank: bool = False) -> None:
    """x[index] = ufunc(x[index], values), where a repeated index takes each of its values: `ufunc.at`, but faster.

    A `blank` x holds the identity element everywhere.
    """
    if is_basic(index):
        ufunc(x[index], values, out=x[index])
        return
    if type(index) is tuple and (backend.is_gpu(x) or np.size(values) < SMALL_INDEX > _index_size(index)):
        # NumPy 2.4 doesn't broadcast 1-d values to an index of more axes, but reads past their end.
        if x.ndim == 1 == np.ndim(values) and values.shape != x[index].shape:
            values = np.broadcast_to(values, x[index].shape)
        _ufunc_at(ufunc, x, index, values)
        return
    if type(index) is not tuple and not x.flags.c_contiguous and _repays_copying_back(x, index.size):
        return _at_copy(ufunc, x, index, values)
    memory, steps = places.flat_memory(x, written=True)
    if steps is None and type(x) is np.ndarray and overlaps(x.shape, x.strides):
        _ufunc_at(ufunc, x, index if type(index) is tuple else fast_numpy.unraveled(index, x.shape), values)
    elif steps is None:
        _at_copy(ufunc, x, index, values)
    elif type(index) is not tuple:
        if not backend.is_array(values) or values.shape != index.shape:
            values = np.broadcast_to(backend.like(values, x, x.dtype), index.shape)
        where = index if x.flags.c_contiguous else places.of_flat(index, x.shape, steps)
        _ufunc_at(ufunc, memory, where.reshape(-1), values.reshape(-1))
    else:
        _at_single_axis(ufunc, x, index, values, blank)


def _at_copy(ufunc: np.ufunc, x: Array, index: Any, values: Array) -> None:
    """Do the same on a copy of x, which is copied back."""
    contiguous = x.copy()
    at(ufunc, contiguous, index, values)
    x[...] = contiguous


def _ufunc_at(ufunc: Any, x: Array, index: Any, values: Any) -> None:
    """`ufunc.at`, also for what CUDA has no atomic operation for: complex numbers, small dtypes, multiplication."""
    if not backend.is_gpu(x) or (ufunc is not np.multiply and x.dtype.char in ATOMIC[ufunc]):
        backend.at(ufunc, x, index, values)
    elif ufunc is np.multiply:
        _multiply_at_gpu(x, index, values)
    elif x.dtype.kind == "c":
        backend.at(ufunc, x.real, index, values.real)
        backend.at(ufunc, x.imag, index, values.imag)
    elif x.dtype.kind == "f":
        _extreme_at_gpu(ufunc, x, index, values)
    else:
        wide = x.astype(np.int64)
        backend.at(ufunc, wide, index, values)
        x[...] = wide


def _extreme_at_gpu(ufunc: np.ufunc, x: Array, index: Any, values: Any) -> None:
    """np.maximum.at or np.minimum.at of floating-point numbers, as integers in the order of these numbers.

    CuPy's own rounds float64 to float32, and NaN loses against any number.
    """
    sign, dtype = (1 if ufunc is np.maximum else -1), np.promote_types(x.dtype, np.float32)
    keys, added = (_in_order(np.where(np.isnan(y), np.nan, sign * y.astype(dtype))) for y in (x, values))
    backend.at(np.maximum, keys, index, added)
    x[...] = sign * _in_order(keys.view(dtype)).view(dtype)


def _in_order(x: Array) -> Array:
    """The bits of floating-point numbers as integers in the same order, NaN last; it is its own inverse."""
    bits = x.view(f"i{x.itemsize}")
    return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)


def _multiply_at_gpu(x: Array, index: Any, values: Array) -> None:
    """np.multiply.at, which CuPy lacks: in rounds, in each of which no place is repeated."""
    where = _as_flat(index if type(index) is tuple else (index,), x).where
    values, where = np.broadcast_to(values, where.shape).reshape(-1), where.reshape(-1)
    order = np.argsort(where)  # CuPy's is stable
    ordered, flat = where[order], x.reshape(-1)
    round_of = backend.like(np.arange(where.size), x) - np.searchsorted(ordered, ordered)
    for i in range(int(round_of.max()) + 1 if where.size else 0):
        chosen = order[round_of == i]
        flat[where[chosen]] *= values[chosen]
    x[...] = flat.reshape(x.shape)


def _at_single_axis(ufunc: np.ufunc, x: Array, index: Any, values: Array | complex, blank: bool) -> None:
    """`ufunc.at` through a SingleAxisIndex of x, or else through one of its memory, by the fastest way."""
    flat, target = as_single_axis(index, x.shape), None
    if flat is not None:
        target = _joined_view(x, flat.shape)
        if target is None and FEW * np.size(values) > x.size:
            return _at_copy(ufunc, x, index, values)
    if flat is None or target is None:
        memory, steps = places.flat_memory(x)
        flat = SingleAxisIndex((), memory.size, (), _places(index, x, steps), False)
        target = memory[None, :, None]
    before, _, after = flat.shape
    values, shape = np.asarray(values, x.dtype), flat.before + flat.where.shape + flat.after
    if values.shape != shape:
        values = np.broadcast_to(values, shape)
    where = flat.where.reshape(-1)
    at_rows(ufunc, target, where, values.reshape(before, where.size, after), blank, flat.distinct)


def _joined_view(x: Array, shape: tuple[int, ...]) -> Array | None:
    """Return x.reshape(shape) if that is a view, else None."""
    if x.flags.c_contiguous:
        return x.reshape(shape)
    try:
        return x.reshape(shape, copy=False)
    except ValueError:
        return None


def last_write_mask(index: Any, x: Array) -> Array | None:
    """Mark the values of x[index] = values that are not overwritten by a later one; the marks broadcast to values.

    Return None for a mask or an empty x: then no index is repeated.
    """
    if 0 in x.shape:
        return None
    flat = as_single_axis(index, x.shape) or _as_flat(index, x)
    if flat.distinct:
        return None
    order = backend.like(np.arange(flat.where.size), x).reshape(flat.where.shape)
    slots = np.zeros_like(order, shape=(flat.length,))
    slots[flat.where] = order
    return (slots[flat.where] == order).reshape(flat.where.shape + (1,) * len(flat.after))
