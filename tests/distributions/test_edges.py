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


def test_an_impossible_value_spoils_no_gradient_but_its_own():
    (slope,) = by(lambda a: d.Gamma(a, 1.0).log_prob(torch.tensor([0.0, 1.0]))[1:], 2.0)
    assert slope == -torch.tensor(2.0).digamma()
