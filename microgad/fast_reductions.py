"""Reductions of bare arrays that are faster than NumPy's: over many short axes, and sums as products with ones."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from . import backend
from .backend.memory_layout import copied_row_major
from .dtypes.limits import highest, lowest

BLOCK_SIZE = 1 << 16  # elements of a block that stays cached
SHORT_RUN = 1 << 8  # elements: NumPy spends most of the time of a shorter inner loop on starting it
SHORT_AXIS = 1 << 5  # elements of an axis for which NumPy takes as long to start the loop as to reduce
IN_TURN = 24  # elements of an axis that are faster to reduce in turn, each with a loop over the other axes
MANY_RUNS = 1 << 9  # inner loops that NumPy starts in the time that another method needs as its overhead
MANY_PRODUCTS = 20_000  # elements that are summed faster by a product with ones than by NumPy's sum
SUM_CHUNK = 1 << 12  # bytes that a product with ones sums at once: more would cost digits
SUM_ROWS, SUM_RUN = 1 << 6, 1 << 12  # rows of float32 that are added in turn, or up to twice as many; their elements
LONG_ROW, DOT_CHUNK = 1 << 17, 1 << 12  # elements of a row that is too long for one dot product, and of its chunks
# The array method that is each ufunc's reduction: CuPy's ufuncs have no `reduce`.
METHODS = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_and: "all",
    np.logical_or: "any",
}  # fmt: skip


def fast_reduce(ufunc: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Reduce an array by a ufunc over one axis, several, or all (None).

    NumPy takes as long to start an inner loop as for some thirty elements, so many short loops are merged into few.
    """
    if type(x) is not np.ndarray:
        return getattr(x, METHODS[ufunc])(axis, keepdims=keepdims)
    lengths: tuple[int, ...] = ()
    if x.size >= 4 * MANY_RUNS:
        rounds = x.size > BLOCK_SIZE and _rounds(ufunc, x)
        if not x.flags.c_contiguous:
            if 0 in x.strides and (once := _once(ufunc, x, axis)).size < x.size:
                return _reduce_once(ufunc, x, once, axis, keepdims)
            order, *_, lengths = _memory_order(x.shape, x.strides, axis, rounds)
            if lengths and order != list(range(x.ndim)):
                return _reduce_in_order(ufunc, x, axis, keepdims)
        else:
            lengths = _alternate(x.shape, axis, rounds)
    if not lengths:
        return ufunc.reduce(x, axis, keepdims=keepdims)  # it has a third of the overhead of methods like x.max()
    out, axes = x, wrapped(axis, x.ndim)
    if not x.flags.c_contiguous:
        short = [a for a in axes if 1 < x.shape[a] <= IN_TURN and x[(slice(None),) * a + (0,)].flags.c_contiguous]
        last = max([a for a, n in enumerate(x.shape) if n > 1])
        if (short or last in axes) and not (x.dtype.char == "e" and ufunc in (np.add, np.multiply)):
            return fast_reduce(ufunc, _reduce_one(ufunc, x, short[0] if short else last), axis, keepdims)
        out = copied_row_major(x) if lengths[-1] <= 2 * SHORT_AXIS else x
    for i in range(len(lengths) - 2, 0, -2):
        out = _reduce_lines(ufunc, out.reshape(-1, lengths[i], math.prod(lengths[i + 1 :: 2])))
    return out.reshape([1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes])


@functools.lru_cache(maxsize=1024)
def _memory_order(shape: tuple[int, ...], strides: tuple[int, ...], axis: Any, rounds: bool = False) -> Any:
    """Return the order of axes in memory, which of them are reduced, the inverse order, and the lengths to reduce.

    These are `_alternate`'s for this order, which is that of NumPy's loops.
    """
    axes, order = wrapped(axis, len(shape)), sorted(range(len(shape)), key=lambda a: -abs(strides[a]))
    moved, inverse = tuple([i for i, a in enumerate(order) if a in axes]), [order.index(a) for a in range(len(shape))]
    return order, moved, inverse, _alternate(tuple([shape[a] for a in order]), moved, rounds)


