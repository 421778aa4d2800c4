"""The indices that PyTorch's sort, topk and kthvalue return on the CPU where elements are equal.

PyTorch's sort calls C++'s `std::sort`; topk calls `std::partial_sort` where k is small, else `std::nth_element` and
`std::sort`; kthvalue has a quickselect of its own. None of them is stable, but each is deterministic. introsort.py
follows them for one line of elements, in plain Python. Where there are many elements, this module follows them for all
lines at once, with NumPy.

A `Pair` holds the keys of all lines, end to end, and the elements' indices in their lines, moved together. Keys are
sorted in ascending order. Parts of lines are given as two arrays: where they begin in the pair, and where they end.

    keys         2 0 2 1 0 | 4 3 3 4 4     of two lines of n = 5 elements
    indices      0 1 2 3 4 | 0 1 2 3 4
    first, last  [0, 5], [5, 10]           as long as each line is one part
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...backend.radix_sort import stable_argsort
from ...function.half import wide
from ...type_aliases import Array
from . import introsort
from .introsort import INSERTION_MAX, depth_of

Pair = tuple[Any, Any]

ONE_BY_ONE_MAX = 2500  # the most elements, in lines or parts, for which introsort.py is faster
LONG_PART = 600  # elements: parts at least as long, on average, are partitioned one by one, by NumPy
FEW_PARTS = 40  # so many are converted to lists and back in less time than a round of partitions takes
HEAPS_MIN = 512  # lines: from here on their heaps are faster together
HEAP_RATIO = 64  # from HEAP_RATIO · k elements on PyTorch uses a heap (std::partial_sort)


def topk(lines: Array, k: int, largest: bool, sorted: bool = True) -> Array:
    """Return the indices (m, k) of the k best elements of each line (m, n), in the order of PyTorch's topk.

    NaN counts as the greatest.
    """
    m, n = lines.shape
    if HEAP_RATIO * k <= n:
        keys = _as_floats(_ascending_keys(lines, not largest))
        return _partial_sort(keys, k) if m >= HEAPS_MIN else _places(introsort.partial_sort_greatest(keys, k))
    if m * n <= ONE_BY_ONE_MAX:
        rising = introsort.as_lines(_ascending_keys(lines, largest))
        return _places(_topk_of_line(line, k, sorted) for line in rising)
    pair = _make_pair(lines, largest)
    first = np.arange(0, m * n, n)
    _nth_element(pair, first, k - 1, n)
    if sorted and k > 2:
        _sort(pair, first, k - 1, n)
    return pair[1].reshape(m, n)[:, :k]


def _topk_of_line(line: introsort.Line, k: int, sorted: bool) -> list[int]:
    introsort.nth_element(line, k - 1)
    values, places = line
    if not sorted or k <= 2:
        return places[:k]
    return introsort.sort((values[: k - 1], places[: k - 1])) + places[k - 1 : k]


def argsort(lines: Array, descending: bool) -> Array:
    """Return the indices (m, n) that sort each line (m, n), with equal elements in the order of PyTorch's sort."""
    m, n = lines.shape
    if m * n <= ONE_BY_ONE_MAX:
        keys = _ascending_keys(lines, descending)
        return _places(
            introsort.sort(line, None, ties)
            for line, ties in zip(introsort.as_lines(keys), _few_ties(keys), strict=True)
        )
    pair = _make_pair(lines, descending)
    _sort(pair, np.arange(0, m * n, n), n, n)
    return pair[1].reshape(m, n)


def _few_ties(keys: Array) -> list[list[int]] | list[None]:
    """The ranks of elements of each line (m, n) that equal the next, or None where that takes longer than it saves."""
    m, n = keys.shape
    if n >= 100:
        row, rank = np.nonzero(equal_neighbors(np.sort(keys, 1)))
        if 16 * len(row) < keys.size:
            return [ranks.tolist() for ranks in np.split(rank, np.searchsorted(row, np.arange(1, m)))]
    return [None] * m


