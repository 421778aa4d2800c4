"""Sums, means, extrema and where they are, variance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.indexing import Gather
from microgad.ops.reduction import All, Amax, Amin, Any_, Argmax, Argmin, Mean, Sum
from microgad.testing.strategies import axes, numbers, shapes, tensors

from .registry import checks, computes


def reduced(draw, function, x, **options):
    dim, keepdim = draw(axes(x.ndim, **options)), draw(st.booleans())
    return lambda x: function(x, dim, keepdim), x


@checks(Sum)
def test_sum(draw):
    return reduced(draw, torch.sum, draw(tensors(shapes(min_side=0), requires_grad=True)))


@checks(Mean)
def test_mean(draw):
    return reduced(draw, torch.mean, draw(tensors(requires_grad=True)))


@checks(Amax)
def test_amax(draw):
    return reduced(draw, torch.amax, draw(tensors(requires_grad=True, unique=draw(st.booleans()))))


@checks(Amin)
def test_amin(draw):
    return reduced(draw, torch.amin, draw(tensors(requires_grad=True, unique=draw(st.booleans()))))


@checks(Gather)
def test_max_along_a_dimension(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True, unique=True))
    dim, function = draw(axes(x.ndim, several=False, all=False)), draw(st.sampled_from([torch.max, torch.min]))
    return lambda x: function(x, dim).values, x


@checks(Mean, Sum)
def test_var(draw):
    """A composite; of a single element with correction 1 it would be 0/0."""
    x = draw(tensors(shapes(min_dims=1, min_side=2), requires_grad=True))
    dim, correction = draw(axes(x.ndim)), draw(st.sampled_from([0, 1, 0.5]))
    return lambda x: torch.var(x, dim, correction=correction), x


@checks(Mean, Sum)
def test_std(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=2), requires_grad=True, unique=True))
    dim = draw(axes(x.ndim))
    return lambda x: torch.std(x, dim), x


@given(tensors(elements=st.sampled_from([0.0, 1.0]), requires_grad=True), st.booleans())
def test_ties_share_the_gradient_equally(x, largest):
    y = torch.amax(x) if largest else torch.amin(x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    winners = x.array == y.array
    np.testing.assert_allclose(g.array, winners / winners.sum(), rtol=1e-15)


def first(better):
    """The index of the first of the best values along the last axis, found by looking at one after the other."""

    def on_array(x):
        indices = []
        for row in x.reshape(-1, x.shape[-1]).tolist():
            best = 0
            for i, value in enumerate(row):
                best = i if better(value, row[best]) else best
            indices.append(best)
        return np.array(indices, np.int64).reshape(x.shape[:-1])

    return on_array


def over_rows(of_row):
    """A Python function of a list, applied along the last axis."""
    return lambda x: np.array([of_row(row) for row in x.reshape(-1, x.shape[-1]).tolist()]).reshape(x.shape[:-1])


WITH_TIES = tensors(shapes(min_dims=1), elements=numbers(-0.25, 0.25), requires_grad=True).map(lambda x: (x,))
MASKS = tensors(shapes(min_dims=1), dtype=torch.bool).map(lambda x: (x,))
ENTRIES = [
    computes(Argmax, lambda x: torch.argmax(x, -1), first(lambda a, b: a > b), WITH_TIES),
    computes(Argmin, lambda x: torch.argmin(x, -1), first(lambda a, b: a < b), WITH_TIES),
    computes(Any_, lambda x: torch.any(x, -1), over_rows(any), MASKS),
    computes(All, lambda x: torch.all(x, -1), over_rows(all), MASKS),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_values(entry):
    entry.run()
