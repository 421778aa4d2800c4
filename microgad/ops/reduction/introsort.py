"""C++'s std::sort, std::nth_element, std::partial_sort, and PyTorch's quickselect, of one line of elements in Python.

None of these is stable, so which of equal elements comes where depends on the algorithm: these functions follow it step
by step. Source: libstdc++'s introsort and introselect, whose heaps move elements as Python's heapq does; Hoare's
quickselect about the median of three.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from typing import Any

import numpy as np

from ...type_aliases import Array

INSERTION_MAX = 16  # the most elements that std::sort leaves to insertion sort


Line = tuple[list[Any], list[int]]  # elements, none of them NaN except in `mode`, and their indices, moved together


def as_lines(lines: Array) -> list[Line]:
    """Make Lines of the rows of a 2-d array."""
    places = range(lines.shape[1])
    return [(values, list(places)) for values in lines.tolist()]


def sort(line: Line, at: int | None = None, ties: list[int] | None = None) -> list[int]:
    """std::sort: return the indices in sorted order. With `at`, only the entry there is sure to be right.

    `ties`, if given, are the ranks of elements that equal the next in sorted order.
    """
    values, places = line
    introsort_loop(line, at, ties=ties)
    # The final insertion sort is stable.
    return [places[i] for i in sorted(range(len(values)), key=values.__getitem__)]


def mode(line: Line) -> int:
    """Return the index of the most frequent of elements with NaN among them, as PyTorch's mode finds it.

    Elements are equal neighbors after a sort that NaN, neither less than a number nor greater, has led astray.
    """
    values, places = line
    introsort_loop(line)
    for i, value in enumerate(values):  # the final insertion sort
        to = 0 if i < INSERTION_MAX and value < values[0] else i
        while to and value < values[to - 1]:
            to -= 1
        if to < i:
            for x in line:
                x.insert(to, x.pop(i))
    longest, start = 0, 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[end] != values[end - 1]:
            if end - start > longest:
                longest, found = end - start, places[end - 1]
            start = end
    return found


def introsort_loop(line: Line, at: int | None = None, depth: int | None = None, ties: list[int] | None = None) -> None:
    """Sort parts of the line by up to `depth` nested partitions, until an insertion sort of all can do the rest.

    That also sorts a part whose elements all differ: by `ties`, as in `sort`, such parts are left to it.
    """
    values, _ = line
    parts = [(0, len(values), depth_of(len(values)) if depth is None else depth)]
    while parts:
        first, last, depth = parts.pop()
        while last - first > INSERTION_MAX and (at is None or first <= at < last):
            if ties is not None and not _within(ties, first, last):
                break
            if not depth:
                _write_back(line, first, heap_sorted(items(line, first, last)))
                break
            cut, depth = _partition(line, first, last), depth - 1
            parts.append((first, cut, depth))
            first = cut


def _within(ties: list[int], first: int, last: int) -> bool:
    """Whether a part, whose elements have these ranks, has equal ones."""
    i = bisect_left(ties, first)
    return i < len(ties) and ties[i] < last - 1


def depth_of(n: int) -> int:
    """Return the number of nested partitions after which introsort falls back on a heap."""
    return 2 * (n.bit_length() - 1)


def nth_element(line: Line, nth: int, depth: int | None = None) -> None:
    """std::nth_element: afterwards no element before nth is greater, and none after it is smaller."""
    first, last, depth = 0, len(line[0]), depth_of(len(line[0])) if depth is None else depth
    while last - first > 3:
        if not depth:
            _write_back(line, first, heap_selected(items(line, first, last), nth - first))
            return
        cut, depth = _partition(line, first, last), depth - 1
        first, last = (cut, last) if cut <= nth else (first, cut)
    order = sorted(range(first, last), key=line[0].__getitem__)  # as insertion sort, it is stable
    for x in line:
        x[first:last] = [x[i] for i in order]


def quickselect(line: Line, k: int) -> int:
    """Return the index of the k-th smallest element (from 0), as PyTorch's kthvalue finds it."""
    values, places = line
    low, high = 0, len(values) - 1
    while high > low + 1:
        swap(line, (low + high) // 2, low + 1)
        for i, j in ((low + 1, high), (low, high), (low + 1, low)):
            if values[i] > values[j]:
                swap(line, i, j)
        i, j, pivot = low + 2, high - 1, values[low]
        while True:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if j < i:
                break
            values[i], values[j], places[i], places[j] = values[j], values[i], places[j], places[i]
            i, j = i + 1, j - 1
        swap(line, low, j)
        low, high = i if j <= k else low, j - 1 if j >= k else high
    if high > low and values[low] > values[high]:
        swap(line, low, high)
    return places[k]


def _partition(line: Line, first: int, last: int) -> int:
    """Partition about the median of three, as Hoare does, and return where the second part begins."""
    values, places = line
    i, b, j = first + 1, (first + last) // 2, last - 1
    x, y, z = values[i], values[b], values[j]
    if x < y:
        middle, pivot = (b, y) if y < z else (j, z) if x < z else (i, x)
    else:
        middle, pivot = (i, x) if x < z else (j, z) if y < z else (b, y)
    values[first], values[middle] = pivot, values[first]
    places[first], places[middle] = places[middle], places[first]
    while True:
        while values[i] < pivot:
            i += 1
        while pivot < values[j]:
            j -= 1
        if i >= j:
            return i
        values[i], values[j], places[i], places[j] = values[j], values[i], places[j], places[i]
        i, j = i + 1, j - 1


def swap(line: Line, i: int, j: int) -> None:
    """Exchange elements i and j together with their indices."""
    for x in line:
        x[i], x[j] = x[j], x[i]


class IntItem(int):
    """An integer in a heap, which also knows its index in the line."""

    place: int


class FloatItem(float):
    """A floating-point number in a heap, which also knows its index in the line."""

    place: int


def _item(value: Any, place: int) -> Any:
    found = (FloatItem if isinstance(value, float) else IntItem)(value)
    found.place = place
    return found


def items(line: Line, first: int = 0, last: int | None = None) -> list[Any]:
    """Convert a part of a line to items for a heap."""
    return list(map(_item, *(x[first:last] for x in line)))


def _write_back(line: Line, first: int, items: list[Any]) -> None:
    values, places = line
    values[first : first + len(items)], places[first : first + len(items)] = items, [item.place for item in items]


def partial_sort_greatest(lines: Array, k: int) -> list[list[int]]:
    """std::partial_sort with the greatest first: return the indices of the k greatest elements of each line.

    heapq is fastest with plain floats. Of equal ones, each knows its place by its identity.
    """
    heaps = lines[:, :k].tolist()
    places = [dict(zip(map(id, heap), range(k), strict=True)) for heap in heaps]
    for heap in heaps:
        heapq.heapify(heap)
    start = k
    while start < lines.shape[1]:  # growing blocks: the further, the fewer elements exceed the heap's least
        block = lines[:, start : 4 * start]
        row, column = np.nonzero(block > np.array([heap[:1] for heap in heaps], lines.dtype))
        found = block[row, column].tolist()
        for i, j, value in zip(row.tolist(), (column + start).tolist(), found, strict=True):
            if heaps[i][0] < value:
                heapq.heapreplace(heaps[i], value)
                places[i][id(value)] = j
        start *= 4
    return [[of[id(x)] for x in _sort_heap(heap)] for of, heap in zip(places, heaps, strict=True)]


def heap_sorted(items: list[Any]) -> list[Any]:
    """std::partial_sort of all items."""
    heap = [_negated(item) for item in items]
    heapq.heapify(heap)
    return [_negated(item) for item in _sort_heap(heap)]


def heap_selected(items: list[Any], nth: int) -> list[Any]:
    """Select by a heap, as nth_element does after too many lopsided partitions."""
    heap, rest = [_negated(item) for item in items[: nth + 1]], [_negated(item) for item in items[nth + 1 :]]
    heapq.heapify(heap)
    for i, item in enumerate(rest):
        if heap[0] < item:
            rest[i] = heapq.heapreplace(heap, item)
    heap[0], heap[nth] = heap[nth], heap[0]
    return [_negated(item) for item in heap + rest]


def _sort_heap(heap: list[Any]) -> list[Any]:
    """std::sort_heap: return the items from the last one popped to the first."""
    return [heapq.heappop(heap) for _ in range(len(heap))][::-1]


def _negated(item: Any) -> Any:
    """Negate an item: heapq keeps the smallest first, std's heaps the greatest."""
    return _item(-item, item.place)
