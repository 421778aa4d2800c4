"""Reductions, scans, sorting and counting: large arrays, ties, NaN, dtypes, gradients, printing and errors."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import microgad as torch
from microgad.ops.reduction.unique_values import _row_order


@pytest.fixture
def rng():
    return np.random.default_rng(0)


LARGE = [(50_000,), (5_001, 7), (3, 20_011), (40, 1_030), (2, 300, 130)]


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "cumsum", "cumprod", "logcumsumexp", "var", "amax"])
def test_reductions_of_large_arrays_equal_numpy(rng, shape, name):
    x = rng.standard_normal(shape) if name not in ("prod", "cumprod") else rng.uniform(0.999, 1.001, shape)
    reference = {"logcumsumexp": np.logaddexp.accumulate, "var": lambda x, axis: np.var(x, axis, ddof=1)}
    for dim in [*range(len(shape)), None]:
        if dim is None and name.startswith(("cum", "log")):
            continue
        expected = reference.get(name, getattr(np, name, None))(x, axis=dim)
        for array, rtol in ((x, 1e-12), (x.astype(np.float32), 3e-4)):
            given = torch.tensor(array)
            found = getattr(torch, name)(given) if dim is None else getattr(torch, name)(given, dim)
            assert found.array.dtype == array.dtype
            assert np.shape(found.array) == np.shape(expected)
            np.testing.assert_allclose(found.array, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_scans_accumulate_in_the_wider_dtype_as_pytorch_bit_for_bit(rng, name, dtype):
    """Noise schedules and draws by cumulative probabilities depend on the last bit."""
    wider = {torch.float32: torch.float64, torch.complex64: torch.complex128}[dtype]
    f = getattr(torch, name)
    for shape, dim in (((1000,), 0), ((700, 3), 0), ((5, 900), 1), ((40, 1030), 1), ((3, 300, 40), 1)):
        x = torch.tensor(rng.uniform(0.9, 1.1, shape)).to(dtype)
        assert f(x, dim).tolist() == f(x.to(wider), dim).to(dtype).tolist()
        if name == "cumsum":
            x.requires_grad_()
            seed = torch.tensor(rng.standard_normal(shape)).to(dtype)
            (found,) = torch.autograd.grad(f(x, dim), x, seed)
            assert found.tolist() == seed.to(wider).flip(dim).cumsum(dim).flip(dim).to(dtype).tolist()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinities_and_nan_in_large_arrays_stay_in_their_rows(rng, value):
    x = rng.standard_normal((3, 20_011)).astype(np.float32)
    x[1, 70] = value
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(torch.tensor(x).cumsum(1).isfinite().array, np.isfinite(np.cumsum(x, 1)))
        np.testing.assert_array_equal(torch.tensor(x).sum(1).isfinite().array, [True, False, True])


@pytest.mark.parametrize("largest", [True, False])
def test_topk_of_large_rows(rng, largest):
    x = rng.integers(0, 500, (4, 2_000))
    values, indices = torch.topk(torch.tensor(x), 20, largest=largest)
    ordered = np.sort(x, -1)
    np.testing.assert_array_equal(values.array, ordered[:, :-21:-1] if largest else ordered[:, :20])
    np.testing.assert_array_equal(np.take_along_axis(x, indices.array, -1), values.array)
    assert all(len(set(row)) == 20 for row in indices.tolist())


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [1, 4, 11, 128])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8])
def test_the_few_largest_of_long_lines(rng, dtype, k, largest):
    x = (rng.standard_normal((4, 4_099)) * 1e4).astype(np.int64).astype(dtype)
    if x.dtype.kind == "f":
        x[1, 50:60] = x[2, 10:-10] = x[3] = np.nan
    for lines in (x, np.asfortranarray(x), x[:0]):
        values, indices = torch.topk(torch.tensor(lines), k, largest=largest)
        ordered = np.sort(lines, -1)
        np.testing.assert_array_equal(values.cpu().numpy(), ordered[:, : -k - 1 : -1] if largest else ordered[:, :k])
        np.testing.assert_array_equal(np.take_along_axis(lines, indices.cpu().numpy(), -1), values.cpu().numpy())
        assert all(len(set(row)) == k for row in indices.tolist())


def test_topk_orders_equal_elements_as_pytorch_on_the_cpu():
    assert torch.topk(torch.zeros(32).cpu(), 3).indices.tolist() == [22, 21, 20]
    assert torch.topk(torch.arange(32.0).cpu() % 3, 3).indices.tolist() == [20, 23, 11]
    assert torch.topk(torch.zeros(2, 10).cpu(), 5, largest=False).indices.tolist() == [[8, 6, 7, 5, 9]] * 2
    assert torch.topk(torch.arange(200).cpu() % 3, 2).indices.tolist() == [5, 2]
    with_nan = torch.tensor([[math.nan, 1, 2, 1], [5, 5, 1, 5], [1, math.nan, math.nan, 2]]).cpu()
    assert torch.topk(with_nan[:2], 1).indices.tolist() == [[0], [1]]  # as many elements equal the best as are lines
    assert torch.topk(with_nan, 1, largest=False).indices.tolist() == [[1], [2], [0]]
    assert torch.kthvalue(with_nan, 1).indices.tolist() == [1, 2, 0]
    assert torch.kthvalue(torch.arange(200).cpu() % 3, 1).indices.tolist() == 102
    assert torch.topk(torch.ones(40), 0).indices.tolist() == []
    assert torch.topk(torch.ones(3, 0), 0).indices.shape == (3, 0)


@pytest.mark.host("the CPU's order")
def test_the_mode_of_elements_that_nan_keeps_from_being_sorted_is_pytorchs():
    lines = torch.tensor([[3, 3, math.nan, 2, 2], [math.nan, 2, 1, 1, 0], [math.nan] * 5])
    values, indices = torch.mode(lines)
    assert values.tolist()[:2] == [3, 1]
    assert indices.tolist() == [1, 3, 0]


def test_indices_are_contiguous():
    """`view` needs that."""
    x = torch.arange(60.0).reshape(3, 5, 4)
    for dim in range(3):
        assert torch.topk(x, 2, dim).indices.is_contiguous()
        assert torch.kthvalue(x, 2, dim).indices.is_contiguous()
    assert all(i.is_contiguous() for i in (*torch.where(x > 3), *x.nonzero(as_tuple=True)))
    assert x.nonzero().stride() == (1, 59)


def test_medians_of_large_rows_and_of_nan(rng):
    x = rng.standard_normal((3, 1_001))
    np.testing.assert_array_equal(torch.median(torch.tensor(x), 1).values.array, np.median(x, 1))
    assert torch.median(torch.tensor(x)).item() == np.median(x)
    x[1, 5] = np.nan
    assert torch.median(torch.tensor(x)).isnan()
    assert torch.median(torch.tensor(x), 1).values.isnan().tolist() == [False, True, False]
    assert torch.median(torch.tensor(x), 1).indices[1] == 5
    assert torch.nanmedian(torch.tensor(x)).item() == np.sort(x, None)[1500]
    x = np.round(x)  # of the elements that equal the median, the one in the middle of the stable order
    for function, rows in ((torch.median, x[::2]), (torch.nanmedian, x)):
        order = np.argsort(rows, 1, kind="stable")[:, (1_001 - np.isnan(rows).sum(1) - 1) // 2]
        np.testing.assert_array_equal(function(torch.tensor(rows), 1).indices.array, order.diagonal())


def test_topk_of_a_number_is_the_number_even_for_k_0():
    """As in PyTorch."""
    assert torch.topk(torch.tensor(3.0), 0).values.tolist() == torch.topk(torch.tensor(3.0), 1).values.tolist() == 3


def test_the_median_of_no_integers_is_what_pytorch_converts_nan_to():
    least = torch.iinfo(torch.int64).min
    assert (
        torch.median(torch.zeros(0, dtype=torch.int64))
        == torch.nanmedian(torch.zeros(0, 2, dtype=torch.int64))
        == least
    )


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.bool])
def test_sums_of_integers_are_int64(dtype):
    x = torch.tensor([1, 1, 0]).to(dtype)
    for function in (torch.sum, torch.prod, torch.nansum):
        assert function(x).dtype == torch.int64
    assert torch.cumsum(x, 0).dtype == torch.cumprod(x, 0).dtype == torch.int64
    assert torch.sum(x, dtype=torch.int32).dtype == torch.int32


def test_nansum_leaves_nan_out_before_it_converts_the_dtype():
    x = torch.tensor([[1.5, torch.nan], [torch.nan, torch.nan]])
    assert torch.nansum(x, 1, dtype=torch.int64).tolist() == [1, 0]
    assert torch.nansum(x, 1, dtype=torch.bool).tolist() == [True, False]


def test_nansum_refuses_complex_numbers_by_the_dtype_of_its_input():
    assert torch.nansum(torch.tensor([1, 2]), dtype=torch.complex64).item() == 3
    for x, dtype in (torch.ones(2) + 0j, torch.float32), (torch.ones(2), torch.complex64):
        with pytest.raises(RuntimeError, match="nansum: is not implemented for complex numbers"):
            torch.nansum(x, dtype=dtype)


def test_means_have_the_requested_dtype_and_an_out_alone_admits_no_integers():
    assert torch.nanmean(torch.tensor([1.0, torch.nan]), dtype=torch.float16).dtype == torch.float16
    with pytest.raises(RuntimeError, match=r"Got: torch\.int64"):
        torch.mean(torch.tensor([1, 2]), 0, out=torch.zeros(()))


def test_hashes_of_nothing_but_along_dims_with_elements_are_empty():
    assert torch.hash_tensor(torch.ones(2, 0, 3), dim=(0, 2), keepdim=True).shape == (1, 0, 1)
    with pytest.raises(IndexError, match="non-zero size"):
        torch.hash_tensor(torch.ones(2, 0), dim=1)


def test_any_and_all_of_uint8_are_uint8():
    x = torch.tensor([[0, 3]], dtype=torch.uint8)
    assert torch.any(x).dtype == torch.uint8
    assert torch.all(x, 1).tolist() == [0]
    assert torch.any(x, ()).tolist() == [[0, 1]]


def test_second_derivatives_of_products_at_zeros():
    """The derivative of xyz by x and y is z, also at x = y = 0."""
    x = torch.tensor([0.0, 0.0, 3.0], requires_grad=True)
    for product in (torch.prod(x), torch.cumprod(x, 0)[2]):
        (g,) = torch.autograd.grad(product, x, create_graph=True)
        assert g.tolist() == [0, 0, 0]
        (h,) = torch.autograd.grad(g[0], x)
        assert h.tolist() == [0, 3, 0]


@pytest.mark.parametrize("dim", [0, -1, (0,), None, ()])
def test_a_tensor_without_dimensions_may_be_reduced_along_dim_0(dim):
    x = torch.tensor(2.0, requires_grad=True)
    for function in (torch.sum, torch.mean, torch.amax, torch.norm, *([] if dim is None else [torch.logsumexp])):
        y = function(x, dim=dim)
        assert y.shape == ()
        assert torch.autograd.grad(y, x)[0].item() == 1


def test_a_tensor_without_dimensions_may_be_sorted_and_selected_from():
    x = torch.tensor(2.0, requires_grad=True)
    functions = (torch.max, torch.sort, torch.median, torch.mode, torch.cummax)
    for values, indices in (*(f(x, dim=0) for f in functions), torch.topk(x, 1), torch.kthvalue(x, 1)):
        assert (values.shape, indices.item()) == ((), 0)
        assert torch.autograd.grad(values, x)[0].item() == 1


def test_arguments_may_have_numpy_s_names():
    x = torch.tensor([[1.0, 5.0], [3.0, 2.0]])
    assert torch.sum(x, axis=1, keepdims=True).tolist() == [[6], [5]]
    assert torch.max(a=x, axis=0).values.tolist() == [3, 5]
    assert x.cumsum(axis=0).tolist() == [[1, 5], [4, 7]]
    assert torch.diag(x1=x).tolist() == [1, 2]
    assert x.clone().copysign_(x2=-x).tolist() == [[-1, -5], [-3, -2]]
    with pytest.raises(TypeError):
        torch.sum(x, axes=1)


def test_named_results_print_as_in_pytorch():
    found = torch.tensor([1.0, 3.0], device="cpu").max(0)
    assert repr(found) == "torch.return_types.max(\nvalues=tensor(3.),\nindices=tensor(1))"
    assert isinstance(found, torch.return_types.max)
    assert found.values is found[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: torch.sum(x, 2), IndexError, r"sum: Dimension out of range .*\[-2, 1\], but got 2"),
        (lambda x: torch.nansum(x, 2), IndexError, "^nansum: Dimension out of range"),
        (lambda x: torch.sum(x, (0, -2)), RuntimeError, r"sum: dim 0 appears multiple times .*\(0, -2\)"),
        (lambda x: torch.amax(x[:0], 0), IndexError, r"amax: Expected reduction dim 0 .*\(0, 3\)"),
        (lambda x: torch.max(x[:0]), RuntimeError, "max: Expected reduction dim to be specified"),
        (lambda x: torch.sort(x * 1j), RuntimeError, "sort: is not implemented for complex numbers"),
        (lambda x: torch.var(x.long()), RuntimeError, "only support floating point .* torch.int64"),
        (lambda x: torch.topk(x, 4), RuntimeError, "k is 4, dimension -1 has size 3"),
        (lambda x: torch.quantile(x, 1.5), RuntimeError, r"\[0, 1\] but got 1.5"),
        (lambda x: torch.cdist(x, x[:, :2]), RuntimeError, r"\(2, 3\) and \(2, 2\)"),
        (lambda x: torch.cdist(x, x.double()), RuntimeError, "same dtype"),
        (lambda x: torch.cdist(x, x, math.nan), RuntimeError, "non-negative p"),
        (lambda x: torch.histc(x, max=-1), RuntimeError, "max must be larger than min"),
        (lambda x: torch.bincount(torch.tensor([-1])), RuntimeError, "non-negative"),
        (lambda x: torch.searchsorted(x, x[0]), RuntimeError, r"tensor \[2, 3\] and .* \[3\]"),
        (lambda x: torch.searchsorted(x[0], x * 1j), RuntimeError, "complex numbers, got float32 and complex64"),
        (lambda x: torch.segment_reduce(x, "median", lengths=torch.tensor([2])), RuntimeError, "got median"),
        (lambda x: torch.segment_reduce(x * 1j, "max", lengths=torch.tensor([2])), NotImplementedError, "max is not"),
        (
            lambda x: torch.segment_reduce(x, "sum", lengths=torch.tensor([2.0])),
            NotImplementedError,
            "must be integers",
        ),
        (lambda x: torch.max(x, keepdim=True), TypeError, "keepdim goes with a dim"),
        (lambda x: torch.median(x, keepdim=True), TypeError, "keepdim goes with a dim"),
        (lambda x: torch.sum(x, dtype=torch.float64, out=torch.empty(())), RuntimeError, "dtype torch.float64, but"),
        (lambda x: torch.unique(x[:0], dim=1), RuntimeError, "There are 0 sized dimensions, and they aren't selected"),
        (lambda x: torch.unique(x[0, 0], dim=0), IndexError, "has no dimensions"),
        (lambda x: torch.trapezoid(x, x, dx=1.0), TypeError, "not both"),
        (lambda x: torch.gradient(x[0, 0], dim=0), IndexError, "has no dimensions"),
        (lambda x: torch.searchsorted(x[0], x[0], sorter=torch.tensor([0, 1, -1])), RuntimeError, "out of range"),
    ],
)
def test_wrong_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(2, 3))


def test_a_variance_without_degrees_of_freedom_warns():
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert torch.var(torch.tensor([1.0])).isnan()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.var(torch.tensor([1.0]), correction=0) == 0


@pytest.mark.parametrize("dim", [None, 0, 1])
@pytest.mark.parametrize("sorted_first", [True, False])
def test_unique_values_inverse_and_counts_give_the_input_back(rng, dim, sorted_first):
    x = rng.integers(0, 2, (6, 3))
    function = torch.unique if sorted_first else torch.unique_consecutive
    values, inverse, counts = function(torch.tensor(x), return_inverse=True, return_counts=True, dim=dim)
    assert function(torch.tensor(x), dim=dim).tolist() == values.tolist()
    again = values.array[inverse.array] if dim is None else np.take(values.array, inverse.array, dim)
    np.testing.assert_array_equal(again, x)
    np.testing.assert_array_equal(np.bincount(inverse.array.reshape(-1)), counts.array)
    if sorted_first:
        np.testing.assert_array_equal(values.array, np.unique(x, axis=dim))


def test_each_nan_is_unique():
    assert torch.unique(torch.tensor([math.nan, 1.0, math.nan])).shape == (3,)


@pytest.mark.parametrize("bins", [1, 7, [-1.0, 0.0, 0.5, 2.0]])
@pytest.mark.parametrize("density", [True, False])
def test_histogram_equals_numpy(rng, bins, density):
    x, weight = rng.standard_normal((2, 1_000))
    edges = bins if isinstance(bins, int) else torch.tensor(bins, dtype=torch.float64)
    found = torch.histogram(torch.tensor(x), edges, weight=torch.tensor(weight), density=density)
    hist, at = np.histogram(x, bins, weights=weight, density=density)
    np.testing.assert_allclose(found.hist.array, hist, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.bin_edges.array, at)


def test_numbers_on_bin_edges_belong_to_the_right_bin():
    x = torch.linspace(0, 1, 11)
    assert torch.histogram(x, 10).hist.tolist() == [1] * 9 + [2]
    assert torch.histogramdd(torch.stack([x, x], 1), 10).hist.sum().item() == 11


@pytest.mark.parametrize("right", [True, False])
def test_searchsorted_of_batches_equals_numpy(rng, right):
    lines, values = np.sort(rng.integers(0, 9, (2, 3, 5)), -1), rng.integers(-1, 11, (2, 3, 7))
    found = torch.searchsorted(torch.tensor(lines), torch.tensor(values), right=right).array
    for line, wanted, at in zip(*(a.reshape(6, -1) for a in (lines, values, found)), strict=True):
        np.testing.assert_array_equal(at, np.searchsorted(line, wanted, "right" if right else "left"))


@pytest.mark.parametrize(
    "name",
    [
        "max(0)",
        "min(0)",
        "sort()",
        "topk(2)",
        "kthvalue(2)",
        "median(0)",
        "nanmedian(0)",
        "mode()",
        "cummax(0)",
        "cummin(0)",
    ],
)
def test_writes_to_returned_indices_do_not_change_the_gradient(name):
    """The backward pass has indices of its own. PyTorch's raises."""
    x, y = (torch.tensor([3.0, 1.0, 2.0], requires_grad=True) for _ in range(2))
    name, _, dim = name.removesuffix(")").partition("(")
    values, indices = getattr(x, name)(*map(int, dim))
    indices.add_(1).remainder_(3)
    values.square().sum().backward()
    getattr(y, name)(*map(int, dim))[0].square().sum().backward()
    assert x.grad.tolist() == y.grad.tolist()


