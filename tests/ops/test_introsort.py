"""Vectorized introsort and introselect: they order equal elements as their plain Python versions of one row do."""

from __future__ import annotations

import numpy as np
import pytest

from microgad.ops.reduction import introsort, sorting, tie_breaking


def killer(n):
    """A median-of-three killer sequence (Musser 1997), each number twice: every partition splits off two numbers."""
    half, x = n // 2, np.empty(n, np.int64)
    x[:half:2], x[1:half:2] = np.arange(1, half, 2), half + np.arange(1, half, 2)
    x[half:] = 2 * np.arange(1, half + 1)
    return x // 2


def rows(rng, n, kind):
    """Rows of few and of many different numbers, sorted, in blocks, descending, and bad for quicksort."""
    drawn = [rng.integers(0, high, n) for high in (1, 2, 5, n // 2 + 1, 60 * n)]
    x = np.stack([*drawn, np.sort(drawn[2]), np.arange(n) // 3, -np.arange(n) // 3, killer(n)]).astype(kind)
    if kind == "float32":
        x[1][rng.random(n) < 0.2] = np.nan
    return x


def both_agree(monkeypatch, f, *args):
    """The result of f on all rows at once, after a comparison with plain Python on each row, and on small rests."""
    found = []
    for at_once, one_by_one_max in ((0, 0), (10**9, 10**9), (0, 300)):
        monkeypatch.setattr(tie_breaking, "HEAPS_MIN", at_once)
        monkeypatch.setattr(tie_breaking, "ONE_BY_ONE_MAX", one_by_one_max)
        found.append(f(*args))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    return found[0]


@pytest.mark.parametrize("kind", ["int64", "uint8", "bool", "float32", "float16"])
@pytest.mark.parametrize("n", [4, 20, 40, 132, 400])
def test_equal_elements_are_ordered_as_in_plain_python(rng, monkeypatch, kind, n):
    x = rows(rng, n, kind)
    for descending in (False, True):
        order = both_agree(monkeypatch, tie_breaking.argsort, x, descending)
        assert (np.sort(order, 1) == np.arange(n)).all()
        if not descending:
            at = rng.integers(0, n, len(x))
            found = both_agree(monkeypatch, tie_breaking.argsort_at, x, at)
            np.testing.assert_array_equal(found, order[np.arange(len(x)), at])
        by_value = np.take_along_axis(x, order, 1)
        np.testing.assert_array_equal(by_value[:, ::-1] if descending else by_value, np.sort(x, 1))
        for k in {1, 2, n // 64 + 1, n // 64, n // 3 + 1, n - 1, n} - {0}:
            for is_sorted in (False, True):
                found = both_agree(monkeypatch, tie_breaking.topk, x, k, descending, is_sorted)
                np.testing.assert_array_equal(np.sort(np.take_along_axis(x, found, 1), 1), np.sort(by_value[:, :k], 1))
            if not descending:
                found = both_agree(monkeypatch, tie_breaking.kthvalue, x, k - 1)
                np.testing.assert_array_equal(x[np.arange(len(x)), found], by_value[:, k - 1])


def test_unbalanced_partitions_fall_back_to_a_heap(monkeypatch):
    calls = []
    for name in ("heap_sorted", "heap_selected"):
        original = getattr(introsort, name)
        monkeypatch.setattr(
            introsort, name, lambda *args, original=original, **kw: calls.append(original) or original(*args, **kw)
        )
    x = killer(1000)[None]
    for f, args in ((tie_breaking.argsort, (False,)), (tie_breaking.topk, (501, False))):
        calls.clear()
        both_agree(monkeypatch, f, x, *args)
        assert calls


@pytest.mark.parametrize("descending", [False, True])
def test_lines_with_few_equal_elements_are_ordered_as_by_all_partitions(rng, descending):
    x = np.stack([*(rng.permutation(480) for _ in range(3)), 2 * killer(480) + np.arange(480) // 240]).astype(float)
    x[0, 77] = x[0, 3]
    x[1, 60:63] = x[1, -1] = x[1, 200]
    x[3, 400] = x[3, 401]
    plain = [introsort.sort(line) for line in introsort.as_lines(-x if descending else x)]
    np.testing.assert_array_equal(tie_breaking.argsort(x, descending), plain)


@pytest.mark.parametrize("n", [4, 16, 20])
def test_the_mode_is_found_as_in_plain_python(rng, n):
    lines = rows(rng, n, "int64")
    found = sorting._index_of_mode(lines)
    assert found.tolist() == [[introsort.mode(line)] for line in introsort.as_lines(lines)]
