"""In which order sort leaves equal elements, and which of them topk, kthvalue, median and mode take."""

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


@given(lines(), st.booleans(), st.sampled_from(["one", "rows", "columns"]))
def test_equal_elements_sorted(line, descending, layout):
    x, k = line
    x = {"one": x, "rows": np.stack([x, np.roll(x, k)]), "columns": np.stack([x, np.roll(x, k)], 1)}[layout]

    def places(library):
        given, dim = library.from_numpy(x), 0 if layout == "columns" else -1
        found = [
            given.sort(dim, descending), given.sort(dim=dim, descending=descending, stable=True), given.mode(dim),
        ]  # fmt: skip
        return [given.argsort(dim, descending).tolist(), *(r.indices.tolist() for r in found)]

    assert places(microgad) == places(torch)


@pytest.mark.parametrize("n", [20_000, 1 << 15, 100_000])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32"])
def test_many_equal_elements_sorted(n, dtype):
    x = np.random.default_rng(0).integers(0, 10, n).astype(dtype)
    assert np.array_equal(microgad.from_numpy(x).argsort(), torch.from_numpy(x).argsort())


def test_sequences_of_equal_lengths_are_packed_in_the_same_order():
    lengths = [3, 1, 2, 2, 3] * 8

    def order(library):
        packed = library.nn.utils.rnn.pack_padded_sequence(library.ones(3, 40), lengths, enforce_sorted=False)
        return packed.sorted_indices.tolist()

    assert order(microgad) == order(torch)


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


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int8", "uint8"])
@pytest.mark.parametrize("largest", [True, False])
def test_a_few_of_long_lines(dtype, largest):
    rng = np.random.default_rng(0)
    x = rng.integers(-60 if dtype == "int8" else 0, 60, (20, 1000)).astype(dtype)
    if x.dtype.kind == "f":
        x[:10][rng.random((10, 1000)) < 0.01] = np.nan
    theirs = torch.topk(torch.from_numpy(x), 5, largest=largest).indices
    assert microgad.topk(microgad.from_numpy(x), 5, largest=largest).indices.tolist() == theirs.tolist()