def argsort_at(lines: Array, at: Array) -> Array:
    """Return only the entries `at` (m,) of `argsort(lines)`, (m,), which takes less work."""
    m, n = lines.shape
    if n <= INSERTION_MAX:  # the insertion sort alone is stable
        return stable_argsort(_ascending_keys(lines, False))[np.arange(m), at]
    if m * n <= ONE_BY_ONE_MAX:
        rising = introsort.as_lines(_ascending_keys(lines, False))
        return _places(introsort.sort(line, k)[k] for line, k in zip(rising, at.tolist(), strict=True))
    pair = _make_pair(lines)
    begin = np.arange(0, m * n, n)
    values, places = (x.reshape(m, n) for x in pair)
    in_order = np.sort(values, 1)
    value = in_order[np.arange(m), at][:, None]
    _introsort_loop(pair, begin, n, in_order, begin + at)
    before = at - np.count_nonzero(values < value, 1)  # the rank of the wanted element among those that equal it
    found = (np.cumsum(values == value, 1) > before[:, None]).argmax(1)
    return places[np.arange(m), found]


def mode(lines: Array) -> Array:
    """Return the index (m, 1) of the most frequent element of each line (m, n) with NaN in it, as PyTorch finds it."""
    return _places([introsort.mode(line)] for line in introsort.as_lines(lines))