def test_the_initial_value_of_segment_reduce_takes_no_gradient():
    x = torch.tensor([math.inf, 1.0, 1.0, 2.0, 2.0], requires_grad=True)
    segments = {"lengths": torch.tensor([1, 2, 2]), "initial": 2.0}
    for name in ("max", "amax"):
        assert torch.segment_reduce(x, name, **segments).tolist() == [math.inf, 2.0, 2.0]
    assert torch.segment_reduce(x, "prod", **segments).tolist() == [math.inf, 2.0, 8.0]
    torch.segment_reduce(x, "amin", **segments).sum().backward()  # equal elements share the gradient
    assert x.grad.tolist() == [0.0, 0.5, 0.5, 0.5, 0.5]


@given(
    arrays(np.float64, st.tuples(st.integers(0, 20), st.integers(1, 12)), elements=st.sampled_from([0, 1, math.nan]))
)
def test_unique_sorts_rows_by_column_after_column(rows):
    assert _row_order(rows).tolist() == np.lexsort(np.flip(rows.T, 0)).tolist()


def test_long_segments_of_rows_are_reduced_completely():
    """Of segments of rows, the first 64 rows are reduced together, and what is left one by one."""
    lengths = torch.tensor([3, 200, 0, 65, 64, 1])
    x = torch.rand(333, 5, dtype=torch.float64)
    for reduce in ("sum", "max"):
        found = torch.segment_reduce(x, reduce, lengths=lengths, initial=0.0)
        for part, row in zip(x.split(lengths.tolist()), found, strict=True):
            expected = part.sum(0) if reduce == "sum" else part.amax(0) if len(part) else torch.zeros(5)
            torch.testing.assert_close(row, expected.to(row.dtype))


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize("initial", [None, 2.0])
@pytest.mark.parametrize(
    ("shape", "axis", "offsets"),
    [
        ((7,), 0, [0, 3, 3, 7]),
        ((7, 2), 0, [1, 1, 6]),
        ((2, 5, 3), 1, [[0, 2, 5, 5], [0, 1, 2, 5]]),
        ((2, 2, 4), 2, [[[1, 3], [0, 4]], [[2, 2], [3, 4]]]),
        ((0, 3), 0, [0, 0]),
        ((4,), 0, [0, 3, 1, 2]),
    ],
)
def test_segments_are_reduced_one_by_one(reduce, initial, shape, axis, offsets):
    x = torch.randn(shape).round()
    found = torch.segment_reduce(x, reduce, offsets=torch.tensor(offsets), axis=axis, initial=initial)
    lead, values, bounds = shape[:axis], x.cpu().numpy(), np.array(offsets)
    expected = np.empty((*lead, bounds.shape[-1] - 1, *shape[axis + 1 :]), np.float32)
    ufunc = {"max": np.maximum, "min": np.minimum, "prod": np.multiply}.get(reduce, np.add)
    empty = {"max": -np.inf, "min": np.inf, "prod": 1, "mean": np.nan}.get(reduce, 0)
    for *line, i in np.ndindex(*lead, bounds.shape[-1] - 1):
        start, stop = bounds[(*line, slice(i, i + 2))]
        part = values[tuple(line)][start:stop]
        total = ufunc.reduce(part, 0, initial=initial) if len(part) or initial is not None else empty
        expected[(*line, i)] = total / max(len(part), 1) if reduce == "mean" else total
    np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("lengths", [[2, 2], [4, -1], [2]])
