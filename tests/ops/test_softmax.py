"""softmax, log_softmax, softmin and logsumexp: overflow, empty and infinite rows, fast kernels and errors."""

import math

import numpy as np
import pytest

import microgad as torch
from microgad.ops.softmax import log_softmax, logsumexp, softmax, softmin


@pytest.mark.parametrize("columns", [3, 50])  # short rows have another kernel
def test_large_numbers_do_not_overflow(columns):
    x = torch.zeros(2, columns)
    x[0, 1], x[1] = 1e4, -1e4
    assert softmax(x, 1).array[0].tolist() == [0, 1] + [0] * (columns - 2)
    np.testing.assert_allclose(softmax(x, 1).array[1], 1 / columns, 1e-6)
    np.testing.assert_allclose(log_softmax(x, 1).array[1], -math.log(columns), 1e-6)
    np.testing.assert_allclose(logsumexp(x, 1).array, [1e4, math.log(columns) - 1e4], 1e-6)


def test_small_probabilities_keep_their_logarithm():
    assert log_softmax(torch.tensor([0.0, -200.0]), 0).tolist() == [0, -200]


def test_logsumexp_of_minus_infinity():
    x = torch.tensor([[-torch.inf, -torch.inf], [-torch.inf, 1.0]], requires_grad=True)
    y = logsumexp(x, 1)
    assert y.tolist() == [-torch.inf, 1]
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 1]]


def test_empty_inputs():
    assert softmax(torch.zeros(3, 0), 1).shape == (3, 0)
    assert log_softmax(torch.zeros(0, 3), 1).shape == (0, 3)
    assert logsumexp(torch.zeros(2, 0), 1).tolist() == [-torch.inf] * 2


def test_tensors_without_dimensions():
    x = torch.tensor(3.0, requires_grad=True)
    assert softmax(x, 0).item() == 1
    assert log_softmax(x, -1).item() == 0


@pytest.mark.parametrize("beside", [800.0, 1e30, -800.0])
def test_the_gradient_of_logsumexp_beside_infinity_is_0(beside):
    x = torch.tensor([[beside, torch.inf], [beside, beside]], requires_grad=True)
    logsumexp(x, 1).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [[0, math.nan], [0.5, 0.5]])


def test_logsumexp_over_several_dims():
    x = torch.arange(24.0).reshape(2, 3, 4)
    expected = np.log(np.exp(x.array).sum((0, 2)))
    np.testing.assert_allclose(logsumexp(x, (0, 2)).array, expected, 1e-6)
    assert logsumexp(x, (0, -1), keepdim=True).shape == (1, 3, 1)
    assert logsumexp(torch.tensor([0, 0]), 0).item() == pytest.approx(math.log(2))


def test_softmin_is_softmax_of_the_negative():
    x = torch.tensor([[1.0, 2.0, 5.0]])
    np.testing.assert_array_equal(softmin(x, 1).array, softmax(-x, 1).array)


def test_dtype_is_converted_first():
    assert softmax(torch.tensor([1, 2]), 0, dtype=torch.float64).dtype == torch.float64
    assert log_softmax(torch.zeros(2, dtype=torch.float16), 0).dtype == torch.float16


@pytest.mark.parametrize(("shape", "dim"), [((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1), ((3,), 0)])
def test_without_dim_it_is_chosen_with_a_warning(shape, dim):
    x = torch.randn(shape)
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for softmax has been deprecated.*dim={dim} "):
        y = softmax(x)
    np.testing.assert_array_equal(y.array, softmax(x, dim).array)


@pytest.mark.parametrize("function", [softmax, log_softmax, softmin, logsumexp])
def test_a_dim_out_of_range_raises(function):
    with pytest.raises(IndexError, match=f"^{function.__name__}: Dimension out of range .*got 2"):
        function(torch.zeros(2, 3), 2)


def test_log_softmax_of_integers_raises():
    with pytest.raises(RuntimeError, match=r"log_softmax: input must be floating-point, got torch.int64"):
        log_softmax(torch.tensor([1, 2]), 0)


def test_only_the_result_is_kept_for_backward():
    x = torch.randn(2, 3, requires_grad=True)
    for y in (softmax(x, 1), log_softmax(x, 1)):
        assert [kept is y.array for kept in y.grad_fn.kept] == [True]


def batches_of_rows(rng, axis):
    """Batches that the fast kernel takes, and batches with one further row that it can't take."""
    usual = rng.standard_normal((40, 300)).astype(np.float32)
    yield np.moveaxis(usual, 1, axis)
    masked = np.where(rng.random(usual.shape) < 0.5, usual, -np.inf).astype(np.float32)
    yield np.moveaxis(masked, 1, axis)
    for line in (1e4, -1e4, 86, -20, np.nan, -np.inf, np.inf):
        yield np.moveaxis(np.concatenate([usual, np.full((1, 300), line, np.float32)]), 1, axis)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_batches_of_rows_equal_the_rows_one_by_one(rng, function, axis):
    for values in batches_of_rows(rng, axis):
        x = torch.tensor(values, requires_grad=True)
        grad = torch.tensor(rng.standard_normal(values.shape).astype(np.float32))
        with np.errstate(invalid="ignore"):
            y = function(x, axis)
            (found,) = torch.autograd.grad(y, x, grad)
            for i in range(values.shape[1 - axis]):
                line, own = (t.detach().select(1 - axis, i) for t in (x, grad))
                line.requires_grad_()
                expected = function(line, 0)
                np.testing.assert_allclose(y.select(1 - axis, i).array, expected.array, 1e-6, 1e-6)
                (gradient,) = torch.autograd.grad(expected, line, own)
                np.testing.assert_allclose(found.select(1 - axis, i).array, gradient.array, 1e-5, 1e-6)


@pytest.mark.parametrize("shape", [(3, 255), (3, 256), (2, 5, 300), (3, 4096), (3, 4097), (300, 300)])
def test_the_gradient_of_rows_is_the_formula_s(rng, shape):
    """Rows of medium length have another kernel, which gives the same bits, in the result's layout."""
    x = torch.tensor(rng.normal(size=shape).astype("f4"), requires_grad=True)
    y = softmax(x, -1)
    weight = torch.tensor(rng.normal(size=shape[-1]).astype("f4")).expand(shape)
    (grad,) = torch.autograd.grad(y, x, weight)
    g, out = weight.array.copy(), y.array
    np.testing.assert_array_equal(grad.array, (g - np.vecdot(g, out)[..., None]) * out)
    assert grad.is_contiguous()


def test_numpy_s_buffer_size_and_error_state_are_restored(rng):
    before = np.getbufsize(), np.geterr()
    x = torch.tensor(rng.standard_normal((40, 300)), requires_grad=True)
    softmax(x, 1)[:, 0].sum().backward()
    log_softmax(x, 1).sum().backward()
    torch.nn.functional.cross_entropy(x, torch.zeros(40).long()).backward()
    assert (np.getbufsize(), np.geterr()) == before


def test_softmax_computes_without_overflow(rng):
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        y = softmax(torch.tensor(1000 * rng.standard_normal((40, 300))), 1)
    assert (y >= 0).all()
    assert torch.allclose(y.sum(1), torch.ones_like(y[:, 0]))
