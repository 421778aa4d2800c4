"""Which of equal elements PyTorch's sort, topk and kthvalue take, and in which order.

sort asks C++'s `std::sort`; topk `std::partial_sort` where few of many are wanted, and `std::nth_element` and
`std::sort` else; kthvalue has a quickselect of its own. None keeps equal elements in order, but each moves them in one
way only, which is followed here on the elements' ranks, in all lines at once. Source: libstdc++'s introselect,
introsort and heaps, as they are called on the CPU; Hoare's quickselect about the median of three, as kthvalue does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Ranked = tuple[int, int]  # an element's rank, by which alone it is compared, and its place in the line

MANY = 64  # so many times k elements are put through a heap
SHORT = 16  # lines that std::sort leaves to insertion


def best(lines: Any, k: int, largest: bool, sorted: bool = True) -> Any:
    """The places (m, k) of the k best elements of each line (m, n), as PyTorch orders them, `sorted` or not. NaN is the
    greatest.
    """
    if MANY * k <= lines.shape[1]:
        return np.array([[place for _, place in _by_heap(line, k)] for line in _ascending(lines, largest)], np.int64)
    pairs = _ranked(lines, largest)
    _nth_element(pairs, k - 1)
    if sorted:
        _sort(pairs, k - 1)
    return pairs[1, :, :k]


def all_sorted(lines: Any, descending: bool) -> Any:
    """The places (m, n) of all elements of each line (m, n), in the order in which PyTorch's sort leaves them."""
    pairs = _ranked(lines, descending)
    _sort(pairs, lines.shape[1])
    return pairs[1]


