"""Distributions at the edges of their parameters, and classes derived from them, against PyTorch's."""

import pytest

import microgad

torch = pytest.importorskip("torch")

from .test_distributions import close, outcome  # noqa: E402
from .test_distributions import validated as validated  # noqa: E402 - a fixture

EDGES = {
    "gamma of small concentrations": lambda t, d, x: d.Gamma(x(1e-3).double(), 1.0).rsample((4,)).log(),
    "chi-square of small degrees of freedom": lambda t, d, x: d.Chi2(x(1.6e-3).double()).rsample((6,)).log(),
    "dirichlet of one category": lambda t, d, x: d.Dirichlet(x(1e-4).reshape(1)).rsample((50,)),
    "infinite means of Pareto": lambda t, d, x: d.Pareto(x(2.0), t.tensor([0.5, 3.0])).mean,
    "infinite variances of Pareto": lambda t, d, x: d.Pareto(x(2.0), t.tensor([0.5, 3.0])).variance,
    "a negative count": lambda t, d, x: d.Multinomial(-1, t.ones(2)),
    "many degrees of freedom": lambda t, d, x: d.StudentT(1e6, x(0.3)).log_prob(t.tensor(0.5)),
    "tiny counts of failures": lambda t, d, x: d.NegativeBinomial(x(1e-6), logits=t.tensor(0.3)).log_prob(t.zeros(1)),
    "a number's quantile under Normal": lambda t, d, x: d.Normal(x(0.0), 1.0).icdf(0.5),
    "a number's quantile under Cauchy": lambda t, d, x: d.Cauchy(x(0.0), 1.0).icdf(0.5),
    "a number's quantile under Exponential": lambda t, d, x: d.Exponential(x(1.0)).icdf(0.5),
    "a count of 0": lambda t, d, x: d.Multinomial(0, x(0.5).expand(2)).log_prob(t.zeros(2)),
}


@pytest.mark.parametrize("edge", EDGES)
def test_edges_of_parameters_give_what_pytorch_gives(edge):
    def run(library):
        library.manual_seed(0)
        x = library.tensor
        leaves = []

        def leaf(value):
            leaves.append(x(value, requires_grad=True))
            return leaves[0]

        found = EDGES[edge](library, library.distributions, leaf)
        return found, library.autograd.grad(found.sum(), leaves)[0]

    other = outcome(lambda: run(torch))
    if isinstance(other, type):
        with pytest.raises(other):
            run(microgad)
    else:
        for a, b in zip(run(microgad), other, strict=True):
            close(a, b, 1e-3)


def test_expand_of_subclasses():
    def facts(library):
        d = library.distributions

        class Named(d.Normal):
            pass

        class Own(d.Normal):
            def __init__(self, loc, name):
                super().__init__(loc, 1.0)
                self.name = name

        class Expanded(Own):
            def expand(self, batch_shape, _instance=None):
                new = self._get_checked_instance(Expanded, _instance)
                new.name = self.name
                return super().expand(batch_shape, _instance=new)

        class Direct(d.Distribution):
            arg_constraints = {}

            def __init__(self):
                super().__init__((2,))

        class Family(d.ExponentialFamily):
            arg_constraints = {}

        zeros = library.zeros(2)
        for make in (lambda: Named(zeros, 1.0), lambda: Own(zeros, "a"), lambda: Expanded(zeros, "a"), Direct, Family):
            yield outcome(lambda: tuple(make().expand((3, 2)).batch_shape))  # noqa: B023

    assert list(facts(microgad)) == list(facts(torch))


def test_edges_of_divergences_and_transforms():
    def found(library):
        d, t = library.distributions, library.distributions.transforms

        def x(*values):
            return library.tensor(values, dtype=library.float64)

        rows, extremes = x(0.3, 0.2, 0.1, 0.5, 0.6, 0.4).reshape(2, 3), x(-800.0, 100.0)
        parts = [t.ExpTransform(), t.IndependentTransform(t.TanhTransform(), 1)]
        beside, below = t.CatTransform(parts, -1, [1, 2]), t.CatTransform(parts, 0, [1, 1])
        mirrored = d.TransformedDistribution(d.Uniform(0.0, 1.0), [t.AffineTransform(x(0, 0), x(2, -2))])
        yield d.kl_divergence(d.Bernoulli(x(0.0, 0.3, 1.0, 0.3)), d.Bernoulli(x(1.0, 1.0, 1.0, 0.0)))
        yield d.kl_divergence(d.Pareto(x(1.0), x(0.5)), d.Exponential(x(1.0)))
        yield d.biject_to(d.constraints.interval(-1.0, 2.0))(extremes)
        yield from (t.SigmoidTransform()(extremes).logit(), t.StickBreakingTransform()(extremes).logit())
        yield library.tensor([t.AffineTransform(0.0, scale).sign for scale in (1.5, 0.0, -1.5, 0.5, -0.5)])
        yield from (beside.log_abs_det_jacobian(rows, beside(rows)), below.log_abs_det_jacobian(rows, below(rows)))
        yield mirrored.cdf(x(0.5, -0.5))

    for a, b in zip(found(microgad), found(torch), strict=True):
        close(a, b)


def test_supports_and_too_few_dimensions():
    def found(library):
        d, t = library.distributions, library.distributions.transforms
        normal, vectors = d.Normal(0.0, 1.0), t.IndependentTransform(t.ExpTransform(), 1)
        yield from (repr(d.TransformedDistribution(normal, each).support) for each in ([], [t.ExpTransform()]))
        yield from (outcome(lambda: run(library.ones(()))) for run in (vectors, vectors.inv))  # noqa: B023

    assert list(found(microgad)) == list(found(torch))


def test_transforms_to_positive_numbers_are_torchs():
    """`positive` and `nonnegative` get PyTorch's transforms, also for the bound 0."""

    def printed(library):
        distributions, constraints = library.distributions, library.distributions.constraints
        return [
            repr(registry(constraint))
            for registry in (distributions.biject_to, distributions.transform_to)
            for constraint in (constraints.positive, constraints.nonnegative)
        ]

    assert printed(microgad) == printed(torch)