def test_lengths_of_segments_have_to_add_up_to_the_size(lengths):
    with pytest.raises(RuntimeError, match="Expected all rows of lengths along axis"):
        torch.segment_reduce(torch.ones(3), "sum", lengths=torch.tensor(lengths))
    with pytest.raises(RuntimeError, match="indices based reduction is not supported"):
        torch.segment_reduce(torch.ones(3), "sum", indices=torch.tensor([0, 0, 1]), lengths=torch.tensor([3]))


@pytest.mark.parametrize("of", [{"lengths": torch.tensor(3)}, {"offsets": torch.tensor([[0, 3]])}])
def test_segments_lie_along_their_last_dimension(of):
    with pytest.raises(RuntimeError, match=f"Expected axis to be the last dimension of {next(iter(of))} but got 0"):
        torch.segment_reduce(torch.ones(3), "sum", **of)


@pytest.mark.parametrize("initial", [None, 1.0])
@pytest.mark.parametrize("reduce", ["max", "min"])
def test_the_nans_of_a_segment_share_the_gradient_of_its_extremum(reduce, initial):
    x = torch.tensor([[1.0, 1.0], [math.nan, 3.0], [3.0, math.nan], [4.0, math.nan]], requires_grad=True)
    torch.segment_reduce(x, reduce, lengths=torch.tensor([1, 3]), initial=initial).sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0], [1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]


