"""Cumulative sums, products, extrema and logsumexp; differences and integrals."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.reduction import Cummax, Cummin, Cumprod, Cumsum, Diff, LogCumSumExp
from microgad.testing.strategies import axes, numbers, shapes, tensors

from .registry import checks

with_zeros = st.one_of(numbers(-2, 2), st.just(0.0))


def along(draw, function, x):
    dim = draw(axes(x.ndim, several=False, all=False)) if x.ndim else draw(st.sampled_from([0, -1]))
    return lambda x: function(x, dim), x


@checks(Cumsum)
def test_cumsum(draw):
    return along(draw, torch.cumsum, draw(tensors(shapes(min_side=0), requires_grad=True)))


@checks(Cumprod)
def test_cumprod(draw):
    """Zeros are frequent, as the derivative can't be a quotient by the element there."""
    return along(draw, torch.cumprod, draw(tensors(elements=with_zeros, requires_grad=True)))


@checks(LogCumSumExp)
def test_logcumsumexp(draw):
    return along(draw, torch.logcumsumexp, draw(tensors(requires_grad=True)))


@checks(Cummax)
def test_cummax(draw):
    function = lambda x, dim: torch.cummax(x, dim).values  # noqa: E731
    return along(draw, function, draw(tensors(requires_grad=True, unique=True)))


@checks(Cummin)
def test_cummin(draw):
    function = lambda x, dim: torch.cummin(x, dim).values  # noqa: E731
    return along(draw, function, draw(tensors(requires_grad=True, unique=True)))


@pytest.mark.parametrize("lines", [1, 3000])
@pytest.mark.parametrize("dim", [0, 1])
def test_of_equal_extrema_and_of_nans_the_last_one_counts(lines, dim):
    rows = {(1.0, math.nan, 2.0, math.nan, 3.0): [0, 1, 1, 3, 3], (2.0, 1.0, 2.0, 3.0, 3.0): [0, 0, 2, 3, 4]}
    for row, places in rows.items():
        x = np.moveaxis(np.tile(np.array(row), (lines, 1)), 1, dim)
        for found in (torch.cummax(torch.tensor(x), dim), torch.cummin(torch.tensor(-x), dim)):
            assert (np.moveaxis(found.indices.array, dim, 1) == places).all()


def test_an_infinity_leaves_the_gradient_of_sums_before_it():
    x = torch.tensor([-math.inf, 0.0, 0.0, math.inf, 1.0], requires_grad=True)
    (grad,) = torch.autograd.grad(torch.logcumsumexp(x, 0).sum(), x)
    assert grad.tolist()[1:3] == [1.5, 0.5]


@checks(Diff)
def test_diff(draw):
    x = draw(tensors(shapes(min_dims=1, min_side=2), requires_grad=True))
    n, dim = draw(st.integers(0, 2)), draw(axes(x.ndim, several=False, all=False))
    return lambda x: torch.diff(x, n, dim, append=x), x


def test_nothing_is_left_of_as_many_differences_as_elements():
    assert [len(torch.diff(torch.ones(3), n)) for n in range(5)] == [3, 2, 1, 0, 0]


@checks(Cumsum)
def test_integrals(draw):
    y = draw(tensors(shapes(min_dims=1, min_side=2), requires_grad=True))
    x = draw(tensors(y.shape[-1:], requires_grad=True))
    return lambda y, x: (torch.trapezoid(y, x), torch.cumulative_trapezoid(y, x)), y, x


@checks()
def test_gradient(draw):
    y = draw(tensors(shapes(min_dims=1, min_side=3), requires_grad=True))
    dim, order = draw(axes(y.ndim, several=False, all=False)), draw(st.sampled_from([1, 2]))
    steps = draw(tensors((y.shape[dim],), elements=numbers(0.5, 2), requires_grad=True))
    if draw(st.booleans()):
        return lambda y: torch.gradient(y, spacing=0.5, dim=dim, edge_order=order), y
    return lambda y, h: torch.gradient(y, spacing=(torch.cumsum(h, 0),), dim=dim, edge_order=order), y, steps
