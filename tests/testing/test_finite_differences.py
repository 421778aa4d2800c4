"""The numerical derivative by itself: how good it is, and where it refuses the complex step."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch
from microgad.testing.numerical.finite_differences import FiniteDifferences


def differences(function, *values, eps=1e-3):
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    return FiniteDifferences(lambda: function(x).array.reshape(-1), [x], eps), x


def test_the_complex_step_is_exact():
    by, x = differences(torch.exp, 0.5, -2.0)
    assert by.takes_complex
    np.testing.assert_array_max_ulp(np.diag(by.jacobian(0)), np.exp(x.array), 1)


def test_extrapolated_differences_have_an_error_of_the_fourth_order():
    by, x = differences(lambda x: torch.sin(x.abs()), 0.5, 2.0)
    assert not by.takes_complex
    errors = []
    for eps in (0.1, 0.05):
        by.eps = eps
        errors.append(np.abs(np.diag(by.jacobian(0)) - np.cos(x.array)).max())
    assert errors[0] / errors[1] > 12
    by.eps = 1e-3
    np.testing.assert_allclose(np.diag(by.jacobian(0)), np.cos(x.array), rtol=1e-11)


@pytest.mark.parametrize(
    "function",
    [torch.abs, lambda x: x * x.abs(), lambda x: x * x.detach().array.real, lambda x: torch.tensor(x.array.real) * 2],
)
def test_functions_that_lose_the_complex_part(function):
    by, _ = differences(function, 0.5, -2.0)
    assert not by.takes_complex


def test_the_step_does_not_drown_in_a_large_x():
    by, _ = differences(torch.abs, 1e12, -1e12, eps=1e-6)
    np.testing.assert_allclose(np.diag(by.jacobian(0)), [1, -1], rtol=1e-6)


def test_one_sided():
    by, _ = differences(torch.relu, 0.0, 1.0)
    below, above = by.one_sided(0, 0)
    assert (below[0], above[0]) == (0, 1)


def test_the_order_of_axes_in_memory_stays():
    """Random draws follow it."""
    x = torch.tensor(np.ones((2, 3))).T.requires_grad_()
    seen = []
    by = FiniteDifferences(lambda: seen.append(x.array.strides) or x.array.reshape(-1), [x], 1e-3)
    by.jacobian(0)
    assert all(first < last for first, last in seen)
