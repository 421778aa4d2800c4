"""The likely mistake in examples that are so small, or so full of zeros, that several mistakes would explain them."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch
from microgad.testing import GradcheckError, check_grads
from microgad.testing.findings.diagnosis import likely_mistake
from microgad.testing.laws import check_op

from ..leaves import leaf


class Product(torch.Function):
    """a @ b, whose derivative for a lacks a transpose."""

    def forward(self, a, b):
        return np.matmul(a, b)

    def grad_a(self, grad, b):
        return np.matmul(grad, b)

    def grad_b(self, grad, a):
        return np.matmul(a.T, grad)


class Layer(torch.Function):
    """tanh(x wᵀ), whose derivative for x has w transposed."""

    def forward(self, x, w):
        return np.tanh(np.matmul(x, w.T))

    def grad_x(self, grad, w, out):
        return np.matmul(grad * (1 - out * out), w.T)

    def grad_w(self, grad, x, out):
        return np.matmul((grad * (1 - out * out)).T, x)


class Mean(torch.Function):
    """The mean of a vector, without 1/N in its derivative."""

    def forward(self, x):
        return np.mean(x)

    def grad_x(self, grad, x):
        return grad * np.ones_like(x)


class Scaled(torch.Function):
    """x · scale, with `wrong` as the derivative."""

    def forward(self, x):
        return x * self.scale

    def grad_x(self, grad):
        return grad * self.wrong


def guess(function, *args, order=1, **options):
    """The likely mistake that the failed check of a function guesses; empty if it has no guess."""
    with pytest.raises(GradcheckError) as caught:
        check_grads(function, args, order=order, **options)
    mistake = likely_mistake(caught.value.finding)
    assert mistake is None or f"It looks like {mistake}" in str(caught.value)
    return mistake or ""


def test_one_nonzero_value_is_transposed_rather_than_flipped():
    assert guess(Product.apply, leaf([0, 1], [0, 0]), leaf([0, 1], [0, 0])).startswith("transposed")


def test_a_transposed_matrix_before_a_nonlinearity():
    assert guess(Layer.apply, leaf([0.5, -0.25]), leaf([1, 2], [0.5, -1])).startswith("transposed")


def test_a_mean_of_two_without_its_half():
    assert guess(Mean.apply, leaf(1, 2)).startswith("a factor 1/N: the analytical derivative is 2 × the numerical one")


@pytest.mark.parametrize(("factor", "values"), [(2.0, (1, 2)), (1.5, (1, 2, 3)), (4.0, (1, 2, 3, 4))])
def test_a_multiple_of_an_elementwise_derivative_is_a_factor_not_one_over_n(factor, values):
    assert guess(lambda x: Scaled.apply(x, scale=1.0, wrong=factor), leaf(*values)).startswith("a factor: ")


@pytest.mark.parametrize("factor", [1.01, 0.9, 3.0])
def test_a_factor_of_a_single_number(factor):
    assert guess(lambda x: Scaled.apply(x, scale=1.0, wrong=factor), leaf(0.0)).startswith("a factor: ")


def test_a_mask_applied_twice_that_masks_nothing():
    assert guess(lambda x: Scaled.apply(x, scale=1.25, wrong=1.25**2), leaf(1)).startswith("a mask applied twice")
    alternative = guess(lambda x: Scaled.apply(x, scale=2.0, wrong=4.0), leaf(1))
    assert alternative.startswith("a factor: ")
    assert "a mask is applied twice" in alternative


def test_a_formula_that_fits_only_these_values_is_not_named():
    """At ones 1/x is 1, so that many formulas fit."""
    assert guess(lambda x: torch.sin(x).detach() + x, leaf(1, 1, 1)) == ""


class WrongWhere(torch.Function):
    """sin(x) · y, whose derivative for x is `instead` where `at(x, y)`."""

    def forward(self, x, y):
        return np.sin(x) * y

    def grad_x(self, grad, x, y):
        return grad * np.where(self.at(x, y), self.instead, np.cos(x) * y)

    def grad_y(self, grad, x):
        return grad * np.sin(x)


@pytest.mark.parametrize("instead", [0.0, 2.0])
@pytest.mark.parametrize(
    ("at", "x", "where"),
    [
        (lambda x, y: x == 0, [0], "is 0"),
        (lambda x, y: x == y, [1], "is equal to input 1"),
        (lambda x, y: x == y, [1, 1], "has equal values or is equal to input 1"),
        (lambda x, y: x == 3, [3], ""),
    ],
)
def test_a_derivative_that_is_wrong_only_at_the_given_values_is_neither_0_nor_a_multiple(at, x, where, instead):
    mistake = guess(lambda x, y: WrongWhere.apply(x, y, at=at, instead=instead), leaf(*x), leaf(1))
    assert mistake == (f"ties: wrong only where input 0 {where}" if where else "")


class Leak(torch.Function):
    """x, or a tenth of it if it is negative, with a hundredth as the derivative there and `at_zero` at 0."""

    def forward(self, x):
        return np.where(x > 0, x, 0.1 * x)

    def grad_x(self, grad, x):
        return grad * np.where(x > 0, 1.0, np.where(x < 0, 0.01, self.at_zero))


def test_a_derivative_that_is_wrong_on_one_side_of_a_kink_is_not_wrong_only_there():
    """The example shrinks to 0, where the one-sided derivatives are 0.1 and 1."""
    mistake = guess(lambda x: Leak.apply(x, at_zero=0.01), leaf(0.0), kinks="accept")
    assert mistake == "a factor: the analytical derivative is 1/10 × the numerical one"


class Hyperbola(torch.Function):
    """√(1 + x²), whose derivative lacks x."""

    def forward(self, x):
        return np.sqrt(1 + x * x)

    def grad_x(self, grad, out):
        return grad / out


def test_a_function_that_looks_alike_near_zero_is_not_named():
    """At 0 the derivative is that of cosh, and very near to 0 it is within the error; the wrong one is out there."""
    assert guess(Hyperbola.apply, leaf(0.0)) == ""


class Growth(torch.Function):
    """x · exp(y), whose derivative for y lacks x."""

    def forward(self, x, y):
        return x * np.exp(y)

    def grad_x(self, grad, y):
        return grad * np.exp(y)

    def grad_y(self, grad, y):
        return grad * np.exp(y)


def test_a_function_that_fits_only_these_values_is_not_named():
    """At y = 0 the derivative for y is cos(y), and the numerical one is that of cos."""
    assert guess(Growth.apply, leaf(0), leaf(0)) == "the wrong function: it is the derivative of exp"


@pytest.mark.parametrize(
    "other", [[torch.ones(3)], [np.ones((2, 3)), np.ones((2, 4))], {"a": np.ones(3)}, "text", None]
)
def test_other_arguments_may_be_of_any_type(other):
    assert guess(lambda x, other: Scaled.apply(x, scale=1.0, wrong=2.0), leaf(1, 2), other).startswith("a factor: ")


class FirstOnly(torch.Function):
    """x + bias, whose derivative for the bias is the first row's."""

    def forward(self, x, bias):
        return x + bias

    def grad_x(self, grad):
        return grad

    def grad_bias(self, grad):
        return grad[0]


