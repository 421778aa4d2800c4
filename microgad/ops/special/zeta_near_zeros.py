"""The Hurwitz zeta function of odd integers s near its zeros, of which one lies just above each of -1/2, -3/2, ...

At q = -(n + 1/2 + t/2), with an integer n and small t, its terms of both signs nearly cancel, and leave

    2^-s ζ(s, q) = D + A,    D = Σ (2k + 1 - t)^-s - (2k + 1 + t)^-s,    A = Σ (2k + 2n + 3 + t)^-s

over k >= 0. D = 2 Σ c_j λ(s + j) t^j over odd j, where λ(m) = Σ (2k + 1)^-m and c_j is the binomial coefficient
(s + j - 1 over j). Where D and A nearly cancel, both are computed in double-double arithmetic.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from ...type_aliases import Array
from .double_double import DIGITS, DoubleDouble, euler_maclaurin, even_zetas, renormalize, to_pair
from .evaluation import replace_where, table_rows

_LOW = 13  # n below which A is a power series of t, with coefficients from a table
_LARGEST = 31  # s above which A is too small to cancel D
_A_TERMS, _A_PAIRS = 18, 7  # the terms of A's power series, and how many of them are double-double
_D_TERMS, _D_PAIRS = 10, 5  # the same of D's


@cache
def _coefficients() -> list[tuple[float, float]]:
    """Those of the Euler-Maclaurin formula."""
    return [to_pair(c) for c in euler_maclaurin()[:20]]


@cache
def _lambdas() -> Array:
    """λ(2), λ(4), ..., λ(72), the last of which is 1 in float64."""
    with localcontext(DIGITS):
        return np.array([to_pair((1 - Decimal(4) ** -k) * zeta) for k, zeta in enumerate(even_zetas(), 1)])


@cache
def _tails() -> Array:
    """Σ (2k + 2n + 3)^-m over k >= 0, for m = 3, 4, ... and, for each m, n = 0, ..., 12."""
    out = []
    with localcontext(DIGITS):
        last = Decimal(2 * _LOW + 3)
        for m in range(3, _LARGEST + _A_TERMS):
            rising, total = 2 * m / last, last / (2 * (m - 1)) + Decimal("0.5")  # Euler-Maclaurin
            for j, c in enumerate(euler_maclaurin()[:20], 1):
                total += c * rising
                rising *= 4 * (m + 2 * j - 1) * (m + 2 * j) / last**2
            row = [total * last**-m]
            for n in range(_LOW - 1, -1, -1):
                row.append(row[-1] + Decimal(2 * n + 3) ** -m)
            out += [to_pair(a) for a in row[:0:-1]]
    return np.array(out)


def _entries(table: Array, index: Array) -> DoubleDouble:
    return DoubleDouble(*table_rows(table, index).T)


def zeta_near_zero(s: Array, n: Array, t: Array, beyond: Array) -> Array:
    """ζ(s, q) for odd s, where D is not much larger than its first term. `beyond` is ζ(s, 1 - q) = 2^s A."""
    a = np.ldexp(beyond, -s.astype(np.int32))
    out = 2 * s * t + (_d_rest(s, t) + a)
    close = (abs(out) < 4 * a) & (s <= _LARGEST) & (np.power(2 * n + 3, 1 - s) > 2**-62)
    out = replace_where(
        out,
        (s, n, t),
        (close & (n < _LOW), lambda s, n, t: (_d_pairs(s, t) + _a_by_power_series(s, n, t)).rounded()),
        (close & (n >= _LOW), lambda s, n, t: (_d_pairs(s, t) + _a_by_euler_maclaurin(s, n, t)).rounded()),
    )
    return np.ldexp(out, s.astype(np.int32))


def _d_rest(s: Array, t: Array) -> Array:
    """D - 2 s t for |t| < 0.8 / s."""
    square, power = t * t, 2 * s * t
    out = power * (_entries(_lambdas(), (s + 1) / 2 - 1).high - 1)
    for j in range(1, 35, 2):
        power = power * square * ((s + j) * (s + (j + 1)) / ((j + 1) * (j + 2)))
        out = out + power * _entries(_lambdas(), (s + j) / 2).high
    return out


def _d_pairs(s: Array, t: Array) -> DoubleDouble:
    """D in double-double arithmetic."""
    binomials = [s]
    for j in range(1, 2 * _D_TERMS - 1, 2):
        binomials.append(binomials[-1] * (s + j) * (s + (j + 1)) / ((j + 1) * (j + 2)))  # integers
    terms = [(c, _entries(_lambdas(), (s + j) / 2 - 1)) for c, j in zip(binomials, range(1, 99, 2), strict=False)]
    return DoubleDouble(2 * t) * _horner(terms, DoubleDouble(t) * DoubleDouble(t), _D_PAIRS)


def _a_by_power_series(s: Array, n: Array, t: Array) -> DoubleDouble:
    """A for n < 13, by a power series in t."""
    binomials = [np.ones_like(s)]
    for j in range(_A_TERMS - 1):
        binomials.append(binomials[-1] * (s + j) / (j + 1))
    terms = [(c, _entries(_tails(), (s + (j - 3)) * _LOW + n)) for j, c in enumerate(binomials)]
    return _horner(terms, DoubleDouble(-t), _A_PAIRS)


def _horner(terms: list[tuple[Any, DoubleDouble]], x: DoubleDouble, pairs: int) -> DoubleDouble:
    """Σ c a x^j over the terms (c, a), of which the first `pairs` are added in double-double arithmetic."""
    plain = np.zeros_like(x.high)
    for c, a in reversed(terms[pairs:]):
        plain = plain * x.high + c * a.high
    out = DoubleDouble(plain)
    for c, a in reversed(terms[:pairs]):
        out = DoubleDouble(c) * a + out * x
    return out


def _a_by_euler_maclaurin(s: Array, n: Array, t: Array) -> DoubleDouble:
    """A for n >= 13, by the Euler-Maclaurin formula."""
    v = renormalize(2 * n + 3, t)
    u = DoubleDouble(1.0) / v
    z = u * u
    coefficients = _coefficients()
    plain = np.full_like(t, coefficients[-1][0])
    for j in range(len(coefficients) - 1, 4, -1):
        plain = plain * (4 * (s + (2 * j - 1)) * (s + 2 * j) * z.high) + coefficients[j - 1][0]
    total = DoubleDouble(plain)
    for j in range(4, 0, -1):
        total = DoubleDouble(*coefficients[j - 1]) + total * (DoubleDouble(4 * (s + (2 * j - 1)) * (s + 2 * j)) * z)
    integral = v / DoubleDouble(2 * (s - 1))
    return _power(u, s) * ((integral + DoubleDouble(np.full_like(t, 0.5))) + DoubleDouble(2 * s) * u * total)


def _power(x: DoubleDouble, exponent: Array) -> DoubleDouble:
    """x^exponent for integer exponents up to 31, by squaring."""
    out = DoubleDouble(np.ones_like(x.high))
    for k in range(5):
        chosen, product = np.floor(exponent / 2**k) % 2 == 1, out * x
        out = DoubleDouble(np.where(chosen, product.high, out.high), np.where(chosen, product.low, out.low))
        x = x * x
    return out
