"""Activation functions, with inputs away from their kinks."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
import microgad.nn.functional as F
from microgad.ops import activation as ops
from microgad.ops.activation.piecewise import HardtanhInPlace
from microgad.ops.elementwise import Sigmoid
from microgad.testing.strategies import numbers, shapes, tensors

from .registry import checks

nonzero = numbers(away_from=[0])


def example(draw, function, elements=None, *, inplace=True, **options):
    """The function with options, in place or not, and an input."""
    x = draw(tensors(shapes(min_side=0), elements=numbers() if elements is None else elements, requires_grad=True))
    if inplace and draw(st.booleans()):
        return (lambda x: function(x.clone(), inplace=True, **options)), x
    return functools.partial(function, **options), x


@checks(ops.PRelu)
def test_leaky_relu(draw):
    return example(draw, F.leaky_relu, nonzero, negative_slope=draw(st.sampled_from([0.01, 1.0, 2.0, 0.0, -0.5])))


@checks(ops.PRelu)
def test_prelu(draw):
    x = draw(tensors(shapes(min_side=0), elements=nonzero, requires_grad=True))
    channels = x.shape[1] if x.ndim > 1 and draw(st.booleans()) else 1
    weight = draw(tensors((channels,), requires_grad=True))
    return F.prelu, x, weight


@checks(ops.RRelu)
def test_rrelu(draw):
    return example(draw, F.rrelu, nonzero, training=True)


@checks(ops.Hardtanh)
def test_hardtanh(draw):
    low, high = draw(st.sampled_from([(-1.0, 1.0), (0.0, 2.0), (-2.0, -0.5)]))
    return example(draw, F.hardtanh, numbers(away_from=[low, high]), min_val=low, max_val=high)


@checks(HardtanhInPlace)
def test_hardtanh_in_place(draw):
    low, high = draw(st.sampled_from([(-1.0, 1.0), (0.0, 2.0), (-2.0, -0.5)]))
    return example(draw, HardtanhInPlace.apply, numbers(away_from=[low, high]), low=low, high=high)


@checks(ops.Hardtanh, ops.Hardsigmoid, ops.Hardswish)
def test_hard_sigmoid_swish_and_relu6(draw):
    kinks = {F.hardsigmoid: [-3, 3], F.hardswish: [-3, 3], F.relu6: [0, 6]}
    function = draw(st.sampled_from(list(kinks)))
    return example(draw, function, numbers(-8, 8, away_from=kinks[function]))


@checks(ops.Softshrink)
def test_softshrink(draw):
    lambd = draw(st.sampled_from([0.0, 0.5, 2.0]))
    return example(draw, F.softshrink, numbers(away_from=[-lambd, lambd]), inplace=False, lambd=lambd)


@checks(ops.Hardshrink)
def test_hardshrink(draw):
    lambd = draw(st.sampled_from([0.0, 0.5, 2.0]))
    return example(draw, F.hardshrink, numbers(away_from=[-lambd, lambd]), inplace=False, lambd=lambd)


@checks(ops.Threshold)
def test_threshold(draw):
    bound, value = draw(st.sampled_from([(0.0, 0.0), (0.5, 0.0), (-1.0, 2.0)]))
    return example(draw, F.threshold, numbers(away_from=[bound]), threshold=bound, value=value)


@checks(ops.Elu)
def test_elu(draw):
    return example(draw, F.elu, nonzero, alpha=draw(st.sampled_from([1.0, 0.5, 2.0])))


@checks(ops.Elu)
def test_celu_and_selu(draw):
    if draw(st.booleans()):
        return example(draw, F.selu, nonzero)
    return example(draw, F.celu, nonzero, alpha=draw(st.sampled_from([1.0, 0.5, 2.0])))


@checks(ops.Gelu, ops.GeluTanh)
def test_gelu(draw):
    return example(draw, F.gelu, inplace=False, approximate=draw(st.sampled_from(["none", "tanh"])))


@checks(ops.Glu)
def test_glu(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=0), requires_grad=True))
    dim = draw(st.integers(-x.ndim, x.ndim - 1))
    return lambda x: F.glu(torch.cat([x, x * 0.5 + 1], dim), dim), x


@checks(ops.Silu)
def test_silu(draw):
    return example(draw, F.silu)


@checks(ops.Mish)
def test_mish(draw):
    return example(draw, F.mish)


@checks(ops.Softplus)
def test_softplus(draw):
    beta, threshold = draw(st.sampled_from([(1.0, 20.0), (2.0, 1.0), (0.5, 0.25)]))
    return example(
        draw, F.softplus, numbers(away_from=[threshold / beta]), inplace=False, beta=beta, threshold=threshold
    )


@pytest.mark.parametrize("function", [F.silu, F.mish, F.gelu, functools.partial(F.gelu, approximate="tanh")])
def test_far_from_zero_derivatives_are_those_of_relu(function):
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([-1e4, -200.0, 200.0, 1e4], dtype=dtype, requires_grad=True)
        (g,) = torch.autograd.grad(function(x).sum(), x)
        assert g.tolist() == pytest.approx([0, 0, 1, 1], abs=1e-20)


@pytest.mark.parametrize("function", [F.silu, F.mish, F.gelu, functools.partial(F.gelu, approximate="tanh")])
def test_float32_gradients_agree_with_float64(function):
    values = np.linspace(-12, 12, 2001)
    gradients = []
    for dtype in (np.float32, np.float64):
        x = torch.tensor(values.astype(np.float32).astype(dtype), requires_grad=True)
        (g,) = torch.autograd.grad(function(x).sum(), x)
        gradients.append(g.numpy())
    np.testing.assert_allclose(*gradients, rtol=0, atol=6e-7)


def test_the_gradient_of_silu_stays_in_float16():
    x = torch.tensor([-90.0, -9.0, -5.0, 9.0], dtype=torch.float16, requires_grad=True)
    (g,) = torch.autograd.grad(F.silu(x).sum(), x)
    assert g.tolist() == pytest.approx([0, -0.000987, -0.02655, 1.001], rel=3e-3)


@given(tensors(shapes(min_dims=1), elements=nonzero))
def test_values_of_softshrink_hardshrink_and_threshold(x):
    y = x.array
    np.testing.assert_array_equal(F.softshrink(x).array, np.sign(y) * np.maximum(np.abs(y) - 0.5, 0))
    np.testing.assert_array_equal(F.hardshrink(x, 0.25).array, np.where(np.abs(y) > 0.25, y, 0))
    np.testing.assert_array_equal(F.threshold(x, 0.5, 7).array, np.where(y > 0.5, y, 7))


@pytest.mark.parametrize("shape", [(2, 0), (0, 0), (2, 0, 3)])
def test_prelu_of_no_channels(shape):
    assert F.prelu(torch.zeros(shape), torch.zeros(0)).shape == shape


@checks(Sigmoid)
def test_activations_that_pytorch_lacks(draw):
    """They are composed of other operations; some have a parameter for each channel."""
    x = draw(tensors(shapes(min_side=0), elements=numbers(-4, 4), requires_grad=True))
    function, count = draw(
        st.sampled_from(
            [(F.bent_identity, 0), (F.tanhexp, 0), (F.swish, 1), (F.acon_a, 1), (F.acon_b, 2), (F.acon_c, 3)]
        )
    )
    channels = x.shape[-1:] if draw(st.booleans()) else ()
    return function, x, *[draw(tensors(tuple(channels), requires_grad=True)) for _ in range(count)]