def _reduce_in_order(ufunc: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Reduce an array with its axes in the order in which they lie in memory."""
    order, moved, inverse, _ = _memory_order(x.shape, x.strides, axis)
    x = x.transpose(order)
    out = fast_sum(x, moved, True) if ufunc is np.add else fast_reduce(ufunc, x, moved, True)
    out = out.transpose(inverse)
    return out if keepdims else out.squeeze(axis)


def _once(ufunc: Any, x: Any, axis: Any) -> Any:
    """Return one of the equal elements of each axis that is expanded (stride 0), where that is enough."""
    axes = wrapped(axis, x.ndim)
    repeats = ufunc is np.multiply or (ufunc is np.add and x.dtype.kind == "c")  # ∞ + ∞j times a number has NaNs
    return x[tuple([slice(None if step or (repeats and a in axes) else 1) for a, step in enumerate(x.strides)])]


def _reduce_once(ufunc: Any, x: Any, once: Any, axis: Any, keepdims: bool) -> Any:
    """Reduce an expanded array, given one of each of its equal elements."""
    axes = wrapped(axis, x.ndim)
    out = fast_sum(once, axis, True) if ufunc is np.add else fast_reduce(ufunc, once, axis, True)
    repeats = math.prod([x.shape[a] // once.shape[a] for a in axes])
    out = out * repeats if ufunc is np.add and repeats > 1 else out
    shape = tuple([1 if a in axes else n for a, n in enumerate(x.shape)])
    out = out if out.shape == shape else np.broadcast_to(out, shape).copy()
    return out if keepdims else out.squeeze(axes)


def _reduce_one(ufunc: Any, x: Any, axis: int) -> Any:
    """Reduce one axis, and keep it. The elements of a short one are reduced in turn, in long loops over the others."""
    if x.shape[axis] > IN_TURN:
        return ufunc.reduce(x, axis, keepdims=True)
    rows = x.transpose([*range(axis), *range(axis + 1, x.ndim), axis])
    dtype = ufunc.reduce(rows[(0,) * (x.ndim - 1)]).dtype
    out = np.empty(rows.shape[:-1], dtype)
    step = max(1, BLOCK_SIZE * len(rows) // rows.size)
    for i in range(0, len(rows), step):
        _reduce_in_turn(ufunc, rows[i : i + step], out[i : i + step])
    return out.reshape([1 if a == axis else n for a, n in enumerate(x.shape)])


def _reduce_in_turn(ufunc: Any, rows: Any, out: Any) -> None:
    """Reduce (..., n) -> (...): elements in turn, but the halves of many elements apart, as sums are more accurate."""
    n = rows.shape[-1]
    if n > 8:
        half = np.empty_like(out)
        _reduce_in_turn(ufunc, rows[..., : n // 2], out)
        _reduce_in_turn(ufunc, rows[..., n // 2 :], half)
        ufunc(out, half, out=out)
        return
    wide = {} if out.dtype.char in ("?", rows.dtype.char) else {"dtype": out.dtype}  # sums of bool or int8 are int64
    ufunc(rows[..., 0], rows[..., 1], out=out, **wide)
    for k in range(2, n):
        ufunc(out, rows[..., k], out=out, **wide)


def wrapped(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return an axis, several, or all (None) as a tuple of numbers that aren't negative."""
    if axis is None:
        return tuple(range(ndim))
    return tuple([a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))])


@functools.lru_cache(maxsize=1024)
def _count(shape: tuple[int, ...], axis: Any) -> int:
    """Return the number of elements that are reduced to one."""
    return math.prod([shape[a] for a in wrapped(axis, len(shape))])


@functools.lru_cache(maxsize=1024)
def _alternate(shape: tuple[int, ...], axis: Any, rounds: bool = False) -> tuple[int, ...]:
    """Return the lengths of axes that are kept and reduced in turn, if neighbors of a kind are merged.

    Both the first and the last are kept. There are none if NumPy needs no help, because its loops are few or long, and
    if it does not round (`rounds`) so many sums in turn that digits are lost.
    """
    axes, lengths = wrapped(axis, len(shape)), [1]
    for a, n in enumerate(shape):
        if n == 1:
            continue
        if (a in axes) == len(lengths) % 2:
            lengths.append(n)
        else:
            lengths[-1] *= n
    if len(lengths) % 2 == 0:
        lengths.append(1)
    width = lengths[-1]
    runs = math.prod(lengths[:-1] if width > 1 else lengths[:-2])
    few = len(lengths) == 1 or runs < MANY_RUNS or math.prod(shape) < 4 * MANY_RUNS
    if rounds and any(_is_long(lengths[i], math.prod(lengths[i + 1 :: 2])) for i in range(1, len(lengths), 2)):
        return tuple(lengths)
    return () if few or width > 2 * SHORT_AXIS else tuple(lengths)


def _rounds(ufunc: Any, x: Any) -> bool:
    """Whether sums of x in turn would lose digits that matter."""
    return ufunc is np.add and x.dtype.char in "fF"


