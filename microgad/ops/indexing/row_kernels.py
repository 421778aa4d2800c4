"""Fast forms of `ufunc.at` for rows: add, multiply or compare rows into an array at an index. NumPy arrays only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend.radix_sort import stable_argsort

SMALL = 1 << 15  # with fewer elements than this `at_elements` is as fast
MIN_ROUNDS = 8  # the number of rounds that are made however few places are left
ROUND_COST = 5  # the time of a round, in reductions of the rows of one place


def at_elements(ufunc: Any, target: Any, where: Any, values: Any) -> None:
    """Apply ufunc.at to target (A, N, B) at [:, where (K,)], on flat arrays: NumPy does these ten times as fast."""
    before, length, after = target.shape
    if after != 1:
        where = (where * after)[:, None] + np.arange(after)
    if before != 1:
        where = (np.arange(before) * (length * after)).reshape((before,) + (1,) * where.ndim) + where
    ufunc.at(target.reshape(-1), where.reshape(-1), values.reshape(-1))


def at_rows(ufunc: Any, target: Any, where: Any, values: Any, blank: bool = False) -> None:
    """Do the same as `at_elements` in rounds of whole rows: in a tenth of the time where rows are many and wide.

    Each round takes one row for each place. Where few places have many rows left, these are reduced place by place. A
    `blank` target holds the identity element everywhere, so that the first round may simply assign.
    """
    rows = np.arange(len(where))
    last = np.empty(target.shape[1], rows.dtype)
    last[where] = rows  # the last row for each place
    is_last = last[where] == rows
    if blank:
        target[:, where] = values  # where a place is repeated NumPy leaves the last row
    else:
        _apply_round(ufunc, target, where, values, np.flatnonzero(is_last))
    order = np.flatnonzero(~is_last)
    order = order[stable_argsort(where[order])]  # the other rows, sorted by place
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))  # where in `order` the rows of each place begin
    counts = np.diff(starts, append=len(order))
    done = 0
    while len(starts) and (done < MIN_ROUNDS or (counts.max() - done) * ROUND_COST < len(starts)):
        _apply_round(ufunc, target, where, values, order[starts + done])
        done += 1
        starts, counts = starts[counts > done], counts[counts > done]
    for start, count in zip(starts, counts, strict=True):
        rest = ufunc.reduce(values.take(order[start + done : start + count], 1), 1, values.dtype)
        place = where[order[start]]
        target[:, place] = ufunc(target[:, place], rest)


def _apply_round(ufunc: Any, target: Any, where: Any, values: Any, rows: Any) -> None:
    """Apply some of the rows, no two of which go to the same place."""
    places = where[rows]
    target[:, places] = ufunc(target.take(places, 1), values.take(rows, 1))
