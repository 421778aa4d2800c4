"""Elementwise functions of one input."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st

import microgad as torch
from microgad.ops import elementwise as ops
from microgad.testing.strategies import numbers, tensors

from .registry import checks, checks_of_one_input

real, positive, nonzero = numbers(), numbers(0.25, 3), numbers(away_from=[0])
inside, unit, large = numbers(-0.875, 0.875), numbers(0.125, 0.875), numbers(1.125, 3)
between = st.integers(-6, 6).map(lambda n: n / 2 + 0.13)  # away from the jumps of rounding, also to one decimal
T = torch.Tensor
# The elements to draw, and the functions that call it; those whose name ends in _ write to a copy.
FUNCTIONS = {
    ops.Exp: (real, torch.exp, np.exp, T.exp_),
    ops.Exp2: (real, torch.exp2, np.exp2, T.exp2_),
    ops.Expm1: (real, torch.expm1, np.expm1, T.expm1_),
    ops.Log: (positive, torch.log, np.log, T.log_),
    ops.Log2: (positive, torch.log2, np.log2, T.log2_),
    ops.Log10: (positive, torch.log10, np.log10, T.log10_),
    ops.Log1p: (numbers(-0.75, 3), torch.log1p, np.log1p, T.log1p_),
    ops.Sqrt: (positive, torch.sqrt, np.sqrt, T.sqrt_),
    ops.Cbrt: (nonzero, np.cbrt),
    ops.Rsqrt: (positive, torch.rsqrt, T.rsqrt_),
    ops.Reciprocal: (nonzero, torch.reciprocal, np.reciprocal, T.reciprocal_),
    ops.Sin: (real, torch.sin, np.sin, T.sin_),
    ops.Cos: (real, torch.cos, np.cos, T.cos_),
    ops.Tan: (numbers(-1.25, 1.25), torch.tan, np.tan, T.tan_),
    ops.Asin: (inside, torch.asin, np.arcsin, T.arcsin_),
    ops.Acos: (inside, torch.acos, np.arccos, T.arccos_),
    ops.Atan: (real, torch.atan, np.arctan, T.arctan_),
    ops.Sinc: (real, torch.sinc, np.sinc, T.sinc_),
    ops.Sinh: (real, torch.sinh, np.sinh, T.sinh_),
    ops.Cosh: (real, torch.cosh, np.cosh, T.cosh_),
    ops.Tanh: (real, torch.tanh, np.tanh, T.tanh_),
    ops.Asinh: (real, torch.asinh, np.arcsinh, T.arcsinh_),
    ops.Acosh: (large, torch.acosh, np.arccosh, T.arccosh_),
    ops.Atanh: (inside, torch.atanh, np.arctanh, T.arctanh_),
    ops.Sigmoid: (real, torch.sigmoid, T.sigmoid_),
    ops.Logit: (unit, torch.logit, T.logit_, lambda x: torch.logit(x, 0.2)),
    ops.Relu: (nonzero, torch.relu, T.relu_),
    ops.Ceil: (between, torch.ceil, np.ceil, T.ceil_),
    ops.Floor: (between, torch.floor, np.floor, T.floor_),
    ops.Trunc: (between, torch.trunc, np.fix, T.fix_),
    ops.Round: (between, torch.round, np.rint, lambda x: torch.round(x, decimals=1), T.round_),
    ops.Frac: (between, torch.frac, T.frac_),
}


@pytest.mark.parametrize("test", checks_of_one_input(FUNCTIONS), ids=lambda test: test.__name__)
def test_derivatives(test):
    test()


@checks(ops.Frexp)
def test_frexp(draw):
    function = draw(st.sampled_from([torch.frexp, np.frexp]))
    elements = st.integers(-6, 6).map(lambda n: n / 2 + 0.3)  # no powers of two, where it jumps
    return lambda x: function(x)[0], draw(tensors(elements=elements, requires_grad=True))


def test_the_derivative_of_relu_at_zero():
    x = torch.tensor([0.0, -0.0], requires_grad=True)
    (g,) = torch.autograd.grad(torch.relu(x).sum(), x, create_graph=True)
    assert g.tolist() == [0, 0]


def test_derivatives_of_sinc_at_zero_and_where_its_series_ends():
    x = torch.tensor([0.0, 0.2 - 1e-9, 0.2 + 1e-9], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.sinc(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert (first[0].item(), first[1].item()) == (0, pytest.approx(first[2].item(), abs=1e-8))
    assert second[0].item() == pytest.approx(-(math.pi**2) / 3)
    assert second[1].item() == pytest.approx(second[2].item(), abs=1e-7)


def test_the_derivative_of_logit_outside_of_its_domain():
    x = torch.tensor([-0.5, 0.1, 0.5, 2.0], requires_grad=True)
    (with_eps,) = torch.autograd.grad(torch.logit(x, 0.2).sum(), x)
    assert with_eps.tolist() == [0, 0, 4, 0]
    with np.errstate(invalid="ignore"):
        (without_eps,) = torch.autograd.grad(torch.logit(x).sum(), x)
    assert np.isnan(without_eps.numpy()).tolist() == [True, False, False, True]
