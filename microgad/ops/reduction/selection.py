"""Which of equal elements PyTorch's topk and kthvalue take, and in which order.

topk asks C++'s `std::partial_sort` where few of many are wanted, and `std::nth_element` and `std::sort` else; kthvalue
has a quickselect of its own. None keeps equal elements in order, but each moves them in one way only, which is followed
here on the elements' ranks. Source: libstdc++'s introselect, introsort and heaps, as topk on the CPU calls them;
Hoare's quickselect about the median of three, as kthvalue does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Ranked = tuple[int, int]  # an element's rank, by which alone it is compared, and its place in the line

MANY = 64  # so many times k elements are put through a heap
SHORT = 16  # lines that std::sort leaves to insertion


def best(line: Any, k: int, largest: bool) -> Any:
    """The places of the k best elements of a line (n,), as PyTorch orders them. NaN is the greatest."""
    values, ranks = np.unique(line, return_inverse=True)
    if largest:
        ranks = len(values) - 1 - ranks
    if MANY * k <= len(line):
        return np.array([place for _, place in _by_heap(ranks, k)], np.int64)
    pairs = np.stack([ranks, np.arange(len(ranks))])
    _nth_element(pairs, k - 1)
    _sort(pairs, k - 1)
    return pairs[1, :k].copy()


def kth(line: Any, k: int) -> int:
    """The place of the element at k in the order of a line (n,), as PyTorch finds it. NaN is the greatest."""
    items = list(zip(np.unique(line, return_inverse=True)[1].tolist(), range(len(line)), strict=True))
    first, last = 0, len(items) - 1

    def in_order(i: int, j: int) -> None:
        if items[i][0] > items[j][0]:
            items[i], items[j] = items[j], items[i]

    while last > first + 1:
        middle, i, j = (first + last) // 2, first + 1, last
        items[middle], items[i] = items[i], items[middle]
        in_order(i, last)
        in_order(first, last)
        in_order(i, first)
        pivot = items[first][0]
        while True:
            i += 1
            while items[i][0] < pivot:
                i += 1
            j -= 1
            while items[j][0] > pivot:
                j -= 1
            if j < i:
                break
            items[i], items[j] = items[j], items[i]
        items[first], items[j] = items[j], items[first]
        first, last = (i if j <= k else first), (j - 1 if j >= k else last)
    if last > first:
        in_order(first, last)
    return items[k][1]


def tied(x: Any, found: Any, largest: bool) -> Any:
    """Which lines of x (m, n) have equal elements among the k found (m, k), which are in order, or at their end."""
    last, before, after = found[:, -1:], found[:, :-1], found[:, 1:]
    as_good = np.count_nonzero(~(x < last if largest else x > last), 1)  # a NaN in doubt: `best` is right in any case
    equal = (before == after) | ((before != before) & (after != after))
    return (as_good > found.shape[1]) | equal.any(1)


def _by_heap(ranks: Any, k: int) -> list[Ranked]:
    """std::partial_sort."""
    heap = list(zip(ranks[:k].tolist(), range(k), strict=True))
    _make_heap(heap)
    for place in (k + np.flatnonzero(ranks[k:] < heap[0][0])).tolist():
        if ranks[place] < heap[0][0]:
            _sift(heap, 0, k, (int(ranks[place]), place))
    _sort_heap(heap)
    return heap


def _nth_element(pairs: Any, nth: int) -> None:
    """std::nth_element: what comes before nth is no worse, what comes after no better."""
    first, last = 0, pairs.shape[1]
    depth = 2 * (last.bit_length() - 1)
    while last - first > 3:
        if not depth:
            return _select_by_heap(pairs, first, nth, last)
        depth -= 1
        cut = _partition(pairs, first, last)
        first, last = (cut, last) if cut <= nth else (first, cut)
    return _insert(pairs, first, last)


def _sort(pairs: Any, n: int) -> None:
    """std::sort of the first n."""
    parts = [(0, n, 2 * (n.bit_length() - 1))]
    while parts:
        first, last, depth = parts.pop()
        while last - first > SHORT:
            if not depth:
                part = _listed(pairs, first, last)
                _make_heap(part)
                _sort_heap(part)
                pairs[:, first:last] = np.transpose(part)
                break
            depth -= 1
            cut = _partition(pairs, first, last)
            parts.append((cut, last, depth))
            last = cut
    _insert(pairs, 0, n)


def _partition(pairs: Any, first: int, last: int) -> int:
    """Hoare's partition of first … last about the median of three, and where its second part begins.

    From the left what isn't better than the pivot is swapped with what, from the right, isn't worse, until they meet.
    The k-th of the one meets the k-th of the other, so all are swapped at once.
    """
    ranks = pairs[0]
    _median_to_first(pairs, first, (first + 1, (first + last) // 2, last - 1))
    pivot, rest = ranks[first], ranks[first + 1 : last]
    left = first + 1 + np.flatnonzero(rest >= pivot)
    right = np.append(first + 1 + np.flatnonzero(rest <= pivot)[::-1], first)
    n = min(len(left), len(right))
    swaps = int(np.count_nonzero(left[:n] < right[:n]))
    here, there = left[:swaps], right[:swaps]
    pairs[:, here], pairs[:, there] = pairs[:, there], pairs[:, here]
    return int(min([*left[swaps : swaps + 1], *right[:swaps][-1:]]))


def _median_to_first(pairs: Any, first: int, three: tuple[int, int, int]) -> None:
    a, b, c = (pairs[0, i] for i in three)
    if a < b:
        median = three[1] if b < c else three[2] if a < c else three[0]
    else:
        median = three[0] if a < c else three[2] if b < c else three[1]
    pairs[:, [first, median]] = pairs[:, [median, first]]


def _insert(pairs: Any, first: int, last: int) -> None:
    """Sorted by insertion, which keeps equal ones in order."""
    part = pairs[:, first:last]
    pairs[:, first:last] = part[:, np.argsort(part[0], kind="stable")]


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
