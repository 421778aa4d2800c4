"""Fast forms of `ufunc.at` for rows: add, multiply or compare rows into an array at an index. NumPy arrays only."""

from __future__ import annotations

import numpy as np

from ...backend.radix_sort import stable_argsort
from ...type_aliases import Array
from ..support.blocks import BLOCK_SIZE
from . import places

ONE_BY_ONE, LONG = 50, 500  # up to as many rows of at least this length are taken one by one
IN_PIECES = 5  # and up to as many that lie in pieces in memory
WIDE = 16  # from this length of rows on it pays to ask whether places are distinct, and to take rows at once
FEW_VALUES = 1 << 10  # unless they have up to so many values
WORTH_ROUNDS = 1 << 22  # and from this length times number of values on, to take them in rounds
FEW_PLACES, WORTH_SORTING = 16, 1 << 15  # for so few places, from this number of values on, rows are sorted, too
MIN_ROUNDS = 8  # the number of rounds that are made as long as more places are left
ROUND_COST = 2  # the time of a round, in reductions of the rows of one place


def at_rows(ufunc: np.ufunc, target: Array, where: Array, values: Array, blank: bool, distinct: bool = False) -> None:
    """Apply ufunc.at to target (A, N, B) at [:, where (K,)]. A `blank` target holds zeros everywhere.

    Each place takes its rows in their order, as in PyTorch, so that sums are rounded alike. `distinct` tells that no
    place is repeated.
    """
    before, count, after = target.shape
    if distinct or (after >= WIDE and values.size > FEW_VALUES and _are_distinct(where, count)):
        _at_distinct(ufunc, target, where, values, blank)
    elif before * after >= LONG and where.size <= (ONE_BY_ONE if before == 1 else IN_PIECES):
        for i, place in enumerate(where.tolist()):
            ufunc(target[:, place], values[:, i], out=target[:, place])
    elif after >= WIDE and (
        after * values.size >= WORTH_ROUNDS or (count <= FEW_PLACES and values.size >= WORTH_SORTING)
    ):
        _in_rounds(ufunc, target, where, values, blank)
    else:
        _at_elements(ufunc, target, where, values)


def _are_distinct(where: Array, count: int) -> bool:
    """Whether no index in [0, count) is repeated."""
    if where.size > count:
        return False
    order = np.arange(where.size)
    slots = np.empty(count, np.int64)  # only those that are written are read
    slots[where] = order
    return not np.count_nonzero(slots.take(where) != order)  # faster than all()


def _at_distinct(ufunc: np.ufunc, target: Array, where: Array, values: Array, blank: bool) -> None:
    """Do the same where no place is repeated. Zero is added to values, too, as it makes -0.0 positive."""
    step = max(1, BLOCK_SIZE // max(1, target[:, :1].size))
    for i in range(0, where.size, step):
        part, rows = where[i : i + step], values[:, i : i + step]
        if blank:
            before = values.dtype.type(0)
        else:
            before = target.take(part, 1) if target.flags.c_contiguous else target[:, part]
        target[:, part] = ufunc(before, rows)


def _at_elements(ufunc: np.ufunc, target: Array, where: Array, values: Array) -> None:
    """Use ufunc.at on the target's memory: NumPy does one-dimensional arrays ten times as fast."""
    before, _, after = target.shape
    memory, (outer, step, inner) = places.flat_memory(target)
    where = where if step == 1 else where * step
    if after != 1:
        where = where[:, None] + places.multiples(after, inner, 0)
    if before != 1:
        where = places.multiples(before, outer, where.ndim) + where
    ufunc.at(memory, where.reshape(-1), values.reshape(-1))


def _in_rounds(ufunc: np.ufunc, target: Array, where: Array, values: Array, blank: bool) -> None:
    """Do the same in rounds of whole rows: in a fifth of the time where rows are many and wide.

    Each round takes the next row for each place that has one. The results are gathered in the order of the numbers of
    rows, so that a round's places come first. Where few places have many rows left, these are reduced place by place.
    """
    order = stable_argsort(where)
    ordered = where[order]
    begins = np.ones(len(order) + 1, bool)  # where in `order` the rows of each place begin, and where the last end
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:-1])
    starts = begins.nonzero()[0]
    counts, starts = starts[1:] - starts[:-1], starts[:-1]
    most_first = stable_argsort(counts)[::-1]
    starts, counts = starts[most_first], counts[most_first]
    repeated = np.count_nonzero(counts > 1)
    if blank and 2 * (len(counts) - repeated) > len(where):  # most rows are the only ones of their places
        _at_distinct(ufunc, target, where, values, blank)
        starts, counts = starts[:repeated], counts[:repeated]
    first = order[starts]
    found, result = where[first], values.take(first, 1)
    result = ufunc(values.dtype.type(0) if blank else target[:, found], result)
    done, left = 1, repeated  # rounds, and the places that have more rows
    while (left > FEW_PLACES and done < MIN_ROUNDS) or (counts[0] - done) * ROUND_COST < left:
        part = result[:, :left]
        ufunc(part, values.take(order[starts[:left] + done], 1), out=part)
        done += 1
        left = np.count_nonzero(counts > done)
    for i in range(left):
        rest = values.take(order[starts[i] + done : starts[i] + counts[i]], 1)
        rest[:, 0] = ufunc(result[:, i], rest[:, 0])
        result[:, i] = ufunc.reduce(rest, 1, values.dtype, initial=None)
    target[:, found] = result
