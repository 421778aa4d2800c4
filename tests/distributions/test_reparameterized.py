"""Gradients of reparameterized draws compared with integrals to eight digits, subclasses, and checks."""

import numpy as np
import pytest

import microgad as torch
from microgad.distributions import Beta, Dirichlet, Gamma, Normal, Uniform
from microgad.distributions.reparameterized import _beta_slope, _gamma_slope, gamma_cdf

from ..digits import digits
from ..memory import with_peak


@pytest.mark.parametrize(("name", "slope"), [("gamma", _gamma_slope), ("beta", _beta_slope)])
def test_the_derivative_of_draws_equals_an_integral(name, slope):
    exact = digits(f"slope of {name}")
    np.testing.assert_allclose(slope(*exact.at), exact.nearest, rtol=1e-8)


def test_the_cdf_of_gamma_has_a_derivative_by_the_concentration():
    a = torch.tensor([0.3, 2.0, 30.0], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([0.5, 1.0, 40.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gamma_cdf, (a, x))
    assert Gamma(a, 1.0).cdf(x).requires_grad


@pytest.mark.parametrize("draw", [lambda a: Gamma(a, 1.0), lambda a: Beta(a, 1.0), lambda a: Dirichlet(a)])
def test_second_derivatives_of_draws_raise(draw):
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    (first,) = torch.autograd.grad(draw(a).rsample().square().sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.grad(first.sum(), a)


def test_the_mean_of_gamma_draws_has_the_right_derivative():
    torch.manual_seed(0)
    a = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    draws = Gamma(a, 2.0).rsample((4000,))
    (slope,) = torch.autograd.grad(draws.mean(), a)
    assert abs(slope - 0.5) < 0.02
    assert abs(draws.mean() - 1.5) < 0.05


def test_expand_to_an_empty_batch_shape():
    assert Normal(0.0, 1.0).expand(()).loc.shape == ()


def test_subclasses_inherit_missing_methods():
    class Unknown(torch.distributions.Distribution):
        arg_constraints = {}

    for name in ("mean", "variance", "stddev", "mode"):
        with pytest.raises(NotImplementedError):
            getattr(Unknown(), name)
    for name in ("log_prob", "cdf", "icdf"):
        with pytest.raises(NotImplementedError):
            getattr(Unknown(), name)(torch.zeros(1))
    with pytest.raises(NotImplementedError):
        Unknown().sample()


def test_argument_checks_can_be_disabled():
    assert Normal(0.0, -1.0, validate_args=False).scale == -1
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        Uniform(1.0, 0.0)
    finally:
        torch.distributions.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="satisfy the constraint"):
        Uniform(torch.tensor(1.0), torch.tensor(0.0), validate_args=None)


@pytest.mark.host("tracemalloc measures memory of the CPU")
def test_gradients_of_many_draws_are_computed_in_blocks():
    """For each draw there are 48 quadrature points, in several arrays."""
    a = torch.full((20_000,), 2.0, requires_grad=True)
    total = Gamma(a, 1.0).rsample().sum()
    _, peak = with_peak(total.backward)
    assert peak < 12e6
    assert a.grad.isfinite().all()
    (none,) = torch.autograd.grad(Gamma(a[:0], 1.0).rsample().sum(), a)
    assert not none.any()
