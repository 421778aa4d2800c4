"""At the edges: of a support, of what a float can hold, of a batch."""

import numpy as np
import pytest

import microgad as torch
from microgad import distributions as d


def by(function, *values):
    """The gradients of a sum."""
    values = [torch.tensor(x, requires_grad=True) for x in values]
    return torch.autograd.grad(function(*values).sum(), values)


def close(a, b, rtol=1e-6):
    np.testing.assert_allclose(a.detach().cpu().numpy(), b, rtol)


def test_a_divergence_of_odds_keeps_its_digits():
    """1 - probs of logits of 15 has two."""
    q = torch.tensor([15.0, -15.0])
    divergence = d.kl_divergence(d.Bernoulli(logits=torch.zeros(2)), d.Bernoulli(logits=q))
    close(divergence, 7.5 + np.log1p(np.exp(-15.0)) - np.log(2.0))


def test_a_divergence_of_what_is_certain_has_gradients():
    by_p, by_q = by(
        lambda p, q: d.kl_divergence(d.Bernoulli(p), d.Bernoulli(q)),
        [0.0, 1.0, 0.0, 1.0, 0.5],
        [0.3, 0.3, 0.0, 1.0, 0.5],
    )
    close(by_q, [1 / 0.7, -1 / 0.3, 0, 0, 0])
    assert by_p.isfinite().all()


@pytest.mark.parametrize("logits", [-40.0, -15.0, 0.0, 10.4, 40.0])
def test_nothing_diverges_from_itself(logits):
    p = d.ContinuousBernoulli(logits=torch.tensor(logits))
    assert abs(d.kl_divergence(p, p)) < 5e-6


def test_a_cdf_at_its_ends_is_the_same_for_all_concentrations():
    (slope,) = by(lambda a: d.Gamma(a, 1.0).cdf(torch.tensor([[0.0], [float("inf")]])), [0.5, 1.0, 2.0])
    assert slope.tolist() == [0, 0, 0]


def test_an_impossible_value_spoils_no_gradient_but_its_own():
    (slope,) = by(lambda a: d.Gamma(a, 1.0).log_prob(torch.tensor([0.0, 1.0]))[1:], 2.0)
    assert slope == -torch.tensor(2.0).digamma()


@pytest.mark.parametrize("p", [d.Gamma(2.0, 1.0), d.Chi2(3.0), d.StudentT(3.0), d.NegativeBinomial(4, 0.5)])
def test_one_draw_has_no_dimensions(p):
    assert p.sample().shape == ()


@pytest.mark.parametrize(
    "made",
    [
        lambda x: d.ContinuousBernoulli(logits=x),
        lambda x: d.RelaxedBernoulli(torch.tensor(0.5), logits=x),
        lambda x: d.LKJCholesky(3, x),
    ],
)
def test_draws_of_whole_numbers_are_those_of_the_floats(made):
    draws = []
    for x in (torch.tensor([1, 2]), torch.tensor([1.0, 2.0])):
        torch.manual_seed(0)
        draws.append(made(x).sample((2,)))
    assert torch.equal(*draws)


def test_a_half_cauchy_scores_in_its_own_dtype():
    p = d.HalfCauchy(1.0)
    assert p.log_prob(torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float32
    assert d.HalfCauchy(1.0, validate_args=False).log_prob(1) == p.log_prob(torch.tensor(1.0))


def test_one_mixture_of_a_batch_draws_for_each_of_it():
    torch.manual_seed(0)
    components = d.Normal(torch.tensor([-100.0, 100.0]).expand(50, 2), 1.0)
    above = d.MixtureSameFamily(d.Categorical(torch.ones(2)), components).sample((50,)) > 0
    for dim in (0, 1):
        assert (above.any(dim) & ~above.all(dim)).all()


def test_correlations_may_be_off_by_as_much_as_is_said():
    factor = torch.eye(3) * (1 + 25 * torch.finfo(torch.float32).eps)
    assert d.constraints.corr_cholesky.check(factor)


def test_an_interval_may_end_where_a_tensor_says():
    ends = torch.tensor([1.0, 2.0])
    for registry in (d.biject_to, d.transform_to):
        assert registry(d.constraints.interval(0, ends))(torch.zeros(2)).tolist() == [0.5, 1.0]


def test_a_transformed_cdf_is_checked_as_its_distribution_says():
    base = d.Normal(0.0, 1.0, validate_args=False)
    with pytest.raises(ValueError, match="within the support"):
        d.TransformedDistribution(base, d.ExpTransform()).cdf(torch.tensor(-1.0))
    unchecked = d.TransformedDistribution(base, d.ExpTransform(), validate_args=False)
    assert unchecked.cdf(torch.tensor(-1.0)).isnan()


@pytest.mark.parametrize("name", ["covariance_matrix", "precision_matrix"])
def test_one_covariance_of_a_batch_is_factorized_once(name):
    matrix = torch.tensor([[2.0, 0.5], [0.5, 1.0]], requires_grad=True)
    many = d.MultivariateNormal(torch.zeros(3, 2), **{name: matrix})
    assert many._unbroadcasted_scale_tril.shape == (3, 2, 2)
    assert many._unbroadcasted_scale_tril.stride(0) == 0
    x = torch.tensor([[0.5, -1.0], [2.0, 0.0], [0.0, 0.0]])
    one = d.MultivariateNormal(torch.zeros(2), **{name: matrix})
    slopes = [
        torch.autograd.grad(p.log_prob(x).sum(), matrix, retain_graph=True)[0] for p in (many, one, many.expand((2, 3)))
    ]
    close(slopes[0], slopes[1].cpu().numpy(), 1e-5)
    close(slopes[2], 2 * slopes[1].cpu().numpy(), 1e-5)


def test_a_transform_with_a_cache_is_of_its_class():
    class Shift(d.AffineTransform):
        pass

    class Double(d.AffineTransform):  # which takes other arguments
        def __init__(self):
            super().__init__(0.0, 2.0)

    cached = [t.with_cache() for t in (Shift(1.0, 1.0), Double())]
    assert [type(t) for t in cached] == [Shift, d.AffineTransform]
    assert cached == [Shift(1.0, 1.0), Double()]


@pytest.mark.parametrize("kind", [d.Transform, d.Distribution])
def test_one_that_is_a_module_as_well_is_one_from_its_first_line(kind):
    """pyro's flows derive from both."""

    class Learned(kind, torch.nn.Module):
        arg_constraints = {}

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(2))

    assert [name for name, _ in Learned().named_parameters()] == ["scale"]


def test_normal_vectors_take_values_of_another_precision():
    vectors = d.MultivariateNormal(torch.zeros(2), torch.eye(2))
    value = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
    found = vectors.log_prob(value)
    assert found.dtype == torch.float32  # the matrix's, as in PyTorch
    close(found, -1 - np.log(2 * np.pi))
    assert torch.autograd.grad(found, value)[0].tolist() == [-1, 1]


def test_a_distribution_that_has_no_support_says_so():
    class Own(d.Distribution):
        def log_prob(self, value):
            self._validate_sample(value)
            return torch.zeros_like(value)

    with pytest.warns(UserWarning, match="does not define `arg_constraints`"):
        own = Own(validate_args=True)
    for name in ("support", "arg_constraints"):
        with pytest.raises(NotImplementedError, match=f"Own does not implement {name}"):
            getattr(own, name)
    with pytest.warns(UserWarning, match="does not define `support`"):
        assert own.log_prob(torch.ones(2)).tolist() == [0, 0]
