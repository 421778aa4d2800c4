"""histc counts the elements in PyTorch's bins, also those on edges, where the last digit of a quotient decides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad

torch = pytest.importorskip("torch")


@st.composite
def arrays_and_ranges(draw):
    """An array with elements on the edges of bins, the number of the bins, and their range or 0, 0 for the default."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bins = draw(st.integers(1, 30))
    width = draw(st.sampled_from([0.1, 1, 1000, 1e10]))
    low, high = sorted(rng.uniform(-width, width, 2).round(draw(st.sampled_from([1, 15]))).tolist())
    high += low == high
    x = np.concatenate([np.linspace(low, high, bins + 1), rng.uniform(low - 0.1, high + 0.1, 5)])
    x = draw(st.sampled_from([x, x[:1].repeat(3)])).astype(draw(st.sampled_from("fd")))
    return x, bins, *draw(st.sampled_from([(low, high), (0, 0)]))


@given(arrays_and_ranges())
def test_histc_finds_torchs_bins(case):
    x, *options = case
    theirs, ours = (lib.histc(lib.from_numpy(x), *options) for lib in (torch, microgad))
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_histc_of_a_point_widens_its_range_by_one_to_each_side(dtype):
    for value in (-0.98765, 0, 3.3):
        theirs, ours = (lib.histc(lib.full((3,), value, dtype=getattr(lib, dtype)), 10) for lib in (torch, microgad))
        assert ours.tolist() == theirs.tolist()
