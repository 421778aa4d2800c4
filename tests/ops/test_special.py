"""Special functions: values at the ends of their domains, signs of zeros, dtypes, derivatives, polynomials, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import microgad as torch

special = torch.special
inf, nan = math.inf, math.nan
LIMITS = [
    (torch.erf, [0, inf, -inf, nan, 1e-320], [0, 1, -1, nan, 1.1284e-320]),
    (torch.erfc, [0, inf, -inf, nan, 27.5], [1, 0, 2, nan, 0]),
    (special.erfcx, [0, inf, -inf, -30, nan], [1, 0, inf, inf, nan]),
    (torch.erfinv, [0, 1, -1, 1.1, nan], [0, inf, -inf, nan, nan]),
    (special.ndtri, [0, 1, 0.5, -1, 2, nan], [-inf, inf, 0, nan, nan, nan]),
    (special.ndtr, [0, inf, -inf, nan], [0.5, 1, 0, nan]),
    (special.log_ndtr, [inf, -inf, nan], [0, -inf, nan]),
    (torch.lgamma, [0, -1, -3, inf, -inf, 1, 2, nan], [inf, inf, inf, inf, inf, 0, 0, nan]),
    (torch.digamma, [0.0, -0.0, -1, inf, -inf, nan], [-inf, inf, nan, inf, nan, nan]),
    (lambda x: torch.polygamma(1, x), [0, -1, inf, nan], [inf, inf, 0, nan]),
    (lambda x: torch.polygamma(2, x), [0, inf, nan], [-inf, 0, nan]),
    (torch.i0, [0, inf, -inf, nan], [1, inf, inf, nan]),
    (special.i0e, [0, inf, -inf, nan], [1, 0, 0, nan]),
    (special.i1, [0, inf, -inf, nan], [0, inf, -inf, nan]),
    (special.i1e, [0, inf, -inf, nan], [0, 0, 0, nan]),
    (special.modified_bessel_k0, [0, -1, inf, nan], [inf, nan, 0, nan]),
    (special.modified_bessel_k1, [0, -1, inf, nan], [inf, nan, 0, nan]),
    (special.bessel_y0, [0, -1, nan], [-inf, nan, nan]),
    (special.bessel_y1, [0, -1, nan], [-inf, nan, nan]),
    (special.bessel_j0, [0, nan], [1, nan]),
    (special.spherical_bessel_j0, [0, inf, nan], [1, 0, nan]),
    (special.airy_ai, [1e3, nan], [0, nan]),
    (special.entr, [0, -1, inf, nan], [0, -inf, -inf, nan]),
    (lambda x: special.zeta(x, 2.0), [1, 0.5, inf, nan], [inf, nan, 0, nan]),
    (lambda q: special.zeta(2.0, q), [0, -1, inf, nan, -0.5], [inf, inf, 0, nan, 8.934802200544679]),
    (lambda x: torch.igamma(torch.ones_like(x), x), [0, inf, -1, nan], [0, 1, nan, nan]),
    (lambda a: torch.igammac(a, torch.ones_like(a)), [0, inf, -1, nan], [0, 1, nan, nan]),
    (lambda x: special.xlog1py(0.0, x), [-1, inf, nan], [0, 0, nan]),
    (lambda n: special.legendre_polynomial_p(torch.full_like(n, 0.5), n), [-1, 0, 1.9, inf], [0, 1, 0.5, 0]),
]


@pytest.mark.parametrize(("function", "at", "values"), LIMITS)
def test_values_at_the_ends_of_domains(function, at, values):
    found = function(torch.tensor(at, dtype=torch.float64)).array
    np.testing.assert_allclose(found, values, rtol=1e-3 if 1e-320 in at else 1e-15)


@pytest.mark.parametrize(
    ("function", "at", "negative"),
    [
        (special.entr, [1, 0], [True, False]),
        (special.bessel_j1, [-0.0, 0], [True, False]),
        (lambda x: torch.xlogy(x, 2.0), [-0.0, 0], [False, False]),
        (lambda x: special.xlog1py(x, 2.0), [-0.0, 0], [False, False]),
    ],
)
def test_zeros_have_pytorch_s_signs(function, at, negative):
    found = function(torch.tensor(at, dtype=torch.float64))
    assert found.tolist() == [0, 0]
    assert torch.signbit(found).tolist() == negative


@pytest.mark.parametrize("kind", "tuvw")
def test_chebyshev_polynomials_of_high_degree_continue_the_recurrence(kind):
    function = getattr(special, f"chebyshev_polynomial_{kind}")
    x = torch.tensor([-1.0, 1.0, 0.3, -0.9, 1.001, -1.001], dtype=torch.float64)
    previous, last, following = (function(x, n).array for n in (63, 64, 65))
    np.testing.assert_allclose(following, 2 * x.array * last - previous, rtol=1e-11)


def test_results_keep_float32_and_float16_and_erf_of_float32_is_accurate():
    for dtype in (torch.float32, torch.float16):
        x = torch.tensor([0.5, 2.0], dtype=dtype)
        for function in (torch.erf, torch.lgamma, torch.i0, special.ndtr, special.bessel_j0, torch.digamma):
            assert function(x).dtype == dtype
        assert special.zeta(2, x).dtype == special.xlog1py(x, 2.5).dtype == torch.igamma(x, x).dtype == dtype
    assert torch.erf(torch.tensor([1, 2])).dtype == torch.float32
    assert torch.erf(torch.tensor([np.inf, -np.inf, -0.0, 4.2])).tolist() == [1, -1, 0, 1]
    x = np.concatenate((np.linspace(-5, 5, 40001), np.geomspace(1e-43, 5, 40001))).astype(np.float32)
    single, double = (torch.erf(torch.tensor(x, dtype=d)).cpu().array for d in (torch.float32, torch.float64))
    assert (abs(single - double) <= 4 * np.spacing(abs(double).astype(np.float32))).all()


def test_functions_without_derivatives_raise():
    x = torch.tensor([2.0], requires_grad=True)
    for function in (special.bessel_j0, special.airy_ai, lambda x: special.legendre_polynomial_p(x, 2)):
        with pytest.raises(RuntimeError, match="derivative"):
            function(x)
    for function in (torch.igamma, torch.igammac, special.zeta):
        other = torch.ones(1, requires_grad=True)
        y = function(x, other)
        assert torch.autograd.grad(y, other, retain_graph=True)[0].item() != 0  # it doesn't need the derivative by x
        with pytest.raises(NotImplementedError, match=r"the derivative for .*: input"):
            y.backward()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: torch.polygamma(-1, torch.ones(1)), RuntimeError, "negative n"),
        (lambda: torch.mvlgamma(torch.ones(1), 0), RuntimeError, "p = 0"),
        (lambda: torch.erf(torch.ones(1, dtype=torch.complex64)), RuntimeError, "complex"),
        (lambda: special.zeta(2, 3), TypeError, "Tensor"),
        (lambda: torch.igamma(torch.ones(1), 2), TypeError, "Tensor"),
        (lambda: torch.ones(1, dtype=torch.int64).erf_(), RuntimeError, "cast"),
    ],
)
def test_wrong_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_derivatives_to_the_third_order_at_zero():
    """I₁'''(0) = 3/8. A formula that divides by x would give NaN."""
    x = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    y = special.i1(x)
    found = []
    for _ in range(3):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        found.append(y.item())
    assert found == [0.5, 0.0, 0.375]


@pytest.mark.parametrize("large_degrees", [2, 40])
def test_polynomials_of_high_degrees_follow_their_recurrence(large_degrees):
    """A few elements of large degree are computed one by one, many together."""
    rng = np.random.default_rng(0)
    x, n = rng.uniform(0, 2, 60), rng.integers(0, 100, 60)
    n[:large_degrees], x[1] = rng.integers(4000, 9000, large_degrees), 1e20  # its polynomials overflow
    expected = []
    for value, degree in zip(x.tolist(), n.tolist(), strict=True):
        previous, p = 1.0, 1 - value
        for k in range(1, degree):
            previous, p = p, ((2 * k + 1 - value) * p - k * previous) / (k + 1)
        expected.append(p if degree else 1.0)
    found = torch.special.laguerre_polynomial_l(torch.tensor(x), torch.tensor(n)).cpu().numpy()
    assert np.isnan(found[1])
    np.testing.assert_array_equal(found, expected)


# Zeros of the functions, around which they have to be precise.
ZEROS = [1, 2, 1.4616321, 3, -2.4570247, -2.7476826, -3.1435809, -4.0393619, -0.5040830, -1.5734985, -7.6871638]
# Those of Bessel functions.
ZEROS += [2.4048256, 5.5200781, 3.8317060, 0.8935770, 3.9576784, 2.1971413, 5.4296810, 3.1415927]
AROUND = np.array(ZEROS, np.float32).view(np.int32)[:, None] + np.arange(-40, 40, dtype=np.int32)
LINE = np.concatenate([
    np.exp(np.linspace(-100, 88, 500)), np.linspace(0, 25, 500), np.linspace(-60.1, 0, 999),
    [0, -0.0, -1, -1e30, np.inf, -np.inf, np.nan],
]).astype(np.float32)  # fmt: skip
POSITIVE = np.concatenate([np.exp(np.linspace(-12, 7, 200)), np.linspace(0.02, 25, 100)]).astype(np.float32)


def _trigamma(x):
    return torch.polygamma(1, x)


@pytest.mark.parametrize(
    "function",
    [
        torch.lgamma, torch.digamma, _trigamma, special.ndtri, torch.igamma, torch.igammac, special.bessel_j0,
        special.bessel_j1, special.bessel_y0, special.bessel_y1, special.spherical_bessel_j0, special.i1e,
    ],
)  # fmt: skip
def test_float32_results_are_float64_results_rounded_once(function):
    inputs = [np.concatenate([LINE, AROUND.view(np.float32).reshape(-1), np.linspace(0, 1, 999, dtype=np.float32)])]
    if function in (torch.igamma, torch.igammac):
        ratios = np.exp(np.linspace(-3, 3, 25, dtype=np.float32))
        inputs = [np.repeat(POSITIVE, 25), np.outer(POSITIVE, ratios).reshape(-1)]
    single, double = (function(*[torch.tensor(x.astype(d)) for x in inputs]).cpu().array for d in ("f4", "f8"))
    with np.errstate(over="ignore", invalid="ignore"):
        assert single.dtype == np.float32
        found = abs(single - double) <= 0.51 * np.spacing(abs(double).astype(np.float32))
        assert (found | (single == double.astype(np.float32)) | (np.isnan(single) & np.isnan(double))).all()


def test_shifted_chebyshev_polynomials_of_the_second_kind():
    """U₀ to U₃ of y = 2 x - 1."""
    x = np.array([-0.5, 0.0, 0.25, 0.5, 1.0, 1.5])
    y = 2 * x - 1
    for n, expected in enumerate([np.ones(6), 2 * y, 4 * y**2 - 1, 8 * y**3 - 4 * y]):
        found = special.shifted_chebyshev_polynomial_u(torch.tensor(x), n)
        np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (torch.special.entr, 0.0, math.inf),
        (torch.special.i0e, 0.0, 0.0),
        (torch.special.i0e, math.inf, 0.0),
        (torch.special.i1e, math.inf, 0.0),
        (lambda x: torch.special.zeta(2.0, x), -0.5, 16 - 14 * 1.2020569031595942),
        (lambda x: torch.special.xlog1py(x, -1.0), 0.0, 0.0),
        (lambda x: torch.xlogy(x, 0.0), 0.0, 0.0),
        (lambda x: torch.xlogy(x, 0.0), -1.0, -math.inf),
    ],
)
def test_slopes_at_special_points_are_pytorch_s(function, at, slope):
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    for create_graph in (False, True):
        (grad,) = torch.autograd.grad(function(x), x, create_graph=create_graph)
        np.testing.assert_allclose(grad.detach().cpu().numpy(), slope, 1e-9)


def test_polygamma_of_high_order_is_finite():
    x = torch.tensor(2.0, dtype=torch.float64)
    np.testing.assert_allclose(torch.polygamma(120, x).item(), -math.factorial(120) / 2**121, 1e-12)


@pytest.mark.parametrize(
    ("a", "x", "upper"),
    [
        (2259733650.3834505, 2259733667.3729568, 0.49985462138997416),
        (1e15, 1e15 + 300, 0.4999962110959962),
        (2e17, 2e17 + 64, 0.49999994261067426),
        (1e20, 1e20 + 2e10, 0.02275014301093051),
    ],
)
def test_incomplete_gamma_functions_of_huge_numbers(a, x, upper):
    """The values are mpmath's, by Temme's expansion."""
    a, x = torch.tensor(a, dtype=torch.float64), torch.tensor(x, dtype=torch.float64)
    np.testing.assert_allclose([torch.igammac(a, x).item(), torch.igamma(a, x).item()], [upper, 1 - upper], 5e-16)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_derivatives_of_incomplete_gamma_functions_of_large_numbers_keep_their_digits(dtype, tolerance):
    """The values are mpmath's."""
    x = torch.tensor(1000500.0, dtype=dtype, requires_grad=True)
    for function, sign in ((torch.igamma, 1), (torch.igammac, -1)):
        (slope,) = torch.autograd.grad(function(torch.tensor(1e6, dtype=dtype), x), x, create_graph=True)
        (second,) = torch.autograd.grad(slope, x)
        np.testing.assert_allclose(slope.item(), sign * 3.5190400961467548e-4, tolerance)
        np.testing.assert_allclose(second.item(), sign * -1.7621580091649417e-7, tolerance)


@pytest.mark.parametrize(
    ("function", "odd", "at", "slope", "second"),
    [
        (special.i0e, False, 40.0, -7.9605080079326952e-4, 3.0045874725487511e-5),
        (special.i0e, False, 1e6, -1.9947121500246404e-10, 2.9920689730551389e-16),
        (special.i1e, True, 40.0, -7.66004926067782e-4, 2.8155641597733327e-5),
        (special.i1e, True, 1e6, -1.9947091579556673e-10, 2.9920614928808362e-16),
    ],
)
def test_derivatives_of_scaled_bessel_functions_of_large_numbers_keep_their_digits(function, odd, at, slope, second):
    """The values are mpmath's."""
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 3e-7)):
        x = torch.tensor([at, -at], dtype=dtype, requires_grad=True)
        (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        np.testing.assert_allclose(first.tolist(), [slope, slope if odd else -slope], tolerance)
        (found,) = torch.autograd.grad(first.sum(), x)
        np.testing.assert_allclose(found.tolist(), [second, -second if odd else second], tolerance)


@pytest.mark.parametrize(
    ("at", "second", "third"),
    [(6.0, 0.0048288937324488541, -0.0022946891668230356), (1e3, 1.1283757819707055e-9, -3.3851205756878906e-12)],
)
def test_higher_derivatives_of_erfcx_of_large_numbers_keep_their_digits(at, second, third):
    """The values are mpmath's."""
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(special.erfcx(x), x, create_graph=True)
    for expected in (second, third):
        (slope,) = torch.autograd.grad(slope, x, create_graph=True)
        np.testing.assert_allclose(slope.item(), expected, 1e-14)
