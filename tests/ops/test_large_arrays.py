"""Large arrays, which have faster kernels, compared with small pieces, which have plain ones, or with NumPy."""

import math

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.support import fast_exp
from microgad.ops.support.blocks import FORMULA_BLOCK as BLOCK
from microgad.ops.support.blocks import ROOM, by_blocks

from ..memory import with_peak
from ..times import assert_takes

PIECE = 4_000
SPECIAL = np.array([0, -0.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf, np.nan, 1, -1, 2], np.float32)
EXACT = {
    "nextafter": torch.nextafter, "fmod": torch.fmod, "remainder": torch.remainder, "floor_divide": torch.floor_divide,
    "where": lambda x, y: torch.where(x > y, x, y), "where of a number": lambda x, y: torch.where(x > y, x, 2.0),
    "fmod of a number": lambda x, y: torch.fmod(x, 0.1), "remainder of a number": lambda x, y: x % 0.1,
    "floor_divide by a number": lambda x, y: x // 0.1,
    "remainder of float64": lambda x, y: torch.remainder(x.double() / 3, y.double() / 7),
    "remainder of multiples": lambda x, y: (x * y).round().double() * 0.1 % 0.1,
    "floor_divide of float64": lambda x, y: x.double() / 3 // (y.double() / 7),
    "floor_divide of multiples": lambda x, y: (x * y).round().double() * 0.1 // 0.1,
    "lerp": lambda x, y: torch.lerp(x, 2 * y, x - y), "threshold": lambda x, y: F.threshold(x, 0.5, 2.0),
    "hardshrink": lambda x, y: F.hardshrink(x), "softshrink": lambda x, y: F.softshrink(x),
    "masked_fill": lambda x, y: x.masked_fill(x > y, 2.0),
    "masked_fill_": lambda x, y: x.clone().masked_fill_(x > y, 2),
    "few of masked_fill_": lambda x, y: x.clone().masked_fill_(x > y + 2, 2),
    "masked_fill of integers": lambda x, y: (x > y).long().masked_fill(x > 0, y.new_tensor(7).long()),
    "masked_fill's gradient": lambda x, y: gradient(torch.masked_fill, x, x.detach() > 0, 2),
    "masked_select": lambda x, y: x[x > y],
    "selu's gradient": lambda x, y: gradient(F.selu, x),
    "clamp from below": lambda x, y: torch.clamp(x, min=0), "clamp from above": lambda x, y: x.clamp(max=-0.0),
    "clamp to NaN": lambda x, y: x.clamp(max=float("nan")), "relu": lambda x, y: torch.relu(x),
    "prelu": lambda x, y: F.prelu(x, torch.tensor([0.3])), "steep prelu": lambda x, y: F.prelu(x, torch.tensor([5.0])),
    "flat leaky_relu": lambda x, y: F.leaky_relu(x, 0),
    "nan_to_num": lambda x, y: torch.nan_to_num(x), "clamp's gradient": lambda x, y: gradient(torch.clamp, x, -1, 1),
}  # fmt: skip
# Operations with rounding errors, and the magnitude to which these are relative beside the result.
CLOSE = {
    "logaddexp": (torch.logaddexp, np.fmax), "logaddexp2": (torch.logaddexp2, np.fmax),
    "logit's gradient": (lambda x, y: gradient(torch.logit, x), lambda x, y: np.zeros_like(x)),
}  # fmt: skip


def gradient(f, x, *args):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(f(x, *args).sum(), x)[0]


def in_pieces(f, *arrays):
    """f of small pieces of the arrays, joined."""
    parts = range(0, len(arrays[0]), PIECE)
    return np.concatenate([f(*[torch.tensor(a[i : i + PIECE]) for a in arrays]).array for i in parts])


