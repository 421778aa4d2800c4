"""Reductions of bare arrays in ways that are faster than NumPy's: of many short runs, and sums by products."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import backend
from ..dtypes.limits import highest, lowest
from .blocks import BLOCK_SIZE, SHORT_RUN

SHORT_AXIS = 1 << 5  # elements of an axis that NumPy reduces as fast as it begins to
MANY_RUNS = 1 << 9  # runs that NumPy begins in as much time as another way to reduce takes
SUM_CHUNK = 1 << 10  # elements that a product with ones adds up at once: more would cost digits
LONG_ROW, DOT_CHUNK = 1 << 17, 1 << 12  # elements of a row whose products aren't added up in one go, and those that are
# The array's method that is a ufunc's reduction, which CuPy's ufuncs don't have.
METHODS = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_and: "all",
    np.logical_or: "any",
}  # fmt: skip


def fast_reduce(ufunc: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """The reduction of an array by a ufunc over an axis, several, or all (None).

    NumPy takes as long to begin a run of elements as for some thirty of them: many short runs are put together.
    """
    if type(x) is not np.ndarray:
        return getattr(x, METHODS[ufunc])(axis, keepdims=keepdims)
    if isinstance(axis, tuple) and len(axis) == 1:
        (axis,) = axis
    if x.size < 4 * MANY_RUNS or type(axis) is not int or not x.flags.c_contiguous:
        return ufunc.reduce(x, axis, keepdims=keepdims)  # x.max() and its like in a third of their overhead
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis:][1:]
    out = _reduce_lines(ufunc, x.reshape(-1, n, math.prod(after)))
    return out.reshape((*before, *(1,) * keepdims, *after))


def _reduce_lines(ufunc: Any, lines: Any) -> Any:
    """(m, n, width) -> (m, width): n rows of `width` elements reduced to one, in each of m lines.

    NumPy takes a line as one run of n elements where width is 1, else as n runs of `width`. Where these are many and
    short, there are fewer and longer ones to be had: by rows put together, by lines side by side, or by pairs.
    """
    m, n, width = lines.shape
    kind, extremum = lines.dtype.kind, ufunc in (np.maximum, np.minimum)
    if n == 1 or width > 2 * SHORT_AXIS or (m if width == 1 else m * n) < MANY_RUNS:
        return ufunc.reduce(lines, 1)
    if n > SHORT_AXIS and width > 1:
        return _reduce_wide_rows(ufunc, lines)
    if n > SHORT_AXIS and extremum and kind != "b":  # with a start that changes nothing NumPy copies no first ones
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
    """(m, n, width) -> (m, width): k rows count as one, k times as wide; what comes out is k rows again."""
    m, n, width = lines.shape
    k = min(SHORT_RUN // width, n // 4)
    rest = n % k
    parts = ufunc.reduce(lines[:, rest:].reshape(m, n // k, k * width), 1)
    found = _reduce_lines(ufunc, parts.reshape(m, k, width))
    return ufunc(found, ufunc.reduce(lines[:, :rest], 1)) if rest else found


def _reduce_transposed(ufunc: Any, lines: Any, out: Any) -> None:
    """(m, n, width) -> (m, width): the lines laid side by side, so that there are n long runs."""
    whole = "D" if lines[0, 0].nbytes == 16 else lines.dtype  # what lies together is moved as one
    ufunc.reduce(lines.view(whole).swapaxes(0, 1).copy().view(lines.dtype), 0, out=out)


def _reduce_pairwise(ufunc: Any, lines: Any, out: Any) -> None:
    """(m, n, 1) -> (m, 1): neighbours first, all of which are one run, then neighbours of those results, ..."""
    rows = lines[..., 0].astype(out.dtype, copy=False)
    while (n := rows.shape[1]) > 1:
        found = ufunc(rows[:, : n - 1 : 2], rows[:, 1::2])
        if n % 2:
            ufunc(found[:, 0], rows[:, -1], out=found[:, 0])
        rows = found
    out[...] = rows


@functools.lru_cache(maxsize=64)
def _cached_ones(n: int, dtype: Any) -> Any:
    made = np.ones(n, dtype)
    made.flags.writeable = False
    return made


def ones(n: int, like: Any) -> Any:
    """(n): ones to add up by, of the dtype and on the device of `like`. Making a few takes longer than the product."""
    return (
        _cached_ones(n, like.dtype) if n <= 2 * SUM_CHUNK and type(like) is np.ndarray else np.ones_like(like, shape=n)
    )


def fast_sum(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum of an array; over axes that lie together in memory by products with ones, 3 × as fast as NumPy's sum."""
    if x.size < 20_000 or x.dtype.char not in "fd" or backend.is_gpu(x):
        return fast_reduce(np.add, x, axis, keepdims)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis % x.ndim,)
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        return fast_sum(x.T, tuple([x.ndim - 1 - a for a in axes]), keepdims).T
    lead = x.ndim
    while lead and lead - 1 in axes:
        lead -= 1
    if lead == x.ndim or not x.flags.c_contiguous:
        return fast_reduce(np.add, x, axis, keepdims)
    length = math.prod(x.shape[lead:])
    rows, size = x.reshape(-1, length), length if length <= 2 * SUM_CHUNK else SUM_CHUNK
    whole = length - length % size
    sums = rows[:, :whole].reshape(-1, size) @ ones(size, x)
    if size < whole:
        sums = sums.reshape(len(rows), -1).sum(1)
    if whole < length:
        sums += rows[:, whole:].sum(1)
    sums = sums.reshape(x.shape[:lead])
    if others := tuple([a for a in axes if a < lead]):
        sums = sums.sum(others)
    return sums.reshape([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else sums


def row_dots(a: Any, b: Any) -> Any:
    """(..., n) twice -> (..., 1): sums of products. BLAS has the fastest, but of long rows they lose digits."""
    n = a.shape[-1]
    if n <= LONG_ROW:
        return np.matmul(a[..., None, :], b[..., None])[..., 0]
    rest = n % DOT_CHUNK
    parts = (x[..., rest:].reshape((*x.shape[:-1], n // DOT_CHUNK, DOT_CHUNK)) for x in (a, b))
    return row_dots(*parts).sum(-2) + row_dots(a[..., :rest], b[..., :rest])


def sum_of_squares(x: Any) -> Any:
    """(n) -> ()"""
    return x @ x if x.size <= LONG_ROW else row_dots(x, x)[0]
