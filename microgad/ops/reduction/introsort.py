"""How C++ sorts and selects in one line, and PyTorch's kthvalue: which of equal elements come where.

Source: libstdc++'s introsort, introselect and heaps, among which Python's heapq moves elements in the same way; Hoare's
quickselect about the median of three.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

SHORT = 16  # elements that std::sort leaves to insertion


class Whole(int):
    """An element of a line, compared by its value, with its place in the line."""

    place: int


class Real(float):
    """The same of a floating-point number."""

    place: int


def items(values: Any) -> list[Any]:
    """An array of a line's elements, none of them NaN."""
    return [_item(value, place) for place, value in enumerate(values.tolist())]


def _item(value: Any, place: int) -> Any:
    found = (Real if type(value) is float else Whole)(value)
    found.place = place
    return found


def sort(line: list[Any], at: int | None = None) -> list[Any]:
    """std::sort; with `at` of which only the element there is sure to be the right one."""
    line = line.copy()
    parts = [(0, len(line), depth_of(len(line)))]
    while parts:
        first, last, depth = parts.pop()
        if last - first <= SHORT or (at is not None and not first <= at < last):
            continue
        if depth:
            cut = _partition(line, first, last)
            parts += [(first, cut, depth - 1), (cut, last, depth - 1)]
        else:
            line[first:last] = heap_sorted(line[first:last])
    return sorted(line)  # by insertion, which leaves equal ones as they are


def depth_of(n: int) -> int:
    """How often n elements are parted, after which a heap takes over."""
    return 2 * (n.bit_length() - 1)


def nth_element(line: list[Any], nth: int) -> list[Any]:
    """std::nth_element: what comes before nth is no greater, what comes after no less."""
    line = line.copy()
    first, last, depth = 0, len(line), depth_of(len(line))
    while last - first > 3:
        if not depth:
            return line[:first] + heap_selected(line[first:last], nth - first) + line[last:]
        cut, depth = _partition(line, first, last), depth - 1
        first, last = (cut, last) if cut <= nth else (first, cut)
    return line[:first] + sorted(line[first:last]) + line[last:]


def kth(line: list[Any], k: int) -> Any:
    """Quickselect of the element at k."""
    line = line.copy()
    low, high = 0, len(line) - 1
    while high > low + 1:
        _swap(line, (low + high) // 2, low + 1)
        for i, j in ((low + 1, high), (low, high), (low + 1, low)):
            if line[i] > line[j]:
                _swap(line, i, j)
        i, j, pivot = low + 2, high - 1, line[low]
        while True:
            while line[i] < pivot:
                i += 1
            while pivot < line[j]:
                j -= 1
            if j < i:
                break
            _swap(line, i, j)
            i, j = i + 1, j - 1
        _swap(line, low, j)
        low, high = i if j <= k else low, j - 1 if j >= k else high
    if high > low and line[low] > line[high]:
        _swap(line, low, high)
    return line[k]


def _partition(line: list[Any], first: int, last: int) -> int:
    """Hoare's, about the median of three, and where its second part begins."""
    a, b, c = first + 1, (first + last) // 2, last - 1
    x, y, z = line[a], line[b], line[c]
    if x < y:
        middle = b if y < z else c if x < z else a
    else:
        middle = a if x < z else c if y < z else b
    _swap(line, first, middle)
    pivot, i, j = line[first], first + 1, last - 1
    while True:
        while line[i] < pivot:
            i += 1
        while pivot < line[j]:
            j -= 1
        if i >= j:
            return i
        _swap(line, i, j)
        i, j = i + 1, j - 1


def _swap(line: list[Any], i: int, j: int) -> None:
    line[i], line[j] = line[j], line[i]


def greatest(values: Any, k: int) -> list[Any]:
    """std::partial_sort, the greatest first, of an array, most of which is passed over."""
    heap = items(values[:k])
    heapq.heapify(heap)
    start = k
    while start < len(values):  # the further, the fewer are better than the worst so far
        places = start + np.flatnonzero(values[start : 4 * start] > values[heap[0].place])
        for value, place in zip(values[places].tolist(), places.tolist(), strict=True):
            if heap[0] < value:
                heapq.heapreplace(heap, _item(value, place))
        start *= 4
    return _emptied(heap)


def heap_sorted(line: list[Any]) -> list[Any]:
    """std::partial_sort of all."""
    heap = [_turned(item) for item in line]
    heapq.heapify(heap)
    return [_turned(item) for item in _emptied(heap)]


def heap_selected(line: list[Any], nth: int) -> list[Any]:
    """What nth_element falls back on where its partitions come out lopsided."""
    heap, rest = [_turned(item) for item in line[: nth + 1]], [_turned(item) for item in line[nth + 1 :]]
    heapq.heapify(heap)
    for i, item in enumerate(rest):
        if heap[0] < item:
            rest[i] = heapq.heapreplace(heap, item)
    _swap(heap, 0, nth)
    return [_turned(item) for item in heap + rest]


def _emptied(heap: list[Any]) -> list[Any]:
    """std::sort_heap."""
    return [heapq.heappop(heap) for _ in range(len(heap))][::-1]


def _turned(item: Any) -> Any:
    """heapq's first is the smallest, std's the greatest."""
    return _item(-item, item.place)