@pytest.mark.parametrize("name", [*EXACT, *CLOSE])
@pytest.mark.parametrize("kind", ["usual", "whole", "large quotients", "far apart", "special"])
def test_operations_of_large_arrays_equal_those_of_pieces(rng, name, kind):
    x, y = rng.standard_normal((2, 3 * PIECE)).astype(np.float32)
    if kind == "whole":
        x, y = np.rint(9 * x), np.rint(y) + 0.5
    elif kind == "large quotients":
        x, y = 8e6 * x, np.full_like(y, -3)
    elif kind == "far apart":
        x *= 1e20
    elif kind == "special":
        x, y = (a.reshape(-1) for a in np.meshgrid(np.resize(SPECIAL, 120), np.resize(SPECIAL, 100)))
    f, size = (EXACT[name], None) if name in EXACT else CLOSE[name]
    with np.errstate(all="ignore"):
        found, expected = f(torch.tensor(x), torch.tensor(y)).array, in_pieces(f, x, y)
    assert found.dtype == expected.dtype
    if size:
        error = 2e-7 * size(np.abs(x), np.abs(y))
        assert np.isclose(found, expected, 1e-6, np.where(np.isfinite(error), error, 0), equal_nan=True).all()
    else:
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("slope", [5.0, 0.0, -0.1])
def test_leaky_relu_of_many_numbers(rng, slope):
    x = rng.normal(size=2 * BLOCK).astype(np.float32)
    expected = np.where(x > 0, x, x * np.float32(slope))
    np.testing.assert_array_equal(F.leaky_relu(torch.tensor(x), slope).cpu().array, expected)


@pytest.mark.host("it is NumPy that is slow")
@pytest.mark.parametrize("f", [torch.logaddexp, torch.logaddexp2, torch.remainder, torch.floor_divide])
@pytest.mark.parametrize("shapes", [((200, 1), (1, 200)), ((), (200, 200)), ((200, 200), (200, 1))])
def test_it_is_the_result_that_is_large(rng, f, shapes):
    """Broadcast operands take the fast kernels, too."""
    x, y = (torch.tensor(rng.standard_normal(shape), dtype=torch.float32) for shape in shapes)
    wide = [a.expand(200, 200).contiguous() for a in (x, y)]
    np.testing.assert_array_equal(f(x, y).array, f(*wide).array)
    assert_takes(2, lambda: f(x, y), lambda: f(*wide))


def test_clamp_between_tensors_is_clip():
    x, low, high = (a.reshape(-1) for a in np.meshgrid(SPECIAL, SPECIAL, SPECIAL))
    found, expected = torch.clamp(*map(torch.tensor, (x, low, high))).array, x.clip(low, high)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize(
    "f", [torch.sigmoid, F.silu, F.elu, F.selu, F.gelu, lambda x: F.gelu(x, "tanh"), F.hardswish, F.mish, F.softplus]
)
def test_activations_in_blocks_equal_those_of_pieces(rng, f):
    def weighted(x):  # the gradient of a sum is expanded, which isn't cut into blocks
        return torch.autograd.grad(f(x.requires_grad_()), x, x.detach() * 2)[0]

    x = (4 * rng.standard_normal(BLOCK + 1_000)).astype(np.float32)
    for operation in (f, lambda x: gradient(f, x), weighted):
        expected = in_pieces(operation, x)
        np.testing.assert_allclose(operation(torch.tensor(x)).array, expected, rtol=3e-7)
        columns = operation(torch.tensor(x.reshape(8, -1)).t()).array
        np.testing.assert_allclose(columns, expected.reshape(8, -1).T, rtol=3e-7)


def test_transposed_arrays_are_cut_into_blocks_as_they_lie_in_memory():
    def negate(out, x):
        shapes.append(x.shape)
        np.negative(x, out=out)

    x, shapes = np.arange(2.0 * BLOCK).reshape(2, BLOCK).T, []
    np.testing.assert_array_equal(by_blocks(negate, x), -x)
    assert shapes == [(BLOCK,), (BLOCK,)]


@pytest.mark.host("tracemalloc sees the host's memory")
@pytest.mark.parametrize(
    ("f", "most"),
    [
        (lambda x, index: F.silu(x), 2.6), (lambda x, index: F.mish(x), 3.6), (lambda x, index: F.softplus(x), 2.6),
        (lambda x, index: 2 * F.glu(x), 2.6), (lambda x, index: x.gather(1, index), 4.5),  # it keeps a copy of index
        (lambda x, index: F.interpolate(x.view(16, 64, 32, 32), scale_factor=2, mode="bilinear"), 8),
        (lambda x, index: x.view(-1).cumsum(0), 3.2), (lambda x, index: x.masked_fill(x.detach() > 0, 2), 2.8),
        (lambda x, index: F.grid_sample(
            x[:512].view(8, 4, 128, 128), x.data[:256].view(8, 128, 128, 2) / 25, align_corners=False), 3.4),
        (lambda x, index: F.scaled_dot_product_attention(*[x[:20].view(1, 1, 2560, 8)] * 3, is_causal=True), 3),
    ],
    ids=["silu", "mish", "softplus", "glu", "gather", "bilinear", "cumsum", "masked_fill", "grid_sample",
         "causal attention"],
)  # fmt: skip
def test_little_memory_is_needed_beside_the_result_and_the_gradient(f, most):
    x = torch.linspace(-5, 25, 1 << 20).reshape(1 << 10, 1 << 10).requires_grad_()
    index = torch.zeros(1 << 10, 1 << 10, dtype=torch.int64)
    ones = torch.ones_like(f(x, index))
    _, peak = with_peak(lambda: f(x, index).backward(ones))
    assert peak < most * x.numel() * x.itemsize


