"""Reductions over many short rows: equal to NumPy's, at least as accurate, and several times as fast."""

import itertools

import numpy as np
import pytest

import microgad as torch
from microgad.fast_reductions import fast_reduce, fast_sum, sum_to
from microgad.nn import functional as F

from .times import assert_takes

# Shapes and the axes that are reduced: neighbors, axes of one element between them, first, last, several runs.
LAYOUTS = [
    ((60, 50, 3), (0, 1)), ((60, 50, 3), (1,)), ((60, 50, 3), (0, 2)), ((3000, 4), (0,)), ((40, 1, 70, 2), (0, 2)),
    ((5, 6, 1, 7, 8, 9), (1, 3, 5)), ((5, 6, 7, 8, 9), (0, 2, 3)), ((4, 20, 20, 3), (1, 2)), ((3000, 2, 1), (0,)),
    ((60, 1, 50), (1,)), ((30, 1000), (1,)), ((30, 1009), (1,)), ((10, 50, 60), (0, 1, 2)), ((9, 5000, 1), (1,)),
    ((12, 2053), (1,)), ((9, 8, 9, 40), (2, 3)), ((3, 8200), (1,)),
]  # fmt: skip


def in_c_order(x):
    return x


def transposed(x):
    return np.ascontiguousarray(x.T).T


def axes_swapped(x):
    return np.ascontiguousarray(np.moveaxis(x, 0, -1)).transpose(-1 % x.ndim, *range(x.ndim - 1))


def with_gaps(x):
    return np.repeat(x, 2, -1)[..., ::2]


def expanded(x):
    return np.broadcast_to(x[:1], x.shape)


def cropped(x):
    return np.pad(x, [(0, 1)] * x.ndim)[(slice(0, -1),) * x.ndim]


def cropped_and_reversed(x):
    return cropped(x)[::-1]


LIES = (in_c_order, transposed, axes_swapped, with_gaps, expanded, cropped, cropped_and_reversed)


@pytest.mark.parametrize("lies", LIES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_reductions_over_axes_are_numpys(rng, lies, dtype):
    names = ("sum", "all") if dtype == "bool" else ("amax", "amin", "sum", "all")
    for (shape, axes), name, keepdim in itertools.product(LAYOUTS, names, (False, True)):
        x = lies((5 * rng.standard_normal(shape)).astype(dtype))
        given = torch.tensor(x[:1]).expand(shape) if lies is expanded else torch.as_tensor(x)
        found = getattr(given, name)(axes, keepdim=keepdim)
        assert found.is_contiguous()
        if name == "sum":
            expected = np.sum(x, axes, float, keepdims=keepdim)
            rtol = 1e-5 if found.is_cpu else 1e-4  # the stand-in for CuPy adds row after row, as NumPy does
            np.testing.assert_allclose(found.array, expected, rtol=rtol, atol=1e-5 * x.size**0.5)
        else:
            np.testing.assert_array_equal(found.array, getattr(np, name)(x, axes, keepdims=keepdim))


@pytest.mark.parametrize("lies", LIES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("draw", ["standard_normal", "random"])
def test_gradients_of_broadcast_operands_are_as_accurate_as_numpys_sums(rng, lies, dtype, draw):
    for shape, axes in LAYOUTS:
        g = lies(getattr(rng, draw)(shape).astype(dtype))
        to = tuple(1 if a in axes else n for a, n in enumerate(shape))
        wide = g.astype(np.result_type(dtype, np.longdouble))
        exact = np.sum(wide, axes, keepdims=True)
        found, theirs = sum_to(g, to), g.sum(axes, keepdims=True)
        assert (found.shape, found.dtype) == (to, theirs.dtype)
        error, allowed = (np.sqrt(np.mean(np.abs(x - exact) ** 2)) for x in (found, theirs))
        size = np.maximum(np.abs(exact), 4 * np.sqrt(np.sum(np.abs(wide) ** 2, axes, keepdims=True)))
        assert error <= 2 * allowed + np.finfo(dtype).eps * size.max()  # where few results happen to be exact


def test_sum_to_drops_leading_axes_and_copies(rng):
    g = rng.standard_normal((7, 9, 40, 3))
    np.testing.assert_allclose(sum_to(g, (40, 1)), g.sum((0, 1, 3))[:, None], rtol=1e-12)
    one = rng.standard_normal((1, 5000))
    assert not np.shares_memory(sum_to(one, (5000,)), one)


@pytest.mark.host("it is NumPy that is slow")
@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (lambda x: sum_to(x, (3,)), lambda x: x.sum((0, 1))),
        (lambda x: sum_to(x, (200, 1, 3)), lambda x: x.sum(1)),
        (lambda x: sum_to(np.broadcast_to(x[:1], x.shape), (3,)), lambda x: x.sum((0, 1))),
        (lambda x: torch.tensor(x).amax((0, 1)), lambda x: x.max((0, 1))),
        (lambda x: torch.tensor(x).sum((0, 1)), lambda x: x.sum((0, 1))),
        (lambda x: torch.tensor(x).count_nonzero((0, 1)), lambda x: np.count_nonzero(x, (0, 1))),
        (lambda x: torch.linalg.vector_norm(torch.tensor(x), np.inf, (0, 1)), lambda x: abs(x).max((0, 1))),
        (lambda x: torch.linalg.vector_norm(torch.tensor(x), 0, (0, 1)), lambda x: np.count_nonzero(x, (0, 1))),
    ],
)
def test_short_rows_are_reduced_in_a_third_of_numpys_time(rng, ours, numpys):
    x = rng.standard_normal((200, 200, 3)).astype(np.float32)
    assert_takes(1 / 3, lambda: ours(x), lambda: numpys(x))


