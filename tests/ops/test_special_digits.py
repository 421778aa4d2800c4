"""Special functions compared with mpmath's digits (tests/digits): results are within four units in the last place."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch

from ..digits import digits

special = torch.special


FUNCTIONS = {
    "erf": torch.erf,
    "erfc": torch.erfc,
    "erfcx": special.erfcx,
    "erfinv": torch.erfinv,
    "ndtr": special.ndtr,
    "ndtri": special.ndtri,
    "log_ndtr": special.log_ndtr,
    "lgamma": torch.lgamma,
    "lgamma, negative": torch.lgamma,
    "lgamma, its zeros": torch.lgamma,
    "lgamma, next to its poles": torch.lgamma,
    "digamma": torch.digamma,
    "digamma, negative": torch.digamma,
    "digamma, its zeros": torch.digamma,
    "digamma, its far zeros": torch.digamma,
    "digamma, far below 0": torch.digamma,
    "trigamma": lambda x: torch.polygamma(1, x),
    "trigamma, negative": lambda x: torch.polygamma(1, x),
    "polygamma(3)": lambda x: torch.polygamma(3, x),
    "polygamma(9)": lambda x: torch.polygamma(9, x),
    "polygamma(2), negative": lambda x: torch.polygamma(2, x),
    "zeta": special.zeta,
    "zeta(3), its zeros": lambda q: special.zeta(3.0, q),
    "zeta(5), its zeros": lambda q: special.zeta(5.0, q),
    "zeta(9), its zeros": lambda q: special.zeta(9.0, q),
    "zeta, negative": lambda q: special.zeta(7, q),
    "i0": torch.i0,
    "i1": special.i1,
    "i0e": special.i0e,
    "i1e": special.i1e,
    "k0": special.modified_bessel_k0,
    "k1": special.modified_bessel_k1,
    "k0e": special.scaled_modified_bessel_k0,
    "k1e": special.scaled_modified_bessel_k1,
    "j0": special.bessel_j0,
    "j1": special.bessel_j1,
    "y0": special.bessel_y0,
    "y1": special.bessel_y1,
    "j0, its zeros": special.bessel_j0,
    "j1, its zeros": special.bessel_j1,
    "y0, its zeros": special.bessel_y0,
    "y1, its zeros": special.bessel_y1,
    "spherical j0": special.spherical_bessel_j0,
    "airy": special.airy_ai,
    "airy, its zeros": special.airy_ai,
    "logit": torch.logit,
    "expit": special.expit,
    "sinc": torch.sinc,
    "entr": special.entr,
    "igamma": torch.igamma,
    "igammac": torch.igammac,
    # Where a square or power would overflow.
    "extreme log_ndtr": special.log_ndtr,
    "extreme y1": special.bessel_y1,
    "extreme j0": special.bessel_j0,
    "extreme j1": special.bessel_j1,
    "extreme igamma": lambda x: torch.igamma(x, x),
    "extreme igammac": lambda x: torch.igammac(x, 2 * x),
    "extreme zeta(3.5)": lambda x: special.zeta(3.5, x),
    "extreme zeta(1000), q < 0": lambda x: special.zeta(1000, x),
    "extreme zeta(51), q < 0": lambda x: special.zeta(51, x),
    "extreme zeta(1+)": lambda x: special.zeta(1.0000001, x),
    "extreme polygamma(5), x < 0": lambda x: torch.polygamma(5, x),
    **{f"extreme polygamma({n})": lambda x, n=n: torch.polygamma(n, x) for n in (5, 20, 120, 200, 900)},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_are_at_most_four_units_in_the_last_place(name):
    exact = digits(name)
    errors = exact.ulps(FUNCTIONS[name](*map(torch.tensor, exact.at)).numpy())
    assert errors.max() <= 4, (errors.max(), [x[errors.argmax()] for x in exact.at])


@pytest.mark.parametrize("kind", "tuvw")
def test_shifted_chebyshev_polynomials_keep_the_digits_of_small_numbers(kind):
    """The error is at most four units of the argument or of the largest value, though 2 x - 1 loses digits."""
    function = getattr(special, f"shifted_chebyshev_polynomial_{kind}")
    exact = digits(f"shifted chebyshev {kind}")
    x, n = exact.at
    amplitude = {"t": 1, "u": 0.5 / np.sqrt(x * (1 - x)), "v": 1 / np.sqrt(x), "w": 1 / np.sqrt(1 - x)}[kind]
    values = np.array([function(torch.tensor(a), int(b)).item() for a, b in zip(*exact.at, strict=True)])
    errors = exact.ulps(values, 8 * np.minimum(amplitude * (1 + n * np.sqrt(x)), 2 * n + 1))
    assert errors.max() <= 4, (errors.max(), x[errors.argmax()], n[errors.argmax()])