@pytest.mark.host("tracemalloc sees the host's memory")
def test_the_gradient_of_a_strided_convolution_is_made_once():
    x = torch.zeros(4, 64, 64, 64, requires_grad=True)
    out = F.conv2d(x, torch.ones(64, 64, 1, 1), stride=2)
    ones = torch.ones_like(out)
    _, peak = with_peak(lambda: torch.autograd.grad(out, x, ones))
    assert peak < 1.5 * x.numel() * x.itemsize


@pytest.mark.host("tracemalloc sees the host's memory")
def test_a_large_weight_in_channels_last_is_not_copied():
    x = torch.ones(4, 256, 2, 2).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.ones(256, 256, 3, 3).contiguous(memory_format=torch.channels_last).requires_grad_()
    out, peak = with_peak(lambda: F.conv2d(x, weight, padding=1))
    assert peak < 0.2 * weight.numel() * weight.itemsize
    _, peak = with_peak(lambda: torch.autograd.grad(out.sum(), weight))
    assert peak < 1.2 * weight.numel() * weight.itemsize


INDEXED = {
    "gather": lambda x, i, v: x.gather(1, i), "take_along_dim": lambda x, i, v: torch.take_along_dim(x, i, 1),
    "take": lambda x, i, v: x.take(i), "index_select": lambda x, i, v: x.index_select(0, i[:9, 0]),
    "columns": lambda x, i, v: x.index_select(1, i[:9, 0]),
    "scatter_add_": lambda x, i, v: x.scatter_add_(1, i, v),
    "index_add_": lambda x, i, v: x.index_add_(0, i[:9, 0], v.expand(-1, 9).mT),
    "rows of planes": lambda x, i, v: x.unflatten(1, (5, 100))[..., :-1].index_add_(0, i[:2, 0], v[:495].view(1, 5, 99)
        .expand(2, -1, -1)),
    "put_": lambda x, i, v: x.put_(i, v, accumulate=True),
    "index_put_": lambda x, i, v: x.index_put_((i, i), v, accumulate=True),
}  # fmt: skip


@pytest.mark.host("tracemalloc sees the host's memory")
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", INDEXED)
def test_a_few_elements_of_a_view_are_read_and_written_without_a_copy_of_it(rng, name, turned):
    base = torch.tensor(rng.standard_normal((501, 501), np.float32))
    view = base[:-1, :-1].mT if turned else base[:-1, :-1]
    index, values = (
        torch.tensor(rng.integers(0, 500, (500, 1))),
        torch.tensor(rng.standard_normal((500, 1), np.float32)),
    )
    expected = INDEXED[name](view.clone(memory_format=torch.contiguous_format), index, values)
    found, peak = with_peak(lambda: INDEXED[name](view, index, values))
    assert found.array.tobytes() == expected.array.tobytes()
    assert peak < 0.3 * view.numel() * view.itemsize


@pytest.mark.host("tracemalloc sees the host's memory")
@pytest.mark.parametrize(
    "f",
    [
        lambda x, i: x[i, 0], lambda x, i: x[i, :4], lambda x, i: x[None, i, 3:5],
        lambda x, i: x.view(500, 100, 5)[i, 3:6, i % 5],
    ],
)  # fmt: skip
def test_the_backward_of_a_few_elements_makes_no_index_of_all(f):
    x, index = torch.ones(500, 500, requires_grad=True), torch.arange(500) % 7
    y = f(x, index).sum()
    _, peak = with_peak(y.backward)
    assert x.grad.sum() == f(x.detach(), index).numel()
    assert peak < 2.3 * x.numel() * x.itemsize


