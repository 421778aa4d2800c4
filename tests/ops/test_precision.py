"""Precision and overflow, where a straightforward formula would lose digits or overflow."""

from __future__ import annotations

import math

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F

from ..leaves import leaf


def gradient(f, x):
    (g,) = torch.autograd.grad(f(x).sum(), x)
    return g.array


def test_a_small_sigmoid_keeps_its_digits_and_large_inputs_do_not_overflow():
    x = np.array([-1000.0, -300.0, -40.0, 0.0, 40.0, 1000.0])
    np.testing.assert_allclose(
        torch.sigmoid(torch.tensor(x)).array, [0, np.exp(-300.0), np.exp(-40.0), 0.5, 1, 1], rtol=1e-15
    )
    assert torch.sigmoid(torch.tensor([-np.inf, np.inf])).tolist() == [0, 1]


def test_the_derivative_of_a_saturated_logsigmoid_keeps_its_digits():
    np.testing.assert_allclose(gradient(torch.nn.functional.logsigmoid, leaf(600.0)), [np.exp(-600.0)], rtol=1e-12)


def test_the_second_derivative_of_logsigmoid_keeps_its_digits():
    x = leaf(-40.0, 40.0)
    (g,) = torch.autograd.grad(torch.nn.functional.logsigmoid(x).sum(), x, create_graph=True)
    np.testing.assert_allclose(gradient(lambda _: g, x), [-np.exp(-40.0)] * 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "at", "expected"),  # by mpmath; f(x) - f(-x) = x, so the second derivative is the same on both sides
    [
        (torch.nn.functional.silu, 40, -1.6143746170108038e-16),
        (lambda x: torch.nn.functional.gelu(x, approximate="tanh"), 7, -3.2322584067057344e-13),
    ],
)
def test_second_derivatives_of_gated_activations_keep_their_digits_where_the_gate_is_open(f, at, expected):
    x = leaf(-at, at)
    (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    np.testing.assert_allclose(gradient(lambda _: g, x), [expected] * 2, rtol=1e-10)


def test_equal_large_inputs_share_the_gradient_of_logsumexp():
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
        ((0, 1, 1), (0, 0, 1)),  # PyTorch loses the gradient: (0, 0, 0)
        ((2, 1, 1), (0, 0, 1)),
        ((1, 2, 1), (0, 0, 1)),
        ((1, 1, 2), (1, 0, 0)),
        ((3, 1, 2), (0, 0, 1)),
    ],
)
def test_clamp_passes_the_gradient_to_one_of_its_arguments(values, expected):
    x, low, high = (torch.tensor(float(v), requires_grad=True) for v in values)
    torch.clamp(x, low, high).backward()
    assert (x.grad.item(), low.grad.item(), high.grad.item()) == expected


@pytest.mark.parametrize("n", [1 << 17, 3_000_001])
def test_the_mean_of_many_squares_keeps_its_digits(n):
    x = np.random.default_rng(0).random(n).astype(np.float32)
    found = F.mse_loss(torch.tensor(x), torch.zeros(n)).item()
    np.testing.assert_allclose(found, np.mean(x.astype(np.float64) ** 2), 3e-7)


@pytest.mark.parametrize("norm", [F.layer_norm, F.rms_norm])
def test_a_row_of_millions_is_normalized_precisely(norm):
    x = np.random.default_rng(0).standard_normal(1 << 22).astype(np.float32)
    double = x.astype(np.float64)
    centered = double - double.mean() if norm is F.layer_norm else double
    found = norm(torch.tensor(x), x.shape, eps=0).array
    expected = centered / np.sqrt((centered * centered).mean())
    assert (abs(found - expected) - 1e-6 * abs(expected)).max() <= 1e-6  # in a third of assert_allclose's time


def test_a_tiny_pos_weight_does_not_vanish():
    loss = F.binary_cross_entropy_with_logits(torch.zeros(1), torch.ones(1), pos_weight=torch.tensor([1e-20]))
    assert loss.item() == pytest.approx(1e-20 * math.log(2), rel=1e-6, abs=0)