def kth(lines: Any, k: int) -> Any:
    """The place (m,) of the element at k in the order of each line (m, n), as PyTorch finds it. NaN is the greatest."""
    pairs = _ranked(lines)
    m, n = lines.shape
    row, first, last = np.arange(m), np.zeros(m, np.int64), np.full(m, n - 1)
    while len(row := row[last[row] > first[row] + 1]):
        low, high = first[row], last[row]
        _swap(pairs, row, (low + high) // 2, low + 1)
        for i, j in ((low + 1, high), (low, high), (low + 1, low)):
            _in_order(pairs, row, i, j)
        at, ranks, width = _window(pairs, row, low, high + 1)
        column, pivot = np.arange(at.shape[1]), ranks[:, :1]
        left = (column > 1) & (column < width) & (ranks >= pivot)
        right = (column > 0) & (column < width - 1) & (ranks <= pivot)
        after = right.sum(1, keepdims=True) - right.cumsum(1)  # of the right ones, how many come behind each place
        before = left.cumsum(1) - left
        here, there = left & (after > before), right & (before > after)
        _exchange(pairs, row, at, here, there)
        low_end = low + np.argmax(left & (after + right <= before) | there, 1)
        high_end = at[:, -1] - np.argmax((right & (before + left <= after) | here)[:, ::-1], 1)
        _swap(pairs, row, low, high_end)
        first[row], last[row] = np.where(high_end <= k, low_end, low), np.where(high_end >= k, high_end - 1, high)
    row = np.flatnonzero(last > first)
    _in_order(pairs, row, first[row], last[row])
    return pairs[1, :, k]


def tied(x: Any, found: Any, largest: bool) -> Any:
    """Which lines of x (m, n) have equal elements among the k found (m, k), which are in order, or at their end."""
    last = found[:, -1:]
    as_good = np.count_nonzero(~(x < last if largest else x > last), 1)  # a NaN in doubt: `best` is right in any case
    return (as_good > found.shape[1]) | equal_neighbours(found).any(1)


def equal_neighbours(lines: Any) -> Any:
    """Which elements of lines (m, n) in order equal the one before, (m, n - 1)."""
    before, after = lines[:, :-1], lines[:, 1:]
    return (before == after) | ((before != before) & (after != after))


def _ascending(lines: Any, largest: bool) -> Any:
    """Numbers that compare as the ranks do: the lines themselves, turned round where the largest are the best."""
    if lines.dtype.kind == "f" and (lines != lines).any():
        return _ranked(lines, largest)[0]
    return lines if not largest else -lines if lines.dtype.kind == "f" else ~lines


def _ranked(lines: Any, largest: bool = False) -> Any:
    """(2, m, n): each element's rank in its line, where equal ones and NaN share one, and its place."""
    places = np.broadcast_to(np.arange(lines.shape[1]), lines.shape)
    order = np.argsort(lines, 1)
    found = np.take_along_axis(lines, order, 1)
    more = (found[:, 1:] != found[:, :-1]) & (found[:, :-1] == found[:, :-1])
    ranks = np.zeros(lines.shape, np.int64)
    np.put_along_axis(ranks, order[:, 1:], np.cumsum(more, 1), 1)
    return np.stack([-ranks if largest else ranks, places])


def _nth_element(pairs: Any, nth: int) -> None:
    """std::nth_element: what comes before nth is no worse, what comes after no better."""
    m, n = pairs.shape[1:]
    row, first, last = np.arange(m), np.zeros(m, np.int64), np.full(m, n)
    depth = 2 * (n.bit_length() - 1)
    while len(row := row[last[row] - first[row] > 3]):
        if not depth:
            for i in row:
                _select_by_heap(pairs[:, i], first[i], nth, last[i])
            first[row] = last[row]
            break
        depth -= 1
        cut = _partition(pairs, row, first[row], last[row])
        first[row], last[row] = np.where(cut <= nth, cut, first[row]), np.where(cut <= nth, last[row], cut)
    column = np.arange(n)
    inside = (column >= first[:, None]) & (column < last[:, None])
    _reorder(pairs, np.where(inside, pairs[0], 0) + n * ((column >= first[:, None]) + (column >= last[:, None]) * 2))


def _sort(pairs: Any, n: int) -> None:
    """std::sort of the first n."""
    m = pairs.shape[1]
    row, first, last, depth = np.arange(m), np.zeros(m, np.int64), np.full(m, n), 2 * (n.bit_length() - 1)
    while (long := last - first > SHORT).any():
        row, first, last = row[long], first[long], last[long]
        if not depth:
            for i, start, stop in zip(row, first, last, strict=True):
                part = _listed(pairs[:, i], start, stop)
                _make_heap(part)
                _sort_heap(part)
                pairs[:, i, start:stop] = np.transpose(part)
            break
        depth -= 1
        cut = _partition(pairs, row, first, last)
        row, first, last = np.tile(row, 2), np.concatenate([first, cut]), np.concatenate([cut, last])
    part = pairs[:, :, :n]
    _reorder(part, part[0])


def _reorder(pairs: Any, keys: Any) -> None:
    """In the order of keys, equal ones as they are, as insertion leaves them."""
    pairs[...] = np.take_along_axis(pairs, np.argsort(keys, 1, kind="stable")[None], 2)


def _partition(pairs: Any, row: Any, first: Any, last: Any) -> Any:
    """Hoare's partition of first … last about the median of three, and where its second part begins.

    From the left what isn't better than the pivot is swapped with what, from the right, isn't worse, until they meet.
    The k-th of the one meets the k-th of the other, so all are swapped at once.
    """
    _median_to_first(pairs, row, first, (first + 1, (first + last) // 2, last - 1))
    at, ranks, width = _window(pairs, row, first, last)
    column = np.arange(at.shape[1])
    inside, pivot = (column > 0) & (column < width), ranks[:, :1]
    left, right = inside & (ranks >= pivot), inside & (ranks <= pivot)
    before, after = left.cumsum(1) - left, right.sum(1, keepdims=True) - right.cumsum(1)
    here, there = left & (after > before), right & (before > after)
    _exchange(pairs, row, at, here, there)
    return first + np.argmax((left & ~here) | there, 1)


def _window(pairs: Any, row: Any, first: Any, last: Any) -> tuple[Any, Any, Any]:
    """Places (s, width) from first on, in rows; the ranks there, and how many of them come before last, (s, 1)."""
    at = first[:, None] + np.arange((last - first).max())
    return at, pairs[0, row[:, None], np.minimum(at, pairs.shape[2] - 1)], (last - first)[:, None]


def _exchange(pairs: Any, row: Any, at: Any, here: Any, there: Any) -> None:
    """Swap what is here, from the left, with what is there, from the right: as many in each row."""
    s, i = np.nonzero(here)
    j = at.shape[1] - 1 - np.nonzero(there[:, ::-1])[1]
    _swap(pairs, row[s], at[s, i], at[s, j])


def _swap(pairs: Any, row: Any, i: Any, j: Any) -> None:
    pairs[:, row, i], pairs[:, row, j] = pairs[:, row, j], pairs[:, row, i]


def _in_order(pairs: Any, row: Any, i: Any, j: Any) -> None:
    turned = pairs[0, row, i] > pairs[0, row, j]
    _swap(pairs, row[turned], i[turned], j[turned])


def _median_to_first(pairs: Any, row: Any, first: Any, three: tuple[Any, Any, Any]) -> None:
    a, b, c = (pairs[0, row, i] for i in three)
    rising = np.where(b < c, 1, np.where(a < c, 2, 0))  # which of the three it is, where a < b
    falling = np.where(a < c, 0, np.where(b < c, 2, 1))
    _swap(pairs, row, first, np.choose(np.where(a < b, rising, falling), three))


def _by_heap(ranks: Any, k: int) -> list[Ranked]:
    """std::partial_sort."""
    heap = list(zip(ranks[:k].tolist(), range(k), strict=True))
    _make_heap(heap)
    start = k
    while start < len(ranks):  # the further, the fewer are better than the worst so far
        places = start + np.flatnonzero(ranks[start : 4 * start] < heap[0][0])
        for rank, place in zip(ranks[places].tolist(), places.tolist(), strict=True):
            if rank < heap[0][0]:
                _sift(heap, 0, k, (rank, place))
        start *= 4
    _sort_heap(heap)
    return heap


def _select_by_heap(pairs: Any, first: int, nth: int, last: int) -> None:
    """What nth_element falls back on where its partitions come out lopsided."""
    part, n = _listed(pairs, first, last), nth + 1 - first
    heap = part[:n]
    _make_heap(heap)
    for i in range(n, len(part)):
        if part[i][0] < heap[0][0]:
            value, part[i] = part[i], heap[0]
            _sift(heap, 0, n, value)
    heap[0], heap[-1] = heap[-1], heap[0]
    pairs[:, first:last] = np.transpose(heap + part[n:])


def _listed(pairs: Any, first: int, last: int) -> list[Ranked]:
    return [(rank, place) for rank, place in pairs[:, first:last].T.tolist()]


def _make_heap(heap: list[Ranked]) -> None:
    """std::make_heap: the worst comes first."""
    for parent in reversed(range(len(heap) // 2)):
        _sift(heap, parent, len(heap), heap[parent])


def _sort_heap(heap: list[Ranked]) -> None:
    """std::sort_heap."""
    for last in reversed(range(1, len(heap))):
        value, heap[last] = heap[last], heap[0]
        _sift(heap, 0, last, value)


def _sift(heap: list[Ranked], top: int, n: int, value: Ranked) -> None:
    """Fills the hole at top with the worse child, down to a leaf, and lets value rise from there."""
    hole, child = top, 2 * top + 2
    while child < n:
        child -= heap[child][0] < heap[child - 1][0]
        heap[hole], hole, child = heap[child], child, 2 * child + 2
    if child == n:
        heap[hole], hole = heap[n - 1], n - 1
    while hole > top and heap[(hole - 1) // 2][0] < value[0]:
        heap[hole], hole = heap[(hole - 1) // 2], (hole - 1) // 2
    heap[hole] = value
