"""Distributions against PyTorch's: draws from the same seed, values, gradients, errors and reprs."""

import pickle
from functools import cache

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def validated():
    """PyTorch's compiler, which another test may have called in this process, switches the checks of arguments off."""
    torch.distributions.Distribution.set_default_validate_args(True)


LIBRARIES = (microgad, torch)
# PyTorch takes some positive definite draws of Wishart for singular
pytestmark = pytest.mark.filterwarnings("ignore:Singular sample")

LOC = np.array([[0.3, -1.2, 2.0], [0.0, 0.5, -0.7]])
SCALE = np.array([0.5, 1.0, 2.5])
RATE = np.array([[0.4, 1.0, 3.0], [20.0, 0.1, 2.0]])
PROBS = np.array([0.1, 0.45, 0.9])
LOGITS = np.array([[-1.0, 0.5, 2.0], [0.2, -0.3, 0.0]])
ROOT = np.array([[1.0, 0, 0], [0.5, 2.0, 0], [-0.3, 0.1, 0.7]])
COVARIANCE = ROOT @ ROOT.T
CASES = {
    "Normal": {"loc": LOC, "scale": SCALE},
    "LogNormal": {"loc": LOC, "scale": SCALE},
    "HalfNormal": {"scale": SCALE},
    "Laplace": {"loc": LOC, "scale": SCALE},
    "Uniform": {"low": LOC, "high": LOC + SCALE},
    "Exponential": {"rate": RATE},
    "Gamma": {"concentration": RATE, "rate": SCALE},
    "Chi2": {"df": RATE},
    "Beta": {"concentration1": RATE, "concentration0": SCALE},
    "Dirichlet": {"concentration": RATE},
    "Bernoulli": {"probs": PROBS},
    "Bernoulli logits": {"logits": LOGITS},
    "Geometric": {"probs": PROBS},
    "Geometric logits": {"logits": LOGITS},
    "Binomial": {"total_count": 12, "probs": PROBS},
    "Binomial logits": {"total_count": 3, "logits": LOGITS},
    "Categorical": {"probs": RATE},
    "Categorical logits": {"logits": LOGITS},
    "OneHotCategorical": {"probs": RATE},
    "OneHotCategoricalStraightThrough": {"logits": LOGITS},
    "Multinomial": {"total_count": 5, "probs": RATE},
    "Multinomial logits": {"total_count": 5, "logits": LOGITS},
    "Poisson": {"rate": RATE},
    "MultivariateNormal": {"loc": LOC, "scale_tril": ROOT},
    "MultivariateNormal covariance": {"loc": LOC[0], "covariance_matrix": COVARIANCE},
    "MultivariateNormal precision": {"loc": LOC, "precision_matrix": COVARIANCE},
    "Cauchy": {"loc": LOC, "scale": SCALE},
    "HalfCauchy": {"scale": SCALE},
    "StudentT": {"df": RATE, "loc": LOC, "scale": SCALE},
    "Gumbel": {"loc": LOC, "scale": SCALE},
    "RelaxedOneHotCategorical": {"temperature": np.array(0.7), "logits": LOGITS},
    "RelaxedBernoulli": {"temperature": np.array(0.7), "probs": PROBS},
    "NegativeBinomial": {"total_count": 4, "probs": PROBS},
    "NegativeBinomial logits": {"total_count": 4, "logits": LOGITS},
    "InverseGamma": {"concentration": RATE, "rate": SCALE},
    "Weibull": {"scale": SCALE, "concentration": 1 + RATE},
    "Pareto": {"scale": SCALE, "alpha": RATE + 0.05},
    "LogisticNormal": {"loc": LOC, "scale": SCALE},
    "ContinuousBernoulli": {"probs": np.array([0.1, 0.4995, 0.9])},
    "ContinuousBernoulli logits": {"logits": LOGITS},
    "FisherSnedecor": {"df1": 2 * RATE, "df2": 1 + 2 * SCALE},
    "GeneralizedPareto": {"loc": LOC, "scale": SCALE, "concentration": np.array([0.4, 0.0, -0.3])},
    "GeneralizedPareto even": {"loc": LOC, "scale": SCALE, "concentration": np.array([-1.0, 0.6, 2.0])},
    "Kumaraswamy": {"concentration1": RATE, "concentration0": SCALE},
    "LKJCholesky": {"dim": 3, "concentration": 1 + SCALE},
    "LowRankMultivariateNormal": {"loc": LOC, "cov_factor": ROOT[:, :2], "cov_diag": SCALE},
    "VonMises": {"loc": LOC, "concentration": RATE},
    "Wishart": {"df": SCALE + 3, "scale_tril": ROOT},
    "Wishart covariance": {"df": 1 + RATE[:1, 2:], "covariance_matrix": COVARIANCE},
    "Wishart precision": {"df": np.array(4.5), "precision_matrix": COVARIANCE},
}
ERRORS = (NotImplementedError, ValueError, IndexError, RuntimeError)
NUMBER_ARGUMENTS = {"total_count", "dim"}
# PyTorch's implicit derivatives are rational approximations.
SAMPLED_WITH_GAMMA = {"Gamma", "Chi2", "Beta", "Dirichlet", "StudentT", "InverseGamma", "FisherSnedecor", "LKJCholesky"}
# PyTorch's Bessel functions are approximations too, and log_prob of its GeneralizedPareto only takes float32.
APPROXIMATE_RTOL = {"VonMises": 1e-5, "GeneralizedPareto": 1e-5}
DTYPES = {"GeneralizedPareto": np.float32}