@pytest.mark.host("it is NumPy that is slow")
@pytest.mark.parametrize(("shape", "dtype"), [((2000, 16, 2), "float32"), ((2000, 16, 4), "uint8")])
def test_rows_of_8_or_4_bytes_are_moved_at_once(rng, shape, dtype):
    x = rng.integers(0, 9, shape).astype(dtype)
    np.testing.assert_array_equal(fast_reduce(np.maximum, x, 1, False), x.max(1))
    assert_takes(1 / 7, lambda: fast_reduce(np.maximum, x, 1, False), lambda: x.max(1))


@pytest.mark.host("it is NumPy that is slow")
@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum])
@pytest.mark.parametrize(
    ("view", "axis"),
    [
        (lambda x: np.lib.stride_tricks.sliding_window_view(x, 5, 0), 2),
        (lambda x: np.lib.stride_tricks.sliding_window_view(x, (3, 3)), (2, 3)),
        (lambda x: x[:, :3], 1),
        (lambda x: x[:, :3].T, 0),
        (lambda x: x[:, ::-2], 1),
        (lambda x: x.reshape(4, 50, 100, 8).transpose(0, 3, 1, 2), 1),  # channels last in memory
        (lambda x: np.broadcast_to(x[:, :1, None], (20_000, 1, 50)), 0),
    ],
)
def test_views_with_short_axes_are_reduced_in_half_of_numpys_time(rng, ufunc, view, axis):
    x = view(rng.standard_normal((20_000, 8)).astype(np.float32))
    ours = (lambda: fast_sum(x, axis, False)) if ufunc is np.add else lambda: fast_reduce(ufunc, x, axis, False)
    assert_takes(1 / 2, ours, lambda: ufunc.reduce(x, axis))


@pytest.mark.host("CuPy and its stand-in take NumPy's time")
@pytest.mark.parametrize(
    ("view", "axis"),
    [
        (lambda x: x[:, :40], 1),
        (lambda x: x[:, :40], 0),
        (lambda x: x[:, :40], (0, 1)),
        (lambda x: x[:, :40].T, 0),
        (lambda x: x.reshape(4, 5000, 20)[..., :16], 1),
        (lambda x: x.reshape(4, 100, 50, 20)[..., 2:-2], (0, 2, 3)),
        (lambda x: x.reshape(40, 10_000)[:, :9216], 1),
        (lambda x: x.reshape(50, 8000)[:, :6000], 1),
        (lambda x: x.reshape(-1, 10)[:1000], 1),
        (lambda x: x > 0, (0, 1)),
        (lambda x: x > 0, 1),
        (lambda x: (x > 0).T, 1),
    ],
)
def test_sums_of_slices_and_masks_are_faster_than_numpys(rng, view, axis):
    x = view(rng.standard_normal((5000, 80)).astype(np.float32))
    np.testing.assert_allclose(fast_sum(x, axis, False), x.sum(axis, "d"), rtol=0, atol=2e-3)
    assert_takes(1 / 1.4, lambda: fast_sum(x, axis, False), lambda: x.sum(axis))


@pytest.mark.host("it is NumPy that repeats the elements")
@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.logical_or])
@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "complex64"])
@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_kept_and_reduced_axes_may_be_expanded(ufunc, dtype, axis):
    column = np.resize([1, 0, 1, 0, 0, 1], (300, 1, 4)).astype(dtype)
    if column.dtype.kind in "fc" and ufunc is np.add:
        column[7, 0, 2] = np.inf  # the imaginary part must not become NaN
    for part in (column, column[:, :, :1]):
        x = np.broadcast_to(part, (300, 20, 4))
        found = fast_reduce(ufunc, x, axis, False)
        assert found.flags.writeable
        np.testing.assert_array_equal(found, ufunc.reduce(x, axis), strict=True)


@pytest.mark.host("CuPy's sums are other ones, and its stand-in adds row after row")
@pytest.mark.parametrize(
    ("x", "axis"),
    [
        (np.full((30_000, 5), 0.1, "f")[:, :3].T, 1),
        (np.full((2, 224, 224, 4), 0.1, "f")[..., :3].transpose(0, 3, 1, 2), (2, 3)),  # images without their alpha
        (np.full((2, 300, 50, 9), 0.1, "f").transpose(3, 0, 2, 1), (1, 2, 3)),
    ],
)
def test_many_rows_of_transposed_arrays_are_added_without_loss_of_digits(x, axis):
    np.testing.assert_allclose(torch.from_numpy(x).sum(axis).array, x.sum(axis, "d"), rtol=2e-6)


