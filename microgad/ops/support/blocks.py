"""Cache blocking: a formula of many passes is evaluated on a large array block by block, so that blocks stay cached."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ... import backend
from ...backend.inner_loops import SHORT_RUN, UNCHANGED, run_length, unbuffered_runs
from ...backend.inner_loops import UFUNC_BUFFER as UFUNC_BUFFER
from ...fast_reductions.lines import BLOCK_SIZE
from ...type_aliases import Array
from . import fast_numpy, layouts

ROOM = {"cpu": 1 << 19, "cuda": 1 << 28, "meta": 1 << 42}  # bytes of a block of images; of addresses on meta
FORMULA_BLOCK = 1 << 18  # elements for a formula of few inputs: the larger, the fewer calls of NumPy
MANY_ROWS = 1 << 12  # rows of few elements that repay a call for each of their columns
MANY_PAIRS, LONGEST_ROW = 1 << 12, 64  # numbers of a result for which it pays to repeat rows that go with all others
REPEATED = 1 << 14  # elements to which a row is repeated that goes with at least MANY_REPEATS rows
MANY_REPEATS = 1 << 11


def by_blocks(formula: Callable[..., Any], *inputs: Array) -> Array:
    """Return a new `out` into which an elementwise formula(out, *inputs) writes; 0-d arrays are passed to it as 1-D."""
    out = layouts.empty_like(inputs[0])
    if out.ndim:
        write_by_blocks(formula, out, *inputs)
    else:
        formula(*[x.reshape(1) for x in (out, *inputs)])
    return out


def by_blocks_if_bare(formula: Callable[..., Any], *inputs: Array) -> Array:
    """Call `by_blocks` for NumPy's arrays; else, for Tensors and on a GPU, return formula(None, *inputs)."""
    bare = all(type(x) is np.ndarray for x in inputs)
    return by_blocks(formula, *inputs) if bare else formula(None, *inputs)


def write_by_blocks(formula: Callable[..., Any], out: Array, *inputs: Array) -> None:
    """Call an elementwise formula(out, *inputs) block by block, in the order of out's memory.

    Inputs have out's shape or a single element.
    """
    if out.size <= FORMULA_BLOCK or type(out) is not np.ndarray:
        formula(out, *inputs)
        return
    arrays = layouts.in_memory_order(out, *inputs)
    if not all(x.flags.c_contiguous and x.size in (1, out.size) for x in arrays):
        formula(*arrays)
        return
    arrays = [x.reshape(-1) for x in arrays]
    for i in range(0, out.size, FORMULA_BLOCK):
        formula(*[x[i : i + FORMULA_BLOCK] if x.size > 1 else x for x in arrays])


def in_blocks(formula: Callable[..., Any], *inputs: Array | float) -> Array:
    """Return formula(*inputs), broadcast, in the inputs' dtype; the formula gets 1-D blocks, also for Python scalars.

    The result has the memory order of the first input that is not expanded.
    """
    if len(inputs) > 1:
        like = next((x for x in inputs if hasattr(x, "dtype")), np.empty(0))
        arrays = [x if hasattr(x, "dtype") else backend.make_like(np.full_like, like, x, shape=()) for x in inputs]
        inputs = tuple(np.broadcast_arrays(*arrays))
    out = layouts.empty_like(next((x for x in inputs if not layouts.expanded_axes(x)), inputs[0]))
    flat, *parts = [x.reshape(-1) for x in layouts.in_memory_order(out, *inputs)]
    n = out.size
    with np.errstate(all="ignore"):
        if n <= BLOCK_SIZE or backend.is_gpu(out):
            flat[...] = formula(*parts) if n else 0
        else:
            for i in range(0, n, BLOCK_SIZE):
                flat[i : i + BLOCK_SIZE] = formula(*[x[i : i + BLOCK_SIZE] for x in parts])
    return out


def in_double(formula: Callable[..., Any], *inputs: Array | float) -> Array:
    """Return formula(*inputs), broadcast, computed in float64 and converted to the dtype of the inputs."""
    return in_blocks(lambda *parts: formula(*[x.astype(np.float64) for x in parts]), *inputs)


