"""Numbers of twice float64's digits, for what is left where two numbers of the same size cancel."""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np

from .numeric import polynomial, product_error, sum_error, table_rows

_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097")


class DoubleDouble:
    """high + low, arrays of one shape or Python's numbers, low at most half a unit of high's last place."""

    __slots__ = ("high", "low")

    def __init__(self, high: Any, low: Any = 0.0) -> None:
        self.high, self.low = high, low

    def __neg__(self) -> DoubleDouble:
        return DoubleDouble(-self.high, -self.low)

    def __add__(self, other: DoubleDouble) -> DoubleDouble:
        return renormalize(self.high + other.high, sum_error(self.high, other.high) + (self.low + other.low))

    def __sub__(self, other: DoubleDouble) -> DoubleDouble:
        return self + -other

    def __mul__(self, other: DoubleDouble) -> DoubleDouble:
        crossed = self.high * other.low + self.low * other.high
        return renormalize(self.high * other.high, product_error(self.high, other.high) + crossed)

    def __truediv__(self, other: DoubleDouble) -> DoubleDouble:
        quotient = self.high / other.high
        rest = (self.high - quotient * other.high) - product_error(quotient, other.high)
        return renormalize(quotient, (rest + (self.low - quotient * other.low)) / other.high)

    def rounded(self) -> Any:
        return self.high + self.low


def renormalize(high: Any, low: Any) -> DoubleDouble:
    """high + low, of which low is the smaller, but may be more than half a unit of high's."""
    total = high + low
    return DoubleDouble(total, low - (total - high))


def to_pair(number: Decimal | Fraction) -> tuple[float, float]:
    high = float(number)
    return high, float(Fraction(number) - Fraction(high))


def power_series(x: DoubleDouble, leading: list[tuple[float, float]], others: tuple[float, ...]) -> DoubleDouble:
    """A power series in a small x; the others, highest power first, count to float64's digits only."""
    out = DoubleDouble(polynomial(x.high, others))
    for pair in reversed(leading):
        out = DoubleDouble(*pair) + out * x
    return out


def _even_zetas(count: int) -> list[Decimal]:
    """ζ(2), ζ(4), ...: each by those before it (DLMF 25.6.16)."""
    out = [_PI * _PI / 6]
    for n in range(2, count + 1):
        out.append(sum((out[k] * out[n - 2 - k] for k in range(n - 1)), Decimal(0)) / (n + Decimal("0.5")))
    return out


DIGITS = Context(prec=45)
_CENTRES = [Decimal(2 * k + 1) / 128 for k in range(32, 64)]  # of 32 pieces from 1/2 to 1
with localcontext(DIGITS):
    EVEN_ZETAS = _even_zetas(36)
    # B₂ⱼ / (2j)!, the weights of Euler and Maclaurin's series (DLMF 25.6.2)
    WEIGHTS = [-2 * zeta / (-4 * _PI * _PI) ** j for j, zeta in enumerate(EVEN_ZETAS, 1)]
    _LOG_2 = to_pair(Decimal(2).ln())
    _LOGS = [(float(c), *to_pair(c.ln())) for c in _CENTRES]
    _ATANH = [to_pair(2 / Decimal(2 * k + 1)) for k in range(4)]
    _COTANGENT = [to_pair(2 * zeta) for zeta in EVEN_ZETAS[:25]]
    _STIRLING = [to_pair(weight * math.factorial(2 * j - 1)) for j, weight in enumerate(WEIGHTS[:10], 1)]  # B₂ⱼ / 2j
_ATANH_OTHERS = tuple(2 / (2 * k + 1) for k in range(7, 3, -1))
_COTANGENT_OTHERS = tuple(high for high, _ in reversed(_COTANGENT[12:]))
_STIRLING_OTHERS = tuple(high for high, _ in reversed(_STIRLING[4:]))


def log(x: DoubleDouble) -> DoubleDouble:
    """log x of normal numbers: x = 2^k m, and log m is that of a centre c near it and 2 artanh((m - c) / (m + c))."""
    m, k = np.frexp(x.high)
    rest = np.ldexp(x.low, -k)
    table = table_rows(_LOGS, m * 64 - 32)
    centre = table[:, 0]
    s = DoubleDouble(m - centre, rest) / renormalize(m + centre, sum_error(m, centre) + rest)
    near = s * power_series(s * s, _ATANH, _ATANH_OTHERS)
    power = k.astype(np.float64)
    whole = DoubleDouble(power) * DoubleDouble(*[np.full_like(power, part) for part in _LOG_2])
    return (whole + DoubleDouble(table[:, 1], table[:, 2])) + near


def pi_cotangent(e: Any) -> DoubleDouble:
    """π cot πe of 0 < |e| < 0.22, by 1/e - 2 Σ ζ(2k) e^(2k - 1) (DLMF 4.19.6), and to fewer digits beyond."""
    e = DoubleDouble(e)
    return DoubleDouble(1.0) / e - e * power_series(e * e, _COTANGENT[:12], _COTANGENT_OTHERS)


def digamma(w: DoubleDouble) -> DoubleDouble:
    """ψ(w) of w > 50, by Stirling's series (DLMF 5.11.2)."""
    z = DoubleDouble(1.0) / (w * w)
    return log(w) - (DoubleDouble(0.5) / w + z * power_series(z, _STIRLING[:4], _STIRLING_OTHERS))