def made(library, case, dtype=np.float64, change=np.asarray, **more):
    """A distribution, and its parameters that require grad."""
    arguments = {
        name: x if name in NUMBER_ARGUMENTS else library.tensor(change(np.asarray(x, dtype)), requires_grad=True)
        for name, x in CASES[case].items()
    }
    parameters = [x for name, x in arguments.items() if name not in NUMBER_ARGUMENTS]
    return getattr(library.distributions, case.split()[0])(**arguments, **more), parameters


def seed_both(seed=3):
    for library in LIBRARIES:
        library.manual_seed(seed)


def generator_states():
    return {microgad.get_rng_state().array.tobytes(), torch.get_rng_state().numpy().tobytes()}


def in_both(function):
    """The results of a function of the library, ours first. For an error it is the first class in ERRORS that fits."""
    found = []
    for library in LIBRARIES:
        try:
            found.append(function(library))
        except ERRORS as error:
            found.append(next(c for c in ERRORS if isinstance(error, c)))
    return found


def close(mine, other, rtol=1e-9, atol=1e-11):
    if not isinstance(mine, microgad.Tensor):
        assert mine == other
        return
    assert tuple(mine.shape) == tuple(other.shape)
    assert str(mine.dtype) == str(other.dtype)
    np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=rtol, atol=atol)


def gradients(library, result, parameters):
    """Gradients of a weighted sum of the finite elements of a result, with zeros for unused parameters."""
    if not isinstance(result, library.Tensor) or not result.requires_grad:
        return None
    weights = library.tensor(np.cos(np.arange(result.numel())).reshape(tuple(result.shape)), dtype=result.dtype)
    total = (library.where(result.isfinite(), result, 0.0) * weights).sum()
    found = library.autograd.grad(total, parameters, allow_unused=True, retain_graph=True)
    return [library.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True)]


def check(case, function, rtol=None, **more):
    """Assert that a function of a distribution has PyTorch's result, and its gradients by the parameters."""
    value_rtol = APPROXIMATE_RTOL.get(case.split()[0], 1e-9)
    rtol = rtol or value_rtol

    def run(library):
        d, parameters = made(library, case, **more)
        result = function(library, d)
        return result, gradients(library, result, parameters)

    mine, other = in_both(run)
    if not isinstance(mine, tuple) or not isinstance(other, tuple):
        assert mine == other
        return
    close(mine[0], other[0], value_rtol, value_rtol / 100)
    assert (mine[1] is None) == (other[1] is None)
    for a, b in zip(mine[1] or (), other[1] or (), strict=True):
        # PyTorch has NaN where it multiplies the gradient of an infinite moment by 0
        close(a, torch.where(b.isnan(), torch.from_numpy(a.numpy()), b), rtol, rtol)


