"""Orthogonal polynomials by their recurrences, each element of its own degree; without derivatives, as in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...type_aliases import Tensor
from ..elementwise.operands import require_one_tensor
from ..out import into
from .numeric import non_differentiable, piecewise

LOW = 64  # the highest degree of Chebyshev's that goes by a recurrence
FEW = 8  # elements of a high degree that go on one by one


def _family(name: str, first: Callable[..., Any], step: Callable[..., Any], highest: float = 2.0**63) -> Any:
    """p₀ = 1, p₁ = first(x), pₖ₊₁ = step(k, x, pₖ, pₖ₋₁); 0 where the degree is negative, NaN above the highest."""

    def formula(x: Any, n: Any) -> Any:
        n = _degrees(n)
        return np.where(n > highest, math.nan, _by_recurrence(x, np.minimum(n, highest), first, step))

    return non_differentiable(name, formula)


def _chebyshev(name: str, first: Callable[..., Any], wave: Any, one: Any, minus_one: Any, shifted: bool) -> Any:
    """The same, where a high degree goes by wave(n, arccos x), and by its limits at 1 and (but for the sign) at -1."""

    def high(x: Any, n: Any) -> Any:
        inner = wave(n, np.arccos(x.astype(np.complex128))).real
        inner = np.where(np.isfinite(inner), inner, math.nan)
        return np.where(x == 1, one(n), np.where(x == -1, (1 - 2 * (n % 2)) * minus_one(n), inner))

    def formula(x: Any, n: Any) -> Any:
        y, n = 2 * x - 1 if shifted else x, _degrees(n)
        low, rounded = n <= LOW, (abs(x) < 0.25) & (n >= 0) & shifted
        return piecewise(
            (x, y, n),
            (low & ~rounded, lambda x, y, n: _by_recurrence(y, n, first, _doubled)),
            (low & rounded, lambda x, y, n: _by_differences(x, n, first)),
            (~low, lambda x, y, n: high(y, n)),
        )

    return non_differentiable(name, formula)


def _doubled(k: int, x: Any, p: Any, before: Any) -> Any:
    return 2 * x * p - before


def _by_differences(x: Any, n: Any, first: Callable[..., Any]) -> Any:
    """Chebyshev's of 2 x - 1 for small x, the digits of which that rounds off: (-1)ⁿ pₙ by its differences."""
    slope = first(1) - first(0)
    difference = (slope - first(0) - 1) - 2 * slope * x
    p = out = np.ones_like(x)
    for k in range(1, min(int(n.max()), LOW) + 1):
        p = p + difference
        out = np.where(n == k, p, out)
        difference = difference - 4 * x * p
    return (1 - 2 * (n % 2)) * out


def _degrees(n: Any) -> Any:
    """Whole numbers; what no integer can be is taken for a negative degree, as in PyTorch."""
    return np.where(abs(n) < 2.0**63, np.trunc(n), -1.0)


def _by_recurrence(x: Any, n: Any, first: Callable[..., Any], step: Callable[..., Any]) -> Any:
    before, p = np.ones_like(x), first(x)
    out = np.where(n < 0, 0.0, before)
    top, low = int(n.max()), int(n.min())  # the loop has to know: on a GPU it waits for them
    for k in range(1, top + 1):
        if k % 4096 == 0:
            going = np.flatnonzero((n > k) & (p == p))  # NaN stays
            if len(going) <= FEW:
                out = np.where(n >= k, p, out)
                for i in map(int, going):
                    out[i] = _alone(k, int(n[i]), x[i].item(), p[i].item(), before[i].item(), step)
                return out
        if k >= low:
            out = np.where(n == k, p, out)
        before, p = p, step(k, x, p, before)
    return out


def _alone(k: int, n: int, x: float, p: float, before: float, step: Callable[..., Any]) -> float:
    """The same of one number from degree k on, in Python, in a tenth of the time that an array of one takes."""
    while k < n and p == p:
        before, p, k = p, step(k, x, p, before), k + 1
    return p


# p₁, pₙ by the arccosine of x, pₙ(1), |pₙ(-1)|
_T = (lambda x: x, lambda n, a: np.cos(n * a), np.ones_like, np.ones_like)
_U = (lambda x: 2 * x, lambda n, a: np.sin((n + 1) * a) / np.sin(a), lambda n: n + 1, lambda n: n + 1)
_V = (lambda x: 2 * x - 1, lambda n, a: np.cos((n + 0.5) * a) / np.cos(a / 2), np.ones_like, lambda n: 2 * n + 1)
_W = (lambda x: 2 * x + 1, lambda n, a: np.sin((n + 0.5) * a) / np.sin(a / 2), lambda n: 2 * n + 1, np.ones_like)


ChebyshevT = _chebyshev("ChebyshevT", *_T, shifted=False)


