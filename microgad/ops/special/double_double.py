"""Double-double arithmetic: numbers of twice float64's digits, for differences whose leading digits cancel."""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import numpy as np

from ...type_aliases import Array
from .evaluation import polynomial, product_error, sum_error, table_rows

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


def _even_zetas(count: int) -> list[Decimal]:
    """ζ(2), ζ(4), ..., each computed from those before it (DLMF 25.6.16)."""
    out = [_PI * _PI / 6]
    for n in range(2, count + 1):
        out.append(sum((out[k] * out[n - 2 - k] for k in range(n - 1)), Decimal(0)) / (n + Decimal("0.5")))
    return out


DIGITS = Context(prec=45)
_CENTERS = [Decimal(2 * k + 1) / 128 for k in range(32, 64)]  # of 32 intervals of [1/2, 1)
with localcontext(DIGITS):
    EVEN_ZETAS = _even_zetas(36)
    # B₂ⱼ / (2j)!, the coefficients of the Euler-Maclaurin formula (DLMF 25.6.2)
    EULER_MACLAURIN = [-2 * zeta / (-4 * _PI * _PI) ** j for j, zeta in enumerate(EVEN_ZETAS, 1)]
    _LOG_2 = to_pair(Decimal(2).ln())
    _LOGS = [(float(c), *to_pair(c.ln())) for c in _CENTERS]
    _ATANH = [to_pair(2 / Decimal(2 * k + 1)) for k in range(4)]
    _COTANGENT = [to_pair(2 * zeta) for zeta in EVEN_ZETAS[:25]]
    _STIRLING = [to_pair(c * math.factorial(2 * j - 1)) for j, c in enumerate(EULER_MACLAURIN[:10], 1)]  # B₂ⱼ / 2j
_ATANH_OTHERS = tuple(2 / (2 * k + 1) for k in range(7, 3, -1))
_COTANGENT_OTHERS = tuple(high for high, _ in reversed(_COTANGENT[12:]))
_STIRLING_OTHERS = tuple(high for high, _ in reversed(_STIRLING[4:]))


def log(x: DoubleDouble) -> DoubleDouble:
    """log x = k log 2 + log c + 2 artanh((m - c) / (m + c)), where x = 2^k m isn't subnormal and c is near m."""
    m, k = np.frexp(x.high)
    m_low = np.ldexp(x.low, -k)
    table = table_rows(_LOGS, m * 64 - 32)
    center = table[:, 0]
    s = DoubleDouble(m - center, m_low) / renormalize(m + center, sum_error(m, center) + m_low)
    log_quotient = s * power_series(s * s, _ATANH, _ATANH_OTHERS)
    exponent = k.astype(np.float64)
    log_power = DoubleDouble(exponent) * DoubleDouble(*[np.full_like(exponent, part) for part in _LOG_2])
    return (log_power + DoubleDouble(table[:, 1], table[:, 2])) + log_quotient


def pi_cotangent(e: Array) -> DoubleDouble:
    """π cot πe = 1/e - 2 Σ ζ(2k) e^(2k - 1) (DLMF 4.19.6), for 0 < |e| < 0.22; beyond, it has fewer digits."""
    e = DoubleDouble(e)
    return DoubleDouble(1.0) / e - e * power_series(e * e, _COTANGENT[:12], _COTANGENT_OTHERS)


def digamma(w: DoubleDouble) -> DoubleDouble:
    """ψ(w) for w > 50, by its asymptotic series (DLMF 5.11.2)."""
    z = DoubleDouble(1.0) / (w * w)
    return log(w) - (DoubleDouble(0.5) / w + z * power_series(z, _STIRLING[:4], _STIRLING_OTHERS))