@pytest.mark.parametrize("case", CASES)
def test_shapes_supports_and_repr(case):
    (mine, _), (other, _) = in_both(lambda library: made(library, case))
    for name in ("batch_shape", "event_shape"):
        assert tuple(getattr(mine, name)) == tuple(getattr(other, name))
    for name in ("has_rsample", "has_enumerate_support"):
        assert getattr(mine, name) == getattr(other, name)
    assert repr(mine) == repr(other)
    assert repr(mine.support).replace(", grad_fn", "") == repr(other.support).replace(", grad_fn", "") or "(" in repr(
        other.support
    )
    assert (mine.support.event_dim, mine.support.is_discrete) == (other.support.event_dim, other.support.is_discrete)
    assert sorted(mine.arg_constraints) == sorted(other.arg_constraints)


@pytest.mark.parametrize("name", ["mean", "mode", "variance", "stddev", "entropy", "perplexity", "enumerate_support"])
@pytest.mark.parametrize("case", CASES)
def test_moments_entropy_and_enumerate_support(case, name):
    def evaluate(library, d):
        found = getattr(d, name)
        return found() if callable(found) else found

    check(case, evaluate)
    if (case.split()[0], name) not in {("Multinomial", "entropy"), ("Multinomial", "perplexity")}:  # PyTorch fails
        check(case, lambda library, d: evaluate(library, d.expand((4, *d.batch_shape))))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
@pytest.mark.parametrize("case", CASES)
def test_samples_are_torchs(case, shape):
    for dtype, rtol in ((np.float32, 2e-6), (np.float64, 1e-12)):
        seed_both()
        mine, other = in_both(lambda library, dtype=dtype: made(library, case, dtype)[0].sample(shape))
        close(mine, other, rtol, rtol)
        assert len(generator_states()) == 1


@pytest.mark.parametrize("case", CASES)
def test_rsample_and_its_gradients(case):
    seed_both()
    rtol = 5e-3 if case.split()[0] in SAMPLED_WITH_GAMMA else None
    if case.split()[0] != "Wishart":  # PyTorch's own fails in backward
        check(case, lambda library, d: d.rsample((7,)), rtol)
    check(case, lambda library, d: d.expand((2, *d.batch_shape)).sample((2,)))
    assert len(generator_states()) == 1


@pytest.mark.parametrize("case", CASES)
def test_log_prob_and_cdf(case):
    seed_both(11)
    dtype = DTYPES.get(case.split()[0], np.float64)
    value = made(torch, case, dtype)[0].sample((6,)).numpy()
    check(case, lambda library, d: d.log_prob(library.tensor(value)), dtype=dtype)
    check(case, lambda library, d: d.expand((6, *d.batch_shape)).log_prob(library.tensor(value)), dtype=dtype)
    if case not in ("Gamma", "Chi2", "InverseGamma"):  # where PyTorch has no gradient by concentration
        check(case, lambda library, d: d.cdf(library.tensor(value)), dtype=dtype)
    unit = np.linspace(0.05, 0.95, 6).reshape(6, *(1,) * len(made(torch, case)[0].batch_shape))
    check(case, lambda library, d: d.icdf(library.tensor(unit)))


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_log_prob_by_the_value(case):
    dtype = DTYPES.get(case.split()[0], np.float64)
    value = made(torch, case, dtype)[0].sample((6,)).numpy()

    def run(library):
        d, _ = made(library, case, dtype)
        x = library.tensor(value, dtype=getattr(library, np.dtype(dtype).name), requires_grad=True)
        return gradients(library, d.log_prob(x), [x])

    mine, other = in_both(run)
    assert (mine is None) == (other is None)
    for a, b in zip(mine or (), other or (), strict=True):
        close(a, b, APPROXIMATE_RTOL.get(case.split()[0], 1e-9))


