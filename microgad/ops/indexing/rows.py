"""Rows added up where an index says, on bare NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

FEW = 8  # rows of each place, for which there are rounds of additions over all places however few those are
ROUND = 5  # places whose rows are added up one place after the other in the time of a round


def add_rows(out: Any, index: Any, rows: Any) -> None:
    """out[index] += rows, (K, D) at (K,), out being 0, in a tenth of the time of np.add.at.

    Each place's last row is written; of the others one of each place is added, then a second, ... Where few places
    have many rows more, these are added up place by place.
    """
    turns = np.arange(len(index))
    last = np.empty(len(out), turns.dtype)
    last[index], out[index] = turns, rows
    order = np.flatnonzero(last[index] != turns)
    order = order[np.argsort(index[order], kind="stable")]
    places = index[order]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    counts = np.diff(starts, append=len(places))
    places = places[starts]
    turn = 0
    while len(places) and (turn < FEW or (counts.max() - turn) * ROUND < len(places)):
        out[places] += rows[order[starts + turn]]
        turn += 1
        more = counts > turn
        places, starts, counts = places[more], starts[more], counts[more]
    for place, start, count in zip(places, starts, counts, strict=True):
        out[place] += np.ones(count - turn, rows.dtype) @ rows[order[start + turn : start + count]]
