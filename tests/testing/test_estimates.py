"""Numerical derivatives and their estimated errors, against exact derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.testing.numerical.complex_step import complex_step
from microgad.testing.numerical.estimates import Estimate, Line, estimate, refined, step_unit, verified


def along(f, x, direction=None, scale=1.0):
    """The estimated derivative of f along a direction, and that direction."""
    t = torch.tensor(np.asarray(x, float))
    v = step_unit(t.array) if direction is None else direction
    with np.errstate(all="ignore"):
        here = f(t.array).reshape(-1)
    return estimate(Line(lambda: f(t.array).reshape(-1), here, [t], [v]), scale), v


SMOOTH = {
    "exp": (np.exp, np.exp),
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "square": (np.square, lambda x: 2 * x),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "constant": (np.ones_like, np.zeros_like),
    "steep": (lambda x: np.tanh(1000 * x), lambda x: 1000 / np.cosh(np.clip(1000 * x, -700, 700)) ** 2),
    "offset": (lambda x: 1e6 + x, np.ones_like),
}


@pytest.mark.parametrize("name", SMOOTH)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=4), st.sampled_from([1e-30, 1e-8, 1.0, 1e3]))
def test_the_estimated_error_bounds_the_real_one(name, x, scale):
    f, derivative = SMOOTH[name]
    x = np.array(x) * scale
    found, v = along(f, x)
    with np.errstate(all="ignore"):
        exact = derivative(x) * v
    difference = np.abs(found.value - exact)
    known = np.isfinite(found.error) & np.isfinite(exact)
    assert np.all(difference[known] <= 10 * found.error[known] + 1e-12 * np.abs(exact[known]))


@pytest.mark.parametrize("name", sorted(set(SMOOTH) - {"steep"}))
def test_smooth_functions_have_small_errors_and_no_kinks(name):
    f, derivative = SMOOTH[name]
    x = np.random.default_rng(0).uniform(-2, 2, 50)
    found, v = along(f, x)
    assert not found.kinked.any()
    assert np.all(found.error <= 1e-7 * np.maximum(np.abs(f(x)), np.abs(derivative(x) * v)))


def test_a_kink_has_different_one_sided_derivatives():
    found, v = along(np.abs, [0.0, 1.0, -2.0])
    assert found.kinked.tolist() == [True, False, False]
    np.testing.assert_allclose(found.below / v, [-1, 1, -1], rtol=1e-9)
    np.testing.assert_allclose(found.above / v, [1, 1, -1], rtol=1e-9)


@pytest.mark.parametrize("near", [1e-3, 1e-5])
def test_near_a_kink_smaller_steps_are_taken(near):
    found, v = along(lambda x: np.maximum(x, 1.0), [1 + near, 1 - near])
    np.testing.assert_allclose(found.value, [v[0], 0], atol=1e-9)
    assert not found.kinked.any()


def test_a_jump_is_a_kink_without_a_derivative():
    found, _ = along(np.floor, [2.0, 2.5])
    assert found.kinked.tolist() == [True, False]
    assert np.isinf(found.error[0])


def test_a_wave_shorter_than_any_step_has_an_infinite_error():
    found, _ = along(np.sin, np.random.default_rng(0).standard_normal(300) * 1e12)
    assert np.mean(np.isinf(found.error)) > 0.99


def test_a_nan_value_has_an_infinite_error():
    with np.errstate(all="ignore"):
        found, _ = along(np.log, [-1.0, 1.0])
    assert np.isinf(found.error).tolist() == [True, False]


def test_the_step_is_relative_to_each_element_or_to_the_largest():
    np.testing.assert_allclose(step_unit(np.array([4.0, -1e-9, 0.0])), [4, 4e-3, 4e-3])
    np.testing.assert_allclose(step_unit(np.zeros(2)), 1e-3)
    np.testing.assert_allclose(step_unit(np.array([np.inf, np.nan, 2.0])), [2e-3, 2e-3, 2])
    assert step_unit(np.zeros(0)).shape == (0,)


def confirmed_along(f, x):
    """The derivative by a complex step, verified by a difference; None if the difference contradicts it."""
    t = torch.tensor(np.asarray(x, float))
    values = lambda: f(t.array).reshape(-1)  # noqa: E731
    exact = complex_step(values, [t], [step_unit(t.array)])
    return verified(exact, Line(values, f(t.array).reshape(-1), [t], [step_unit(t.array)]), 1.0)


@pytest.mark.parametrize("f", [np.exp, np.sin, np.tanh, lambda x: x**3, lambda x: 1 / x])
def test_a_difference_confirms_the_complex_step_of_an_analytic_function(f):
    x = np.array([0.5, -1.25, 3.0])
    found, (expected, _) = confirmed_along(f, x), along(f, x)
    assert np.all(found.error <= 1e-9 * (np.abs(f(x)) + np.abs(found.value)))
    assert np.all(np.abs(found.value - expected.value) <= 10 * expected.error)
    np.testing.assert_allclose(found.below, found.above, rtol=1e-2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.where(x.real > 0, x, 0 * x),  # a kink at 0
        lambda x: np.where(x.real > 0, x, np.where(x.real < 0, -x, 0 * x)),  # one whose sides are 0 on average
        lambda x: np.where(x.real > 1 + 1e-6, 2 * x, x),  # a jump within the step of 1
        lambda x: x * np.abs(x),  # takes complex numbers, but isn't analytic
        lambda x: np.sin(1e5 * x),  # a wave too short for the step
    ],
)
def test_a_difference_refutes_a_wrong_complex_step(f):
    assert confirmed_along(f, [0.0, 1.0]) is None


def test_a_complex_step_that_is_wrong_for_one_result_is_used_for_none():
    """A function that isn't analytic may be off by little elsewhere: by 1e-6 here, within a difference's error."""
    exact = np.array([1.0, 2.0])
    by_differences = Estimate(exact, np.array([1e-6, 1e-9]), *[np.zeros(2)] * 3, np.zeros(2, bool))
    wrong = exact + np.array([1e-6, -4.0])
    assert refined(by_differences, wrong).value.tolist() == exact.tolist()
    assert refined(by_differences, exact + np.array([1e-7, 0])).error[0] < 2e-7


def test_a_small_deviation_of_the_complex_step_counts_as_error():
    """NumPy's Cholesky factor takes complex numbers, of whose diagonal it reads the real part."""
    t = torch.tensor([0.00125], dtype=torch.float64)
    values = lambda: t.array * np.linalg.cholesky((2 + t.array * t.array).reshape(1, 1))[0]  # noqa: E731
    x, here = float(t.array[0]), values()
    exact = complex_step(values, [t], [t.array])
    found = verified(exact, Line(values, here, [t], [t.array]), 1.0)
    assert abs(found.value - x * (2 + 2 * x * x) / math.sqrt(2 + x * x)) <= 2 * found.error <= 1e-5 * found.value
