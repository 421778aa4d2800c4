"""How an array and its reduced axes lie in memory, and what that means for NumPy's loops."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .layouts import IN_TURN
from .lines import BLOCK_SIZE, SHORT_RUN, SUM_ROWS

SHORT_AXIS = 1 << 5  # elements of an axis for which NumPy takes as long to start the loop as to reduce
FEW_COLUMNS, FEW_ROWS = 3, 8  # the least sizes of a matrix whose rows BLAS sums faster than other ways
MANY_RUNS = 1 << 9  # inner loops that NumPy starts in the time that another way needs as its overhead


def alternate(axes: Iterable[tuple[int, bool]]) -> list[int]:
    """Return the lengths of axes, (length, reduced), that are kept and reduced in turn: neighbors of a kind are merged.

    Both the first and the last are kept.
    """
    lengths = [1]
    for n, reduced in axes:
        if n == 1:
            continue
        if reduced == len(lengths) % 2:
            lengths.append(n)
        else:
            lengths[-1] *= n
    return lengths if len(lengths) % 2 else [*lengths, 1]


def has_many_short_loops(lengths: Sequence[int]) -> bool:
    """Whether NumPy's inner loops, over the innermost of these lengths, are so many and short that others pay."""
    loops = math.prod(lengths[:-1] if lengths[-1] > 1 else lengths[:-2])
    return len(lengths) > 1 and loops >= MANY_RUNS and lengths[-1] <= 2 * SHORT_AXIS


def loses_digits(ufunc: Any, dtype: Any, lengths: Sequence[int]) -> bool:
    """Whether so many rows would be added in turn that digits are lost. Of rows of one element, NumPy adds pairs."""
    if ufunc is not np.add or dtype.char not in "fF" or math.prod(lengths) <= BLOCK_SIZE:
        return False
    runs = [(lengths[i], math.prod(lengths[i + 1 :: 2])) for i in range(1, len(lengths), 2)]
    return any(w > 1 and (n if w > 2 * SHORT_AXIS else n * w // SHORT_RUN) > 6 * SUM_ROWS for n, w in runs)


def in_products(ufunc: Any, dtype: Any, n: int) -> bool:
    """Whether n rows are so many that blocks of them are added by products with ones."""
    return ufunc is np.add and dtype.char in "fdF" and n > 2 * SUM_ROWS


def repeated_axes(
    ufunc: Any, dtype: Any, shape: Sequence[int], strides: Sequence[int], axes: Sequence[int]
) -> list[int]:
    """Return the expanded axes of which one element is enough, because the reduction is it or a multiple of it.

    Products are powers, though, and sums of complex numbers no multiples: n · (∞ + ∞j) has NaNs.
    """
    whole = axes if ufunc is np.multiply or (ufunc is np.add and dtype.kind == "c") else ()
    return [a for a, n in enumerate(shape) if n > 1 and strides[a] == 0 and a not in whole]


def is_row_major(shape: Sequence[int], strides: Sequence[int], itemsize: int, order: Sequence[int]) -> bool:
    """Whether these axes of an array, the outermost first, lie in C order without gaps."""
    for a in reversed(order):
        if shape[a] > 1 and strides[a] != itemsize:
            return False
        itemsize *= shape[a]
    return True


def matrices_with_gaps(
    shape: Sequence[int], strides: Sequence[int], itemsize: int, axes: Sequence[int], order: Sequence[int]
) -> list[int]:
    """Return the shape (..., m, n) of an array seen as matrices that BLAS takes as they lie, whose rows are reduced.

    It is empty if there are none, or if they are so small that one call of BLAS for each takes longer than NumPy.
    """
    left = [(shape[a], strides[a], a in axes) for a in order if shape[a] > 1]  # the outermost axis first
    n = 1
    while left and left[-1][1] == n * itemsize and left[-1][2]:
        n *= left.pop()[0]
    row = left[-1][1] if left else 0
    m = 1
    while left and left[-1][1] == m * row:
        m *= left.pop()[0]
    fits = row >= n * itemsize and row % itemsize == 0
    return [*(size for size, _, _ in left), m, n] if fits and n >= FEW_COLUMNS and m >= FEW_ROWS else []


def first_axis(shape: Sequence[int], strides: Sequence[int], itemsize: int, axes: Sequence[int]) -> int | None:
    """Return the one of the reduced axes to reduce first if an array has gaps, if that pays.

    It is a short axis, if the others have no gaps, or the last one.
    """
    places = range(len(shape))
    for axis in axes:
        others = [a for a in places if a != axis]
        if 1 < shape[axis] <= IN_TURN and is_row_major(shape, strides, itemsize, others):
            return axis
    last = max([a for a in places if shape[a] > 1])
    return last if last in axes else None
