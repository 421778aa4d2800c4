"""The memory of arrays: its owner, addresses and strides, overlap and gaps."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import backend
from ..errors import ShapeError
from .arrays import Array
from .axis_order import outermost_first
from .meta import as_zeros

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]  # shape, strides in elements, offset in elements


def memory_of(x: Any) -> Any:
    """All the memory of the array that owns the elements of `x`, as a 1-D array of x's dtype, without an odd rest."""
    whole = backend.owner(x)
    if whole.flags.c_contiguous and whole.dtype == x.dtype:  # the usual case, checked first for speed
        return whole.reshape(-1)
    flat = np.transpose(whole, axes_of(whole)).reshape(-1)
    if whole.size and backend.owner(flat) is not whole:
        raise ShapeError(f"the memory of an array of shape {whole.shape} and strides {whole.strides} has gaps")
    if rest := whole.nbytes % x.itemsize:
        flat = flat.view("uint8")[:-rest]
    return flat.view(x.dtype)


def in_own_memory(x: Array) -> Array:
    """A view of a NumPy array whose owner begins at the first element in memory and ends at the last.

    PyTorch's storages of other libraries' arrays reach as far, also where these are slices of larger arrays.
    """
    x = x.view(np.ndarray)
    whole = backend.owner(x)
    if x.nbytes == whole.nbytes and x.flags.forc:  # the usual case, checked first for speed
        return x
    row, start = x, 0
    if not x.flags.c_contiguous:
        reaches = [(n - 1) * step for n, step in zip(x.shape, x.strides, strict=True)]
        count = sum(map(abs, reaches)) // x.itemsize + 1
        if count * x.itemsize == whole.nbytes:
            return x
        start = -sum([reach for reach in reaches if reach < 0])
        first = x[(*[0 if step >= 0 else -1 for step in x.strides], ...)]
        row = backend.as_strided(first, (count,), (x.itemsize,))
    row = np.frombuffer(memoryview(row), x.dtype)  # of an array itself, the owner would be the old one
    return np.ndarray(x.shape, x.dtype, row, start, x.strides)


class SharedMemory:
    """An anonymous memory-mapped file, as an object that NumPy can make an array of."""

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.__array_interface__ = np.frombuffer(arena.buffer, np.uint8).__array_interface__


def shared_memory_of(x: Any) -> SharedMemory | None:
    """Return the shared memory in which an array lies, if any."""
    base = None if backend.is_gpu(x) else backend.owner(x).base
    return base if type(base) is SharedMemory else None


def axes_of(x: Array) -> tuple[int, ...]:
    """The axes of an array by `outermost_first`."""
    return tuple(outermost_first(strides(x)))


def elsewhere(x: Array, memory: Array, row: Array) -> Array:
    """The view of a copy of the memory that corresponds to `x`. `row` holds the copy's bytes."""
    row = row[address(x) - address(memory) :]
    row = row[: row.size // x.itemsize * x.itemsize].view(x.dtype)
    return backend.as_strided(row, x.shape, x.strides)


def address(x: Any) -> int:
    """The address of the first element."""
    return int(x.data.ptr if backend.is_gpu(x) else as_zeros(x).__array_interface__["data"][0])


def strides(x: Array) -> tuple[int, ...]:
    """The strides in elements. New empty arrays, to which NumPy gives zeros, have those that PyTorch gives them."""
    if x.size or any(x.strides):
        return tuple(s // x.itemsize for s in x.strides)
    return row_major_strides(tuple([max(n, 1) for n in x.shape]))


@functools.lru_cache(maxsize=1024)
def row_major_strides(shape: tuple[int, ...], size: int = 1) -> tuple[int, ...]:
    """The strides of a contiguous array: in elements, or in bytes for elements of a size."""
    return tuple([size * math.prod(shape[i + 1 :]) for i in range(len(shape))])


def geometry(x: Array) -> Geometry:
    """An array's shape, strides in elements (0 for axes of length 1), and offset in the memory of its owner."""
    size, whole = x.itemsize, backend.owner(x)
    steps = tuple([0 if n == 1 else s // size for n, s in zip(x.shape, x.strides, strict=True)])
    return x.shape, steps, 0 if whole is x else (address(x) - address(whole)) // size


def has_gaps(x: Array) -> bool:
    """Whether there is other memory between an array's elements, or some share theirs."""
    reach = sum((n - 1) * abs(stride) for n, stride in zip(x.shape, x.strides, strict=True))
    return bool(reach + x.itemsize != x.nbytes)


def overlaps(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether two elements of an array may have the same address."""
    reach = 0  # the largest offset within the axes of narrower strides
    for stride, n in sorted((abs(stride), n) for stride, n in zip(strides, shape, strict=True) if n > 1):
        if stride <= reach:
            return True
        reach += stride * (n - 1)
    return False


def within(place: Geometry, other: Geometry) -> bool:
    """Whether all elements of the geometry `place` are elements of `other`, in the same memory."""
    mine, others = (
        offset + np.tensordot(np.array(steps, np.int64), np.indices(shape), 1)
        for shape, steps, offset in (place, other)
    )
    return bool(np.isin(mine, others).all())


def expanded_axes(x: Array) -> tuple[int, ...]:
    """Return the axes along which x is expanded, that is, repeats its elements with stride 0."""
    if 0 not in x.strides or not x.size:
        return ()
    return tuple([i for i, step in enumerate(x.strides) if step == 0 and x.shape[i] > 1])
