"""Errors of distributions: missing methods, and pairs without a known divergence."""

import pytest

import microgad as torch
from microgad import distributions as d


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: d.StudentT(3.0).cdf(torch.tensor(0.0)), "StudentT does not implement cdf"),
        (lambda: d.Poisson(1.0).rsample(), "Poisson does not implement rsample"),
        (lambda: d.VonMises(0.0, 1.0).entropy(), "VonMises does not implement entropy"),
        (
            lambda: d.kl_divergence(*(d.Independent(d.Normal(torch.zeros(2, 2), 1.0), n) for n in (1, 2))),
            "must have one reinterpreted_batch_ndims, but have 1 and 2",
        ),
        (
            lambda: d.kl_divergence(
                d.TransformedDistribution(d.Normal(0.0, 1.0), d.ExpTransform()),
                d.TransformedDistribution(d.Normal(0.0, 1.0), d.SigmoidTransform()),
            ),
            r"p has the transforms \[ExpTransform\(\)\], but q has \[SigmoidTransform\(\)\]",
        ),
    ],
)
def test_missing_methods_and_divergences_are_named(call, message):
    with pytest.raises(NotImplementedError, match=message):
        call()


@pytest.mark.parametrize("transforms", [torch.exp, (d.ExpTransform(),)])
def test_transforms_of_a_distribution_are_one_transform_or_a_list(transforms):
    with pytest.raises(ValueError, match="transforms must be a Transform or list, but was"):
        d.TransformedDistribution(d.Normal(0.0, 1.0), transforms)
    with pytest.raises(ValueError, match="transforms must be a Transform or a list of Transforms"):
        d.TransformedDistribution(d.Normal(0.0, 1.0), [torch.exp])


@pytest.mark.parametrize("name", ["cat", "stack"])
def test_constraints_of_parts_name_the_sizes(name):
    constraint = getattr(d.constraints, name)([d.constraints.real] * 2)
    for shape in ((3,), (1,), ()):
        with pytest.raises(AssertionError, match=rf"^{name.title()}: expected 2 values along dim 0, got \("):
            constraint.check(torch.ones(shape))
