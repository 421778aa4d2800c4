"""Densities, divergences and draws compared with integrals, where PyTorch approximates, fails or is wrong."""

import numpy as np
import pytest

import microgad as torch
from microgad.distributions import (
    ContinuousBernoulli,
    Exponential,
    ExponentialFamily,
    GeneralizedPareto,
    LKJCholesky,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Uniform,
    VonMises,
    Wishart,
    kl_divergence,
)

from ..digits import digits

ROOT = torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=torch.float64)


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def integral(function, low, high):
    """The integral of each column of function(x), where x is (N, 1)."""
    x = torch.linspace(low, high, 20_001, dtype=torch.float64)
    return torch.trapezoid(function(x[:, None]), x, dim=0)


def assert_close(a, b, rtol):
    np.testing.assert_allclose(a.detach().cpu().numpy(), b.detach().cpu().numpy(), rtol)


def test_von_mises_has_precise_densities_variances_and_draws():
    density, variance = digits("density of von Mises"), digits("variance of von Mises")
    d = VonMises(f64(0.5), torch.tensor(*density.at))
    np.testing.assert_allclose(d.log_prob(f64(1.5)).tolist(), density.nearest, rtol=1e-13)
    np.testing.assert_allclose(d.variance.tolist(), variance.nearest, rtol=0, atol=1e-15)
    torch.manual_seed(0)
    draws = VonMises(f64(3.0), f64(1.5)).sample((20_000,))
    assert draws.abs().max() <= np.pi
    assert abs((draws - 3.0).cos().mean() - (1 - VonMises(f64(0.0), f64(1.5)).variance)) < 0.02


def test_cdf_of_generalized_pareto_is_the_integral_of_its_density():
    """Uniform, bounded, exponential, nearly so, and heavy-tailed, in float64, for which PyTorch's log_prob fails."""
    d = GeneralizedPareto(f64(0.5), f64(2.0), f64(-1.0, -0.4, 0.0, 1e-12, 0.7, 3.0))
    for end in (0.6, 1.0, 2.2):
        assert_close(d.cdf(f64(end)), integral(lambda x: d.log_prob(x).exp(), 0.5, end), 1e-6)
        assert_close(d.icdf(d.cdf(f64(end))), f64(end).expand(6), 1e-12)
        assert_close(d.log_survival_function(f64(end)).exp(), 1 - d.cdf(f64(end)), 1e-12)
    for outside in (0.4, 2.6):
        with pytest.raises(ValueError, match="within the support"):
            d.log_prob(f64(outside))


def test_divergences_of_continuous_bernoulli_and_uniform_equal_integrals():
    ours, uniform = ContinuousBernoulli(f64(0.01, 0.4999, 0.7)), Uniform(f64(0.0), f64(1.0))
    for p, q in ((ours, uniform), (uniform, ours), (ours, ContinuousBernoulli(f64(0.3)))):
        exact = integral(lambda x, p=p, q=q: (p.log_prob(x) - q.log_prob(x)) * p.log_prob(x).exp(), 0, 1 - 1e-12)
        assert_close(kl_divergence(p, q), exact, 1e-6)
    assert kl_divergence(ours, Uniform(f64(0.0), f64(0.9))).isinf().all()


def test_probs_outside_of_0_to_1_raise_if_arguments_are_validated():
    assert ContinuousBernoulli(torch.tensor(1.5)).probs < 1
    with pytest.raises(ValueError, match=r"probs must lie in \[0, 1\]"):
        ContinuousBernoulli(torch.tensor(1.5), validate_args=True)


def test_lkj_cholesky_has_a_normalized_density_and_draws_correlations():
    """For two variables the density along the circle is that of L₁₀ times L₁₁."""
    d = LKJCholesky(2, f64(0.7, 1.0, 4.0))
    angles = torch.linspace(-1.5707, 1.5707, 20_001, dtype=torch.float64)
    factors = torch.zeros(20_001, 1, 2, 2, dtype=torch.float64)
    factors[:, 0, 0, 0], factors[:, 0, 1, 0], factors[:, 0, 1, 1] = 1.0, angles.sin(), angles.cos()
    total = torch.trapezoid(d.log_prob(factors).exp() * angles.cos()[:, None], angles, dim=0)
    assert_close(total, torch.ones_like(total), 5e-3)
    torch.manual_seed(0)
    draws = LKJCholesky(4, 2.0).sample((50,))
    assert_close((draws @ draws.mT).diagonal(dim1=-2, dim2=-1), torch.ones(50, 4), 1e-6)
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        LKJCholesky(1)


@pytest.mark.filterwarnings("ignore:Singular sample detected")
def test_wishart_has_the_right_moments_entropy_and_divergence():
    """PyTorch adds up the divergences of a batch, and has no gradient for the first argument."""
    df = f64(2.5, 4.0)
    p, q = Wishart(df, scale_tril=ROOT), Wishart(3.0, covariance_matrix=torch.eye(2, dtype=torch.float64))
    each = [kl_divergence(Wishart(x, scale_tril=ROOT), q) for x in df]
    assert_close(kl_divergence(p, q), torch.stack(each), 1e-13)
    torch.manual_seed(0)
    draws = p.sample((20_000,))
    assert_close(draws.mean(0), p.mean, 0.06)
    assert_close(draws.var(0), p.variance, 0.15)
    assert_close(-p.log_prob(draws).mean(0), p.entropy(), 0.02)
    assert_close((p.log_prob(draws) - q.log_prob(draws)).mean(0), kl_divergence(p, q), 0.02)
    scale = (df.clone().requires_grad_(), ROOT.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda df, root: kl_divergence(Wishart(df, scale_tril=root.tril()), q), scale)


