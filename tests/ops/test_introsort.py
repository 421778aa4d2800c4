"""Sorting and selecting among equal elements in all lines at once, beside the same in one line, in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from microgad.ops.reduction import introsort, tie_breaking


def lopsided(n):
    """What makes the median of three the second least of each part (Musser 1997), each number twice."""
    half, x = n // 2, np.empty(n, np.int64)
    x[:half:2], x[1:half:2] = np.arange(1, half, 2), half + np.arange(1, half, 2)
    x[half:] = 2 * np.arange(1, half + 1)
    return x // 2


def lines(rng, n, kind):
    drawn = [rng.integers(0, high, n) for high in (1, 2, 5, n // 2 + 1, 60 * n)]
    x = np.stack([*drawn, np.sort(drawn[2]), np.arange(n) // 3, -np.arange(n) // 3, lopsided(n)]).astype(kind)
    if kind == "float32":
        x[1][rng.random(n) < 0.2] = np.nan
    return x


def beside_one_line(monkeypatch, f, *args):
    """What f gives of all lines, which is what plain Python gives of each."""
    found = []
    for few in (0, 10**9):
        monkeypatch.setattr(tie_breaking, "ONE_BY_ONE_MAX", few)
        found.append(f(*args))
    np.testing.assert_array_equal(*found)
    return found[0]


@pytest.mark.parametrize("kind", ["int64", "uint8", "bool", "float32", "float16"])
@pytest.mark.parametrize("n", [4, 20, 40, 132, 1000])
def test_equal_elements_move_as_in_one_line(rng, monkeypatch, kind, n):
    x = lines(rng, n, kind)
    for turned in (False, True):
        order = beside_one_line(monkeypatch, tie_breaking.argsort, x, turned)
        assert (np.sort(order, 1) == np.arange(n)).all()
        if not turned:
            at = rng.integers(0, n, len(x))
            found = beside_one_line(monkeypatch, tie_breaking.argsort_at, x, at)
            np.testing.assert_array_equal(found, order[np.arange(len(x)), at])
        by_value = np.take_along_axis(x, order, 1)
        np.testing.assert_array_equal(by_value[:, ::-1] if turned else by_value, np.sort(x, 1))
        for k in {1, 2, n // 3 + 1, n - 1, n}:
            for in_order in (False, True):
                found = beside_one_line(monkeypatch, tie_breaking.topk, x, k, turned, in_order)
                np.testing.assert_array_equal(np.sort(np.take_along_axis(x, found, 1), 1), np.sort(by_value[:, :k], 1))
            if not turned:
                found = beside_one_line(monkeypatch, tie_breaking.kthvalue, x, k - 1)
                np.testing.assert_array_equal(x[np.arange(len(x)), found], by_value[:, k - 1])


def test_lopsided_partitions_come_into_a_heap(monkeypatch):
    called = []
    for name in ("heap_sorted", "heap_selected"):
        plain = getattr(introsort, name)
        monkeypatch.setattr(
            introsort, name, lambda *args, plain=plain, **kw: called.append(plain) or plain(*args, **kw)
        )
    x = lopsided(1000)[None]
    for f, args in ((tie_breaking.argsort, (False,)), (tie_breaking.topk, (501, False))):
        called.clear()
        beside_one_line(monkeypatch, f, x, *args)
        assert called
