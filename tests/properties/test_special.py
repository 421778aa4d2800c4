"""Special functions: derivatives by their laws, values against series, integrals and NumPy's polynomials."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre

import microgad as torch
from microgad.ops import special as ops
from microgad.testing.strategies import broadcastable_tensors, numbers, shapes, tensors

from .registry import checks, checks_of_one_input, computes

real, positive, nonzero = numbers(), numbers(0.25, 3), numbers(away_from=[0])
probability = st.integers(1, 31).map(lambda n: n / 32)
off_the_poles = numbers(-2.5, 3, away_from=[-2, -1, 0], by=0.2)
special = torch.special


T = torch.Tensor
# The elements to draw, and the functions that call it; those whose name ends in _ write to a copy.
FUNCTIONS = {
    ops.Erf: (real, torch.erf, special.erf, T.erf, T.erf_),
    ops.Erfc: (real, torch.erfc, special.erfc, T.erfc_),
    ops.Erfcx: (real, special.erfcx),
    ops.ErfcxSlope: (real, ops.ErfcxSlope.apply),
    ops.ErfcxDerivative: (numbers(6, 9), lambda x: ops.ErfcxDerivative.apply(x, n=2)),
    ops.Erfinv: (probability.map(lambda p: 2 * p - 1), torch.erfinv, T.erfinv_),
    ops.Ndtr: (real, special.ndtr),
    ops.LogNdtr: (real, special.log_ndtr),
    ops.Ndtri: (probability, special.ndtri),
    ops.Lgamma: (off_the_poles, torch.lgamma, special.gammaln, T.lgamma_),
    ops.Digamma: (off_the_poles, torch.digamma, special.psi, T.digamma_),
    (ops.I0, ops.I1): (real, torch.i0, special.i0, np.i0, T.i0_),
    (ops.I0e, ops.I1e): (nonzero, special.i0e),
    ops.I0eDerivative: (numbers(31, 40), lambda x: ops.I0eDerivative.apply(x, n=1)),
    (ops.I1, ops.BesselIOverPower): (real, special.i1),
    (ops.I1e, ops.BesselIOverPower): (nonzero, special.i1e),
    ops.Entr: (positive, special.entr),
}


@pytest.mark.parametrize("test", checks_of_one_input(FUNCTIONS), ids=lambda test: test.__name__)
def test_derivatives(test):
    test()


@checks(ops.Lgamma)
def test_mvlgamma(draw):
    p, function = draw(st.integers(1, 4)), draw(st.sampled_from([torch.mvlgamma, special.multigammaln]))
    return lambda x: function(x, p), draw(tensors(shapes(min_side=0), elements=numbers(2, 6), requires_grad=True))


@checks(ops.Polygamma)
def test_polygamma(draw):
    n, function = draw(st.integers(1, 4)), draw(st.sampled_from([torch.polygamma, lambda n, x: x.polygamma(n)]))
    return lambda x: function(n, x), draw(tensors(shapes(min_side=0), elements=positive, requires_grad=True))


@checks(ops.Zeta)
def test_zeta(draw):
    s, q = draw(broadcastable_tensors(2, elements=[numbers(1.5, 6), positive]))
    if draw(st.booleans()):
        return lambda q: special.zeta(2.5, q), q.requires_grad_()
    return special.zeta, s, q.requires_grad_()


@checks(ops.XLog1PY)
def test_xlog1py(draw):
    x, y = draw(broadcastable_tensors(2, elements=[real, numbers(-0.75, 3)], requires_grad=True))
    kind = draw(st.sampled_from(["tensors", "first", "second"]))
    if kind == "tensors":
        return special.xlog1py, x, y
    return (lambda y: special.xlog1py(1.5, y), y) if kind == "first" else (lambda x: special.xlog1py(x, 0.5), x)


@checks(ops.Igamma)
def test_igamma(draw):
    return incomplete_gamma(draw, torch.igamma, special.gammainc, torch.Tensor.igamma)


@checks(ops.Igammac)
def test_igammac(draw):
    return incomplete_gamma(draw, torch.igammac, special.gammaincc, torch.Tensor.igammac)


@checks(ops.GammaDensity)
def test_gamma_density(draw):
    a, x = draw(broadcastable_tensors(2, elements=[st.one_of(positive, numbers(4, 9)), positive], requires_grad=True))
    return ops.GammaDensity.apply, a, x


def incomplete_gamma(draw, *functions):
    function = draw(st.sampled_from(functions))
    a, x = draw(broadcastable_tensors(2, elements=[st.one_of(positive, numbers(4, 9)), positive]))
    return function, a, x.requires_grad_()


@np.vectorize
def integral_j(x, n):
    """Jₙ(x) as the mean of cos(nθ - x sin θ), for which the trapezoidal rule is exact to all digits."""
    theta = np.arange(64) * (2 * math.pi / 64)
    return np.cos(n * theta - x * np.sin(theta)).mean()


@np.vectorize
def integral_i(x, n):
    theta = np.arange(64) * (2 * math.pi / 64)
    return (np.exp(x * np.cos(theta)) * np.cos(n * theta)).mean()


@np.vectorize
def integral_k(x, n):
    """Kₙ(x) as ∫ exp(-x cosh t) cosh(nt) dt, by the trapezoidal rule."""
    t = np.arange(-160, 161) / 20
    return (np.exp(-x * np.cosh(t)) * np.cosh(n * t)).sum() / 40


@np.vectorize
def series_y(x, n):
    z, harmonic = -x * x / 4, lambda k: sum(1 / j for j in range(1, k + 1))
    total = sum((harmonic(k) + harmonic(k + n)) * z**k / (math.factorial(k) * math.factorial(k + n)) for k in range(30))
    pole = 2 / (math.pi * x) if n else 0
    euler = 0.5772156649015329
    return 2 / math.pi * (math.log(x / 2) + euler) * integral_j(x, n) - pole - total * (x / 2) ** n / math.pi


@np.vectorize
def series_airy(x):
    f, g, total = 0.355028053887817239, -0.258819403792806798 * x, 0.0
    for k in range(2, 90, 3):
        total += f + g
        f, g = f * x**3 / (k * (k + 1)), g * x**3 / ((k + 1) * (k + 2))
    return total


def chebyshev_u(n):
    return chebyshev.chebder(np.eye(n + 2)[n + 1]) / (n + 1) if n >= 0 else np.zeros(1)


def polynomial(value):
    """A function of arrays (x, n) that evaluates the polynomial of degree n at x."""
    return lambda x, n: np.vectorize(lambda x, n: value(x, int(n)) if n >= 0 else 0.0, otypes=[float])(x, n)


KINDS = {
    "t": lambda x, n: chebyshev.chebval(x, np.eye(n + 1)[n]),
    "u": lambda x, n: chebyshev.chebval(x, chebyshev_u(n)),
    "v": lambda x, n: chebyshev.chebval(x, chebyshev_u(n)) - chebyshev.chebval(x, chebyshev_u(n - 1)),
    "w": lambda x, n: chebyshev.chebval(x, chebyshev_u(n)) + chebyshev.chebval(x, chebyshev_u(n - 1)),
}
POLYNOMIALS = {
    ops.HermiteH: (special.hermite_polynomial_h, lambda x, n: hermite.hermval(x, np.eye(n + 1)[n])),
    ops.HermiteHe: (special.hermite_polynomial_he, lambda x, n: hermite_e.hermeval(x, np.eye(n + 1)[n])),
    ops.LaguerreL: (special.laguerre_polynomial_l, lambda x, n: laguerre.lagval(x, np.eye(n + 1)[n])),
    ops.LegendreP: (special.legendre_polynomial_p, lambda x, n: legendre.legval(x, np.eye(n + 1)[n])),
}
for kind, value in KINDS.items():
    name = f"chebyshev_polynomial_{kind}"
    POLYNOMIALS[getattr(ops, f"Chebyshev{kind.upper()}")] = getattr(special, name), value
    POLYNOMIALS[getattr(ops, f"ShiftedChebyshev{kind.upper()}")] = (
        getattr(special, f"shifted_{name}"),
        lambda x, n, value=value: value(2 * x - 1, n),
    )
TENTHS = st.integers(-30, 30).map(lambda n: n / 10 + 0.03)  # powers of eighths would be exact in float32
DEGREES = broadcastable_tensors(2, elements=[TENTHS, st.integers(-1, 7).map(float)])
BESSEL = {
    ops.BesselJ0: (special.bessel_j0, lambda x: integral_j(x, 0), real),
    ops.BesselJ1: (special.bessel_j1, lambda x: integral_j(x, 1), nonzero),
    ops.BesselY0: (special.bessel_y0, lambda x: series_y(x, 0), positive),
    ops.BesselY1: (special.bessel_y1, lambda x: series_y(x, 1), positive),
    ops.ModifiedI0: (special.modified_bessel_i0, lambda x: integral_i(x, 0), real),
    ops.ModifiedI1: (special.modified_bessel_i1, lambda x: integral_i(x, 1), nonzero),
    ops.ModifiedK0: (special.modified_bessel_k0, lambda x: integral_k(x, 0), positive),
    ops.ModifiedK1: (special.modified_bessel_k1, lambda x: integral_k(x, 1), positive),
    ops.ScaledK0: (special.scaled_modified_bessel_k0, lambda x: integral_k(x, 0) * np.exp(x), positive),
    ops.ScaledK1: (special.scaled_modified_bessel_k1, lambda x: integral_k(x, 1) * np.exp(x), positive),
    ops.SphericalBesselJ0: (special.spherical_bessel_j0, lambda x: np.sinc(x / math.pi), real),
    ops.AiryAi: (special.airy_ai, series_airy, real),
}
ENTRIES = [
    *(computes(cls, f, polynomial(value), DEGREES) for cls, (f, value) in POLYNOMIALS.items()),
    *(
        computes(cls, f, reference, tensors(shapes(min_side=1), elements=elements).map(lambda x: (x,)))
        for cls, (f, reference, elements) in BESSEL.items()
    ),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_values_agree_with_the_reference(entry):
    entry.run()