@pytest.mark.filterwarnings("ignore:Singular sample detected")
def test_draws_of_wisharts_have_gradients():
    def drawn(root):
        torch.manual_seed(0)
        return Wishart(f64(3.0), scale_tril=root.tril()).rsample((2,))

    assert torch.autograd.gradcheck(drawn, (ROOT.clone().requires_grad_(),))
    df = f64(2.5).requires_grad_()
    (slope,) = torch.autograd.grad(Wishart(df, scale_tril=ROOT).rsample((4000,)).mean(0).sum(), df)
    assert abs(slope / (ROOT @ ROOT.T).sum() - 1) < 0.05


def test_wishart_warns_about_singular_draws_and_raises_for_a_low_df():
    identity = torch.eye(3)
    with pytest.warns(UserWarning, match="Singular samples are highly likely"):
        low = Wishart(2.01, identity)
    with pytest.warns(UserWarning, match="Singular sample detected"):  # wrongly, as in PyTorch
        assert (torch.linalg.eigvalsh(low.sample((200,))) > 0).all()
    with pytest.raises(ValueError, match="greater than ndim - 1"):
        Wishart(2.0, identity)
    for matrices in ({}, {"covariance_matrix": identity, "scale_tril": identity}):
        with pytest.raises(AssertionError, match="exactly one of"):
            Wishart(4.0, **matrices)


def test_a_low_rank_normal_equals_the_normal_of_its_covariance():
    factor = torch.tensor([[1.0], [-0.5], [2.0]], dtype=torch.float64)
    low = LowRankMultivariateNormal(f64(0.1, 0.2, 0.3), factor, f64(1.0, 0.5, 2.0))
    same = MultivariateNormal(low.loc, low.covariance_matrix)
    other = MultivariateNormal(f64(0.0, 1.0, 0.0), 2 * torch.eye(3, dtype=torch.float64))
    x = f64(1.0, -1.0, 0.5)
    pairs = [(low.log_prob(x), same.log_prob(x)), (low.entropy(), same.entropy()), (low.variance, same.variance)]
    pairs += [(low.scale_tril, same.scale_tril), (low.precision_matrix, same.precision_matrix)]
    pairs += [(kl_divergence(low, other), kl_divergence(same, other))]
    pairs += [(kl_divergence(other, low), kl_divergence(other, same))]
    for a, b in pairs:
        assert_close(a, b, 1e-12)
    assert abs(kl_divergence(low, low)) < 1e-14
    with pytest.raises(ValueError, match="Incompatible batch shapes"):
        LowRankMultivariateNormal(torch.zeros(2, 3), torch.zeros(5, 3, 1), torch.ones(3))


class OwnExponential(ExponentialFamily):
    arg_constraints, _mean_carrier_measure = {}, 0

    def __init__(self, rate):
        self.rate = rate
        super().__init__(rate.shape)

    @property
    def _natural_params(self):
        return (-self.rate,)

    def _log_normalizer(self, x):
        return -(-x).log()


def test_entropy_and_divergence_of_an_exponential_family_have_gradients():
    """PyTorch's have none for the first argument of a divergence and for the parameter of an entropy."""
    a, b = f64(0.5, 2.0).requires_grad_(), f64(1.5, 3.0).requires_grad_()
    entropies = OwnExponential(a).entropy(), Exponential(a).entropy()
    divergences = kl_divergence(OwnExponential(a), OwnExponential(b)), kl_divergence(Exponential(a), Exponential(b))
    for (family, exact), parameters in ((entropies, (a,)), (divergences, (a, b))):
        assert_close(family, exact, 1e-13)
        found = (torch.autograd.grad(x.sum(), parameters) for x in (family, exact))
        for x, y in zip(*found, strict=True):
            assert_close(x, y, 1e-13)
    with pytest.raises(NotImplementedError, match="of a OwnExponential to a Poisson"):
        kl_divergence(OwnExponential(a), torch.distributions.Poisson(b))


def test_a_subclass_of_multivariate_normal_may_compute_its_factor_late() -> None:
    """GPyTorch computes the factor when it is first used."""

    class Late(torch.distributions.MultivariateNormal):
        def __init__(self, loc: torch.Tensor, covariance: torch.Tensor) -> None:
            self.loc, self._covariance = loc, covariance
            torch.distributions.Distribution.__init__(self, loc.shape[:-1], loc.shape[-1:], validate_args=False)

        @property
        def _unbroadcasted_scale_tril(self) -> torch.Tensor:
            return torch.linalg.cholesky(self._covariance)

    loc, covariance = torch.tensor([1.0, 2.0]), torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    late, plain = Late(loc, covariance), torch.distributions.MultivariateNormal(loc, covariance)
    assert late.log_prob(loc * 2).item() == plain.log_prob(loc * 2).item()
    assert torch.distributions.kl_divergence(late, plain).item() == pytest.approx(0, abs=1e-6)
