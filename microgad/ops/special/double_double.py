"""Double-double arithmetic: numbers of twice float64's digits, for differences whose leading digits cancel."""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import cache
from typing import TypeAlias

import numpy as np

from ...type_aliases import Array
from .evaluation import polynomial, product_error, sum_error, table_rows

Series: TypeAlias = tuple[list[tuple[float, float]], tuple[float, ...]]  # coefficients, as of `power_series`
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097")


class DoubleDouble:
    """The number high + low, arrays or floats, where |low| is at most half a unit in the last place of high."""

    __slots__ = ("high", "low")

    def __init__(self, high: Array | float, low: Array | float = 0.0) -> None:
        self.high, self.low = high, low

    def __neg__(self) -> DoubleDouble:
        return DoubleDouble(-self.high, -self.low)

    def __add__(self, other: DoubleDouble) -> DoubleDouble:
        return renormalize(self.high + other.high, sum_error(self.high, other.high) + (self.low + other.low))

    def __sub__(self, other: DoubleDouble) -> DoubleDouble:
        return self + -other

    def __mul__(self, other: DoubleDouble) -> DoubleDouble:
        cross_terms = self.high * other.low + self.low * other.high
        return renormalize(self.high * other.high, product_error(self.high, other.high) + cross_terms)

    def __truediv__(self, other: DoubleDouble) -> DoubleDouble:
        quotient = self.high / other.high
        remainder = (self.high - quotient * other.high) - product_error(quotient, other.high)
        return renormalize(quotient, (remainder + (self.low - quotient * other.low)) / other.high)

    def rounded(self) -> Array:
        """The nearest float64 numbers."""
        return self.high + self.low


def renormalize(high: Array, low: Array) -> DoubleDouble:
    """The DoubleDouble high + low of numbers with |low| <= |high| (Dekker's FastTwoSum)."""
    total = high + low
    return DoubleDouble(total, low - (total - high))


def to_pair(number: Decimal | Fraction) -> tuple[float, float]:
    """Round a number to high + low."""
    high = float(number)
    return high, float(Fraction(number) - Fraction(high))


def power_series(x: DoubleDouble, leading: list[tuple[float, float]], others: tuple[float, ...]) -> DoubleDouble:
    """Σ cₙ xⁿ for small x: the `leading` coefficients c₀, c₁, ... are pairs, the `others`, highest first, float64."""
    out = DoubleDouble(polynomial(x.high, others))
    for pair in reversed(leading):
        out = DoubleDouble(*pair) + out * x
    return out


DIGITS = Context(prec=45)


# The tables are made at their first use.


@cache
def even_zetas() -> list[Decimal]:
    """ζ(2), ζ(4), ..., ζ(72), each computed from those before it (DLMF 25.6.16)."""
    with localcontext(DIGITS):
        out = [_PI * _PI / 6]
        for n in range(2, 37):
            out.append(sum((out[k] * out[n - 2 - k] for k in range(n - 1)), Decimal(0)) / (n + Decimal("0.5")))
        return out


@cache
def euler_maclaurin() -> list[Decimal]:
    """B₂ⱼ / (2j)!, the coefficients of the Euler-Maclaurin formula (DLMF 25.6.2)."""
    with localcontext(DIGITS):
        return [-2 * zeta / (-4 * _PI * _PI) ** j for j, zeta in enumerate(even_zetas(), 1)]


@cache
def _logs() -> tuple[tuple[float, float], list[tuple[float, float, float]]]:
    """log 2; the centers c of 32 intervals of [1/2, 1) with log c."""
    with localcontext(DIGITS):
        centers = [Decimal(2 * k + 1) / 128 for k in range(32, 64)]
        return to_pair(Decimal(2).ln()), [(float(c), *to_pair(c.ln())) for c in centers]


@cache
def _artanh() -> Series:
    """2 artanh(x) / x in terms of x²."""
    with localcontext(DIGITS):
        leading = [to_pair(2 / Decimal(2 * k + 1)) for k in range(4)]
    return leading, tuple(2 / (2 * k + 1) for k in range(7, 3, -1))


@cache
def _cotangent() -> Series:
    """2 ζ(2k), for `pi_cotangent`."""
    with localcontext(DIGITS):
        pairs = [to_pair(2 * zeta) for zeta in even_zetas()[:25]]
    return pairs[:12], tuple(high for high, _ in reversed(pairs[12:]))


@cache
def _stirling() -> Series:
    """B₂ⱼ / 2j, for `digamma`."""
    with localcontext(DIGITS):
        pairs = [to_pair(c * math.factorial(2 * j - 1)) for j, c in enumerate(euler_maclaurin()[:10], 1)]
    return pairs[:4], tuple(high for high, _ in reversed(pairs[4:]))


def log(x: DoubleDouble) -> DoubleDouble:
    """log x = k log 2 + log c + 2 artanh((m - c) / (m + c)), where x = 2^k m isn't subnormal and c is near m."""
    m, k = np.frexp(x.high)
    m_low = np.ldexp(x.low, -k)
    log_2, logs = _logs()
    table = table_rows(logs, m * 64 - 32)
    center = table[:, 0]
    s = DoubleDouble(m - center, m_low) / renormalize(m + center, sum_error(m, center) + m_low)
    log_quotient = s * power_series(s * s, *_artanh())
    exponent = k.astype(np.float64)
    log_power = DoubleDouble(exponent) * DoubleDouble(*[np.full_like(exponent, part) for part in log_2])
    return (log_power + DoubleDouble(table[:, 1], table[:, 2])) + log_quotient


def log_quotient(x: Array, y: Array) -> DoubleDouble:
    """log(x / y) = 2 artanh((x - y) / (x + y)) for |x - y| <= y / 64; its relative error is small, also near 0."""
    s = DoubleDouble(x - y) / renormalize(x + y, sum_error(x, y))
    return s * power_series(s * s, *_artanh())


def pi_cotangent(e: Array) -> DoubleDouble:
    """π cot πe = 1/e - 2 Σ ζ(2k) e^(2k - 1) (DLMF 4.19.6), for 0 < |e| < 0.22; beyond, it has fewer digits."""
    e = DoubleDouble(e)
    return DoubleDouble(1.0) / e - e * power_series(e * e, *_cotangent())


def digamma(w: DoubleDouble) -> DoubleDouble:
    """ψ(w) for w > 50, by its asymptotic series (DLMF 5.11.2)."""
    z = DoubleDouble(1.0) / (w * w)
    return log(w) - (DoubleDouble(0.5) / w + z * power_series(z, *_stirling()))