def arithmetic(ufunc: np.ufunc, a: np.ndarray, b: Array | float) -> Array:
    """Return ufunc(a, b) of an array and an operand of the same dtype, or a number.

    NumPy starts an inner loop for each row of an operand with gaps or a broadcast one. A row that goes with all rows is
    therefore repeated (`with_row`), and each number of a column that goes with all columns. Short rows that go with all
    others are repeated, too. Other results of two to four columns are computed column by column, in a tenth to two
    thirds of the time, and rows of medium length without the copies that `unbuffered` avoids.
    """
    unlike = type(b) is np.ndarray and (a.ndim > 2 or b.ndim > 2) and a.shape != b.shape
    if unlike and (pairs := _of_pairs(ufunc, a, b)) is not None:
        return pairs
    least = BLOCK_SIZE if a.ndim < 2 or a.shape[-1] > 4 else MANY_ROWS * a.shape[-1]
    if a.size < least and (type(b) is not np.ndarray or b.size < least):
        return ufunc(a, b)
    contiguous = a.flags.c_contiguous
    if type(b) is np.ndarray:
        shape, parts = a.shape, [a, b]
        if shape != b.shape:
            shape, contiguous = fast_numpy.broadcast_shapes(shape, b.shape), contiguous and b.size == 1
        if contiguous and b.flags.c_contiguous:
            return ufunc(a, b)
    elif contiguous or type(b) not in (int, float):
        return ufunc(a, b)
    else:
        shape, parts = a.shape, [a]
    count = math.prod(shape)
    if count >= BLOCK_SIZE and len(parts) > 1:
        whole, other = parts if a.shape == shape else parts[::-1]
        if whole.flags.c_contiguous and whole.shape == shape:
            if _is_row(other, shape):
                return with_row(ufunc, whole, other, np.empty(shape, _dtype(ufunc, a)), other is a)
            if _is_column(other, shape) and _dtype(ufunc, a) == other.dtype:
                out = repeated(other, shape[-1])
                return ufunc(*[out if x is other else x for x in parts], out=out)
    large = count >= _FASTER_UNBUFFERED.get(ufunc, math.inf)
    if len(shape) < 2 or not (large or 1 < shape[-1] <= 4) or not all(map(_row_major, parts)):
        return ufunc(a, b)
    if 1 < shape[-1] < 4 or (shape[-1] == 4 and not any(x.shape == shape and x.flags.c_contiguous for x in parts)):
        out = np.empty(shape, _dtype(ufunc, a))
        for k in range(shape[-1]):
            ufunc(*[_column(x, k) for x in (a, b)], out=out[..., k])
        return out
    with unbuffered_runs(run_length(shape, *parts)) if large else UNCHANGED:
        return ufunc(a, b)


def _of_pairs(ufunc: np.ufunc, a: Array, b: Array) -> Array | None:
    """Return ufunc(a, b) if each row of one operand, (..., n, 1, k), goes with all of the other's, (..., m, k)."""
    for rows, others in ((a, b), (b, a)):
        if rows.ndim < 3 or others.ndim < 2 or rows.shape[-2] != 1 or rows.size * others.shape[-2] < MANY_PAIRS:
            continue
        *lead, m, k = shape = fast_numpy.broadcast_shapes(rows.shape, others.shape)
        dense = rows.flags.c_contiguous and others.flags.c_contiguous
        if dense and m > 1 < k <= LONGEST_ROW and rows.shape == (*lead, 1, k) and others.shape[-2:] == shape[-2:]:
            wide = np.tile(rows.reshape(*lead, k), m)  # so that NumPy's loops have m · k numbers
            lines = others.reshape(*others.shape[:-2], m * k)
            out = wide if _dtype(ufunc, a) == wide.dtype else None
            return ufunc(*((wide, lines) if rows is a else (lines, wide)), out=out).reshape(shape)
    return None


def _dtype(ufunc: np.ufunc, a: Array) -> Any:
    """The dtype of a ufunc of arrays of a's dtype."""
    return np.dtype(bool) if ufunc.types[1][-1] == "?" else a.dtype


