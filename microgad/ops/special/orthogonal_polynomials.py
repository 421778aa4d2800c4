"""Orthogonal polynomials, with a degree for each element; without derivatives, as in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...type_aliases import Array, Tensor
from ..elementwise.operands import require_one_tensor
from ..support.out import into
from .evaluation import non_differentiable, piecewise

RECURRENCE_UP_TO = 64  # the highest degree for which Chebyshev polynomials are computed by recurrence
FEW = 8  # elements: so few of a high degree are computed one by one


def _family(
    name: str, operator: str, first: Callable[..., Any], step: Callable[..., Any], highest: float = 2.0**63
) -> Any:
    """Define a family by its recurrence: p₀ = 1, p₁ = first(x), pₖ₊₁ = step(k, x, pₖ, pₖ₋₁).

    It is 0 for a negative degree, and NaN for a degree above `highest`.
    """

    def formula(x: Array, n: Array) -> Array:
        n = _degrees(n)
        return np.where(n > highest, math.nan, _by_recurrence(x, np.minimum(n, highest), first, step))

    return non_differentiable(name, operator, formula)


def _chebyshev(
    name: str, operator: str, first: Callable[..., Any], wave: Any, one: Any, minus_one: Any, shifted: bool
) -> Any:
    """Define a Chebyshev family, in which a high degree is computed as wave(n, arccos x).

    one(n) is the value at 1 and minus_one(n) the absolute value at -1. A shifted polynomial is that of 2x - 1.
    """

    def high(x: Array, n: Array) -> Array:
        value = wave(n, np.arccos(x.astype(np.complex128))).real  # the angle is complex for |x| > 1
        value = np.where(np.isfinite(value), value, math.nan)
        return np.where(x == 1, one(n), np.where(x == -1, (1 - 2 * (n % 2)) * minus_one(n), value))

    def formula(x: Array, n: Array) -> Array:
        y, n = 2 * x - 1 if shifted else x, _degrees(n)
        low, rounded = n <= RECURRENCE_UP_TO, (abs(x) < 0.25) & (n >= 0) & shifted  # 2x - 1 loses digits of x
        return piecewise(
            (x, y, n),
            (low & ~rounded, lambda x, y, n: _by_recurrence(y, n, first, _chebyshev_step)),
            (low & rounded, lambda x, y, n: _by_differences(x, n, first)),
            (~low, lambda x, y, n: high(y, n)),
        )

    return non_differentiable(name, operator, formula)


def _chebyshev_step(k: int, x: Array, p: Array, previous: Array) -> Array:
    return 2 * x * p - previous


def _by_differences(x: Array, n: Array, first: Callable[..., Any]) -> Array:
    """The shifted Chebyshev polynomial for small x, whose digits 2x - 1 would round off.

    It sums the differences of (-1)ᵏ pₖ(2x - 1), which obey a recurrence in x.
    """
    slope = first(1) - first(0)
    difference = (slope - first(0) - 1) - 2 * slope * x
    p = out = np.ones_like(x)
    for k in range(1, min(int(n.max()), RECURRENCE_UP_TO) + 1):
        p = p + difference
        out = np.where(n == k, p, out)
        difference = difference - 4 * x * p
    return (1 - 2 * (n % 2)) * out


def _degrees(n: Array) -> Array:
    """Truncate degrees to integers. One that fits into no int64 counts as negative, as in PyTorch."""
    return np.where(abs(n) < 2.0**63, np.trunc(n), -1.0)


def _by_recurrence(x: Array, n: Array, first: Callable[..., Any], step: Callable[..., Any]) -> Array:
    """pₙ(x) by the recurrence of `_family`; n holds a degree for each element."""
    previous, p = np.ones_like(x), first(x)
    out = np.where(n < 0, 0.0, previous)
    highest, lowest = int(n.max()), int(n.min())  # the loop needs numbers, so it waits for a GPU
    for k in range(1, highest + 1):
        if k % 4096 == 0:
            unfinished = np.flatnonzero((n > k) & (p == p))  # NaN stays NaN
            if len(unfinished) <= FEW:
                out = np.where(n >= k, p, out)
                for i in map(int, unfinished):
                    out[i] = _scalar_recurrence(k, int(n[i]), x[i].item(), p[i].item(), previous[i].item(), step)
                return out
        if k >= lowest:
            out = np.where(n == k, p, out)
        previous, p = p, step(k, x, p, previous)
    return out


def _scalar_recurrence(k: int, n: int, x: float, p: float, previous: float, step: Callable[..., Any]) -> float:
    """Continue the recurrence from degree k to n for one Python number, ten times as fast as for an array of one."""
    while k < n and p == p:
        previous, p, k = p, step(k, x, p, previous), k + 1
    return p


# For each kind: p₁, pₙ in terms of a = arccos x, pₙ(1), and |pₙ(-1)|
_T = (lambda x: x, lambda n, a: np.cos(n * a), np.ones_like, np.ones_like)
_U = (lambda x: 2 * x, lambda n, a: np.sin((n + 1) * a) / np.sin(a), lambda n: n + 1, lambda n: n + 1)
_V = (lambda x: 2 * x - 1, lambda n, a: np.cos((n + 0.5) * a) / np.cos(a / 2), np.ones_like, lambda n: 2 * n + 1)
_W = (lambda x: 2 * x + 1, lambda n, a: np.sin((n + 0.5) * a) / np.sin(a / 2), lambda n: 2 * n + 1, np.ones_like)


ChebyshevT = _chebyshev("ChebyshevT", "special_chebyshev_polynomial_t", *_T, shifted=False)


def chebyshev_polynomial_t(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Chebyshev polynomial of the first kind and degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.chebyshev_polynomial_t.

    >>> torch.special.chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 26.])
    """
    return into(out, ChebyshevT.apply(*require_one_tensor("chebyshev_polynomial_t", x, n)))


