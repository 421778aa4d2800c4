"""Edge cases of distributions: bounds of supports, precision, batches, checks and subclasses."""

import numpy as np
import pytest

import microgad as torch
from microgad import distributions as d


def gradients(function, *values):
    """The gradients of the sum of the function's result."""
    values = [torch.tensor(x, requires_grad=True) for x in values]
    return torch.autograd.grad(function(*values).sum(), values)


def assert_close(a, b, rtol=1e-6):
    np.testing.assert_allclose(a.detach().cpu().numpy(), b, rtol)


def test_the_divergence_of_bernoulli_with_large_logits_keeps_its_digits():
    """1 - probs, for logits of 15, has two digits left."""
    q = torch.tensor([15.0, -15.0])
    divergence = d.kl_divergence(d.Bernoulli(logits=torch.zeros(2)), d.Bernoulli(logits=q))
    assert_close(divergence, 7.5 + np.log1p(np.exp(-15.0)) - np.log(2.0))


def test_the_divergence_of_certain_events_has_finite_gradients():
    by_p, by_q = gradients(
        lambda p, q: d.kl_divergence(d.Bernoulli(p), d.Bernoulli(q)),
        [0.0, 1.0, 0.0, 1.0, 0.5],
        [0.3, 0.3, 0.0, 1.0, 0.5],
    )
    assert_close(by_q, [1 / 0.7, -1 / 0.3, 0, 0, 0])
    assert by_p.isfinite().all()


@pytest.mark.parametrize("logits", [-40.0, -15.0, 0.0, 10.4, 40.0])
def test_the_divergence_of_a_distribution_from_itself_is_0(logits):
    p = d.ContinuousBernoulli(logits=torch.tensor(logits))
    assert abs(d.kl_divergence(p, p)) < 5e-6


def test_the_cdf_of_gamma_at_0_and_infinity_has_no_gradient():
    (slope,) = gradients(lambda a: d.Gamma(a, 1.0).cdf(torch.tensor([[0.0], [float("inf")]])), [0.5, 1.0, 2.0])
    assert slope.tolist() == [0, 0, 0]


def test_a_value_outside_of_the_support_does_not_affect_other_gradients():
    (slope,) = gradients(lambda a: d.Gamma(a, 1.0).log_prob(torch.tensor([0.0, 1.0]))[1:], 2.0)
    assert slope == -torch.tensor(2.0).digamma()


@pytest.mark.parametrize("p", [d.Gamma(2.0, 1.0), d.Chi2(3.0), d.StudentT(3.0), d.NegativeBinomial(4, 0.5)])
def test_a_single_draw_has_no_dimensions(p):
    assert p.sample().shape == ()


@pytest.mark.parametrize(
    "create",
    [
        lambda x: d.ContinuousBernoulli(logits=x),
        lambda x: d.RelaxedBernoulli(torch.tensor(0.5), logits=x),
        lambda x: d.LKJCholesky(3, x),
    ],
)
def test_integer_parameters_draw_as_float_parameters_do(create):
    draws = []
    for x in (torch.tensor([1, 2]), torch.tensor([1.0, 2.0])):
        torch.manual_seed(0)
        draws.append(create(x).sample((2,)))
    assert torch.equal(*draws)