def kthvalue(lines: Array, k: int) -> Array:
    """Return the index (m,) of the k-th smallest element (from 0) of each line (m, n), as PyTorch finds it."""
    m, n = lines.shape
    if m * n <= ONE_BY_ONE_MAX:
        return _places(introsort.quickselect(line, k) for line in introsort.as_lines(_ascending_keys(lines, False)))
    pair = _make_pair(lines)
    wanted = np.arange(k, m * n, n)
    first, last = wanted - k, wanted - k + n - 1
    row = np.arange(m)
    while len(row := row[last[row] > first[row] + 1]):
        low, high = first[row], last[row]
        _swap(pair, (low + high) // 2, low + 1)
        for i, j in ((low + 1, high), (low, high), (low + 1, low)):
            _compare_exchange(pair, i, j)
        low_end, high_end = _partition(pair, low, high + 1, True)
        _swap(pair, low, high_end)
        first[row] = np.where(high_end <= wanted[row], low_end, low)
        last[row] = np.where(high_end >= wanted[row], high_end - 1, high)
    two = last > first
    _compare_exchange(pair, first[two], last[two])
    return pair[1][wanted]


def _places(found: Iterable[int | list[int]]) -> Array:
    return np.array(list(found), np.int64)


def have_ties(x: Array, found: Array, largest: bool) -> Array:
    """Mark the lines of x (m, n) whose k best elements `found` (m, k), sorted, tie with each other or with the rest."""
    last = found[:, -1:]
    as_good = np.count_nonzero(~(x < last if largest else x > last), 1)  # NaN counts as a tie: `topk` handles it
    return (as_good > found.shape[1]) | equal_neighbors(found).any(1)


def equal_neighbors(lines: Array) -> Array:
    """Mark the elements of sorted lines (m, n) that equal the one before, (m, n - 1)."""
    equal = lines[:, :-1] == lines[:, 1:]
    if lines.dtype.kind == "f" and np.count_nonzero(nan := lines != lines):
        equal |= nan[:, :-1] & nan[:, 1:]
    return equal


def _make_pair(lines: Array, descending: bool = False) -> Pair:
    """Make the Pair of lines (m, n)."""
    m, n = lines.shape
    return np.array(_ascending_keys(lines, descending)).reshape(-1), np.tile(np.arange(n), m)


def _ascending_keys(lines: Array, descending: bool) -> Array:
    """Return keys without NaN that compare like the elements of lines, in reverse if `descending`."""
    lines = wide(lines)
    if lines.dtype.kind == "f" and (lines != lines).any():
        order = np.argsort(lines, 1)
        ranks = np.zeros(lines.shape, np.int64)
        differ = ~equal_neighbors(np.take_along_axis(lines, order, 1))
        np.put_along_axis(ranks, order[:, 1:], np.cumsum(differ, 1), 1)
        lines = ranks
    return lines if not descending else -lines if lines.dtype.kind == "f" else ~lines


def _as_floats(keys: Array) -> Array:
    """Convert keys to floats that compare like them. Unlike small integers, equal floats are different objects."""
    if keys.dtype.kind == "f":
        return keys
    exact = keys.min() >= -(1 << 53) and keys.max() <= 1 << 53
    return (keys if exact else np.unique(keys, return_inverse=True)[1].reshape(keys.shape)).astype(np.float64)


def _partial_sort(lines: Array, k: int) -> Array:
    """std::partial_sort of each line (m, n) with the greatest first: return the indices of its k greatest elements.

    The heaps, with the least element at the root, are rows of 2 k + 1: so all parents have children, NaN at the end.
    """
    m, n = lines.shape
    values, places = np.full((m, 2 * k + 1), np.nan, lines.dtype), np.zeros((m, 2 * k + 1), np.int64)
    values[:, :k], places[:, :k] = lines[:, :k], np.arange(k)
    heaps, roots = (values.reshape(-1), places.reshape(-1)), np.arange(m) * (2 * k + 1)
    for i in reversed(range(k // 2)):
        _sink(heaps, roots, i, (values[:, i].copy(), places[:, i].copy()), k)
    start = k
    while start < n:  # growing blocks: the further, the fewer elements exceed the heap's least
        block = lines[:, start : 2 * start]
        at = np.flatnonzero(block > values[:, :1])
        row, column = np.divmod(at, block.shape[1])
        found = block[row, column], column + start
        count = np.bincount(row, minlength=m)
        first = np.cumsum(count) - count
        by_count = np.argsort(-count)
        for i, live in enumerate(m - np.searchsorted(np.sort(count), np.arange(count.max()), "right")):
            heap = by_count[:live]  # those with more than i elements to come: the i-th of each
            value, place = (x.take(first[heap] + i) for x in found)
            greater = value > heaps[0].take(roots[heap])
            _sink(heaps, roots[heap[greater]], 0, (value[greater], place[greater]), k)
        start *= 2
    order = np.empty((m, k), np.int64)
    for last in reversed(range(k)):  # std::sort_heap
        order[:, last] = places[:, 0]
        item = values[:, last].copy(), places[:, last].copy()
        values[:, last] = np.nan
        _sink(heaps, roots, 0, item, last)
    return order


def _sink(heaps: Pair, roots: Array, at: int, item: Pair, size: int) -> None:
    """Let an item sink into each of the heaps of `size` elements, from a hole `at`: lesser children move up."""
    values, places = heaps
    hole, shift = roots + at, 1 - roots
    for _ in range((size // (at + 1)).bit_length() - 1):
        child = 2 * hole + shift
        child += values.take(child) >= values.take(child + 1)
        lesser = values.take(child)
        for x, moved in zip(heaps, (lesser, places.take(child)), strict=True):
            x[hole] = moved  # an item that has come to rest is put there in the end
        hole = np.where(lesser <= item[0], child, hole)
    values[hole], places[hole] = item


def _few(first: Array, last: Array) -> bool:
    """Whether introsort.py is faster for what is left of these parts."""
    return len(first) <= FEW_PARTS and int((last - first).sum()) <= min(ONE_BY_ONE_MAX, LONG_PART * len(first))


def _nth_element(pair: Pair, begin: Array, nth: int, n: int) -> None:
    """std::nth_element in each line: afterwards no key before nth is greater, and none after it is smaller."""
    wanted, first, last = begin + nth, begin.copy(), begin + n
    depth = depth_of(n)
    row = np.arange(len(begin))
    while len(row := row[last[row] - first[row] > 3]):
        if not depth or _few(first[row], last[row]):
            for i, j, k in zip(first[row], last[row], wanted[row], strict=True):
                _move_as_in_python(pair, i, j, introsort.nth_element, k - i, depth)
            first[row] = last[row]
            break
        depth -= 1
        cut, _ = _partition(pair, first[row], last[row])
        before = cut <= wanted[row]
        first[row], last[row] = np.where(before, cut, first[row]), np.where(before, last[row], cut)
    for i in (1, 2, 1):  # insertion
        inside = last - first > i
        _compare_exchange(pair, first[inside] + i - 1, first[inside] + i)


def _sort(pair: Pair, begin: Array, count: int, n: int) -> None:
    """std::sort of the first `count` elements of lines of n."""
    if count:
        lines, line_places = (x.reshape(-1, n)[:, :count] for x in pair)
        _introsort_loop(pair, begin, n, np.sort(lines, 1))
        # The final insertion sort is stable.
        line_places[...] = np.take_along_axis(line_places, stable_argsort(lines), 1)


def _introsort_loop(pair: Pair, begin: Array, n: int, in_order: Array, wanted: Array | None = None) -> None:
    """Partition as std::sort does before its final insertion sort; with `wanted`, only the parts that contain it.

    `in_order` (m, count) has the sorted keys, from which it is known which elements come into a part. Parts without
    equal elements need no partitions, and in a part of equal elements alone the order depends only on its length.
    """
    places, count = pair[1], in_order.shape[1]
    ties = np.zeros((len(begin), n), np.int64)  # how many sorted elements up to here equal the one before
    np.cumsum(equal_neighbors(in_order), 1, out=ties[:, 1:count])
    first, last, depth = begin, begin + count, depth_of(count)
    while True:
        long = last - first > INSERTION_MAX
        first, last = first[long], last[long]
        length, tied = last - first, ties.reshape(-1)[last - 1] - ties.reshape(-1)[first]
        equal = (tied == length - 1) & (length <= INSERTION_MAX << depth)
        _sort_equal(places, first[equal], length[equal])
        mixed = (tied > 0) & ~equal
        if not mixed.any():
            return
        first, last = first[mixed], last[mixed]
        if not depth or _few(first, last):
            for i, j in zip(first, last, strict=True):
                _move_as_in_python(pair, i, j, introsort.introsort_loop, None, depth)
            return
        depth -= 1
        cut, _ = _partition(pair, first, last)
        first, last = np.concatenate([first, cut]), np.concatenate([cut, last])
        if wanted is not None:
            here = (first <= wanted[first // n]) & (wanted[first // n] < last)
            first, last = first[here], last[here]


def _sort_equal(places: Array, first: Array, length: Array) -> None:
    """std::sort of parts that consist of equal elements: all parts of one length at once."""
    for size in set(length.tolist()):
        at = first[length == size][:, None] + np.arange(size)
        places[at] = places[at[:, _order_of_equal(size)]]


@functools.lru_cache(maxsize=64)
def _order_of_equal(n: int) -> Array:
    """Return the order in which std::sort leaves n equal elements: each partition reverses them."""
    places = np.arange(n)
    if n > INSERTION_MAX:
        places[0], places[n // 2] = n // 2, 0
        places[1:] = places[:0:-1].copy()
        for part in (places[: (n + 1) // 2], places[(n + 1) // 2 :]):
            part[...] = part[_order_of_equal(len(part))]
    return places


def _partition(pair: Pair, first: Array, last: Array, inner: bool = False) -> tuple[Array, Array]:
    """Hoare's partition of parts about their median of three; for kthvalue (`inner`) about their first element.

    A scan from the left stops at keys that are not less than the pivot, a scan from the right at keys that are not
    greater; the two are swapped until the scans meet. The k-th stop of one scan goes with the k-th of the other, so all
    are swapped at once. Returns where the two scans end in each part.

        at           0 1 2 3 4 5 6
        keys         3 1 5 3 2 7 3    the pivot is the first one
        left             ^ ^   ^ ^    where a scan from the left stops
        right          ^   ^ ^   ^    where a scan from the right stops
        here, there  2, 6 and 3, 4    are swapped; 5, 3 are not: the scans have met
        keys         3 1 3 2 3 7 5    the first part ends, and the second begins, at 4
    """
    if not inner:
        _median_to_first(pair, first, (first + 1, (first + last) // 2, last - 1))
    length = last - first - 1
    if length.sum() >= LONG_PART * len(first):
        cuts = [_partition_part(tuple(x[i:j] for x in pair), inner) for i, j in zip(first, last, strict=True)]
        low, high = np.array(cuts).T
        return first + low, first + high
    end = np.cumsum(length)
    start = end - length
    at = np.arange(end[-1]) + np.repeat(first + 1 - start, length)  # all elements but the pivots, part after part
    values, pivot = pair[0].take(at), np.repeat(pair[0].take(first), length)
    left, right = values >= pivot, values <= pivot  # where a scan from that side stops
    if inner:  # its scans begin past their first stop
        left[start] = right[end - 1] = False
    left, right = (np.concatenate([[-1], np.flatnonzero(x), [len(at)]]) for x in (left, right))
    i, j = np.searchsorted(left, start), np.searchsorted(right, end) - 1  # the outermost stops of each part
    count = np.minimum(np.searchsorted(left, end) - i, j + 1 - np.searchsorted(right, start))  # pairs in each part
    before = np.cumsum(count) - count
    k = np.arange(before[-1] + count[-1]) - np.repeat(before, count)  # the number of each pair within its part
    here, there = left.take(np.repeat(i, count) + k), right.take(np.repeat(j, count) - k)
    swapped = here < there
    _swap(pair, at.take(here[swapped]), at.take(there[swapped]))
    done = np.add.reduceat(swapped, before, dtype=np.int64)
    i, j = i + done, j - done  # the first stops that are not swapped
    met = (left[i] == right[j]) & inner  # both scans stopped at the same element
    return at[np.minimum(left[i + met], right[j + 1])], at[np.maximum(right[j - met], left[i - 1])]


def _partition_part(pair: Pair, inner: bool) -> tuple[int, int]:
    """Compute `_partition` of one part, and return where the scans end in it: faster if the part is long."""
    values, pivot = pair[0], pair[0][0]
    left = np.flatnonzero(values[1 + inner :] >= pivot) + (1 + inner)
    right = np.flatnonzero(values[1 : len(values) - inner] <= pivot)[::-1] + 1
    count = min(len(left), len(right))
    done = int(np.count_nonzero(left[:count] < right[:count]))
    _swap(pair, left[:done], right[:done])

    def stop(scan: Array, k: int, beyond: int) -> int:
        return int(scan[k]) if k < len(scan) else beyond

    met = inner and stop(left, done, len(values)) == stop(right, done, 0)
    low = stop(left, done + met, len(values)), stop(right, done - 1, len(values)) if done else len(values)
    high = stop(right, done + met, 0), stop(left, done - 1, 0) if done else 0
    return min(low), max(high)


def _swap(pair: Pair, i: Array, j: Array) -> None:
    """Exchange the elements at two arrays of indices."""
    for x in pair:
        x[i], x[j] = x.take(j), x.take(i)


def _compare_exchange(pair: Pair, i: Array, j: Array) -> None:
    turned = pair[0][i] > pair[0][j]
    _swap(pair, i[turned], j[turned])


def _median_to_first(pair: Pair, first: Array, three: tuple[Array, Array, Array]) -> None:
    """Swap the median of three elements of each part to the part's first place."""
    a, b, c = (pair[0][i] for i in three)
    rising = np.where(b < c, 1, np.where(a < c, 2, 0))  # which of the three is the median, if a < b
    falling = np.where(a < c, 0, np.where(b < c, 2, 1))  # and if not
    _swap(pair, first, np.choose(np.where(a < b, rising, falling), three))


def _move_as_in_python(pair: Pair, first: int, last: int, move: Callable[..., Any], *args: Any) -> None:
    """Reorder one part as a function of introsort.py does with it."""
    line = pair[0][first:last].tolist(), pair[1][first:last].tolist()
    move(line, *args)
    for x, moved in zip(pair, line, strict=True):
        x[first:last] = moved