def test_binary_cross_entropy_with_a_large_pos_weight_keeps_its_digits():
    x = torch.tensor([50.0], dtype=torch.float64, requires_grad=True)
    target, pos_weight = (torch.tensor([value], dtype=torch.float64) for value in (3.0, 1e20))
    F.binary_cross_entropy_with_logits(x, target, pos_weight=pos_weight).backward()
    assert x.grad.item() == pytest.approx(-2 - 3e20 * math.exp(-50), rel=1e-14)


def test_the_logarithm_of_complex_numbers_near_1_keeps_the_digits_of_its_real_part():
    z = [1e-20 + 2e-20j, 1e-10 + 1e-5j, 1e-200 + 0j, -0.0 + 0j, 0.1 - 0j, 3 + 4j]
    found = torch.log1p(torch.tensor(z, dtype=torch.complex128)).array
    real = [1e-20, 1.499999999825e-10, 1e-200, 0, math.log(1.1), 1.7328679513998633]
    np.testing.assert_allclose(found.real, real, rtol=1e-14)
    np.testing.assert_allclose(found.imag, np.angle(1 + np.array(z)), rtol=1e-9)
    assert torch.log1p(torch.tensor(1e-20 + 0j)).dtype == torch.complex64


def test_bicubic_sampling_has_the_right_second_derivative_at_0():
    x = torch.tensor([[[[2.875, -1.0], [2.125, 0.5], [0.0, 3.0]]]], dtype=torch.float64)

    def slope(y):
        grid = leaf(1.0, y).reshape(1, 1, 1, 2)
        sampled = F.grid_sample(x, grid, "bicubic", align_corners=True)
        (first,) = torch.autograd.grad(sampled, grid, create_graph=True)
        (second,) = torch.autograd.grad(first[..., 1].sum(), grid)
        return second[..., 1].item()

    assert slope(0.0) == pytest.approx(slope(1e-9), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_of_erfcx_and_log_ndtr_of_large_arguments_keep_their_digits(dtype):
    x = torch.tensor([8.0, 30.0, 1000.0, 2.0**20], dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.special.erfcx(x).sum(), x)
    (first,) = torch.autograd.grad(torch.special.log_ndtr(-x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(
        slope.array,
        [-0.0086165078814177303, -0.00062583541050748407, -5.6418873726549667e-7, -5.1312743703145915e-13],
        2 * eps,
    )
    np.testing.assert_allclose(
        second.array, [-0.98567511655665909, -0.99889622848810991, -0.99999900000599995, -0.99999999999909051], 4 * eps
    )


def test_the_derivative_of_float32_erfcx_has_the_digits_of_float64_s():
    x = torch.cat([torch.linspace(-9.0, 12.0, 211), torch.tensor([-torch.inf, 0.0, 1e15, torch.inf, torch.nan])])
    slope = torch.func.grad(lambda x: torch.special.erfcx(x).sum())
    np.testing.assert_allclose(slope(x).array, slope(x.double()).array, 1e-7)


def test_the_second_derivative_of_log_ndtr_is_right_where_erfcx_overflows():
    x = leaf(-40.0, -1.0, 1.0, 30.0, 37.0, 40.0, 1e200)
    (first,) = torch.autograd.grad(torch.special.log_ndtr(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    f, x = first.detach().array, x.detach().array
    np.testing.assert_allclose(f[:5], [40.0249688472, 1.5251352762, 0.28759997094, 1.4736461e-196, 2.1200065e-298])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(second.array, -f * (x + f), rtol=1e-7)


def test_source_positions_of_interpolate_are_rounded_once():
    step = np.float32(1 / 1.7).astype(np.float64)
    at = ((np.arange(108) + 0.5) * step - 0.5).astype(np.float32)
    weights = F.interpolate(torch.eye(64)[None], scale_factor=1.7, mode="linear")[0].cpu().numpy()
    np.testing.assert_array_equal(weights.max(0)[1:-1], np.maximum(at % 1, 1 - at % 1)[1:-1])