def _is_long(n: int, width: int) -> bool:
    """Whether too many of n rows would be added in turn. If the width is 1, NumPy adds pairs."""
    return width > 1 and (n if width > 2 * SHORT_AXIS else n * width // SHORT_RUN) > 6 * SUM_ROWS


def _reduce_lines(ufunc: Any, lines: Any) -> Any:
    """Reduce the n rows of each of m lines, (m, n, width) -> (m, width).

    NumPy runs one inner loop of n elements for a line if width is 1, otherwise n loops of `width` elements. Many short
    loops are replaced by fewer and longer ones: by merging rows, by transposing lines, or by reducing pairs.
    """
    m, n, width = lines.shape
    kind, extremum = lines.dtype.kind, ufunc in (np.maximum, np.minimum)
    if lines.size > BLOCK_SIZE and _is_long(n, width) and _rounds(ufunc, lines):
        return _add_blocks(lines)
    if n == 1 or width > 2 * SHORT_AXIS or (m if width == 1 else m * n) < MANY_RUNS:
        return ufunc.reduce(lines, 1)
    if n > SHORT_AXIS and width > 1:
        return _reduce_wide_rows(ufunc, lines)
    if n > SHORT_AXIS and extremum and kind != "b":  # with `initial` NumPy need not copy the first elements
        return ufunc.reduce(lines, 1, initial=(lowest if ufunc is np.maximum else highest)(lines.dtype))
    if n > SHORT_AXIS and not (ufunc is np.multiply and kind in "fc"):
        return ufunc.reduce(lines, 1)
    if width == 1 and extremum and lines.dtype.char == "f" and n > 8 and n % 4 == 0:
        return _reduce_lines(ufunc, _reduce_lines(ufunc, lines.reshape(m, n // 4, 4)).reshape(m, 4, 1))
    across = width > 1 or lines.itemsize == 1 or (extremum and kind == "f")
    out = np.empty((m, width), ufunc.reduce(lines[0, :, 0]).dtype)
    step = max(1, BLOCK_SIZE // (n * width))
    for i in range(0, m, step):
        (_reduce_transposed if across else _reduce_pairwise)(ufunc, lines[i : i + step], out[i : i + step])
    return out


def _reduce_wide_rows(ufunc: Any, lines: Any) -> Any:
    """Reduce (m, n, width) -> (m, width) with k rows merged into one that is k times as wide; then reduce these k."""
    m, n, width = lines.shape
    k = min(SHORT_RUN // width, n // 4)
    rest = n % k
    parts = ufunc.reduce(lines[:, rest:].reshape(m, n // k, k * width), 1)
    found = _reduce_lines(ufunc, parts.reshape(m, k, width))
    return ufunc(found, ufunc.reduce(lines[:, :rest], 1)) if rest else found


def _add_blocks(lines: Any) -> Any:
    """Add the rows of blocks, then the sums, (m, n, width) -> (m, width), so that no sum is rounded n times."""
    m, n, width = lines.shape
    if n <= 2 * SUM_ROWS:
        return np.add.reduce(lines, 1)
    row, step = lines.strides[1:]
    multiply = width <= SUM_RUN and step == lines.itemsize and row >= width * step
    if multiply and lines.dtype.char == "F":
        return _add_blocks(lines.view(np.float32)).view(lines.dtype)
    k = min(SUM_RUN // width, n // SUM_ROWS) if multiply and row == width * step else 1  # rows are merged into one
    runs = n // (k * SUM_ROWS) * k
    count, rest = divmod(n, runs)  # 64 to 127 rows are added in turn
    blocks = lines[:, rest:].reshape(m, -1, count, k * width)
    # A product with ones takes two thirds of the time of a sum. A larger one would be computed by several threads.
    parts = ones(count, lines) @ blocks if multiply else np.add.reduce(blocks, 2)
    found = _add_blocks(parts.reshape(m, -1, width))
    return found + _add_blocks(lines[:, :rest]) if rest else found


def _reduce_transposed(ufunc: Any, lines: Any, out: Any) -> None:
    """Reduce (m, n, width) -> (m, width) with the lines side by side in a copy, so that there are n long loops."""
    whole = {4: "I", 8: "d", 16: "D"}.get(lines[0, 0].nbytes, lines.dtype)  # such rows are copied as single items
    ufunc.reduce(lines.view(whole).swapaxes(0, 1).copy().view(lines.dtype), 0, out=out)


def _reduce_pairwise(ufunc: Any, lines: Any, out: Any) -> None:
    """Reduce (m, n, 1) -> (m, 1) by pairs of neighbors, in one loop for all lines, then by pairs of the results, ..."""
    rows = lines[..., 0].astype(out.dtype, copy=False)
    while (n := rows.shape[1]) > 1:
        found = ufunc(rows[:, : n - 1 : 2], rows[:, 1::2])
        if n % 2:
            ufunc(found[:, 0], rows[:, -1], out=found[:, 0])
        rows = found
    out[...] = rows


def ones(n: int, like: Any) -> Any:
    """Return n ones with the dtype and device of `like`, as a factor that sums; some are the same array each time."""
    if type(like) is not np.ndarray:
        return np.ones_like(like, shape=n)
    return _few_ones(n, like.dtype) if n <= SUM_CHUNK else np.ones(n, like.dtype)


_few_ones = functools.lru_cache(maxsize=32)(np.ones)


def fast_sum(x: Any, axis: Any, keepdims: bool) -> Any:
    """Sum an array over axes. Innermost axes are summed by a product with ones, 3 × as fast as NumPy's sum."""
    if x.size < MANY_PRODUCTS or x.dtype.char not in "fd" or not backend.on_cpu(x):
        return fast_reduce(np.add, x, axis, keepdims)
    if not x.flags.c_contiguous:
        order, moved, *_ = _memory_order(x.shape, x.strides, axis)
        if 0 not in x.strides and x.ndim - 1 in moved and x.transpose(order).flags.c_contiguous:
            return _reduce_in_order(np.add, x, axis, keepdims)
        return fast_reduce(np.add, x, axis, keepdims)
    lead, length, others, shape = _as_rows(x.shape, axis, keepdims)
    if lead == x.ndim:
        return fast_reduce(np.add, x, axis, keepdims)
    sums = sum_rows(x.reshape(-1, length))
    if others:
        sums = fast_reduce(np.add, sums.reshape(x.shape[:lead]), others, False)
    return sums.reshape(shape)


@functools.lru_cache(maxsize=1024)
def _as_rows(shape: tuple[int, ...], axis: Any, keepdims: bool) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """Return the axis where the summed rows begin, their length, the axes summed after them, and the result's shape."""
    axes, lead = wrapped(axis, len(shape)), _innermost(shape, axis)
    others = tuple([a for a in axes if a < lead])
    kept = tuple([1 if a in axes else n for a, n in enumerate(shape) if keepdims or a not in axes])
    return lead, math.prod(shape[lead:]), others, kept


def _innermost(shape: tuple[int, ...], axis: Any) -> int:
    """Return the first of the innermost axes that are reduced, or the number of axes where none is."""
    axes, lead = wrapped(axis, len(shape)), len(shape)
    while lead and (lead - 1 in axes or shape[lead - 1] == 1):
        lead -= 1
    return lead if math.prod(shape[lead:]) > 1 else len(shape)


def sum_rows(rows: Any) -> Any:
    """Sum each row of a matrix by products with ones, part by part, (m, n) -> (m)."""
    count, n = rows.shape
    most = SUM_CHUNK // rows.itemsize
    size = _divisor(n, most)
    if not size:
        return sum_rows(rows[:, n % most :]) + sum_rows(rows[:, : n % most])
    sums = (rows if size == n else rows.reshape(-1, size)) @ ones(size, rows)
    return sums if size == n else sum_rows(sums.reshape(count, n // size))


@functools.lru_cache(maxsize=1024)
def _divisor(n: int, most: int) -> int:
    """Return the largest divisor of n that is at most `most`; 0 if it is so small that the parts would be many."""
    return n if n <= most else next((size for size in range(most, most // 16, -1) if n % size == 0), 0)


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum `g` over the axes that broadcasting added to `shape` or stretched."""
    axes, slow = _stretched(g.shape, shape)
    if not axes:
        return g.reshape(shape)
    if type(g) is not np.ndarray:
        return g.sum(axes).reshape(shape)
    return (fast_sum(g, axes, False) if slow else np.add.reduce(g, axes)).reshape(shape)


@functools.lru_cache(maxsize=1024)
def _stretched(shape: tuple[int, ...], to: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """Return the axes along which an array of shape `to` was repeated, and whether NumPy would be slow to sum them."""
    lead, size = len(shape) - len(to), math.prod(shape)
    axes = (*range(lead), *[a for a, n in enumerate(to, lead) if n == 1 and shape[a] != 1])
    products = size >= MANY_PRODUCTS and _innermost(shape, axes) < len(shape)
    return axes, products or bool(_alternate(shape, axes, size > BLOCK_SIZE))


def row_dots(a: Any, b: Any) -> Any:
    """Return the dot products of rows, (..., n), (..., n) -> (..., 1). Long rows are split: BLAS would lose digits."""
    n = a.shape[-1]
    if n <= LONG_ROW:
        if type(a) is np.ndarray and a.dtype.kind == "f":
            return np.vecdot(a, b)[..., None]  # CuPy has none
        return np.matmul(a[..., None, :], b[..., None])[..., 0]
    rest = n % DOT_CHUNK
    parts = (x[..., rest:].reshape((*x.shape[:-1], n // DOT_CHUNK, DOT_CHUNK)) for x in (a, b))
    return row_dots(*parts).sum(-2) + row_dots(a[..., :rest], b[..., :rest])


def sum_of_squares(x: Any) -> Any:
    """Return the sum of squares of a vector, (n) -> ()."""
    return x @ x if x.size <= LONG_ROW else row_dots(x, x)[0]
