"""Where a formula that is right on paper loses its digits."""

from __future__ import annotations

import math

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def gradient(f, x):
    (g,) = torch.autograd.grad(f(x).sum(), x)
    return g.array


def test_a_small_sigmoid_keeps_its_digits_and_a_large_input_is_no_overflow():
    x = np.array([-1000.0, -300.0, -40.0, 0.0, 40.0, 1000.0])
    np.testing.assert_allclose(
        torch.sigmoid(torch.tensor(x)).array, [0, np.exp(-300.0), np.exp(-40.0), 0.5, 1, 1], rtol=1e-15
    )
    assert torch.sigmoid(torch.tensor([-np.inf, np.inf])).tolist() == [0, 1]


def test_the_derivative_of_a_saturated_logsigmoid():
    np.testing.assert_allclose(gradient(torch.nn.functional.logsigmoid, leaf(600.0)), [np.exp(-600.0)], rtol=1e-12)


def test_of_equal_large_values_each_has_its_share_of_logsumexp():
    np.testing.assert_array_equal(gradient(lambda x: torch.logsumexp(x, 0), leaf(1e19, 1e19)), [0.5, 0.5])
    np.testing.assert_array_equal(gradient(lambda x: torch.logsumexp(x, 0), leaf(-np.inf, -np.inf)), [0, 0])


def test_the_derivative_of_a_standard_deviation_of_zero_is_zero():
    x = leaf(2.0, 2.0)
    (g,) = torch.autograd.grad(torch.std(x), x, create_graph=True)
    assert g.tolist() == [0, 0]
    assert gradient(torch.std, leaf(1.0, 3.0)).tolist() == pytest.approx([-(0.5**0.5), 0.5**0.5])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 1, 1), (1, 0, 0)),
        ((0, 1, 1), (0, 0, 1)),  # torch: (0, 0, 0), which loses the gradient
        ((2, 1, 1), (0, 0, 1)),
        ((1, 2, 1), (0, 0, 1)),
        ((1, 1, 2), (1, 0, 0)),
        ((3, 1, 2), (0, 0, 1)),
    ],
)
def test_on_the_bounds_of_clamp_one_gradient_is_handed_on(values, expected):
    x, low, high = (torch.tensor(float(v), requires_grad=True) for v in values)
    torch.clamp(x, low, high).backward()
    assert (x.grad.item(), low.grad.item(), high.grad.item()) == expected


def test_binary_cross_entropy_with_a_large_pos_weight_keeps_its_digits():
    x = torch.tensor([50.0], dtype=torch.float64, requires_grad=True)
    target, pos_weight = (torch.tensor([value], dtype=torch.float64) for value in (3.0, 1e20))
    F.binary_cross_entropy_with_logits(x, target, pos_weight=pos_weight).backward()
    assert x.grad.item() == pytest.approx(-2 - 3e20 * math.exp(-50), rel=1e-14)