@pytest.mark.parametrize("case", CASES)
def test_errors_have_torchs_class(case):
    """A parameter outside of its constraint, values outside of the support, and a wrong shape raise as in PyTorch."""
    for name, x in CASES[case].items():
        if name in NUMBER_ARGUMENTS:
            continue
        wrong = np.asarray(x, float).copy()
        wrong.reshape(-1)[0] = np.nan

        def build(library, name=name, wrong=wrong):
            cls = getattr(library.distributions, case.split()[0])
            rest = {k: v if k in NUMBER_ARGUMENTS else library.tensor(v) for k, v in CASES[case].items()}
            return str(cls(**{**rest, name: library.tensor(wrong)}))

        mine, other = in_both(build)
        # PyTorch's factorization raises another class
        assert mine == other or (case, mine) == ("LowRankMultivariateNormal", ValueError)
    shape = tuple(made(torch, case)[0].sample().shape)
    for bad in (*(np.full(shape, x) for x in (-7.5, 0.25, 1.5, np.nan)), np.zeros((3, 5))):

        def score(library, bad=bad):
            return "scored" if made(library, case)[0].log_prob(library.tensor(bad)) is not None else ""

        mine, other = in_both(score)
        assert mine == other, bad


def pairs():
    """All pairs of cases whose divergence can be compared."""
    for p in CASES:
        for q in CASES:
            if "Wishart" not in (p, q):  # PyTorch sums over a batch of Wishart distributions
                yield p, q


def kl(made, library, p, q):
    """The divergence of two cases, and its gradients by their parameters."""
    a, first = made(library, p, "p")
    b, second = made(library, q, "q")
    result = library.distributions.kl_divergence(a, b)
    if p == "Uniform" and q.startswith("ContinuousBernoulli"):
        result = result[:1]  # PyTorch's is infinite for an interval that ends at 0
    parameters = second if p.startswith("Wishart") else first + second  # PyTorch has no gradient by p there
    return result, gradients(library, result, parameters)


def other_values(x):
    """Other values of a parameter, except in the middle, so that a distribution differs from one of its family."""
    return 1.5 * x if x.shape == (3, 3) or x.ndim == 0 else np.flip(x, -1).copy()


def test_kl_divergence_of_all_pairs():
    changes = {"p": np.asarray, "q": other_values}
    compared, once = 0, cache(lambda library, case, place: made(library, case, change=changes[place]))
    for p, q in pairs():
        mine, other = in_both(lambda library, p=p, q=q: kl(once, library, p, q))
        if isinstance(mine, tuple) and isinstance(other, tuple):
            compared += 1
            expected = other[0].expand(mine[0].shape) if other[0].isinf().all() else other[0]  # which has p's shape
            close(mine[0], expected)
            for a, b in zip(mine[1] or (), other[1] or (), strict=True):
                close(a, torch.where(b.isnan(), torch.from_numpy(a.numpy()), b), 1e-8, 1e-9)
        elif p.split()[0] == q.split()[0] and other is not IndexError:  # PyTorch fails to broadcast
            assert mine == other, (p, q)
    assert compared >= 150


def exponential_family_results(library):
    class Diagonal(library.distributions.ExponentialFamily):  # normal vectors of any mean, with variances 1
        arg_constraints, _mean_carrier_measure = {}, -0.5 * np.log(2 * np.pi) * 3

        def __init__(self, mean):
            self.offset = mean
            super().__init__(mean.shape[:-1], mean.shape[-1:])

        @property
        def _natural_params(self):
            return (self.offset,)

        def _log_normalizer(self, x):
            return 0.5 * x.pow(2).sum(-1)

    p, q = (library.tensor(x, requires_grad=True) for x in (LOC, LOC[::-1] + 0.5))
    found = library.distributions.kl_divergence(Diagonal(p), Diagonal(q))
    return Diagonal(p).entropy(), found, library.autograd.grad(found.sum(), q)[0]


def test_custom_exponential_family():
    for a, b in zip(exponential_family_results(microgad), exponential_family_results(torch), strict=True):
        close(a, b)


