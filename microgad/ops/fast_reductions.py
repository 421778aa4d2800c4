"""Reductions of bare arrays that are faster than NumPy's: over many short axes, and sums as products with ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..dtypes.limits import highest, lowest
from .blocks import BLOCK_SIZE, SHORT_RUN

SHORT_AXIS = 1 << 5  # elements of an axis for which NumPy takes as long to start the loop as to reduce
MANY_RUNS = 1 << 9  # inner loops that NumPy starts in the time that another method needs as its overhead
SUM_CHUNK = 1 << 10  # elements that a product with ones sums at once, at most twice as many: more would cost digits
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
    if isinstance(axis, tuple) and len(axis) == 1:
        (axis,) = axis
    if x.size < 4 * MANY_RUNS or type(axis) is not int or not x.flags.c_contiguous:
        return ufunc.reduce(x, axis, keepdims=keepdims)  # it has a third of the overhead of methods like x.max()
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis:][1:]
    out = _reduce_lines(ufunc, x.reshape(-1, n, math.prod(after)))
    return out.reshape((*before, *(1,) * keepdims, *after))


def _reduce_lines(ufunc: Any, lines: Any) -> Any:
    """Reduce the n rows of each of m lines, (m, n, width) -> (m, width).

    NumPy runs one inner loop of n elements for a line if width is 1, otherwise n loops of `width` elements. Many short
    loops are replaced by fewer and longer ones: by merging rows, by transposing lines, or by reducing pairs.
    """
    m, n, width = lines.shape
    kind, extremum = lines.dtype.kind, ufunc in (np.maximum, np.minimum)
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


def _reduce_transposed(ufunc: Any, lines: Any, out: Any) -> None:
    """Reduce (m, n, width) -> (m, width) with the lines side by side in a copy, so that there are n long loops."""
    whole = "D" if lines[0, 0].nbytes == 16 else lines.dtype  # rows of 16 bytes are copied as single items
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
    """Return n ones with the dtype and device of `like`, as a factor that sums."""
    return np.ones(n, like.dtype) if type(like) is np.ndarray else np.ones_like(like, shape=n)  # np.ones is faster


def fast_sum(x: Any, axis: Any, keepdims: bool) -> Any:
    """Sum an array over axes. Innermost axes are summed by a product with ones, 3 × as fast as NumPy's sum."""
    if x.size < 20_000 or x.dtype.char not in "fd" or not backend.on_cpu(x):
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
