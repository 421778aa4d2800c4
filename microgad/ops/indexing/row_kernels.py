"""Fast forms of `ufunc.at` for rows: add, multiply or compare rows into an array at an index. NumPy arrays only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend.radix_sort import stable_argsort

WIDE, WORTH_ROUNDS = 16, 1 << 22  # from this length of rows, and length times number of values on rounds are faster
MIN_ROUNDS = 8  # the number of rounds that are made however few places are left
ROUND_COST = 5  # the time of a round, in reductions of the rows of one place


def at_rows(ufunc: Any, target: Any, where: Any, values: Any, blank: bool = False) -> None:
    """Apply ufunc.at to target (A, N, B) at [:, where (K,)]. A `blank` target holds the identity element everywhere."""
    length = values.shape[2]
    if length < WIDE or length * values.size < WORTH_ROUNDS:
        _at_elements(ufunc, target, where, values)
    else:
        _in_rounds(ufunc, target, where, values, blank)


def _at_elements(ufunc: Any, target: Any, where: Any, values: Any) -> None:
    """Use ufunc.at on flat arrays: NumPy does these ten times as fast."""
    before, length, after = target.shape
    if after != 1:
        where = (where * after)[:, None] + np.arange(after)
    if before != 1:
        where = (np.arange(before) * (length * after)).reshape((before,) + (1,) * where.ndim) + where
    ufunc.at(target.reshape(-1), where.reshape(-1), values.reshape(-1))


def _in_rounds(ufunc: Any, target: Any, where: Any, values: Any, blank: bool) -> None:
    """Do the same in rounds of whole rows: in a fifth of the time where rows are many and wide.

    Each round takes the next row for each place that has one. The results are gathered in the order of the numbers of
    rows, so that a round's places come first. Where few places have many rows left, these are reduced place by place.
    """
    order = stable_argsort(where)
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))  # where in `order` the rows of each place begin
    counts = np.diff(starts, append=len(order))
    most_first = stable_argsort(counts)[::-1]
    starts, counts = starts[most_first], counts[most_first]
    repeated = np.count_nonzero(counts > 1)
    if blank and 2 * (len(counts) - repeated) > len(where):  # most rows are the only ones of their places
        target[:, where] = values
        starts, counts = starts[:repeated], counts[:repeated]
    first = order[starts]
    places, result = where[first], values.take(first, 1)
    if not blank:
        result = ufunc(target.take(places, 1), result)
    done, left = 1, repeated  # rounds, and the places that have more rows
    while left and (done < MIN_ROUNDS or (counts[0] - done) * ROUND_COST < left):
        part = result[:, :left]
        ufunc(part, values.take(order[starts[:left] + done], 1), out=part)
        done += 1
        left = np.count_nonzero(counts > done)
    for i in range(left):
        rest = values.take(order[starts[i] + done : starts[i] + counts[i]], 1)
        result[:, i] = ufunc(result[:, i], ufunc.reduce(rest, 1, values.dtype))
    target[:, places] = result
