"""`FiniteDifferences`: its precision, and when it takes complex steps."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch
from microgad.testing.numerical.finite_differences import FiniteDifferences


def differences(function, *values, eps=1e-3):
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    return FiniteDifferences(lambda: function(x).array.reshape(-1), [x], eps), x


def test_the_complex_step_is_exact():
    estimate, x = differences(torch.exp, 0.5, -2.0)
    assert estimate.takes_complex
    np.testing.assert_array_max_ulp(np.diag(estimate.jacobian(0)), np.exp(x.array), 1)


def test_extrapolated_differences_have_an_error_of_the_fourth_order():
    estimate, x = differences(lambda x: torch.sin(x.abs()), 0.5, 2.0)
    assert not estimate.takes_complex
    errors = []
    for eps in (0.1, 0.05):
        estimate.eps = eps
        errors.append(np.abs(np.diag(estimate.jacobian(0)) - np.cos(x.array)).max())
    assert errors[0] / errors[1] > 12
    estimate.eps = 1e-3
    np.testing.assert_allclose(np.diag(estimate.jacobian(0)), np.cos(x.array), rtol=1e-11)


@pytest.mark.parametrize(
    "function",
    [torch.abs, lambda x: x * x.abs(), lambda x: x * x.detach().array.real, lambda x: torch.tensor(x.array.real) * 2],
)
def test_functions_that_lose_the_imaginary_part_take_no_complex_step(function):
    estimate, _ = differences(function, 0.5, -2.0)
    assert not estimate.takes_complex


def test_the_step_is_large_enough_for_a_large_x():
    estimate, _ = differences(torch.abs, 1e12, -1e12, eps=1e-6)
    np.testing.assert_allclose(np.diag(estimate.jacobian(0)), [1, -1], rtol=1e-6)


def test_one_sided_derivatives_at_a_kink():
    estimate, _ = differences(torch.relu, 0.0, 1.0)
    below, above = estimate.one_sided(0, 0)
    assert (below[0], above[0]) == (0, 1)


def test_evaluations_keep_the_memory_layout_of_the_input():
    """Random draws depend on it."""
    x = torch.tensor(np.ones((2, 3))).T.requires_grad_()
    seen = []
    estimate = FiniteDifferences(lambda: seen.append(x.array.strides) or x.array.reshape(-1), [x], 1e-3)
    estimate.jacobian(0)
    assert all(first < last for first, last in seen)