def chebyshev_polynomial_t(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the first kind, of degree n. Source: torch.special.chebyshev_polynomial_t.

    >>> torch.special.chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 26.])
    """
    return into(out, ChebyshevT.apply(*require_one_tensor("chebyshev_polynomial_t", x, n)))


ChebyshevU = _chebyshev("ChebyshevU", *_U, shifted=False)


def chebyshev_polynomial_u(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the second kind, of degree n. Source: torch.special.chebyshev_polynomial_u.

    >>> torch.special.chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 56.])
    """
    return into(out, ChebyshevU.apply(*require_one_tensor("chebyshev_polynomial_u", x, n)))


ChebyshevV = _chebyshev("ChebyshevV", *_V, shifted=False)


def chebyshev_polynomial_v(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the third kind, of degree n. Source: torch.special.chebyshev_polynomial_v.

    >>> torch.special.chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 41.])
    """
    return into(out, ChebyshevV.apply(*require_one_tensor("chebyshev_polynomial_v", x, n)))


ChebyshevW = _chebyshev("ChebyshevW", *_W, shifted=False)


def chebyshev_polynomial_w(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the fourth kind, of degree n. Source: torch.special.chebyshev_polynomial_w.

    >>> torch.special.chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 71.])
    """
    return into(out, ChebyshevW.apply(*require_one_tensor("chebyshev_polynomial_w", x, n)))


ShiftedChebyshevT = _chebyshev("ShiftedChebyshevT", *_T, shifted=True)


def shifted_chebyshev_polynomial_t(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the first kind, of degree n, of 2 x - 1.

    Source: torch.special.shifted_chebyshev_polynomial_t.

    >>> torch.special.shifted_chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-0., 99.])
    """
    return into(out, ShiftedChebyshevT.apply(*require_one_tensor("shifted_chebyshev_polynomial_t", x, n)))


ShiftedChebyshevU = _chebyshev("ShiftedChebyshevU", *_U, shifted=True)


def shifted_chebyshev_polynomial_u(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the second kind, of degree n, of 2 x - 1.

    Source: torch.special.shifted_chebyshev_polynomial_u.

    >>> torch.special.shifted_chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([ -0., 204.])
    """
    return into(out, ShiftedChebyshevU.apply(*require_one_tensor("shifted_chebyshev_polynomial_u", x, n)))


ShiftedChebyshevV = _chebyshev("ShiftedChebyshevV", *_V, shifted=True)


def shifted_chebyshev_polynomial_v(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the third kind, of degree n, of 2 x - 1.

    Source: torch.special.shifted_chebyshev_polynomial_v.

    >>> torch.special.shifted_chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([  1., 169.])
    """
    return into(out, ShiftedChebyshevV.apply(*require_one_tensor("shifted_chebyshev_polynomial_v", x, n)))


ShiftedChebyshevW = _chebyshev("ShiftedChebyshevW", *_W, shifted=True)


def shifted_chebyshev_polynomial_w(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev's polynomial of the fourth kind, of degree n, of 2 x - 1.

    Source: torch.special.shifted_chebyshev_polynomial_w.

    >>> torch.special.shifted_chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([ -1., 239.])
    """
    return into(out, ShiftedChebyshevW.apply(*require_one_tensor("shifted_chebyshev_polynomial_w", x, n)))


HermiteH = _family("HermiteH", lambda x: 2 * x, lambda k, x, p, before: 2 * x * p - 2 * k * before, 512)


def hermite_polynomial_h(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The physicist's Hermite polynomial of degree n. Source: torch.special.hermite_polynomial_h.

    >>> torch.special.hermite_polynomial_h(torch.tensor([0.5, 2.0]), 3)
    tensor([-5., 40.])
    """
    return into(out, HermiteH.apply(*require_one_tensor("hermite_polynomial_h", x, n)))


HermiteHe = _family("HermiteHe", lambda x: x, lambda k, x, p, before: x * p - k * before, 512)


def hermite_polynomial_he(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """The probabilist's Hermite polynomial of degree n. Source: torch.special.hermite_polynomial_he.

    >>> torch.special.hermite_polynomial_he(torch.tensor([0.5, 2.0]), 3)
    tensor([-1.3750,  2.0000])
    """
    return into(out, HermiteHe.apply(*require_one_tensor("hermite_polynomial_he", x, n)))


LaguerreL = _family("LaguerreL", lambda x: 1 - x, lambda k, x, p, before: ((2 * k + 1 - x) * p - k * before) / (k + 1))


def laguerre_polynomial_l(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Laguerre's polynomial of degree n. Source: torch.special.laguerre_polynomial_l.

    >>> torch.special.laguerre_polynomial_l(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.1458, -0.3333])
    """
    return into(out, LaguerreL.apply(*require_one_tensor("laguerre_polynomial_l", x, n)))


LegendreP = _family("LegendreP", lambda x: x, lambda k, x, p, before: ((2 * k + 1) * x * p - k * before) / (k + 1))


def legendre_polynomial_p(x: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Legendre's polynomial of degree n. Source: torch.special.legendre_polynomial_p.

    >>> torch.special.legendre_polynomial_p(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.4375, 17.0000])
    """
    return into(out, LegendreP.apply(*require_one_tensor("legendre_polynomial_p", x, n)))
