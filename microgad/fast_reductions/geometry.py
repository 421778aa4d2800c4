"""How an array and its reduced axes lie in memory, and what that means for NumPy's loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .layouts import IN_TURN
from .lines import BLOCK_SIZE, SHORT_RUN, SUM_ROWS

SHORT_AXIS = 1 << 5  # elements of an axis for which NumPy takes as long to start the loop as to reduce
FEW_COLUMNS, FEW_ROWS = 3, 8  # the least sizes of a matrix whose rows BLAS sums faster than other ways
MANY_RUNS = 1 << 9  # inner loops that NumPy starts in the time that another way needs as its overhead


class Layout(NamedTuple):
    """How an array and its reduced axes lie in memory."""

    shape: tuple[int, ...]
    strides: Any  # in bytes; None in C order
    itemsize: int
    axes: tuple[int, ...]  # that are reduced
    order: list[int]  # all axes as they lie in memory, the outermost first

    def lengths(self) -> list[int]:
        """The lengths of axes in memory that are kept and reduced in turn: neighbors of a kind are merged.

        Both the first and the last are kept.
        """
        lengths = [1]
        for a in self.order:
            if (n := self.shape[a]) == 1:
                continue
            if (a in self.axes) == len(lengths) % 2:
                lengths.append(n)
            else:
                lengths[-1] *= n
        return lengths if len(lengths) % 2 else [*lengths, 1]

    def is_dense(self) -> bool:
        """Whether there are no gaps between the elements."""
        return not self.strides or self.is_row_major(self.order)

    def is_row_major(self, order: Sequence[int]) -> bool:
        """Whether these axes of an array with strides, the outermost first, lie in C order without gaps."""
        reach = self.itemsize
        for a in reversed(order):
            if self.shape[a] > 1 and self.strides[a] != reach:
                return False
            reach *= self.shape[a]
        return True

    def repeated_axes(self, ufunc: Any, dtype: Any) -> list[int]:
        """The expanded axes of which one element is enough, because the reduction is it or a multiple of it.

        Products are powers, though, and sums of complex numbers no multiples: n · (∞ + ∞j) has NaNs.
        """
        whole = self.axes if ufunc is np.multiply or (ufunc is np.add and dtype.kind == "c") else ()
        return [a for a, n in enumerate(self.shape) if n > 1 and self.strides[a] == 0 and a not in whole]

    def matrices(self) -> list[int]:
        """The shape (..., m, n) of the array seen as matrices that BLAS takes as they lie, whose rows are reduced.

        It is empty if there are none, or if they are so small that one call of BLAS for each takes longer than NumPy.
        """
        left = [(self.shape[a], self.strides[a], a in self.axes) for a in self.order if self.shape[a] > 1]
        n = 1
        while left and left[-1][1] == n * self.itemsize and left[-1][2]:
            n *= left.pop()[0]
        row = left[-1][1] if left else 0
        m = 1
        while left and left[-1][1] == m * row:
            m *= left.pop()[0]
        fits = row >= n * self.itemsize and row % self.itemsize == 0
        return [*(size for size, _, _ in left), m, n] if fits and n >= FEW_COLUMNS and m >= FEW_ROWS else []

    def first_axis(self) -> int | None:
        """The one of the reduced axes to reduce first if the array has gaps, if that pays.

        It is a short axis, if the others have no gaps, or the last one.
        """
        places = range(len(self.shape))
        for axis in self.axes:
            if 1 < self.shape[axis] <= IN_TURN and self.is_row_major([a for a in places if a != axis]):
                return axis
        last = max([a for a in places if self.shape[a] > 1])
        return last if last in self.axes else None


def has_many_short_loops(lengths: Sequence[int]) -> bool:
    """Whether NumPy's inner loops, over the innermost of these lengths, are so many and short that others pay."""
    loops = math.prod(lengths[:-1] if lengths[-1] > 1 else lengths[:-2])
    return len(lengths) > 1 and loops >= MANY_RUNS and lengths[-1] <= 2 * SHORT_AXIS


def loses_digits(ufunc: np.ufunc, dtype: Any, lengths: Sequence[int]) -> bool:
    """Whether so many rows would be added in turn that digits are lost. Of rows of one element, NumPy adds pairs."""
    if ufunc is not np.add or dtype.char not in "fF" or math.prod(lengths) <= BLOCK_SIZE:
        return False
    runs = [(lengths[i], math.prod(lengths[i + 1 :: 2])) for i in range(1, len(lengths), 2)]
    return any(w > 1 and (n if w > 2 * SHORT_AXIS else n * w // SHORT_RUN) > 6 * SUM_ROWS for n, w in runs)


def in_products(ufunc: np.ufunc, dtype: Any, n: int) -> bool:
    """Whether n rows are so many that blocks of them are added by products with ones."""
    return ufunc is np.add and dtype.char in "fdF" and n > 2 * SUM_ROWS
