"""The Hurwitz zeta function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...function import Function
from ...type_aliases import Tensor
from ..blocks import in_double
from ..elementwise.operands import require_one_tensor
from ..out import into
from .double_double import EULER_MACLAURIN
from .numeric import piecewise, promote, replace_where, sum_error
from .zeta_near_zeros import zeta_near_zero

_TERMS = 10  # summed one by one before Euler and Maclaurin's series takes over, of 12 terms


_EULER_MACLAURIN = [float(weight) for weight in EULER_MACLAURIN[:12]]


def _euler_maclaurin(s: Any, w: Any, unit: float, factor: float) -> Any:
    """`hurwitz` of w >= 10, unless s is much larger: the integral, half a term, and corrections."""
    s_small = np.minimum(s, 1e4)  # w^-s is 0 from there on
    step = 1 / (w * w)
    total = np.full_like(w, _EULER_MACLAURIN[-1])
    for j in range(len(_EULER_MACLAURIN) - 1, 0, -1):
        total *= (s_small + (2 * j - 1)) * (s_small + 2 * j) * step
        total += _EULER_MACLAURIN[j - 1]
    total *= s_small / w
    total += 0.5
    power = np.power(w / unit, -s)

    def halved(s: Any, w: Any, total: Any) -> Any:
        half = np.power(w / unit, s / -2)  # the power itself may underflow where the result doesn't
        return (total * half + w * half / (s - 1)) * factor * half

    return replace_where((total * power + w * power / (s - 1)) * factor, (s, w, total), (power < 1e-290, halved))


def _term(s: Any, q: Any, k: Any, unit: float) -> Any:
    """((q + k) / unit)^-s; where s is large, the rounding of q + k counts."""
    w = q + k
    lost = q - (w - k)
    return np.power(w / unit, -s) * (1 - s * lost / w)


def _summed(s: Any, q: Any, unit: float) -> Any:
    s_small = np.minimum(s, 1e4)
    parts = [np.power(q / unit, -s), *(_term(s_small, q, k, unit) for k in range(1, _TERMS))]
    parts.append(_euler_maclaurin(s, q + _TERMS, unit, 1.0))
    total, lost = parts[0], np.zeros_like(q)
    for part in parts[1:]:
        lost += sum_error(total, part)
        total = total + part
    return np.where(np.isfinite(total), total + lost, total)


def hurwitz_positive(s: Any, q: Any, unit: float = 1.0, factor: float = 1.0) -> Any:
    """factor · Σ ((q + k) / unit)^-s of s > 1 and 0 < q < ∞."""
    near = q < s + _TERMS
    return piecewise(
        (s, q),
        (near, lambda s, q: factor * _summed(s, q, unit)),
        (~near, lambda s, q: _euler_maclaurin(s, q, unit, factor)),
    )


def _negative(s: Any, q: Any) -> Any:
    """Of q < 0 and integer s: the terms on either side of 0, of one sign where s is even."""
    whole = np.floor(-q)
    fraction = -q - whole
    below, beyond, above = hurwitz_positive(s, fraction), hurwitz_positive(s, 1 - q), hurwitz_positive(s, 1 - fraction)
    above *= 1 - s * sum_error(np.ones_like(q), -fraction) / (1 - fraction)  # where s is large, that rounding counts
    even = s % 2 == 0
    out = above + np.where(even, below - beyond, beyond - below)
    cancels = ~even & (abs(out) < 0.8 * np.maximum(below, above))
    return replace_where(out, (s, whole, 2 * fraction - 1, beyond), (cancels, zeta_near_zero))


def hurwitz_zeta(s: Any, q: Any, unit: float = 1.0, factor: float = 1.0) -> Any:
    """factor · Σ ((q + k) / unit)^-s in float64, unit a power of 2: nothing leaves the range on the way."""
    converges = s > 1
    pole = q == np.floor(q)
    return piecewise(
        (s, q),
        (converges & (q > 0) & (q < math.inf), lambda s, q: hurwitz_positive(s, q, unit, factor)),
        (converges & (q == math.inf), lambda s, q: np.zeros_like(q)),
        ((s == 1) | (converges & (q <= 0) & pole), lambda s, q: np.full_like(s, math.inf)),
        (converges & (q < 0) & ~pole & (s == np.floor(s)), lambda s, q: factor * np.power(unit, s) * _negative(s, q)),
    )


class Zeta(Function):
    """Σ (q + k)^-s over k >= 0."""

    symbol, promote, elementwise = "ζ", promote, True

    def forward(self, s, q):
        return in_double(hurwitz_zeta, s, q)

    def grad_s(self, grad):
        raise UnsupportedError("the derivative for 'zeta: input' is not implemented; detach it")

    def grad_q(self, grad, s, q):
        return grad * (-s * Zeta.apply(s + 1, q))


def zeta(input: Tensor | float, other: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Hurwitz zeta function Σ (other + k)^-input over k >= 0, broadcast. Source: torch.special.zeta.

    It has a derivative for other only, as in PyTorch: backward raises where input wants one.

    >>> torch.special.zeta(torch.tensor([2.0, 4.0]), 1)
    tensor([1.6449, 1.0823])
    """
    return into(out, Zeta.apply(*require_one_tensor("zeta", input, other)))
