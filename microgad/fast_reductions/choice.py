"""The choice of the way to reduce an array, by its layout, and of the way to reduce lines, by their shape.

The first way is taken whose condition holds. "Times as fast" is as NumPy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backend.arrays import Array
from ..backend.axes import reduced_shape, wrapped
from ..backend.axis_order import outermost_first
from ..backend.copies import copied_row_major
from ..dtypes.limits import highest, lowest
from . import MANY_PRODUCTS, fast_reduce
from .geometry import MANY_RUNS, SHORT_AXIS, Layout, has_many_short_loops, in_products, loses_digits
from .layouts import in_memory_order, once, one_axis_first
from .lines import add_blocks, in_blocks, in_wide_rows, pairwise, transposed
from .products import SUM_CHUNK, ones, sum_rows

MANY_ROWS = 1 << 5  # rows that are summed faster by products with ones even if their elements are fewer; × 4 with gaps
MOST_BOOLEANS = 1 << 22  # elements up to which booleans may be copied as float32
FEW_IN_ROW = 6  # elements of a row between gaps for which it pays to copy them


@functools.lru_cache(maxsize=1024)
def way(
    ufunc: np.ufunc, shape: tuple[int, ...], strides: tuple[int, ...] | None, dtype: Any, axis: Any, keepdims: bool,
    products: bool, bare: bool,
) -> Callable[[Any, Any], Any] | None:  # fmt: skip
    """Return the way to reduce such an array, a function (ufunc, x) -> out; None if it is NumPy's.

    The strides are None in C order. Arrays that aren't `bare`, vmap's, are summed by products or as by NumPy.
    """
    axes, order = wrapped(axis, len(shape)), outermost_first(strides) if strides else list(range(len(shape)))
    layout = Layout(shape, strides, dtype.itemsize, axes, order)
    lengths, dense = layout.lengths(), layout.is_dense()
    inexact = loses_digits(ufunc, dtype, lengths)
    slow = bare and (has_many_short_loops(lengths) or inexact)
    product = products and ufunc is np.add and dtype.char in "fd" and len(lengths) > 1 == lengths[-1]
    product = product and math.prod(shape) >= min(MANY_PRODUCTS, (1 if dense else 4) * MANY_ROWS * lengths[-2])
    matrices = layout.matrices() if strides and bare and product else []
    again, result = partial(fast_reduce, keepdims=keepdims, products=True), reduced_shape(shape, axis, keepdims)

    # 4 to 29 times as fast: of the equal elements along an expanded axis, one is reduced.
    if bare and strides and (expanded := layout.repeated_axes(ufunc, dtype)):
        return partial(once, again, axes, expanded, result)

    # 4 to 8 times as fast: of all booleans, those that hold are counted. Along axes 1.2 to 4 times, in float32.
    if bare and ufunc is np.add and dtype.char == "?":
        if len(axes) == len(shape):
            return partial(_count, result)
        if dense and MANY_PRODUCTS <= math.prod(shape) <= MOST_BOOLEANS:
            return partial(_count_along, again, axis)

    # 1.4 to 3 times as fast, for short axes up to 38 times: innermost axes are summed by a product with ones.
    if product and not strides:
        if bare and len(lengths) == 3 and lengths[1] * dtype.itemsize <= SUM_CHUNK:
            return partial(_sum_short_rows, lengths[:2], ones(lengths[1], np.empty(0, dtype)), result)
        return partial(_sum_rows, (-1, lengths[-2]), lengths[:-2], result)

    # Up to 22 times as fast: with its axes in memory order, a permuted array is as one in C order.
    if order != sorted(order) and (slow or (product and (dense or matrices))):
        moved, left = tuple([order.index(a) for a in axes]), [a for a in order if keepdims or a not in axes]
        return partial(in_memory_order, again, order, moved, [left.index(a) for a in sorted(left)])

    # 1.2 to 20 times as fast: rows with gaps between them, too. The others are summed afterwards.
    if matrices:
        return partial(_sum_rows, matrices, [*lengths[:-2], lengths[-2] // matrices[-1]], result)

    # NumPy's loops are few, or long: other ways don't pay. With gaps, nor do they for a long run of axes, as in crops.
    row = next((shape[a] for a in reversed(order) if shape[a] > 1), 1)
    long = lengths[-1] == 1 and lengths[-2] > 2 * SHORT_AXIS and row > FEW_IN_ROW
    if not slow or (strides and long and not inexact):
        return None

    # 9 to 22 times as fast: with gaps between elements, first a short axis, in long loops over the others, or the last.
    # This would round sums and products of float16 each time.
    halves = dtype.char == "e" and ufunc in (np.add, np.multiply)
    if strides and not halves and (first := layout.first_axis()) is not None:
        return partial(one_axis_first, partial(fast_reduce, keepdims=keepdims), axes, first)

    # 1.1 to 27 times as fast, see below: as lines. Short rows with gaps are copied, unless BLAS reads them.
    read = len(lengths) == 3 and in_products(ufunc, dtype, lengths[1])
    copied = strides is not None and lengths[-1] <= 2 * SHORT_AXIS and not read
    return partial(_reduce_runs, lengths, result, copied)


def reduce_lines(ufunc: np.ufunc, lines: Array) -> Array:
    """Reduce the n rows of each of m lines, (m, n, width) -> (m, width).

    NumPy runs one inner loop of n elements for a line if width is 1, otherwise n loops of `width` elements.
    """
    m, n, width = lines.shape
    kind, extremum = lines.dtype.kind, ufunc in (np.maximum, np.minimum)

    # For digits: sums of many rows, block by block. In float32, up to 18 times as fast.
    if loses_digits(ufunc, lines.dtype, lines.shape):
        return add_blocks(lines)

    # NumPy's loops are few, or long: other ways don't pay.
    if n == 1 or width > 2 * SHORT_AXIS or (m if width == 1 else m * n) < MANY_RUNS:
        return ufunc.reduce(lines, 1)

    # 2 to 30 times as fast: many short rows, merged into fewer long ones; the rows of sums in products with ones.
    if n > SHORT_AXIS and width > 1:
        return add_blocks(lines) if in_products(ufunc, lines.dtype, n) else in_wide_rows(reduce_lines, ufunc, lines)

    # 1.5 times as fast if n is a multiple of 16: extrema with `initial`, so that NumPy need not copy first elements.
    if n > SHORT_AXIS and extremum and kind != "b":
        return ufunc.reduce(lines, 1, initial=(lowest if ufunc is np.maximum else highest)(lines.dtype))

    # NumPy's loops are long, and only those of products are slow.
    if n > SHORT_AXIS and not (ufunc is np.multiply and kind in "fc"):
        return ufunc.reduce(lines, 1)

    # 4 to 6 times as fast: extrema of 12, 16, ... numbers of float32, as n / 4 rows of 4, which are then lines of 4.
    if width == 1 and extremum and lines.dtype.char == "f" and n > 8 and n % 4 == 0:
        return reduce_lines(ufunc, reduce_lines(ufunc, lines.reshape(m, n // 4, 4)).reshape(m, 4, 1))

    # 1.4 to 27 times as fast: lines side by side in a copy, so that n long loops are left.
    if width > 1 or lines.itemsize == 1 or (extremum and kind == "f"):
        return in_blocks(transposed, ufunc, lines)

    # 1.1 to 5.6 times as fast, and more accurate sums: pairs of neighbors.
    return in_blocks(pairwise, ufunc, lines)


def _count(shape: tuple[int, ...], ufunc: np.ufunc, x: Array) -> Array:
    """Count what holds."""
    return np.asarray(np.count_nonzero(x)).reshape(shape)


def _count_along(again: Any, axis: Any, ufunc: np.ufunc, x: Array) -> Array:
    """Count what holds along axes, as a sum in float32, which is exact up to 2²⁴."""
    return again(ufunc, x.astype(np.float32), axis).astype(np.intp)


def _sum_rows(
    matrices: Sequence[int], others: Sequence[int], shape: tuple[int, ...], ufunc: np.ufunc, x: Array
) -> Array:
    """Sum the rows of the array seen as matrices by products; then their sums, seen as `others`, as kept and reduced
    axes in turn.
    """
    sums = sum_rows(x.reshape(matrices))
    if len(others) > 1:
        sums = fast_reduce(ufunc, sums.reshape(others), (*range(1, len(others), 2),), False)
    return sums.reshape(shape)


def _sum_short_rows(matrix: Sequence[int], ones: Array, shape: tuple[int, ...], ufunc: np.ufunc, x: Array) -> Array:
    """Do what `_sum_rows` does where a single product is all: of (1000, 1000) it takes 3 % less time."""
    return (x.reshape(matrix) @ ones).reshape(shape)


def _reduce_runs(lengths: Sequence[int], shape: tuple[int, ...], copied: bool, ufunc: np.ufunc, x: Array) -> Array:
    """Reduce one run of axes after the other, from the last to the first, as lines."""
    out = copied_row_major(x) if copied else x
    for i in range(len(lengths) - 2, 0, -2):
        out = reduce_lines(ufunc, out.reshape(-1, lengths[i], math.prod(lengths[i + 1 :: 2])))
    return out.reshape(shape)
