"""Which of equal elements PyTorch's sort, topk and kthvalue take, and in which order.

sort asks C++'s `std::sort`; topk `std::partial_sort` where few of many are wanted, and `std::nth_element` and
`std::sort` else; kthvalue has a quickselect of its own. None keeps equal elements in order, but each moves them in one
way only. introsort.py has it for one line; here it is followed in all lines at once, where there are many elements.

A `Pair` is the elements of all lines, end to end, as numbers of which the smallest comes first, and the elements'
places in their lines; both are moved. Parts of lines are given as arrays of where they begin, and where they end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...dtypes.number_kinds import wide
from . import introsort
from .introsort import SHORT, depth_of

Pair = tuple[Any, Any]

FEW = 2500  # elements that are moved one by one
MANY = 64  # so many times k elements are put through a heap


def best(lines: Any, k: int, largest: bool, sorted: bool = True) -> Any:
    """The places (m, k) of the k best elements of each line (m, n), as PyTorch orders them, `sorted` or not. NaN is the
    greatest.
    """
    m, n = lines.shape
    if MANY * k <= n:
        return _places(introsort.greatest(line, k) for line in _rising(lines, not largest))
    if m * n <= FEW:
        return _places(_best(introsort.of(line), k, sorted) for line in _rising(lines, largest))
    pair = _pair(lines, largest)
    first = np.arange(0, m * n, n)
    _nth_element(pair, first, k - 1, n)
    if sorted:
        _sort(pair, first, k - 1, n)
    return pair[1].reshape(m, n)[:, :k]


def _best(line: introsort.Line, k: int, sorted: bool) -> list[int]:
    introsort.nth_element(line, k - 1)
    values, places = (x[: k - 1] for x in line)
    return (introsort.sort((values, places)) if sorted else places) + line[1][k - 1 : k]


def all_sorted(lines: Any, descending: bool) -> Any:
    """The places (m, n) of all elements of each line (m, n), in the order in which PyTorch's sort leaves them."""
    m, n = lines.shape
    if m * n <= FEW:
        return _places(introsort.sort(introsort.of(line)) for line in _rising(lines, descending))
    pair = _pair(lines, descending)
    _sort(pair, np.arange(0, m * n, n), n, n)
    return pair[1].reshape(m, n)


def sorted_at(lines: Any, at: Any) -> Any:
    """The place (m,) of the element `at` (m,) in the order in which PyTorch's sort leaves each line (m, n)."""
    m, n = lines.shape
    if m * n <= FEW:
        rising = _rising(lines, False)
        return _places(introsort.sort(introsort.of(line), k)[k] for line, k in zip(rising, at, strict=True))
    pair = _pair(lines)
    begin = np.arange(0, m * n, n)
    values, places = (x.reshape(m, n) for x in pair)
    in_order = np.sort(values, 1)
    value = in_order[np.arange(m), at][:, None]
    _part(pair, begin, n, in_order, begin + at)
    before = at - np.count_nonzero(values < value, 1)  # so many of those that equal it
    found = (np.cumsum(values == value, 1) > before[:, None]).argmax(1)
    return places[np.arange(m), found]


