"""The Hurwitz zeta function ζ(s, q) = Σ (q + k)^-s over k >= 0."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...function import Function
from ...type_aliases import Array, Tensor
from ..elementwise.operands import require_one_tensor
from ..support.blocks import in_double
from ..support.out import into
from .double_double import euler_maclaurin
from .evaluation import piecewise, promote, replace_where, sum_error
from .zeta_near_zeros import zeta_near_zero

_TERMS = 10  # summed one by one, before the Euler-Maclaurin formula takes over


@cache
def _coefficients() -> list[float]:
    return [float(c) for c in euler_maclaurin()[:12]]


def _euler_maclaurin(s: Array, w: Array, unit: float, factor: float) -> Array:
    """`hurwitz_positive` by the Euler-Maclaurin formula, for w >= 10 that isn't much smaller than s."""
    s_small = np.minimum(s, 1e4)  # w^-s is 0 from there on
    u = 1 / (w * w)
    coefficients = _coefficients()
    total = np.full_like(w, coefficients[-1])
    for j in range(len(coefficients) - 1, 0, -1):
        total *= (s_small + (2 * j - 1)) * (s_small + 2 * j) * u
        total += coefficients[j - 1]
    total *= s_small / w
    total += 0.5
    gap = s_small - 1
    total *= gap
    total += w
    power = np.power(w / unit, -s)

    def by_half_powers(s: Array, w: Array, gap: Array, total: Array) -> Array:
        half = np.power(w / unit, s / -2)  # the power itself may underflow where the result doesn't
        return total * (half / gap) * factor * half

    out = total * (power / gap) * factor
    return replace_where(out, (s, w, gap, total), (power < 1e-290, by_half_powers))


def _term(s: Array, q: Array, k: Any, unit: float) -> Array:
    """((q + k) / unit)^-s, corrected for the rounding error of q + k, which a large s magnifies."""
    w = q + k
    error = q - (w - k)
    return np.power(w / unit, -s) * (1 - s * error / w)


def _sum_terms(s: Array, q: Array, unit: float) -> Array:
    """Σ ((q + k) / unit)^-s: ten terms and the Euler-Maclaurin formula for the rest, by compensated summation."""
    s_small = np.minimum(s, 1e4)
    terms = [np.power(q / unit, -s), *(_term(s_small, q, k, unit) for k in range(1, _TERMS))]
    terms.append(_euler_maclaurin(s, q + _TERMS, unit, 1.0))
    total, error = terms[0], np.zeros_like(q)
    for term in terms[1:]:
        error += sum_error(total, term)
        total = total + term
    return np.where(np.isfinite(total), total + error, total)


def hurwitz_positive(s: Array, q: Array, unit: float = 1.0, factor: float = 1.0) -> Array:
    """factor · Σ ((q + k) / unit)^-s for s > 1 and 0 < q < ∞."""
    near = q < s + _TERMS
    return piecewise(
        (s, q),
        (near, lambda s, q: factor * _sum_terms(s, q, unit)),
        (~near, lambda s, q: _euler_maclaurin(s, q, unit, factor)),
    )


def _hurwitz_negative(s: Array, q: Array) -> Array:
    """ζ(s, q) for q < 0 and an integer s, from the terms of either side of 0, all of one sign if s is even.

    With -q = n + fraction, those above 0 sum up to ζ(s, 1 - fraction), and those below, but for the sign, to
    ζ(s, fraction) - ζ(s, 1 - q).
    """
    n = np.floor(-q)
    fraction = -q - n
    below, beyond, above = hurwitz_positive(s, fraction), hurwitz_positive(s, 1 - q), hurwitz_positive(s, 1 - fraction)
    above *= 1 - s * sum_error(np.ones_like(q), -fraction) / (1 - fraction)  # a large s magnifies that rounding error
    even = s % 2 == 0
    beyond = np.where(even, -beyond, beyond)
    larger = above > below  # it is added last, so that the sum is rounded once
    out = np.where(even, below, -below)
    out = np.where(larger, above + (out + beyond), out + (above + beyond))
    cancels = ~even & (abs(out) < 0.8 * np.maximum(below, above))
    return replace_where(out, (s, n, 2 * fraction - 1, beyond), (cancels, zeta_near_zero))


def hurwitz_zeta(s: Array, q: Array, unit: float = 1.0, factor: float = 1.0) -> Array:
    """factor · Σ ((q + k) / unit)^-s in float64. The unit, a power of 2, keeps intermediate values in range."""
    converges, pole = s > 1, q == np.floor(q)
    negative = converges & (q < 0) & ~pole & (s == np.floor(s))
    return piecewise(
        (s, q),
        (converges & (q > 0) & (q < math.inf), lambda s, q: hurwitz_positive(s, q, unit, factor)),
        (converges & (q == math.inf), lambda s, q: np.zeros_like(q)),
        ((s == 1) | (converges & (q <= 0) & pole), lambda s, q: np.full_like(s, math.inf)),
        (negative, lambda s, q: factor * np.power(unit, s) * _hurwitz_negative(s, q)),
    )


class Zeta(Function):
    """ζ(s, q) = Σ (q + k)^-s over k >= 0."""

    symbol, operator, promote, elementwise = "ζ", "special_zeta", promote, True

    def forward(self, s, q):
        return in_double(hurwitz_zeta, s, q)

    def grad_s(self, grad):
        raise UnsupportedError("the derivative for 'zeta: input' is not implemented; detach it")

    def grad_q(self, grad, s, q):
        return grad * (-s * Zeta.apply(s + 1, q))


def zeta(input: Tensor | float, other: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Hurwitz zeta function Σ (other + k)^-input over k >= 0, broadcast. Source: torch.special.zeta.

    Only the derivative with respect to other is implemented, as in PyTorch: backward raises NotImplementedError if
    input requires grad.

    >>> torch.special.zeta(torch.tensor([2.0, 4.0]), 1)
    tensor([1.6449, 1.0823])
    """
    return into(out, Zeta.apply(*require_one_tensor("zeta", input, other)))