def transforms(library):
    t = library.distributions.transforms
    x = library.tensor
    normal = library.distributions.Normal(x(0.0, dtype=library.float64), x(1.0, dtype=library.float64))
    return {
        "exp": t.ExpTransform(),
        "power": t.PowerTransform(x(2.0)),
        "sigmoid": t.SigmoidTransform(),
        "softplus": t.SoftplusTransform(),
        "tanh": t.TanhTransform(cache_size=1),
        "abs": t.AbsTransform(),
        "affine": t.AffineTransform(0.5, -2.0),
        "affine of vectors": t.AffineTransform(x([0.5, 1.0, 2.0]), x([1.0, -2.0, 3.0]), event_dim=1),
        "softmax": t.SoftmaxTransform(),
        "stick breaking": t.StickBreakingTransform(),
        "correlation": t.CorrCholeskyTransform(),
        "reshape": t.ReshapeTransform((3,), (1, 3)),
        "cdf": t.CumulativeDistributionTransform(normal),
        "composed": t.ComposeTransform([t.AffineTransform(1.0, 2.0), t.TanhTransform(), t.ExpTransform()]),
        "mixed": t.ComposeTransform([t.ExpTransform(), t.AffineTransform(1.0, 2.0, event_dim=1)]),
        "independent": t.IndependentTransform(t.ExpTransform(), 1),
        "inverse": t.ExpTransform().inv,
        "side by side": t.CatTransform([t.ExpTransform(), t.TanhTransform()], dim=-1, lengths=[1, 2]),
        "stacked": t.StackTransform([t.ExpTransform(), t.TanhTransform(), t.AffineTransform(0, 2)], dim=-1),
        "lower": t.LowerCholeskyTransform(),
        "definite": t.PositiveDefiniteTransform(),
    }


@pytest.mark.parametrize("name", transforms(microgad))
def test_transforms_equal_pytorchs_with_gradients(name):
    array = np.array([[0.3, 1.2, 0.7], [0.5, 0.1, 0.9], [0.4, 0.2, 1.5]])
    (mine, x), (other, y) = [
        (transforms(library)[name], library.tensor(array, requires_grad=True)) for library in LIBRARIES
    ]
    assert (mine.bijective, mine.domain.event_dim, mine.codomain.event_dim) == (
        other.bijective, other.domain.event_dim, other.codomain.event_dim,
    )  # fmt: skip
    a, b = mine(x), other(y)
    close(a, b)
    for p, q in zip(gradients(microgad, a, [x]), gradients(torch, b, [y]), strict=True):
        close(p, q)
    close(mine.inv(a.detach()), other.inv(b.detach()))
    if hasattr(type(other), "log_abs_det_jacobian") and name not in ("abs", "softmax", "lower", "definite"):
        close(mine.log_abs_det_jacobian(x, a), other.log_abs_det_jacobian(y, b))
        assert tuple(mine.forward_shape((4, 3))) == tuple(other.forward_shape((4, 3)))
    assert (repr(mine), repr(mine.inv)) == (repr(other), repr(other.inv)) or "independent" in name


def outcome(call):
    """Return what a call returns, or the base class of what it raises."""
    try:
        return call()
    except Exception as error:
        return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")


@pytest.mark.parametrize("name", transforms(microgad))
def test_transforms_cache_compare_and_convert_shapes(name):
    def facts(library):
        one, other = transforms(library)[name], transforms(library)[name]
        x = library.tensor([[0.3, 1.2, 0.7], [0.5, 0.1, 0.9], [0.4, 0.2, 1.5]])
        cached = outcome(lambda: one.with_cache(1))
        if not isinstance(cached, type):
            y = cached(x)
            yield cached(x) is y, cached.inv(y) is x, cached.inv.inv is cached, one.with_cache(0) is one
            if name != "inverse":  # which PyTorch can't pickle
                yield cached.inv.with_cache(1)._cache_size, tuple(pickle.loads(pickle.dumps(cached))(x).shape)
        yield one == other, one == one.inv, one.inv == other.inv, outcome(lambda: one.sign), one.codomain.is_discrete
        for shape in ((3,), (3, 3), (2, 3), (4, 1, 3), (6,), ()):
            for transform in (one, one.inv):
                yield outcome(lambda: tuple(transform.forward_shape(shape)))  # noqa: B023

    assert str(list(facts(microgad))) == str(list(facts(torch)))