ChebyshevU = _chebyshev("ChebyshevU", "special_chebyshev_polynomial_u", *_U, shifted=False)


def chebyshev_polynomial_u(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Chebyshev polynomial of the second kind and degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.chebyshev_polynomial_u.

    >>> torch.special.chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 56.])
    """
    return into(out, ChebyshevU.apply(*require_one_tensor("chebyshev_polynomial_u", x, n)))


ChebyshevV = _chebyshev("ChebyshevV", "special_chebyshev_polynomial_v", *_V, shifted=False)


def chebyshev_polynomial_v(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Chebyshev polynomial of the third kind and degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.chebyshev_polynomial_v.

    >>> torch.special.chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 41.])
    """
    return into(out, ChebyshevV.apply(*require_one_tensor("chebyshev_polynomial_v", x, n)))


ChebyshevW = _chebyshev("ChebyshevW", "special_chebyshev_polynomial_w", *_W, shifted=False)


def chebyshev_polynomial_w(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Chebyshev polynomial of the fourth kind and degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.chebyshev_polynomial_w.

    >>> torch.special.chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 71.])
    """
    return into(out, ChebyshevW.apply(*require_one_tensor("chebyshev_polynomial_w", x, n)))


ShiftedChebyshevT = _chebyshev("ShiftedChebyshevT", "special_shifted_chebyshev_polynomial_t", *_T, shifted=True)


def shifted_chebyshev_polynomial_t(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The shifted Chebyshev polynomial of the first kind and degree n, that of 2x - 1.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.shifted_chebyshev_polynomial_t.

    >>> torch.special.shifted_chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-0., 99.])
    """
    return into(out, ShiftedChebyshevT.apply(*require_one_tensor("shifted_chebyshev_polynomial_t", x, n)))


ShiftedChebyshevU = _chebyshev("ShiftedChebyshevU", "special_shifted_chebyshev_polynomial_u", *_U, shifted=True)


def shifted_chebyshev_polynomial_u(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The shifted Chebyshev polynomial of the second kind and degree n, that of 2x - 1.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.shifted_chebyshev_polynomial_u.

    >>> torch.special.shifted_chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([ -0., 204.])
    """
    return into(out, ShiftedChebyshevU.apply(*require_one_tensor("shifted_chebyshev_polynomial_u", x, n)))


ShiftedChebyshevV = _chebyshev("ShiftedChebyshevV", "special_shifted_chebyshev_polynomial_v", *_V, shifted=True)


def shifted_chebyshev_polynomial_v(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The shifted Chebyshev polynomial of the third kind and degree n, that of 2x - 1.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.shifted_chebyshev_polynomial_v.

    >>> torch.special.shifted_chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([  1., 169.])
    """
    return into(out, ShiftedChebyshevV.apply(*require_one_tensor("shifted_chebyshev_polynomial_v", x, n)))


ShiftedChebyshevW = _chebyshev("ShiftedChebyshevW", "special_shifted_chebyshev_polynomial_w", *_W, shifted=True)


def shifted_chebyshev_polynomial_w(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The shifted Chebyshev polynomial of the fourth kind and degree n, that of 2x - 1.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.shifted_chebyshev_polynomial_w.

    >>> torch.special.shifted_chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([ -1., 239.])
    """
    return into(out, ShiftedChebyshevW.apply(*require_one_tensor("shifted_chebyshev_polynomial_w", x, n)))


HermiteH = _family(
    "HermiteH", "special_hermite_polynomial_h", lambda x: 2 * x, lambda k, x, p, q: 2 * x * p - 2 * k * q, 512
)


def hermite_polynomial_h(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The physicists' Hermite polynomial of degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.hermite_polynomial_h.

    >>> torch.special.hermite_polynomial_h(torch.tensor([0.5, 2.0]), 3)
    tensor([-5., 40.])
    """
    return into(out, HermiteH.apply(*require_one_tensor("hermite_polynomial_h", x, n)))


HermiteHe = _family("HermiteHe", "special_hermite_polynomial_he", lambda x: x, lambda k, x, p, q: x * p - k * q, 512)


def hermite_polynomial_he(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The probabilists' Hermite polynomial of degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.hermite_polynomial_he.

    >>> torch.special.hermite_polynomial_he(torch.tensor([0.5, 2.0]), 3)
    tensor([-1.3750,  2.0000])
    """
    return into(out, HermiteHe.apply(*require_one_tensor("hermite_polynomial_he", x, n)))


LaguerreL = _family(
    "LaguerreL", "special_laguerre_polynomial_l",
    lambda x: 1 - x, lambda k, x, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1),
)  # fmt: skip


def laguerre_polynomial_l(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Laguerre polynomial of degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.laguerre_polynomial_l.

    >>> torch.special.laguerre_polynomial_l(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.1458, -0.3333])
    """
    return into(out, LaguerreL.apply(*require_one_tensor("laguerre_polynomial_l", x, n)))


LegendreP = _family(
    "LegendreP", "special_legendre_polynomial_p",
    lambda x: x, lambda k, x, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1),
)  # fmt: skip


def legendre_polynomial_p(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The Legendre polynomial of degree n.

    x and n broadcast. Complex numbers raise RuntimeError. Source: torch.special.legendre_polynomial_p.

    >>> torch.special.legendre_polynomial_p(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.4375, 17.0000])
    """
    return into(out, LegendreP.apply(*require_one_tensor("legendre_polynomial_p", x, n)))
