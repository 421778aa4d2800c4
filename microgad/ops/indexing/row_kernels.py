"""Rows added up, or multiplied, or compared, where an index says, on bare NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

SMALL = 1 << 15  # elements that are best taken one by one
FEW = 8  # rows of each place, for which there are rounds over all places however few those are
ROUND = 5  # places whose rows are reduced one place after the other in the time of a round


def at_elements(ufunc: Any, target: Any, where: Any, values: Any) -> None:
    """target[:, where] = ufunc(target[:, where], values), (A, N, B) at (K,): flat, which NumPy does ten times as fast.

    A place that comes more than once counts each time.
    """
    before, length, after = target.shape
    if after != 1:
        where = (where * after)[:, None] + np.arange(after)
    if before != 1:
        where = (np.arange(before) * (length * after)).reshape((before,) + (1,) * where.ndim) + where
    ufunc.at(target.reshape(-1), where.reshape(-1), values.reshape(-1))


def at_rows(ufunc: Any, target: Any, where: Any, values: Any, blank: bool = False) -> None:
    """The same row by row, in a tenth of the time where there are many wide ones.

    One row of each place first, then a second, ... Where few places have many rows more, these are reduced place by
    place. A target that is `blank` has in it what changes nothing: its first rows are written.
    """
    rows = np.arange(len(where))
    last = np.empty(target.shape[1], rows.dtype)
    last[where] = rows  # of each place: the last row that goes there
    is_last = last[where] == rows
    if blank:
        target[:, where] = values  # of several rows for a place NumPy leaves the last
    else:
        _apply_round(ufunc, target, where, values, np.flatnonzero(is_last))
    order = np.flatnonzero(~is_last)
    order = order[np.argsort(where[order], kind="stable")]  # the other rows, place after place
    starts = np.flatnonzero(np.diff(where[order], prepend=-1))  # in `order`, of the rows of each place
    counts = np.diff(starts, append=len(order))
    turn = 0
    while len(starts) and (turn < FEW or (counts.max() - turn) * ROUND < len(starts)):
        _apply_round(ufunc, target, where, values, order[starts + turn])
        turn += 1
        starts, counts = starts[counts > turn], counts[counts > turn]
    for start, count in zip(starts, counts, strict=True):
        rest = ufunc.reduce(values.take(order[start + turn : start + count], 1), 1, values.dtype)
        place = where[order[start]]
        target[:, place] = ufunc(target[:, place], rest)


def _apply_round(ufunc: Any, target: Any, where: Any, values: Any, rows: Any) -> None:
    """The same with some of the rows, of which no two go to one place."""
    places = where[rows]
    target[:, places] = ufunc(target.take(places, 1), values.take(rows, 1))
