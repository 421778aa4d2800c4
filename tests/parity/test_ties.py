"""Ties: in which order sort leaves equal elements, which of them topk, kthvalue, median and mode take; signs of svd."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad

torch = pytest.importorskip("torch")


@st.composite
def arrays_and_k(draw):
    """A 1-D array with equal elements, in an order that may be good or bad for partitioning, and a k."""
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
    return x, draw(st.one_of(st.integers(0, n), st.integers(0, n // 64), st.integers(0, min(n, 4))))


@given(arrays_and_k(), st.booleans(), st.booleans())
def test_topk_takes_torchs_of_equal_elements(array_and_k, largest, sorted_results):
    x, k = array_and_k
    theirs = torch.topk(torch.from_numpy(x), k, largest=largest, sorted=sorted_results).indices
    ours = microgad.topk(microgad.from_numpy(x), k, largest=largest, sorted=sorted_results).indices
    assert ours.tolist() == theirs.tolist()


@given(arrays_and_k(), st.booleans(), st.sampled_from(["one", "rows", "columns"]))
def test_sort_argsort_and_mode_order_ties_as_torch(array_and_k, descending, layout):
    x, k = array_and_k
    x = {"one": x, "rows": np.stack([x, np.roll(x, k)]), "columns": np.stack([x, np.roll(x, k)], 1)}[layout]

    def indices(library):
        tensor, dim = library.from_numpy(x), 0 if layout == "columns" else -1
        found = [
            tensor.sort(dim, descending), tensor.sort(dim=dim, descending=descending, stable=True), tensor.mode(dim),
        ]  # fmt: skip
        return [tensor.argsort(dim, descending).tolist(), *(r.indices.tolist() for r in found)]

    assert indices(microgad) == indices(torch)


@pytest.mark.parametrize("n", [20_000, 1 << 15, 100_000])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32"])
def test_argsort_of_long_arrays_orders_ties_as_torch(n, dtype):
    x = np.random.default_rng(0).integers(0, 10, n).astype(dtype)
    assert np.array_equal(microgad.from_numpy(x).argsort(), torch.from_numpy(x).argsort())


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("shape", "dim"), [((1,), 0), ((1, 3), 0), ((3, 1), -1), ((2, 1, 3), 1), ((1, 20), 1)])
def test_elements_along_an_expanded_dimension_keep_their_order(shape, dim, descending):
    def indices(library):
        x = library.arange(math.prod(shape)).reshape(shape).remainder(5)
        x = x.expand([20 if n == 1 else n for n in shape])
        return [x.argsort(dim, descending).tolist(), x.sort(dim, descending).indices.tolist(), x.msort().tolist()]

    assert indices(microgad) == indices(torch)


@given(arrays_and_k())
def test_unique_numbers_nan_as_torch(array_and_k):
    x, _ = array_and_k
    theirs, ours = (lib.from_numpy(x).unique(return_inverse=True, return_counts=True) for lib in (torch, microgad))
    assert [y.tolist() for y in ours[1:]] == [y.tolist() for y in theirs[1:]]


def test_sequences_of_equal_lengths_are_packed_in_the_same_order():
    lengths = [3, 1, 2, 2, 3] * 8

    def order(library):
        packed = library.nn.utils.rnn.pack_padded_sequence(library.ones(3, 40), lengths, enforce_sorted=False)
        return packed.sorted_indices.tolist()

    assert order(microgad) == order(torch)


@given(arrays_and_k())
def test_kthvalue_and_medians_take_torchs_of_equal_elements(array_and_k):
    x, k = array_and_k

    def indices(library):
        tensor = library.from_numpy(x)
        return [r.indices.item() for r in (tensor.kthvalue(max(k, 1)), tensor.median(0), tensor.nanmedian(0))]

    assert indices(microgad) == indices(torch)


def median_of_three_killer(n):
    """Numbers for which each median of three is nearly the minimum, so that introselect uses a heap (Musser 1997)."""
    half = n // 2
    return np.array([i if i % 2 else half + i - 1 for i in range(1, half + 1)] + [2 * i for i in range(1, half + 1)])


@pytest.mark.parametrize("k", [300, 600, 999])
def test_topk_where_quickselect_degenerates(k):
    x = np.repeat(median_of_three_killer(1000) // 2, 2)
    theirs = torch.topk(torch.from_numpy(x), k, largest=False).indices
    assert microgad.topk(microgad.from_numpy(x), k, largest=False).indices.tolist() == theirs.tolist()


@pytest.mark.parametrize(("n", "k"), [(1000, 5), (128, 2), (127, 2), (100, 3), (60, 4), (99, 50), (90, 90)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int8", "uint8"])
@pytest.mark.parametrize("largest", [True, False])
def test_topk_of_many_rows(dtype, largest, n, k):
    """Of long rows, a heap finds few elements. In others, all rows are partitioned at once, unless they are few."""
    rng = np.random.default_rng(0)
    x = rng.integers(-60 if dtype == "int8" else 0, 60, (50, n)).astype(dtype)
    if x.dtype.kind == "f":
        x[:25][rng.random((25, n)) < 0.01] = np.nan
    for rows, sorted_results in ((50, True), (50, False), (20, True)):
        theirs, ours = (
            t.topk(t.from_numpy(x[:rows]), k, -1, largest, sorted_results).indices for t in (torch, microgad)
        )
        assert ours.tolist() == theirs.tolist()
    if largest:
        theirs, ours = (t.kthvalue(t.from_numpy(x), k).indices for t in (torch, microgad))
        assert ours.tolist() == theirs.tolist()


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="another LAPACK gives other signs")
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "shape", [(5, 5), (9, 6), (2, 7, 5), (8, 5), (11, 6), (12, 4), (3, 4), (3, 5), (2, 4, 7), (5, 30)]
)
def test_singular_vectors_have_pytorchs_signs(shape, full):
    x = np.random.default_rng(0).standard_normal(shape)
    (u, s, vh), (own_u, own_s, own_vh) = (lib.linalg.svd(lib.tensor(x), full) for lib in (torch, microgad))
    k = s.shape[-1]
    for theirs, ours in ((u[..., :k], own_u[..., :k]), (s, own_s), (vh[..., :k, :], own_vh[..., :k, :])):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-9, atol=1e-12)