def test_points_without_coordinates_have_a_histogram():
    found = torch.histogramdd(torch.ones(3, 0), bins=[])
    assert (found.hist.shape, found.hist.item(), found.bin_edges) == ((), 0.0, ())


def test_too_few_degrees_of_freedom_and_empty_ranges_give_pytorch_s_results():
    """An infinite covariance, the gradient of a variance by its formula, and a range too small for bins."""
    x = torch.tensor([[1.0, 2.0, 6.0], [6.0, 2.0, 1.0]], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.cov(x, correction=4)[0].tolist() == [math.inf, -math.inf]
        (grad,) = torch.autograd.grad(x.var(1, correction=4).sum(), x)
        assert grad[0].tolist() == [4.0, 2.0, -6.0]
        (grad,) = torch.autograd.grad(x.var(1, correction=3).sum(), x)
        assert grad[0].tolist() == [-math.inf, -math.inf, math.inf]
    assert torch.trapezoid(torch.ones(2, 0, dtype=torch.int32)).dtype == torch.int32
    assert torch.histogram(torch.tensor([1e9, 1e9]), 3).hist.tolist() == [0, 2, 0]


def test_quantiles_of_rows_with_nan_and_of_the_ends():
    x, q = torch.tensor([[4.0, 0.0, 8.0], [math.nan] * 3, [1.0, math.nan, 2.0]]), torch.tensor([0.0, 0.25, 1.0])
    assert torch.quantile(x, q, 1).nan_to_num(-1).T.tolist() == [[0, 2, 8], [-1] * 3, [-1] * 3]
    assert torch.nanquantile(x, q, 1).nan_to_num(-1).T.tolist() == [[0, 2, 8], [-1] * 3, [1, 1.25, 2]]
    assert torch.quantile(x[:1], q).tolist() == [0, 2, 8]
    level = torch.tensor(0.25, requires_grad=True)
    assert torch.autograd.grad(torch.quantile(x[0], level), level)[0].item() == 8  # from 0 to 4 in half of the way


def test_the_midpoint_of_a_quantile_takes_no_gradient_from_q():
    x, q = torch.tensor([1.0, 2.0, 4.0], requires_grad=True), torch.tensor(0.3, requires_grad=True)
    found = torch.quantile(x, q, interpolation="midpoint")
    assert [g if g is None else g.tolist() for g in torch.autograd.grad(found, (x, q), allow_unused=True)] == [
        [0.5, 0.5, 0.0],
        None,
    ]


def test_the_number_of_bins_may_be_a_numpy_scalar():
    assert torch.histogram(torch.tensor([1.0, 2.0]), np.int64(3)).hist.tolist() == [1, 0, 1]


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("n", [65, 130, 300, 777])
def test_products_of_many_rows_are_those_of_numpy(rng, dtype, n):
    x = (0.5 + rng.random((2, 150, n))).astype(dtype) * np.resize([1, -1], n).astype(dtype)
    x[0, :5, n // 2], x[1, 3, 7], x[1, 4, -1], x[1, 5, 0] = 0, np.inf, np.nan, -np.inf
    for view, axis in ((x, 2), (x.T, 0), (x[..., 1:], 2), (x.swapaxes(1, 2), 1)):
        for keepdim in (False, True):
            found = torch.from_numpy(view).prod(axis, keepdim=keepdim).numpy()
            with np.errstate(all="ignore"):
                expected = view.prod(axis, np.result_type(dtype, float), keepdims=keepdim)
            np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("part", [np.transpose, lambda x: x[:, 1:-1], lambda x: x[:, ::2]])
def test_the_product_of_all_elements_of_a_view_is_numpy_s(rng, part):
    x = part(rng.uniform(0.99, 1.01, (200, 300)).astype(np.float32))
    assert torch.from_numpy(x).prod().item() == pytest.approx(np.prod(x, dtype=float), rel=1e-5)


@pytest.mark.parametrize("scan", [torch.cumsum, torch.cumprod, torch.logcumsumexp, lambda x, dim: x.cummax(dim)[0]])
def test_a_scan_of_a_number_is_no_view(scan):
    y = scan(torch.tensor(2.0, requires_grad=True), 0)
    assert not y._is_view()
    y.detach_()
