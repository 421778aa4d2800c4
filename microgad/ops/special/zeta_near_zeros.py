"""The Hurwitz zeta function of odd s next to its zeros, one just above each of -1/2, -3/2, ...

At q = -(n + 1/2 + t/2), n whole, t small, what its terms of both signs leave is

    2^-s ζ(s, q) = D + A,    D = Σ (2k + 1 - t)^-s - (2k + 1 + t)^-s,    A = Σ (2k + 2n + 3 + t)^-s

over k >= 0. D has the sign of t: 2 Σ c_j λ(s + j) t^j over odd j, where λ(m) = Σ (2k + 1)^-m and c_j is the binomial
s + j - 1 over j. Where D and A cancel, each is computed to twice the digits.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from .double_double import DIGITS, EULER_MACLAURIN, EVEN_ZETAS, DoubleDouble, renormalize, to_pair
from .numeric import replace_where, table_rows

_LOW = 13  # n below which A is a power series of t, with coefficients from a table
_LARGEST = 31  # s above which A is too small to cancel all of D's digits
_ORDERS, _TWICE = 18, 7  # how many terms of A's power series count, and how many to twice the digits
_ODD_ORDERS, _ODD_TWICE = 10, 5  # and of D's
_EULER_MACLAURIN = [to_pair(weight) for weight in EULER_MACLAURIN[:20]]


@cache
def _lambdas() -> Any:
    """λ(2), λ(4), ..., λ(72), which is 1."""
    with localcontext(DIGITS):
        return np.array([to_pair((1 - Decimal(4) ** -k) * zeta) for k, zeta in enumerate(EVEN_ZETAS, 1)])


@cache
def _tails() -> Any:
    """Σ (2k + 2n + 3)^-m over k >= 0, for m = 3, 4, ... and of each n = 0, ..., 12."""
    out = []
    with localcontext(DIGITS):
        last = Decimal(2 * _LOW + 3)
        for m in range(3, _LARGEST + _ORDERS):
            rising, total = 2 * m / last, last / (2 * (m - 1)) + Decimal("0.5")  # Euler and Maclaurin's series
            for j, weight in enumerate(EULER_MACLAURIN[:20], 1):
                total += weight * rising
                rising *= 4 * (m + 2 * j - 1) * (m + 2 * j) / last**2
            row = [total * last**-m]
            for n in range(_LOW - 1, -1, -1):
                row.append(row[-1] + Decimal(2 * n + 3) ** -m)
            out += [to_pair(a) for a in row[:0:-1]]
    return np.array(out)


def _entries(table: Any, index: Any) -> DoubleDouble:
    return DoubleDouble(*table_rows(table, index).T)


def zeta_near_zero(s: Any, n: Any, t: Any, above: Any) -> Any:
    """ζ(s, q) of odd s, where D is not much larger than its first term; `above` is ζ(s, 1 - q), 2^s A."""
    tail = np.ldexp(above, -s.astype(np.int32))
    out = 2 * s * t + (_rest_of_odd(s, t) + tail)
    close = (abs(out) < 4 * tail) & (s <= _LARGEST) & (np.power(2 * n + 3, 1 - s) > 2**-62)
    out = replace_where(
        out,
        (s, n, t),
        (close & (n < _LOW), lambda s, n, t: (_odd_twofold(s, t) + _low(s, n, t)).rounded()),
        (close & (n >= _LOW), lambda s, n, t: (_odd_twofold(s, t) + _high(s, n, t)).rounded()),
    )
    return np.ldexp(out, s.astype(np.int32))


def _rest_of_odd(s: Any, t: Any) -> Any:
    """D - 2 s t of |t| < 0.8 / s."""
    square, power = t * t, 2 * s * t
    out = power * (_entries(_lambdas(), (s + 1) / 2 - 1).high - 1)
    for j in range(1, 35, 2):
        power = power * square * ((s + j) * (s + (j + 1)) / ((j + 1) * (j + 2)))
        out = out + power * _entries(_lambdas(), (s + j) / 2).high
    return out


def _odd_twofold(s: Any, t: Any) -> DoubleDouble:
    binomials = [s]
    for j in range(1, 2 * _ODD_ORDERS - 1, 2):
        binomials.append(binomials[-1] * (s + j) * (s + (j + 1)) / ((j + 1) * (j + 2)))  # whole numbers
    terms = [(c, _entries(_lambdas(), (s + j) / 2 - 1)) for c, j in zip(binomials, range(1, 99, 2), strict=False)]
    return DoubleDouble(2 * t) * _horner(terms, DoubleDouble(t) * DoubleDouble(t), _ODD_TWICE)


def _low(s: Any, n: Any, t: Any) -> DoubleDouble:
    """A by a power series."""
    binomials = [np.ones_like(s)]
    for j in range(_ORDERS - 1):
        binomials.append(binomials[-1] * (s + j) / (j + 1))
    terms = [(c, _entries(_tails(), (s + (j - 3)) * _LOW + n)) for j, c in enumerate(binomials)]
    return _horner(terms, DoubleDouble(-t), _TWICE)


def _horner(terms: list[tuple[Any, DoubleDouble]], x: DoubleDouble, twice: int) -> DoubleDouble:
    """Σ c a x^j over the terms (c, a), of which so many to twice the digits."""
    plain = np.zeros_like(x.high)
    for c, a in reversed(terms[twice:]):
        plain = plain * x.high + c * a.high
    out = DoubleDouble(plain)
    for c, a in reversed(terms[:twice]):
        out = DoubleDouble(c) * a + out * x
    return out


def _high(s: Any, n: Any, t: Any) -> DoubleDouble:
    """A by Euler and Maclaurin's series."""
    v = renormalize(2 * n + 3, t)
    u = DoubleDouble(1.0) / v
    z = u * u
    plain = np.full_like(t, _EULER_MACLAURIN[-1][0])
    for j in range(len(_EULER_MACLAURIN) - 1, 4, -1):
        plain = plain * (4 * (s + (2 * j - 1)) * (s + 2 * j) * z.high) + _EULER_MACLAURIN[j - 1][0]
    total = DoubleDouble(plain)
    for j in range(4, 0, -1):
        total = DoubleDouble(*_EULER_MACLAURIN[j - 1]) + total * (DoubleDouble(4 * (s + (2 * j - 1)) * (s + 2 * j)) * z)
    integral = v / DoubleDouble(2 * (s - 1))
    return _power(u, s) * ((integral + DoubleDouble(np.full_like(t, 0.5))) + DoubleDouble(2 * s) * u * total)


def _power(x: DoubleDouble, exponent: Any) -> DoubleDouble:
    """x^exponent, a whole number up to 31, by squares."""
    out = DoubleDouble(np.ones_like(x.high))
    for k in range(5):
        chosen, product = np.floor(exponent / 2**k) % 2 == 1, out * x
        out = DoubleDouble(np.where(chosen, product.high, out.high), np.where(chosen, product.low, out.low))
        x = x * x
    return out
