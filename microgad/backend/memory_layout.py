"""How arrays lie in memory: strides and axis order, overlap, copies that keep the layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backend
from ..duck_arrays import DuckArray
from ..errors import ShapeError
from .meta import as_zeros

LONG_ROW = 1 << 9  # bytes of a row for which NumPy copies almost as fast as it can
MANY_ROWS = 1 << 9  # rows that repay the time to see them as items
WORDS = frozenset((2, 4, 8, 16))  # bytes of an item that NumPy copies as a number, which takes a fifth of the time

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


def in_own_memory(x: Any) -> Any:
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


def axes_of(x: Any) -> tuple[int, ...]:
    """The axes sorted from the widest stride to the narrowest; axes of equal strides keep their order."""
    steps = strides(x)
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(steps[axis])))


def elsewhere(x: Any, memory: Any, row: Any) -> Any:
    """The view of a copy of the memory that corresponds to `x`. `row` holds the copy's bytes."""
    row = row[address(x) - address(memory) :]
    row = row[: row.size // x.itemsize * x.itemsize].view(x.dtype)
    return backend.as_strided(row, x.shape, x.strides)


def address(x: Any) -> int:
    """The address of the first element."""
    return int(x.data.ptr if backend.is_gpu(x) else as_zeros(x).__array_interface__["data"][0])


def strides(x: Any) -> tuple[int, ...]:
    """The strides in elements. New empty arrays, to which NumPy gives zeros, have those that PyTorch gives them."""
    if x.size or any(x.strides):
        return tuple(s // x.itemsize for s in x.strides)
    sizes = [max(n, 1) for n in x.shape]
    return tuple(math.prod(sizes[i + 1 :]) for i in range(len(sizes)))


def geometry(x: Any) -> Geometry:
    """An array's shape, strides in elements (0 for axes of length 1), and offset in the memory of its owner."""
    size, whole = x.itemsize, backend.owner(x)
    steps = tuple([0 if n == 1 else s // size for n, s in zip(x.shape, x.strides, strict=True)])
    return x.shape, steps, 0 if whole is x else (address(x) - address(whole)) // size


def copied(x: Any) -> Any:
    """A copy in the same axis order. Expanded axes (stride 0) are copied once, and stay expanded."""
    if 0 not in x.strides or isinstance(x, DuckArray):
        return x.copy("K")
    once = x[tuple(slice(0, 1) if step == 0 else slice(None) for step in x.strides)].copy("K")
    steps = tuple(0 if step == 0 else own for step, own in zip(x.strides, once.strides, strict=True))
    return backend.as_strided(once, x.shape, steps)  # np.broadcast_to's result would be read-only


def moved(x: Any, move: Any) -> Any:
    """A copy on another device, with the axes in memory as here. CuPy copies to the host, and from it, in C order."""
    if isinstance(x, DuckArray):
        return x.map_innermost(lambda x: moved(x, move))
    if x.flags.c_contiguous:
        return move(x)
    order = order_by(x.shape, x.strides)
    return move(x.transpose(order)).transpose([order.index(i) for i in range(x.ndim)])


def copied_in_order(x: Any) -> Any:
    """A copy with the axes in memory as x has them, as of NumPy's order "K", but fast for rows of few bytes."""
    if type(x) is not np.ndarray or x.size < 1 << 12 or x.flags.c_contiguous:
        return x.copy("K")
    steps = [abs(step) for step in x.strides]
    if x.shape[steps.index(min(steps))] > 8:  # rows are long: the order of the axes, which takes longer, isn't needed
        return x.copy("K")
    order = axes_of(x)
    return copied_row_major(x.transpose(order)).transpose([order.index(i) for i in range(x.ndim)])


def copy_into(out: Any, x: Any) -> None:
    """Write x into `out`, in a tenth to two thirds of the time if rows are contiguous, short and many."""
    short = x.size > MANY_ROWS and type(x) is type(out) is np.ndarray and _has_short_rows(x)
    if short and (x.shape, x.dtype) == (out.shape, out.dtype):
        row = x.shape[-1] * x.itemsize
        if out.strides[-1] == x.itemsize and not out.strides[-2] == x.strides[-2] == row:  # else NumPy joins rows
            _copy_items(out, x)
            return
    out[...] = x


def copied_row_major(x: Any) -> Any:
    """A copy in C order, by `faster_copy`."""
    if type(x) is not np.ndarray or (copy := faster_copy(x)) is None:
        return x.copy("C")
    out = np.empty(x.shape, x.dtype)
    copy(out, x)
    return out


def faster_copy(x: np.ndarray) -> Callable[[Any, Any], None] | None:
    """Return the way to copy x into an array in C order, a function (out, x), if it isn't NumPy's.

    Columns in steps of 512 bytes are copied 16 at a time: in half to a fifth of the time. All the elements of such a
    row compete for a few lines of the processor's caches. If rows are few and long, a loop over strips would take
    longer. Many rows of a few bytes are copied column by column, in a tenth to half of the time, since NumPy starts a
    loop for each row; or as single items, if these are of a size that NumPy copies as a number, or not so short.
    """
    if x.ndim < 2 or x.size < 2 * MANY_ROWS:
        return None
    n, step = x.shape[-1], x.strides[-1]
    if n <= 8 and _has_few_columns(x):
        return _copy_items if step == x.itemsize and n * step in WORDS else _copy_columns
    if step == x.itemsize:
        return _copy_items if x.strides[-2] != n * step and _has_short_rows(x) else None
    if x.nbytes < 1 << 16 or step < 1024 or step % 512 or n**2 > 100 * x.size:
        return None
    return _copy_strips


def _has_short_rows(x: np.ndarray) -> bool:
    """Whether rows are contiguous, short and so many that it repays the time to see them as items."""
    if x.ndim < 2 or not 1 < (n := x.shape[-1]) <= LONG_ROW // x.itemsize or x.size < MANY_ROWS * n:
        return False
    return x.strides[-1] == x.itemsize and not x.dtype.hasobject


def _copy_items(out: Any, x: Any) -> None:
    """Copy contiguous rows as items. NumPy takes as long to start a loop for a row as to copy some 100 bytes."""
    row = f"V{x.shape[-1] * x.itemsize}"
    out.view(row)[...] = x.view(row)


def _has_few_columns(x: Any) -> bool:
    """Whether a copy takes less time column by column: rows are many, of few bytes, and don't follow each other."""
    if x.ndim < 2 or not 1 < (n := x.shape[-1]) <= 8 or x.size < 1000 * n:
        return False
    if n > max(3, 16 // x.itemsize) or x.itemsize > 8 or x.dtype.hasobject:
        return False
    return bool(x.strides[-2] != n * x.strides[-1])


def _copy_strips(out: Any, x: Any) -> None:
    """Copy 16 columns at a time."""
    for i in range(0, x.shape[-1], 16):
        out[..., i : i + 16] = x[..., i : i + 16]


def _copy_columns(out: Any, x: Any) -> None:
    """Copy the columns one after the other."""
    word = "d" if x.dtype.char == "F" else x.dtype  # NumPy would copy the parts of complex numbers one by one
    out, x = out.view(word), x.view(word)
    for k in range(x.shape[-1]):
        if _has_few_columns(column := x[..., k]):
            _copy_columns(out[..., k], column)
        else:
            out[..., k] = column


def deep_copied(x: Any, memo: dict[Any, Any]) -> tuple[Any, list[int]]:
    """Return the array's view of a copy of its memory, and that copy's version counter.

    Arrays that share memory get views of one copy, by `memo`, and one counter.
    """
    whole = backend.owner(x)
    place = "memory", id(whole)
    if place not in memo:
        memo[place] = whole.copy("K"), [0]
    memory, version = memo[place]
    if x is whole:
        return memory, version
    if memory.strides != whole.strides:  # memory of another library, with gaps
        return x.copy("K"), [0]
    return elsewhere(x, whole, memory_of(memory).view(np.uint8)), version


def has_gaps(x: Any) -> bool:
    """Whether there is other memory between an array's elements, or some share theirs."""
    reach = sum((n - 1) * abs(stride) for n, stride in zip(x.shape, x.strides, strict=True))
    return bool(reach + x.itemsize != x.nbytes)


def copied_like(x: Any, values: Any) -> Any:
    """A copy of `values` with the axis order of `x`, or row-major if `x` has gaps."""
    if x.flags.c_contiguous or has_gaps(x):
        return values.copy()
    out = np.empty_like(x, values.dtype, shape=values.shape)
    out[...] = values
    return out


def laid_out_as_operands(out: Any, operands: Sequence[Any]) -> Any:
    """The result of an elementwise operation in PyTorch's layout: copied if NumPy or CuPy chose another one."""
    first = operands[0]  # may be a number
    if getattr(first, "shape", None) == out.shape:
        alike = (first.strides, first.itemsize) == (out.strides, out.itemsize)
        if alike or (first.flags.c_contiguous and out.flags.c_contiguous):
            return out
        images = out.ndim == 4 and all(getattr(x, "shape", None) == out.shape for x in operands)
        if images and all(x.transpose(0, 2, 3, 1).flags.c_contiguous for x in operands):
            return lying(out, (0, 2, 3, 1))  # channels_last, also where axes of length 1 leave the order open
        if 0 not in first.strides:
            wide_first = sorted(range(out.ndim), key=lambda axis: (first.strides[axis], out.shape[axis]), reverse=True)
            return lying(out, wide_first)
    return lying(out, order_by(out.shape, *[_spread(x, out.shape) for x in operands if getattr(x, "ndim", 0)]))


def _spread(x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of x broadcast to a shape. Axes of one element that aren't expanded keep theirs, unlike NumPy's."""
    lead = len(shape) - x.ndim
    own = zip(x.strides, x.shape, shape[lead:], strict=True)
    return (0,) * lead + tuple(step if n == m else 0 for step, n, m in own)


def order_by(shape: tuple[int, ...], *steps: tuple[int, ...]) -> list[int]:
    """The axes from the outermost to the innermost that PyTorch's iterator chooses, given each operand's strides.

    Of two axes, the outer one has the wider stride, or of equal strides the larger size, in the first operand that
    tells and in which none is expanded (stride 0). NumPy keeps the axes' own order where operands disagree.
    """
    order = list(range(len(shape)))[::-1]  # from the innermost outwards
    for start in range(1, len(order)):
        at = start
        for j in reversed(range(start)):
            inner, outer = order[j], order[at]
            pairs = ((s[inner], s[outer]) for s in steps if s[inner] and s[outer])
            told = next((a - b or 1 for a, b in pairs if a != b or shape[inner] > shape[outer]), 0)
            if told < 0:
                break
            if told > 0:
                order[at], order[j] = inner, outer
                at = j
    return order[::-1]


def lying(out: Any, order: Sequence[int]) -> Any:
    """`out` without gaps and with its axes in this order in memory, the outermost first: copied if it isn't so.

    Axes of length 1, for which NumPy makes up strides, have those of the order, too.
    """
    rows = out.transpose(order)
    if rows.flags.c_contiguous and 1 not in out.shape:
        return out
    return rows.reshape(-1).reshape(rows.shape).transpose([order.index(i) for i in range(out.ndim)])


def cloned(x: Any) -> Any:
    """A dense copy with the axes in memory as PyTorch's clone has them; NumPy would put expanded ones innermost."""
    if isinstance(x, DuckArray):
        return x.map_innermost(cloned)
    if 0 not in x.strides:
        return copied_in_order(x)
    order = order_by(x.shape, x.strides)
    return x.transpose(order).copy("C").transpose([order.index(i) for i in range(x.ndim)])


def on_one_device(operands: Sequence[Any], error: Exception | None = None, move: bool = True) -> list[Any] | None:
    """Move 0-d operands from the CPU to the GPU of the others, as PyTorch allows, or let CuPy compute on that GPU.

    Returns None where neither helps against `error`, as where operands with dimensions are on several devices.
    """
    arrays = [getattr(x, "array", x) for x in operands]
    places = {backend.device_of(a) for a in arrays if backend.is_gpu(a)}
    if len(places) != 1:
        return None
    (where,) = places
    if "current device" in str(error) and backend.follow(where):  # where GPUs can't read each other's memory
        return list(operands)
    if not move or {a.ndim for a in arrays if isinstance(a, np.ndarray)} != {0}:
        return None
    return [
        x if not isinstance(a, np.ndarray) else backend.to_device(a, where) if a is x else x.to(where)
        for x, a in zip(operands, arrays, strict=True)
    ]


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


def expanded_axes(x: Any) -> tuple[int, ...]:
    """Return the axes along which x is expanded, that is, repeats its elements with stride 0."""
    if 0 not in x.strides or not x.size:
        return ()
    return tuple([i for i, step in enumerate(x.strides) if step == 0 and x.shape[i] > 1])