@pytest.mark.parametrize("name", ["CatTransform", "StackTransform"])
def test_cat_and_stack_transforms_check_the_number_of_values(name):
    for library in LIBRARIES:
        transform = getattr(library.distributions, name)([library.distributions.ExpTransform()] * 2, 0)
        made = library.distributions.TransformedDistribution(library.distributions.Normal(0.0, 1.0), [transform])
        cases = [(call, shape) for call in (transform, transform.inv) for shape in ((3,), (1,), ())]
        for call, shape in [*cases, (made.log_prob, (3,)), (made.log_prob, ())]:
            with pytest.raises(AssertionError):
                call(library.ones(shape))
        with pytest.raises(AssertionError):
            getattr(library.distributions, name)([1])
        with pytest.raises(AssertionError):
            library.distributions.CatTransform([library.distributions.ExpTransform()], lengths=[1, 2])


def test_transformed_distributions_draw_as_pytorchs():
    def flow(library):
        d = library.distributions
        base = d.Independent(d.Normal(library.zeros(3, dtype=library.float64), 1.0), 1)
        scale = library.tensor([1.0, 2.0, 3.0], dtype=library.float64)
        return d.TransformedDistribution(base, [d.AffineTransform(scale, scale, event_dim=1), d.TanhTransform()])

    seed_both()
    mine, other = in_both(lambda library: (flow(library), flow(library).rsample((4,))))
    close(mine[1], other[1], 1e-12)
    close(mine[0].log_prob(mine[1] * 0.5), other[0].log_prob(other[1] * 0.5))
    assert tuple(mine[0].event_shape) == tuple(other[0].event_shape)
    shapes = [tuple(d[0].expand((5,)).sample((2,)).shape) for d in (mine, other)]
    assert shapes[0] == shapes[1]

    def squashed(library):  # broadcasts over its transform's parameters
        d = library.distributions
        t = d.TransformedDistribution(
            d.Uniform(0.0, 1.0), [d.SigmoidTransform().inv, d.AffineTransform(library.arange(3.0), 2.0)]
        )
        return t, t.sample((2,)), t.cdf(library.ones(3)), t.icdf(library.full((3,), 0.25)), t.batch_shape

    seed_both()
    for a, b in zip(squashed(microgad)[1:], squashed(torch)[1:], strict=True):
        close(a, b, 1e-5) if isinstance(a, microgad.Tensor) else None


def test_mixture_same_family():
    def mixture(library):
        d = library.distributions
        weights = library.tensor(RATE, requires_grad=True)
        normal = d.Normal(library.tensor(LOC), library.tensor(SCALE))
        return d.MixtureSameFamily(d.Categorical(weights), normal), [weights]

    def vectors(library):
        d = library.distributions
        weights = library.tensor(PROBS, requires_grad=True)
        normal = d.Independent(d.Normal(library.tensor(LOC).T, 1.0), 1)
        return d.MixtureSameFamily(d.Categorical(weights), normal), [weights]

    for make_mixture in (mixture, vectors):
        seed_both()
        (mine, p), (other, q) = make_mixture(microgad), make_mixture(torch)
        assert repr(mine) == repr(other)
        x, y = mine.sample((5,)), other.sample((5,))
        close(x, y, 1e-12)
        evaluations = [lambda d, v: d.log_prob(v), lambda d, v: d.mean, lambda d, v: d.variance]
        evaluations += [lambda d, v: d.cdf(v)] if make_mixture is mixture else []
        for evaluate in evaluations:
            a, b = evaluate(mine, x), evaluate(other, y)
            close(a, b)
            for g, h in zip(gradients(microgad, a, p), gradients(torch, b, q), strict=True):
                close(g, h)
        expanded = [tuple(d.expand((3, *d.batch_shape)).sample((2,)).shape) for d in (mine, other)]
        assert expanded[0] == expanded[1]


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize(
    "name", ["real", "positive", "nonnegative", "unit_interval", "simplex", "corr_cholesky", "real_vector"]
)
def test_transforms_from_unconstrained_values(registry, name):
    array = np.random.default_rng(0).standard_normal((2, 3))
    mine, other = in_both(
        lambda library: getattr(library.distributions, registry)(getattr(library.distributions.constraints, name))(
            library.tensor(array)
        )
    )
    close(mine, other)
    assert bool(getattr(microgad.distributions.constraints, name).check(mine).all())