def test_log_prob_of_half_cauchy_has_the_dtype_of_the_distribution():
    p = d.HalfCauchy(1.0)
    assert p.log_prob(torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float32
    assert d.HalfCauchy(1.0, validate_args=False).log_prob(1) == p.log_prob(torch.tensor(1.0))


def test_a_mixture_shared_by_a_batch_draws_a_component_for_each():
    torch.manual_seed(0)
    components = d.Normal(torch.tensor([-100.0, 100.0]).expand(50, 2), 1.0)
    above = d.MixtureSameFamily(d.Categorical(torch.ones(2)), components).sample((50,)) > 0
    for dim in (0, 1):
        assert (above.any(dim) & ~above.all(dim)).all()


def test_corr_cholesky_has_a_tolerance():
    factor = torch.eye(3) * (1 + 25 * torch.finfo(torch.float32).eps)
    assert d.constraints.corr_cholesky.check(factor)


def test_an_interval_may_have_a_number_and_a_tensor_as_bounds():
    ends = torch.tensor([1.0, 2.0])
    for registry in (d.biject_to, d.transform_to):
        assert registry(d.constraints.interval(0, ends))(torch.zeros(2)).tolist() == [0.5, 1.0]


def test_validate_args_of_a_transformed_distribution_decides_about_checks():
    base = d.Normal(0.0, 1.0, validate_args=False)
    with pytest.raises(ValueError, match="within the support"):
        d.TransformedDistribution(base, d.ExpTransform()).cdf(torch.tensor(-1.0))
    unchecked = d.TransformedDistribution(base, d.ExpTransform(), validate_args=False)
    assert unchecked.cdf(torch.tensor(-1.0)).isnan()


@pytest.mark.parametrize("name", ["covariance_matrix", "precision_matrix"])
def test_a_covariance_shared_by_a_batch_is_factorized_once(name):
    matrix = torch.tensor([[2.0, 0.5], [0.5, 1.0]], requires_grad=True)
    shared = d.MultivariateNormal(torch.zeros(3, 2), **{name: matrix})
    assert shared._unbroadcasted_scale_tril.shape == (3, 2, 2)
    assert shared._unbroadcasted_scale_tril.stride(0) == 0
    x = torch.tensor([[0.5, -1.0], [2.0, 0.0], [0.0, 0.0]])
    one = d.MultivariateNormal(torch.zeros(2), **{name: matrix})
    grads = [
        torch.autograd.grad(p.log_prob(x).sum(), matrix, retain_graph=True)[0]
        for p in (shared, one, shared.expand((2, 3)))
    ]
    assert_close(grads[0], grads[1].cpu().numpy(), 1e-5)
    assert_close(grads[2], 2 * grads[1].cpu().numpy(), 1e-5)


def test_a_composition_has_the_event_dimensions_that_its_first_part_needs():
    t, x = d.ComposeTransform([d.StickBreakingTransform(), d.ExpTransform()]), torch.tensor([0.5, -1.0])
    sticks = d.StickBreakingTransform()(x)
    change = d.StickBreakingTransform().log_abs_det_jacobian(x, sticks) + sticks.sum()
    assert (t.domain.event_dim, t.codomain.event_dim) == (1, 1)
    assert_close(t.log_abs_det_jacobian(x, t(x)), change.item())
    assert not d.ComposeTransform([d.AbsTransform(), d.ExpTransform()]).bijective


def test_transforms_stay_inside_of_their_codomains_and_have_finite_inverses():
    zero_to_one, tiny, eps = torch.tensor([0.0, 1.0]), torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).eps
    assert_close(d.SigmoidTransform()(torch.tensor([-200.0, 200.0])), [tiny, 1 - eps])
    assert_close(d.SigmoidTransform().inv(zero_to_one), [np.log(tiny), -np.log(eps)])
    assert_close(d.SoftplusTransform().inv(torch.tensor([200.0])), [200.0])
    assert_close(d.StickBreakingTransform()(torch.tensor([200.0])), [1 - eps, eps])
    assert_close(d.StickBreakingTransform().inv(torch.tensor([0.5, 0.5, 0.0])), [np.log(2), np.log(0.5 / tiny)])
    assert_close(d.CorrCholeskyTransform()(torch.tensor([20.0]))[1, 1], (2 * eps) ** 0.5, 1e-5)
    assert d.AffineTransform(0.0, torch.ones(3)).forward_shape(()) == (3,)


def test_a_transformed_distribution_has_the_dimensions_of_its_transforms():
    base, x = d.Normal(torch.zeros(2, 3), torch.ones(3)), torch.tensor([[0.3, -0.2, 0.5], [1.0, 0.0, -2.0]])
    factors, y = d.TransformedDistribution(base, d.CorrCholeskyTransform()), d.CorrCholeskyTransform()(x)
    expected = base.log_prob(x).sum(-1) - d.CorrCholeskyTransform().log_abs_det_jacobian(x, y)
    assert (factors.batch_shape, factors.event_shape) == ((2,), (3, 3))
    assert_close(factors.log_prob(y), expected.tolist(), 1e-5)
    vectors = d.TransformedDistribution(d.Independent(base, 1), d.ExpTransform())
    assert vectors.support.event_dim == 1


def test_divergences_where_densities_are_0():
    p, q = d.Categorical(torch.tensor([0.0, 0.5, 0.5])), d.Categorical(torch.tensor([0.0, 0.25, 0.75]))
    assert_close(d.kl_divergence(p, q), 0.5 * np.log(4 / 3))
    low, high = torch.tensor([-1.0, 0.2], requires_grad=True), torch.tensor([0.5, 0.8])
    kl = d.kl_divergence(d.Uniform(low, high), d.Beta(torch.tensor(2.0), torch.tensor(3.0)))
    kl[1].backward()
    assert kl.isinf().tolist() == [True, False]
    assert low.grad.isfinite().all()


def test_counts_at_the_ends_of_their_ranges():
    assert d.Binomial(5, torch.tensor([0.0, 0.5, 1.0])).mode.tolist() == [0, 3, 5]
    assert d.NegativeBinomial(torch.tensor([0.5, 3.0]), torch.tensor([0.3, 0.6])).mode.tolist() == [0, 3]
    assert d.NegativeBinomial(torch.tensor(0.0), torch.tensor(0.3)).log_prob(torch.tensor(0.0)) == 0


def test_with_cache_keeps_the_class_of_a_transform_if_it_can():
    class Shift(d.AffineTransform):
        pass

    class Double(d.AffineTransform):  # whose constructor has other parameters
        def __init__(self):
            super().__init__(0.0, 2.0)

    cached = [t.with_cache() for t in (Shift(1.0, 1.0), Double())]
    assert [type(t) for t in cached] == [Shift, d.AffineTransform]
    assert cached == [Shift(1.0, 1.0), Double()]


