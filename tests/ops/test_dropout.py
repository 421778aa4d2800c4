"""Dropout: when it draws, its noise and gradient, in-place dropout, dtypes and errors."""

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.dropout import Dropout, dropout


def rng_state():
    return torch.get_rng_state().array.tobytes()


@pytest.mark.parametrize("options", [{"training": False}, {"p": 0}, {"p": 0.0, "inplace": True}])
def test_dropout_that_drops_nothing_returns_its_input_and_draws_nothing(options):
    x, before = torch.ones(3, requires_grad=True), rng_state()
    assert dropout(x, **options) is x
    assert rng_state() == before


def test_an_empty_input_draws_nothing():
    before = rng_state()
    x = torch.zeros(0, 3)
    assert dropout(x) is x
    assert rng_state() == before


def test_p_1_gives_zeros_without_drawing():
    x, before = torch.ones(2, 3, requires_grad=True), rng_state()
    y = dropout(x, 1.0)
    y.sum().backward()
    assert not y.array.any()
    assert not x.grad.array.any()
    assert rng_state() == before


def test_dropout_of_all_of_an_expanded_input_is_contiguous():
    assert dropout(torch.ones(3).expand(2, 3), 1.0).stride() == (3, 1)


def test_the_gradient_is_the_noise():
    torch.manual_seed(1)
    x = torch.randn(50, 40, requires_grad=True)
    y = dropout(x, 0.25)
    y.backward(torch.ones_like(y))
    assert set(np.unique(x.grad.array).tolist()) == {0, np.float32(1 / 0.75)}
    np.testing.assert_array_equal(y.array, x.array * x.grad.array)
    assert (x.grad.array == 0).mean().item() == pytest.approx(0.25, abs=0.03)


def test_dropout_is_one_node_that_keeps_its_noise():
    x = torch.ones(4, requires_grad=True)
    y = dropout(x)
    assert type(y.grad_fn) is Dropout
    np.testing.assert_array_equal(Dropout.apply(x.array, noise=y.grad_fn.noise), y.array)


def test_the_same_seed_gives_the_same_noise():
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append(dropout(torch.ones(100), 0.3).array)
    np.testing.assert_array_equal(*draws)
    assert (dropout(torch.ones(100), 0.3).array != draws[0]).any()


def test_in_place_dropout_gives_the_same_values_and_gradients():
    x = torch.ones(8, requires_grad=True)
    y = x * 1
    torch.manual_seed(2)
    assert dropout(y, inplace=True) is y
    torch.manual_seed(2)
    np.testing.assert_array_equal(y.array, dropout(torch.ones(8)).array)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.array, y.array)


def test_in_place_dropout_of_a_leaf_raises_and_draws_nothing():
    x, before = torch.ones(3, requires_grad=True), rng_state()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        dropout(x, inplace=True)
    assert rng_state() == before
    assert x.tolist() == [1, 1, 1]


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_a_p_outside_of_0_to_1_raises_and_draws_nothing(p):
    before = rng_state()
    with pytest.raises(ValueError, match=f"dropout probability has to be between 0 and 1, but got {p}"):
        dropout(torch.ones(2), p)
    assert rng_state() == before


def test_integer_input_raises_and_draws_nothing():
    before = rng_state()
    with pytest.raises(RuntimeError, match=r"dropout: input must be floating-point, but is torch.int64"):
        dropout(torch.ones(2, dtype=torch.int64))
    assert rng_state() == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_result_and_gradient_have_the_dtype_of_the_input(dtype):
    x = torch.ones(64, dtype=dtype, requires_grad=True)
    y = dropout(x, 0.3)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize("x", [torch.ones(()), torch.ones(3), torch.ones(2, dtype=torch.complex64)])
@pytest.mark.filterwarnings("ignore:dropout")
def test_dropout_of_everything_takes_all_inputs(x):
    F = torch.nn.functional
    for drop in (dropout, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout):
        given = x.clone().requires_grad_()
        out = drop(given, 1.0, training=True)
        assert (out.dtype, out.shape, out.count_nonzero()) == (x.dtype, x.shape, 0)
        out.sum().abs().backward()
        assert given.grad.count_nonzero() == 0


@pytest.mark.parametrize(
    ("drop", "shape", "channels"),
    [
        (F.dropout1d, (30, 5), (30, 1)),
        (F.dropout1d, (2, 30, 5), (2, 30, 1)),
        (F.dropout2d, (2, 30, 3, 5), (2, 30, 1, 1)),
        (F.dropout3d, (30, 4, 3, 5), (30, 1, 1, 1)),
        (F.dropout3d, (2, 30, 4, 3, 5), (2, 30, 1, 1, 1)),
        (F.feature_alpha_dropout, (2, 30, 5), (2, 30, 1)),
    ],
)
def test_whole_channels_are_dropped_with_and_without_a_batch(drop, shape, channels):
    x = torch.ones(shape)
    out = drop(x, 0.5, training=True)
    first = out[tuple(slice(n) for n in channels)]
    assert torch.equal(out, first.expand(shape))
    assert len(first.unique()) == 2
    torch.manual_seed(1)
    expected = drop(x, 0.5, training=True)
    torch.manual_seed(1)
    assert drop(x, 0.5, training=True, inplace=True) is x
    assert torch.allclose(x, expected)


def test_dropout1d_takes_no_planes():
    with pytest.raises(RuntimeError, match="Expected 2D or 3D input, but received a 4D input"):
        F.dropout1d(torch.ones(1, 2, 3, 4))