@pytest.mark.parametrize("shape", [(300, 300), (2, 70_000), (40, 50, 60)])
def test_gather_in_blocks_equals_numpy(rng, shape):
    values = rng.standard_normal(shape)
    index = rng.integers(0, shape[1], (shape[0] - 1, *shape[1:]))
    expected, grad = np.zeros_like(values), rng.standard_normal(index.shape)
    x = torch.tensor(values, requires_grad=True)
    y = x.gather(1, torch.tensor(index))
    y.backward(torch.tensor(grad))
    np.add.at(expected, tuple(index if i == 1 else at for i, at in enumerate(np.indices(index.shape))), grad)
    np.testing.assert_array_equal(y.detach().numpy(force=True), np.take_along_axis(values[:-1], index, 1))
    np.testing.assert_allclose(x.grad.numpy(force=True), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("f", [F.elu, F.selu, F.celu, F.silu, F.gelu, lambda x: F.gelu(x, "tanh")])
def test_fast_derivatives_equal_those_of_the_decomposition(rng, f):
    x = torch.tensor([*(4 * rng.standard_normal(500)), -80.0, -20.0, 20.0, 80.0], requires_grad=True)
    (fast,) = torch.autograd.grad(f(x).sum(), x)
    (expected,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    np.testing.assert_allclose(fast.array, expected.detach().array, rtol=1e-5, atol=3e-7)


GATED = [F.silu, F.gelu, lambda x: F.gelu(x, "tanh")]


@pytest.fixture(params=[(np.exp, 1.0), (np.exp2, 1 / math.log(2))], ids=["e", "2"])
def base(monkeypatch, request):
    """Each of the two bases of fast_exp, of which a processor uses one."""
    power, rate = request.param
    monkeypatch.setattr(fast_exp, "power", power)
    monkeypatch.setattr(fast_exp, "RATE", rate)


@pytest.mark.parametrize("f", GATED)
def test_silu_and_gelu_keep_their_digits(base, f):
    x = torch.linspace(-20, 20, 10_001)
    for operation in (f, lambda x: gradient(f, x)):
        exact = operation(x.double()).array
        np.testing.assert_allclose(operation(x).array, exact, rtol=1.2e-7, atol=2e-7)


@pytest.mark.parametrize("f", GATED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_of_silu_and_gelu_far_from_0(base, f, dtype):
    x = torch.tensor([-1e10, -1000.0, -100.0, 100.0, 1000.0, 1e10, math.inf, -math.inf, math.nan], dtype=dtype)
    with np.errstate(all="raise", invalid="ignore"):
        np.testing.assert_allclose(gradient(f, x).array, [0, 0, 0, 1, 1, 1, math.nan, math.nan, math.nan], atol=1e-40)


def test_gelu_of_huge_numbers_has_the_derivative_1_or_0(base):
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([-3e38, 3e38], dtype=dtype)
        np.testing.assert_array_equal(gradient(F.gelu, x).array, [0, 1])


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("order", ["C", "F", "neither"])
def test_sums_over_any_dims_and_layouts(rng, order, keepdim):
    x = rng.normal(size=(5, 7, 9, 1100)).astype(np.float32)
    x = x[:, ::2] if order == "neither" else np.asarray(x, order=order)
    for dim in (None, 0, 1, -1, (3, 2), (0, 2, 3), (0, 1), (1, 3), (0, 1, 2, 3), (0, 3)):
        found = torch.tensor(x).sum(dim, keepdim).array
        assert found.flags.c_contiguous
        np.testing.assert_allclose(found, x.astype(np.float64).sum(dim, keepdims=keepdim), 1e-5, 1e-3)
        assert found.shape == np.sum(x, dim, keepdims=keepdim).shape


def test_norms_of_transposed_matrices(rng):
    x = rng.normal(size=(300, 400))
    for p in (1, 2):
        for dim in (None, 0, 1):
            found = torch.linalg.vector_norm(torch.tensor(x.T), p, dim).array
            np.testing.assert_allclose(found, (abs(x.T) ** p).sum(dim) ** (1 / p), 1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool", "complex64"])
@pytest.mark.parametrize("shape", [(70_001, 2), (700, 3, 11), (2_000, 17), (10, 3_000, 32), (5, 4_000, 2, 1)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions_along_short_dims_equal_numpy(rng, shape, dtype, keepdim):
    """Every sum and product of these numbers is exact in any order."""
    x = (2.0 ** rng.integers(-1, 2, shape) if dtype[0] in "fc" else rng.integers(0, 2, shape)).astype(dtype)
    if dtype[0] == "f":
        x[3] = np.nan
    settings = {"dim": -1 if len(shape) < 4 else 2, "keepdim": keepdim}
    plain = {"axis": settings["dim"], "keepdims": keepdim}
    ours = torch.tensor(x)
    for name in ("sum", "prod", "any", "all") + ("amax", "amin") * (dtype[0] != "c"):
        found, expected = getattr(ours, name)(**settings).array, getattr(np, name)(x, **plain)
        kind = np.int64 if expected.dtype.kind in "iu" and name in ("sum", "prod") else expected.dtype
        assert found.dtype == kind or (dtype, name) in [("uint8", "any"), ("uint8", "all")]
        np.testing.assert_array_equal(found, expected)
    if dtype[0] != "c":
        np.testing.assert_array_equal(ours.cumsum(settings["dim"]).array, np.cumsum(x, plain["axis"]))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool", "complex64"])
@pytest.mark.parametrize("shape", [(20_011, 2), (7, 4_000, 5), (40, 101, 4), (900, 64, 1), (3_000, 33), (2_001, 36)])
def test_reductions_of_short_rows_equal_numpy(rng, shape, dtype):
    """Several short rows are reduced at once. Every sum and product of these numbers is exact in any order."""
    x = rng.integers(0, 100, shape).astype(dtype)
    signs = np.where(rng.random(shape) < 0.5, 1, -1).astype(dtype)
    if dtype[0] == "f":
        x[3] = np.nan
    dim = 1 if shape[0] < 10_000 else 0
    for name in ("sum", "prod", "any", "all") + ("amax", "amin") * (dtype[0] != "c"):
        given = signs if name == "prod" else x
        found, expected = getattr(torch.tensor(given), name)(dim).array, getattr(np, name)(given, dim)
        np.testing.assert_array_equal(found, expected.view("i8") if expected.dtype == "u8" else expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int64", "uint8", "bool"])
@pytest.mark.parametrize(
    ("shape", "dim"),
    [((600, 200), 1), ((4_000, 3), 1), ((300, 5, 2), 1), ((3, 65, 200), 1), ((1_000, 8), 0), ((9, 7), 0)],
)
def test_cumulative_results_along_many_rows_equal_numpy_s_in_the_wider_dtype(rng, shape, dim, dtype):
    x = rng.uniform(-2, 2, shape).astype(dtype) if dtype[0] in "fc" else rng.integers(0, 9, shape).astype(dtype)
    wider = {"float32": "float64", "complex64": "complex128"}.get(dtype, dtype if dtype[0] == "f" else "int64")
    result_dtype = dtype if dtype[0] in "fc" else "int64"
    for name, ufunc in (("cumsum", np.add), ("cumprod", np.multiply)):
        found = getattr(torch.tensor(x), name)(dim)
        expected = ufunc.accumulate(x.astype(wider), dim).astype(result_dtype)
        np.testing.assert_array_equal(found.array, expected, strict=True)
        if dtype[0] == "f":
            x[..., 0, 1] = np.inf
    if dtype[0] != "c":
        np.testing.assert_array_equal(torch.tensor(x).cummax(dim).values.array, np.maximum.accumulate(x, dim))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_clamps_of_integers_with_one_bound_equal_numpy(rng, dtype):
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max, (60, 100), dtype, endpoint=True)
    for bound in (limits.min, 3, limits.max):
        np.testing.assert_array_equal(torch.tensor(x).clamp(min=bound).array, np.maximum(bound, x), strict=True)
        np.testing.assert_array_equal(torch.tensor(x).clamp(max=bound).array, np.minimum(bound, x), strict=True)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool"])
@pytest.mark.parametrize("bounds", [(-5, 20), (-128, 127), (-(2**62), 2**62)])
def test_unique_of_integers_equals_numpy(rng, dtype, bounds):
    x = rng.integers(*bounds, (30, 50)).astype(dtype)
    found = torch.unique(torch.tensor(x), return_inverse=True, return_counts=True)
    for ours, theirs in zip(found, np.unique(x, return_inverse=True, return_counts=True), strict=True):
        np.testing.assert_array_equal(ours.array, theirs, strict=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.complex64])
def test_linspace_in_chunks_equals_linspace_at_once(monkeypatch, dtype):
    results = [torch.linspace(-3, 10, 70_001, dtype=dtype).array]
    monkeypatch.setattr("microgad.ops.creation.ranges.CHUNK", 1 << 20)
    results.append(torch.linspace(-3, 10, 70_001, dtype=dtype).array)
    np.testing.assert_array_equal(*results, strict=True)
    if dtype != torch.int64:
        np.testing.assert_allclose(results[0], np.linspace(-3, 10, 70_001), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("room", [1 << 19, 700 * 4, 100 * 4], ids=["one block", "two images", "some points"])
def test_grid_sample_computes_the_same_in_blocks_and_whether_cells_are_kept_or_not(mode, room, monkeypatch):
    def results():
        x, at = (torch.randn(shape, generator=source, requires_grad=True) for shape in ((3, 2, 5, 4), (3, 6, 7, 2)))
        out = F.grid_sample(x, at, mode, align_corners=False)
        return [out, *torch.autograd.grad(out.square().sum(), (x, at))]

    source = torch.Generator().manual_seed(2024)
    expected = results()
    monkeypatch.setitem(ROOM, "cpu", room)
    for kept in (1 << 18, 0):
        monkeypatch.setattr("microgad.ops.window.grid.KEPT_CELLS", kept)
        source.manual_seed(2024)
        assert all(map(torch.equal, results(), expected))


COLUMNS = {
    "columns with gaps": lambda x: (x[:, :2], x[:, 2:]), "a column": lambda x: (x[:, 1:3], x[:, :1]),
    "a row": lambda x: (x[:, 1:], x[0, 1:]), "a row of all": lambda x: (x, x[3]),
    "a column of all": lambda x: (x, x[:, :1]),
    "a column of 40": lambda x: (x.view(-1, 40), x.view(-1, 40)[:, 3:4].clone()),
    "matrices and a matrix": lambda x: (x.view(-1, 2, 2), x[:1].view(1, 2, 2)),
    "matrices and a column": lambda x: (x.view(-1, 2, 2), x[0].view(2, 2)[:, :1]),
    "a number": lambda x: (x[:, 1:], 0.3),
    "dense and gaps": lambda x: (x[:, :2].clone(), x[:, 2:]),
    "an axis of one element": lambda x: (x[:, None, :2], x[:, None, 2:]),
    "an expanded column": lambda x: (x[:, :1].expand(-1, 2), x[:, 2:]), "transposed": lambda x: (x.T[:2], x.T[2:]),
    "reversed roles": lambda x: (x[:, :1].expand(-1, 3).clone(), x[:, 1:].T.clone().T),
    "long rows with gaps": lambda x: (x.view(100, -1)[:, :700], x.view(100, -1)[:, 5:705]),
    "long rows and a column": lambda x: (x.view(100, -1), x.view(100, -1)[:, :1]),
    "rows with all others": lambda x: (x[:, None], x[:7]),
    "rows with all others of their matrix": lambda x: (x.view(8, -1, 1, 4), x[:40].view(8, 1, 5, 4)),
    "reversed rows with all others": lambda x: (x[:40].view(8, 1, 5, 4), x.view(8, -1, 1, 4)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
@pytest.mark.parametrize("name", COLUMNS)
def test_arithmetic_of_few_columns_and_of_long_rows_is_numpy_s(rng, name, dtype):
    a, b = COLUMNS[name](torch.from_numpy((rng.standard_normal((20_000, 4)) * 9).astype(dtype)))
    if dtype is np.int64 and name == "a number":
        b = 3
    ufuncs = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "lt": np.less, "eq": np.equal}
    if dtype is np.float32 and name != "a number":
        ufuncs |= {"div": np.true_divide, "maximum": np.maximum}
    with np.errstate(all="ignore"):
        for op, ufunc in ufuncs.items():
            result, expected = getattr(torch, op)(a, b), ufunc(a.array, getattr(b, "array", b))
            assert result.array.tobytes() == expected.tobytes(), op
            assert result.dtype == expected.dtype


@pytest.mark.host("it is NumPy that is slow")
def test_short_rows_go_with_all_others_in_long_loops(rng):
    points, centers = (torch.from_numpy(rng.standard_normal((n, 8)).astype(np.float32)) for n in (10_000, 16))
    assert_takes(0.7, lambda: points[:, None] - centers, lambda: points.array[:, None] - centers.array)


@pytest.mark.parametrize("features", [1, 3, 40])
def test_the_bias_of_many_rows_is_added_once(rng, features):
    x, weight, bias = (torch.from_numpy(rng.standard_normal(n)) for n in ((100_000, 2), (features, 2), (features,)))
    expected = torch.nn.functional.linear(x, weight) + bias.expand(len(x), -1)
    assert torch.equal(torch.nn.functional.linear(x, weight, bias), expected)


@pytest.mark.parametrize("columns", [3, 16, 40])
@pytest.mark.parametrize("name", ["softmax", "layer_norm"])
def test_many_short_rows_are_normalized_as_few_are(rng, name, columns):
    x, grad = (torch.from_numpy(rng.standard_normal((12_000, columns)).astype(np.float32)) for _ in range(2))

    def values(rows):
        given = x[:rows].clone().requires_grad_()
        out = getattr(torch.nn.functional, name)(given, *((1,) if name == "softmax" else ((columns,),)))
        return out[:9], *(g[:9] for g in torch.autograd.grad(out, given, grad[:rows]))

    for many, few in zip(values(len(x)), values(9), strict=True):
        torch.testing.assert_close(many, few, rtol=1e-5, atol=1e-6)


@pytest.mark.host("tracemalloc sees the host's memory")
@pytest.mark.parametrize("lies", [lambda x: x, lambda x: x.T])
def test_a_cube_needs_no_second_array(lies):
    x = lies(torch.rand(300, 400))
    cube, peak = with_peak(lambda: x**3)
    assert peak < 1.1 * x.numel() * x.itemsize
    assert torch.equal(cube, x * x * x)


@pytest.mark.parametrize("bound", [0.5, -0.0, 0.0, math.nan, math.inf])
def test_bounds_of_no_dimensions_are_numbers(rng, bound):
    x = torch.tensor(np.concatenate([SPECIAL, rng.standard_normal(6000).astype(np.float32)]))
    low, high = torch.tensor(bound), torch.tensor(1.0)
    for op, bounds in ((torch.clamp, [low, high]), (torch.maximum, [low]), (torch.minimum, [low])):
        numbers, arrays = op(x, *bounds), op(x, *[bound[None] for bound in bounds])
        np.testing.assert_array_equal(numbers.cpu().numpy(), arrays.cpu().numpy())


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor", "logical_not"])
def test_logical_operations_of_floats_equal_numpy(name):
    x, y = (np.tile(a.reshape(-1), 20) for a in np.meshgrid(SPECIAL, SPECIAL))
    arrays = (x,) if name == "logical_not" else (x, y)
    result = getattr(torch, name)(*map(torch.tensor, arrays))
    np.testing.assert_array_equal(result.cpu().numpy(), getattr(np, name)(*arrays), strict=True)


@pytest.mark.parametrize("part", [(..., slice(1, -1)), (..., slice(None, None, 2)), (slice(None), slice(1))], ids=str)
def test_writes_to_views_with_gaps_equal_those_to_copies(rng, part):
    x, buffer = torch.tensor(rng.uniform(0.1, 2, (300, 700)).astype(np.float32)), np.getbufsize()
    for write in (
        torch.Tensor.exp_, torch.Tensor.log_, torch.Tensor.relu_, lambda v: v.add_(x[part]), lambda v: v.mul_(0.1),
        lambda v: v.div_(x[part]), lambda v: v.sub_(x[part], alpha=0.3), lambda v: v.mul_(x[part][0]),
    ):  # fmt: skip
        view, copy = x.clone()[part], x[part].clone()
        assert torch.equal(write(view), write(copy))
    assert torch.equal(x[part] / x[part][0], x[part].clone() / x[part][0].clone())
    assert np.getbufsize() == buffer


def test_the_product_of_an_expanded_number_copies_nothing():
    torch.ones(2).prod()  # loads it
    assert with_peak(torch.ones(1).expand(1000, 1000).prod)[1] < 1e5