def with_row(ufunc: np.ufunc, x: Array, row: Array, out: Array, first: bool = False) -> Array:
    """Write ufunc(x, row), or ufunc(row, x) if the row comes `first`, to `out` in a tenth to 9 tenths of NumPy's time.

    x and `out`, which is returned, are large and in C order; the row has x's last axes.
    """
    wide = np.tile(row.reshape(-1), REPEATED // row.size)
    flat, to, step = x.reshape(-1), out.reshape(-1), wide.size
    end = x.size // step * step
    for part, shape, other in ((slice(end), (-1, step), wide), (slice(end, None), (-1,), wide[: x.size - end])):
        operands = flat[part].reshape(shape), other
        ufunc(*operands[:: -1 if first else 1], out=to[part].reshape(shape))
    return out


def apply_row(ufunc: np.ufunc, out: Array, row: Array | float) -> None:
    """Write ufunc(out, row) to `out`, in place."""
    bare = type(out) is np.ndarray and type(row) is np.ndarray
    if bare and out.size >= BLOCK_SIZE and out.flags.c_contiguous and _is_row(row, out.shape):
        with_row(ufunc, out, row, out)
    else:
        ufunc(out, row, out=out)


def _is_row(x: Array, shape: tuple[int, ...]) -> bool:
    """Whether x, which is broadcast to a shape, has its last axes alone, and goes with many rows."""
    if not (MANY_REPEATS * x.size <= math.prod(shape) and REPEATED > 16 * x.size > 16):
        return False
    lead = next(axis for axis, n in enumerate(x.shape) if n > 1)
    return x.shape[lead:] == shape[len(shape) - x.ndim + lead :] and _row_major(x)


def with_column(ufunc: np.ufunc, x: Array, column: Array, out: Array) -> Array:
    """Write ufunc(x, column) of rows (R, n) and a number for each, (R, 1), to `out`, and return it."""
    many = out.size >= BLOCK_SIZE // 2 and type(out) is np.ndarray and _is_column(column, out.shape)
    return ufunc(x, repeated(column, out.shape[-1]) if many else column, out=out)


def repeated(column: Array, count: int) -> Array:
    """Repeat each number of a column (..., 1), (..., count)."""
    return np.repeat(column.reshape(-1), count).reshape(*column.shape[:-1], count)


def _is_column(x: Array, shape: tuple[int, ...]) -> bool:
    """Whether x goes with all columns of an array of this shape, and these are so few that it pays to repeat it."""
    return 4 <= shape[-1] <= SHORT_RUN and x.shape == (*shape[:-1], 1) and _row_major(x)


def by_rows(ufunc: np.ufunc) -> Any:
    """Return `arithmetic` of a ufunc, as the attribute `large` of its Function."""
    return staticmethod(functools.partial(arithmetic, ufunc))


# From how many elements on a ufunc's runs of medium length pay to leave NumPy's buffer out.
_FASTER_UNBUFFERED: dict[Any, int] = dict.fromkeys(
    (np.add, np.subtract, np.multiply, np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal),
    BLOCK_SIZE,
) | {np.true_divide: 2 * BLOCK_SIZE}


def _row_major(x: Array) -> bool:
    """Whether the axes of x lie in memory in their order, and none is expanded: NumPy's result is then in C order."""
    if x.flags.c_contiguous:
        return True
    steps = [step for n, step in zip(x.shape, x.strides, strict=True) if n != 1]
    return all(outer > inner for outer, inner in zip(steps, [*steps[1:], 0], strict=True))


def _column(x: Any, k: int) -> Array | float:
    """Column k of an operand, which may be a number, or have a single column."""
    return x if np.ndim(x) == 0 else x[..., k if x.shape[-1] > 1 else 0]


def batch_blocks(x: Array, rows: int, numbers: int) -> Iterator[tuple[slice, slice]]:
    """Yield pairs of slices, of the batch x and of its `rows`, that fit into a block. A row has `numbers` numbers."""
    room = ROOM[backend.device_of(x).type] // x.itemsize
    take = max(1, room // max(1, numbers))
    take_images, take_rows = max(1, take // rows), min(rows, take)
    for i in range(0, len(x), take_images):
        for r in range(0, rows, take_rows):
            yield slice(i, min(i + take_images, len(x))), slice(r, min(r + take_rows, rows))


def unbuffered(x: Array, axis: int) -> AbstractContextManager[None]:
    """Return a context for elementwise arithmetic of x with an array of length 1 along an axis.

    Outside of it, NumPy processes several runs of x at once if they fit into its buffer, and first copies the broadcast
    operand into that buffer, which takes longer than the arithmetic. The context makes the buffer smaller than a run;
    for a small array or short runs this takes longer than it saves.
    """
    if type(x) is not np.ndarray or x.size < BLOCK_SIZE:
        return UNCHANGED
    return unbuffered_runs(math.prod(x.shape[axis:][1:] or x.shape[axis:]))