@pytest.mark.parametrize("lies", [in_c_order, with_gaps])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("shape", [(20_000, 5), (2_001, 70)])
def test_infinity_and_nan_stay_in_their_columns(rng, shape, dtype, lies):
    x = rng.standard_normal(shape).astype(dtype)
    x[shape[0] // 2, 1:4] = np.inf, np.nan, -np.inf
    x[-1, 4] = complex(1, np.inf) if dtype == "complex64" else np.inf
    found, expected = torch.from_numpy(lies(x)).sum(0).array, x.sum(0, np.result_type(dtype, float))
    np.testing.assert_allclose(found.real, expected.real, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.imag, expected.imag, rtol=1e-4, atol=1e-3)


@pytest.mark.host("CuPy and its stand-in take NumPy's time")
def test_rows_that_fill_no_block_are_added_fast():
    x = np.ones((4, 200_000, 2), np.float32)
    assert_takes(1 / 3, lambda: torch.from_numpy(x).sum(1), lambda: x.sum(1))


@pytest.mark.host("CuPy and its stand-in take NumPy's time")
def test_products_of_rows_are_faster_than_numpys(rng):
    x = rng.random((300, 300)).astype(np.complex64)
    given = torch.from_numpy(x)
    assert_takes(1 / 2, lambda: given.T.prod(0), lambda: x.T.prod(0))


@pytest.mark.host("CuPy and its stand-in take NumPy's time")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_without_equal_parts_are_summed_in_numpys_time(rng, dtype):
    x = rng.standard_normal((1000, 2053)).astype(dtype)
    np.testing.assert_allclose(fast_sum(x, 1, False), x.sum(1, float), rtol=0, atol=1e-4)
    assert_takes(1.8, lambda: fast_sum(x, 1, False), lambda: x.sum(1))


def gradient_of(f):
    """Return a function of x, whose result is w's gradient if x is the gradient of f(x, w)."""
    return lambda x: torch.autograd.grad(f(x, w := torch.zeros(x.shape[1:], requires_grad=True)), w, x)[0]


@pytest.mark.host("CuPy's sums are other ones, and its stand-in adds row after row")
@pytest.mark.parametrize("lies", [in_c_order, axes_swapped, with_gaps])
@pytest.mark.parametrize("shape", [(20_000, 3), (9_999, 70), (600, 5_000), (3, 5_000, 20)])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_many_equal_rows_are_added_without_loss_of_digits(lies, shape, dtype):
    x = lies(np.full(shape, 0.1, dtype))
    axis = tuple(range(len(shape) - 1))
    given, exact = torch.from_numpy(x), x.sum(axis, np.result_type(dtype, float))
    for found in (given.sum(axis).array, given.mean(axis).array * (x.size / shape[-1]), sum_to(x, shape[-1:])):
        np.testing.assert_allclose(found, exact, rtol=2e-6)


@pytest.mark.host("CuPy's sums are other ones, and its stand-in adds row after row")
@pytest.mark.parametrize(
    "sum_of_rows",
    [
        gradient_of(lambda x, w: x + w),
        gradient_of(lambda x, w: w.expand(x.shape)),
        gradient_of(lambda x, w: w[None].repeat(len(x), 1)),
        gradient_of(lambda x, w: torch.lerp(x, w.expand_as(x), 1.0)),
        gradient_of(lambda x, w: F.linear(x, torch.eye(x.shape[1]), w)),
        gradient_of(lambda x, w: F.rms_norm(torch.ones_like(x), w.shape, w)),
        gradient_of(lambda x, w: F.instance_norm(torch.randn(x.shape[::-1])[None], None, None, None, w)[0].T),
        lambda x: torch.nansum(x, 0),
        lambda x: torch.norm(x, 1, 0),
        lambda x: torch.norm(x, 3, 0) ** 3 * 100,
        lambda x: 0.1 / torch.softmax(x, 0)[0],
        lambda x: torch.einsum("ij->j", x),
    ],
)
def test_other_sums_of_many_equal_rows(sum_of_rows):
    x = torch.full((20_000, 10), 0.1)
    np.testing.assert_allclose(sum_of_rows(x).array, 2_000, rtol=3e-6)


@pytest.mark.host("CuPy's sums are other ones, and its stand-in adds row after row")
def test_the_sum_along_an_expanded_axis_is_a_product():
    x = torch.full((1, 100), 0.1).expand(10**6, 100)
    np.testing.assert_allclose(x.sum(0).array, 1e5, rtol=1e-7)
    np.testing.assert_allclose(sum_to(x.array, (1, 1)), 1e7, rtol=1e-6)