def test_right_entries_count_as_evidence():
    """They show that a part of the gradient arrives, so that "nothing arrives" is no explanation."""
    mistake = guess(FirstOnly.apply, leaf([0, 0], [0, 0]), leaf(0, 0))
    assert mistake.startswith("a missing sum: only [0] along axis 0 of the output arrives")


def test_the_message_of_another_law_names_the_mistake_too():
    zeros = np.zeros((2, 2))
    with pytest.raises(AssertionError, match="breaks the law `symmetry`") as caught:
        check_op(Product, zeros, zeros + 0, examples=1, laws=["symmetry"])
    assert "It looks like transposed" in str(caught.value)
    assert likely_mistake(caught.value.finding).startswith("transposed")


class BothBounds(torch.Function):
    """x clamped to low and high, both of which get the whole gradient where they are equal."""

    def forward(self, x, low, high):
        return np.minimum(np.maximum(x, low), high)

    def grad_x(self, grad, x, low, high):
        return grad * ((x > low) & (x < high))

    def grad_low(self, grad, x, low, high):
        return grad * ((x < low) & (low <= high))

    def grad_high(self, grad, x, low, high):
        return grad * ((x > high) | (low >= high))


def test_the_sum_of_two_derivatives_is_known_where_each_of_them_jumps():
    with pytest.raises(GradcheckError, match="wrong where values are equal"):
        check_grads(BothBounds.apply, [leaf(-1, 2), leaf(0.5, 0.25), leaf(0.5, 0.75)])
