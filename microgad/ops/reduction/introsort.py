"""How C++ sorts and selects in one line, and PyTorch's kthvalue: which of equal elements come where.

Source: libstdc++'s introsort, introselect and heaps, among which Python's heapq moves elements in the same way; Hoare's
quickselect about the median of three.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

SHORT = 16  # elements that std::sort leaves to insertion


Line = tuple[list[Any], list[int]]  # elements, none of them NaN, and their places; both are moved


def of(values: Any) -> Line:
    """An array of a line's elements."""
    return values.tolist(), list(range(len(values)))


def sort(line: Line, at: int | None = None) -> list[int]:
    """std::sort: the places in order; with `at` of which only the one there is sure to be the right one."""
    values, places = line
    parts = [(0, len(values), depth_of(len(values)))]
    while parts:
        first, last, depth = parts.pop()
        if last - first <= SHORT or (at is not None and not first <= at < last):
            continue
        if depth:
            cut = _partition(line, first, last)
            parts += [(first, cut, depth - 1), (cut, last, depth - 1)]
        else:
            _put(line, first, heap_sorted(items(line, first, last)))
    # Insertion, which leaves equal ones as they are.
    return [places[i] for i in sorted(range(len(values)), key=values.__getitem__)]


def depth_of(n: int) -> int:
    """How often n elements are parted, after which a heap takes over."""
    return 2 * (n.bit_length() - 1)


def nth_element(line: Line, nth: int) -> None:
    """std::nth_element: what comes before nth is no greater, what comes after no less."""
    first, last, depth = 0, len(line[0]), depth_of(len(line[0]))
    while last - first > 3:
        if not depth:
            _put(line, first, heap_selected(items(line, first, last), nth - first))
            return
        cut, depth = _partition(line, first, last), depth - 1
        first, last = (cut, last) if cut <= nth else (first, cut)
    _put(line, first, sorted(items(line, first, last)))


def kth(line: Line, k: int) -> int:
    """Quickselect: the place of the element at k."""
    values, places = line
    low, high = 0, len(values) - 1
    while high > low + 1:
        _swap(line, (low + high) // 2, low + 1)
        for i, j in ((low + 1, high), (low, high), (low + 1, low)):
            if values[i] > values[j]:
                _swap(line, i, j)
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
        _swap(line, low, j)
        low, high = i if j <= k else low, j - 1 if j >= k else high
    if high > low and values[low] > values[high]:
        _swap(line, low, high)
    return places[k]


def _partition(line: Line, first: int, last: int) -> int:
    """Hoare's, about the median of three, and where its second part begins."""
    values, places = line
    a, b, c = first + 1, (first + last) // 2, last - 1
    x, y, z = values[a], values[b], values[c]
    if x < y:
        middle = b if y < z else c if x < z else a
    else:
        middle = a if x < z else c if y < z else b
    _swap(line, first, middle)
    pivot, i, j = values[first], first + 1, last - 1
    while True:
        while values[i] < pivot:
            i += 1
        while pivot < values[j]:
            j -= 1
        if i >= j:
            return i
        values[i], values[j], places[i], places[j] = values[j], values[i], places[j], places[i]
        i, j = i + 1, j - 1


def _swap(line: Line, i: int, j: int) -> None:
    for x in line:
        x[i], x[j] = x[j], x[i]


class Whole(int):
    """An element of a heap, compared by its value, with its place in the line."""

    place: int


class Real(float):
    """The same of a floating-point number."""

    place: int


def _item(value: Any, place: int) -> Any:
    found = (Real if isinstance(value, float) else Whole)(value)
    found.place = place
    return found


def items(line: Line, first: int = 0, last: int | None = None) -> list[Any]:
    """A part of a line, for a heap."""
    return list(map(_item, *(x[first:last] for x in line)))


def _put(line: Line, first: int, items: list[Any]) -> None:
    values, places = line
    values[first : first + len(items)], places[first : first + len(items)] = items, [item.place for item in items]


def greatest(values: Any, k: int) -> list[int]:
    """std::partial_sort, the greatest first, of an array, most of which is passed over."""
    heap = items(of(values[:k]))
    heapq.heapify(heap)
    start = k
    while start < len(values):  # the further, the fewer are better than the worst so far
        places = start + np.flatnonzero(values[start : 4 * start] > values[heap[0].place])
        for value, place in zip(values[places].tolist(), places.tolist(), strict=True):
            if heap[0] < value:
                heapq.heapreplace(heap, _item(value, place))
        start *= 4
    return [item.place for item in _emptied(heap)]


def heap_sorted(items: list[Any]) -> list[Any]:
    """std::partial_sort of all."""
    heap = [_turned(item) for item in items]
    heapq.heapify(heap)
    return [_turned(item) for item in _emptied(heap)]


def heap_selected(items: list[Any], nth: int) -> list[Any]:
    """What nth_element falls back on where its partitions come out lopsided."""
    heap, rest = [_turned(item) for item in items[: nth + 1]], [_turned(item) for item in items[nth + 1 :]]
    heapq.heapify(heap)
    for i, item in enumerate(rest):
        if heap[0] < item:
            rest[i] = heapq.heapreplace(heap, item)
    heap[0], heap[nth] = heap[nth], heap[0]
    return [_turned(item) for item in heap + rest]


def _emptied(heap: list[Any]) -> list[Any]:
    """std::sort_heap."""
    return [heapq.heappop(heap) for _ in range(len(heap))][::-1]


def _turned(item: Any) -> Any:
    """heapq's first is the smallest, std's the greatest."""
    return _item(-item, item.place)
