"""Which of equal elements topk, kthvalue and median take, and in which order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad

torch = pytest.importorskip("torch")


@st.composite
def lines(draw):
    """A line with equal elements in an order that may be good or bad for a partition, and a k."""
    n = draw(st.integers(1, 400))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.integers(0, draw(st.sampled_from([1, 2, 10, 1000])), n).astype(draw(st.sampled_from(["f", "d", "q"])))
    order = draw(st.sampled_from(["any", "up", "down", "hill", "nan"]))
    if order == "nan" and x.dtype.kind == "f":
        x[rng.random(n) < 0.2] = np.nan
    if order in ("up", "down"):
        x = np.sort(x)[:: 1 if order == "up" else -1].copy()
    if order == "hill":
        x = np.concatenate([np.sort(x[: n // 2]), np.sort(x[n // 2 :])[::-1]])
    return x, draw(st.one_of(st.integers(0, n), st.integers(0, n // 64)))


@given(lines(), st.booleans(), st.booleans())
def test_equal_elements(line, largest, in_order):
    x, k = line
    theirs = torch.topk(torch.from_numpy(x), k, largest=largest, sorted=in_order).indices
    ours = microgad.topk(microgad.from_numpy(x), k, largest=largest, sorted=in_order).indices
    assert ours.tolist() == theirs.tolist()


@given(lines())
def test_the_one_of_equal_elements(line):
    x, k = line

    def places(library):
        given = library.from_numpy(x)
        return [r.indices.item() for r in (given.kthvalue(max(k, 1)), given.median(0), given.nanmedian(0))]

    assert places(microgad) == places(torch)


def killer(n):
    """Numbers that make each median of three next to the least, so that partitions give up for a heap (Musser 1997)."""
    half = n // 2
    return np.array([i if i % 2 else half + i - 1 for i in range(1, half + 1)] + [2 * i for i in range(1, half + 1)])


@pytest.mark.parametrize("k", [300, 600, 999])
def test_where_partitions_are_lopsided(k):
    x = np.repeat(killer(1000) // 2, 2)
    theirs = torch.topk(torch.from_numpy(x), k, largest=False).indices
    assert microgad.topk(microgad.from_numpy(x), k, largest=False).indices.tolist() == theirs.tolist()