def kth(lines: Any, k: int) -> Any:
    """The place (m,) of the element at k in the order of each line (m, n), as PyTorch finds it. NaN is the greatest."""
    m, n = lines.shape
    if m * n <= FEW:
        return _places(introsort.kth(introsort.of(line), k) for line in _rising(lines, False))
    pair = _pair(lines)
    wanted = np.arange(k, m * n, n)
    first, last = wanted - k, wanted - k + n - 1
    row = np.arange(m)
    while len(row := row[last[row] > first[row] + 1]):
        low, high = first[row], last[row]
        _swap(pair, (low + high) // 2, low + 1)
        for i, j in ((low + 1, high), (low, high), (low + 1, low)):
            _in_order(pair, i, j)
        low_end, high_end = _partition(pair, low, high + 1, True)
        _swap(pair, low, high_end)
        first[row] = np.where(high_end <= wanted[row], low_end, low)
        last[row] = np.where(high_end >= wanted[row], high_end - 1, high)
    two = last > first
    _in_order(pair, first[two], last[two])
    return pair[1][wanted]


def _places(found: Iterable[int | list[int]]) -> Any:
    return np.array(list(found), np.int64)


def tied(x: Any, found: Any, largest: bool) -> Any:
    """Which lines of x (m, n) have equal elements among the k found (m, k), which are in order, or at their end."""
    last = found[:, -1:]
    as_good = np.count_nonzero(~(x < last if largest else x > last), 1)  # a NaN in doubt: `best` is right in any case
    return (as_good > found.shape[1]) | equal_neighbours(found).any(1)


def equal_neighbours(lines: Any) -> Any:
    """Which elements of lines (m, n) in order equal the one before, (m, n - 1)."""
    before, after = lines[:, :-1], lines[:, 1:]
    return (before == after) | ((before != before) & (after != after))


def _pair(lines: Any, falling: bool = False) -> Pair:
    """Those of lines (m, n)."""
    m, n = lines.shape
    return np.array(_rising(lines, falling)).reshape(-1), np.tile(np.arange(n), m)


def _rising(lines: Any, falling: bool) -> Any:
    """Numbers that compare as the elements of lines, or `falling` the other way round, none of them NaN."""
    lines = wide(lines)
    if lines.dtype.kind == "f" and (lines != lines).any():
        order = np.argsort(lines, 1)
        ranks = np.zeros(lines.shape, np.int64)
        differ = ~equal_neighbours(np.take_along_axis(lines, order, 1))
        np.put_along_axis(ranks, order[:, 1:], np.cumsum(differ, 1), 1)
        lines = ranks
    return lines if not falling else -lines if lines.dtype.kind == "f" else ~lines


def _nth_element(pair: Pair, begin: Any, nth: int, n: int) -> None:
    """std::nth_element: what comes before nth is no worse, what comes after no better."""
    wanted, first, last = begin + nth, begin.copy(), begin + n
    depth = depth_of(n)
    row = np.arange(len(begin))
    while len(row := row[last[row] - first[row] > 3]):
        if not depth:
            for i, j, k in zip(first[row], last[row], wanted[row], strict=True):
                _rearrange(pair, i, j, functools.partial(introsort.heap_selected, nth=k - i))
            first[row] = last[row]
            break
        depth -= 1
        cut, _ = _partition(pair, first[row], last[row])
        before = cut <= wanted[row]
        first[row], last[row] = np.where(before, cut, first[row]), np.where(before, last[row], cut)
    for i in (1, 2, 1):  # insertion
        inside = last - first > i
        _in_order(pair, first[inside] + i - 1, first[inside] + i)


def _sort(pair: Pair, begin: Any, count: int, n: int) -> None:
    """std::sort of the first `count` of lines of n."""
    if count:
        lines, line_places = (x.reshape(-1, n)[:, :count] for x in pair)
        ties = _part(pair, begin, n, np.sort(lines, 1))
        order = np.argsort(lines, 1)  # insertion, which leaves equal ones as they are
        order += (np.arange(count) - ties[:, :count]) * n
        order.sort(1)
        line_places[...] = np.take_along_axis(line_places, order % n, 1)


def _part(pair: Pair, begin: Any, n: int, in_order: Any, wanted: Any = None) -> Any:
    """std::sort of what in_order (m, count) has, up to insertion: of all parts, or of those with what is `wanted`.

    Which elements come into a part is known beforehand: parts without equal ones are left to the end, and of those
    with nothing else the order hangs on the length alone. Returned is how many of the elements in order, up to each,
    equal the one before, (m, n).
    """
    places, count = pair[1], in_order.shape[1]
    ties = np.zeros((len(begin), n), np.int64)
    np.cumsum(equal_neighbours(in_order), 1, out=ties[:, 1:count])
    first, last, depth = begin, begin + count, depth_of(count)
    while True:
        long = last - first > SHORT
        first, last = first[long], last[long]
        length, tied = last - first, ties.reshape(-1)[last - 1] - ties.reshape(-1)[first]
        equal = (tied == length - 1) & (length <= SHORT << depth)
        _sort_equal(places, first[equal], length[equal])
        mixed = (tied > 0) & ~equal
        if not mixed.any():
            return ties
        first, last = first[mixed], last[mixed]
        if not depth:
            for i, j in zip(first, last, strict=True):
                _rearrange(pair, i, j, introsort.heap_sorted)
            return ties
        depth -= 1
        cut, _ = _partition(pair, first, last)
        first, last = np.concatenate([first, cut]), np.concatenate([cut, last])
        if wanted is not None:
            here = (first <= wanted[first // n]) & (wanted[first // n] < last)
            first, last = first[here], last[here]


def _sort_equal(places: Any, first: Any, length: Any) -> None:
    """std::sort of parts of equal elements, those of one length at once."""
    for size in set(length.tolist()):
        at = first[length == size][:, None] + np.arange(size)
        places[at] = places[at[:, _equal_sorted(size)]]


@functools.lru_cache(maxsize=64)
def _equal_sorted(n: int) -> Any:
    """The order in which n equal elements come out of std::sort, whose partitions turn them round about the middle."""
    places = np.arange(n)
    if n > SHORT:
        places[0], places[n // 2] = n // 2, 0
        places[1:] = places[:0:-1].copy()
        for part in (places[: (n + 1) // 2], places[(n + 1) // 2 :]):
            part[...] = part[_equal_sorted(len(part))]
    return places


def _partition(pair: Pair, first: Any, last: Any, inner: bool = False) -> tuple[Any, Any]:
    """Hoare's partition of parts about the median of three, for kthvalue (`inner`) their first; where its scans end.

    From the left what isn't better than the pivot is swapped with what, from the right, isn't worse, until they meet.
    The k-th of the one meets the k-th of the other, so all are swapped at once.
    """
    if not inner:
        _median_to_first(pair[0], pair, first, (first + 1, (first + last) // 2, last - 1))
    length = last - first - 1
    end = np.cumsum(length)
    start = end - length
    at = np.arange(end[-1]) + np.repeat(first + 1 - start, length)  # the elements but the pivots, part behind part
    values, pivot = pair[0][at], np.repeat(pair[0][first], length)
    left, right = values >= pivot, values <= pivot  # what stops a scan from that side
    if inner:  # whose scans begin behind what stops them
        left[start] = right[end - 1] = False
    left, right = (np.concatenate([[-1], np.flatnonzero(x), [len(at)]]) for x in (left, right))
    i, j = np.searchsorted(left, start), np.searchsorted(right, end) - 1  # the outermost of each part
    count = np.minimum(np.searchsorted(left, end) - i, j + 1 - np.searchsorted(right, start))  # pairs in each part
    before = np.cumsum(count) - count
    k = np.arange(before[-1] + count[-1]) - np.repeat(before, count)  # the number of a pair in its part
    here, there = left[np.repeat(i, count) + k], right[np.repeat(j, count) - k]
    swapped = here < there
    _swap(pair, at[here[swapped]], at[there[swapped]])
    done = np.add.reduceat(swapped, before, dtype=np.int64)
    i, j = i + done, j - done  # the first stops that aren't swapped
    met = (left[i] == right[j]) & inner  # at an element that goes with itself
    return at[np.minimum(left[i + met], right[j + 1])], at[np.maximum(right[j - met], left[i - 1])]


def _swap(pair: Pair, i: Any, j: Any) -> None:
    for x in pair:
        x[i], x[j] = x[j], x[i]


def _in_order(pair: Pair, i: Any, j: Any) -> None:
    turned = pair[0][i] > pair[0][j]
    _swap(pair, i[turned], j[turned])


def _median_to_first(values: Any, pair: Pair, first: Any, three: tuple[Any, Any, Any]) -> None:
    a, b, c = (values[i] for i in three)
    rising = np.where(b < c, 1, np.where(a < c, 2, 0))  # which of the three it is, where a < b
    falling = np.where(a < c, 0, np.where(b < c, 2, 1))
    _swap(pair, first, np.choose(np.where(a < b, rising, falling), three))


def _rearrange(pair: Pair, first: int, last: int, moved: Callable[[list[Any]], list[Any]]) -> None:
    """Move a part as the same in plain Python does."""
    order = [item.place for item in moved(introsort.items(introsort.of(pair[0][first:last])))]
    for x in pair:
        x[first:last] = x[first:last][order]