@pytest.mark.parametrize("kind", [d.Transform, d.Distribution])
def test_a_subclass_of_module_is_initialized_as_a_module(kind):
    """pyro's flows derive from both."""

    class Learned(kind, torch.nn.Module):
        arg_constraints = {}

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(2))

    assert [name for name, _ in Learned().named_parameters()] == ["scale"]


def test_multivariate_normal_takes_values_of_another_dtype():
    vectors = d.MultivariateNormal(torch.zeros(2), torch.eye(2))
    value = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
    found = vectors.log_prob(value)
    assert found.dtype == torch.float32  # has the dtype of the matrix, as in PyTorch
    assert_close(found, -1 - np.log(2 * np.pi))
    assert torch.autograd.grad(found, value)[0].tolist() == [-1, 1]


def test_a_distribution_without_support_warns_and_raises():
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


@pytest.mark.parametrize("of", ["covariance_matrix", "precision_matrix"])
def test_a_matrix_of_infinities_is_no_covariance(of):
    with pytest.raises(ValueError, match=f"Expected parameter {of}"):
        d.MultivariateNormal(torch.zeros(2), **{of: torch.full((2, 2), torch.inf)})


C = d.constraints
BOUNDED = [C.greater_than, C.greater_than_eq, C.less_than]
RANGES = [C.interval, C.half_open_interval, C.integer_interval]


@pytest.mark.parametrize(
    "dtype",
    [torch.float32, torch.float64, torch.float16, torch.int32, torch.int64, torch.bool, torch.complex64],
)
@pytest.mark.parametrize(
    "constraint",
    [
        C.boolean, C.one_hot, C.nonnegative_integer, C.positive_integer, C.real, C.real_vector, C.simplex, C.positive,
        *[make(bound) for make in BOUNDED for bound in (0, 0.1, 2.5)], C.unit_interval,
        *[make(*bounds) for make in RANGES for bounds in ((0, 2), (0.1, 2.0), (torch.tensor(0.0), 1))],
        C.independent(C.independent(C.positive, 1), 1), C.integer_interval(0, 2**40),
    ],
)  # fmt: skip
def test_all_inside_asks_what_check_asks(constraint, dtype):
    """Without NumPy's warnings, too."""
    base = [[0, 1], [1, 0], [0.1, 0.9], [2, 0], [-1, 2], [2.5, 0.1], [np.inf, -np.inf], [np.nan, 1], [1.5, 0.5]]
    for row in base[:6] if dtype in (torch.int32, torch.int64, torch.bool) else base:
        for shape in ((2,), (1, 2)):
            value = torch.tensor(row).to(dtype).reshape(shape)
            try:
                expected = bool(constraint.check(value).all())
            except Exception as error:
                with pytest.raises(type(error)):
                    C.all_inside(constraint, value)
            else:
                assert C.all_inside(constraint, value) is expected


def test_a_checked_parameter_may_be_of_a_constraint_of_ones_own():
    class Even(type(C.positive)):
        def check(self, value):
            return value.remainder(2).eq(0)

    assert C.all_inside(Even(0.0), torch.tensor([2.0]))
    assert not C.all_inside(C.independent(Even(0.0), 1), torch.tensor([1.0]))


def test_observers_see_the_operations_of_a_check():
    with torch.record() as tape:
        d.Categorical(torch.ones(2))
    assert len(tape.ops) == 10


@pytest.mark.parametrize(
    ("constraint", "values", "inside"),
    [
        (C.simplex, [[0.5, 0.5], [0.5, 0.50001], [1.5, -0.5]], [True, False, False]),
        (C.one_hot, [[0.0, 1.0], [0.5, 0.5], [1.0, 1.0]], [True, False, False]),
        (C.symmetric, [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 2.0], [2.0005, 1.0]]], [True, False]),
        (C.positive_semidefinite, [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]]], [True, False]),
        (C.corr_cholesky, [[[1.0, 0.0], [0.6, 0.8]], [[0.6, 0.8], [0.0, 1.0]]], [True, False]),
        (
            C.MixtureSameFamilyConstraint(C.interval(torch.tensor([0.0, 1.0]), 2.0)),
            [1.5, 0.5, -0.5],
            [True, False, False],
        ),
    ],
)
def test_each_value_is_inside_or_not(constraint, values, inside):
    assert constraint.check(torch.tensor(values)).tolist() == inside


def test_constraints_of_parts_and_dependent_ones_know_their_kinds():
    parts = C.cat([C.real, C.one_hot])
    assert (parts.is_discrete, parts.event_dim) == (True, 1)
    dependent = C.dependent(is_discrete=True)(event_dim=2)
    assert (dependent.is_discrete, dependent.event_dim) == (True, 2)
