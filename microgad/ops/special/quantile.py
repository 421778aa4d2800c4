"""The inverses of the error function (erfinv) and of the normal distribution function (ndtri)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...function import Function
from ...type_aliases import Array, Tensor
from ..support.blocks import in_double
from ..support.out import into
from .evaluation import evaluate, piecewise, polynomial, promote, rational, replace_where

# The normal quantile z of p = 1/2 + q: z / q in terms of q² for |q| < 0.25; z / q - 2.5 in terms of 0.425² - q² for
# |q| <= 0.425; farther out √2 r - |z| with r = √(-log(tail)), in terms of r - 1.6 for r < 5 and of r - 5 beyond. All
# intervals but the first are Wichura's (AS 241). What is fitted is small beside 2.5 and √2 r, and so is its rounding.
_NEAR = (
    21613787.71383451, -3665914.1851714007, 881398.3131093333, 24001.673595174703, 23495.540728635176,
    5769.998747345612, 1692.60971654514, 496.2234688573349, 149.83041532299904, 47.03578255517238, 15.667608986724646,
    5.77253353855363, 2.6249349909537933, 2.5066282746310007,
)  # fmt: skip
_CENTRAL = (
    -513.753254078194, -17044.29324087558, -21895.77960633537, -6661.730166630396, -24.92872920033389,
    214.19350534813557, 25.87460075086828, 0.8871328727963668,
), (
    10008.251402120173, 22689.015855928883, 15482.253928403488, 4499.233159190464, 623.5496748929428,
    40.64081868856252, 1.0,
)  # fmt: skip
_FAR = (
    7.058126867644493e-08, 6.608051885836044e-05, 0.0031065208815356095, 0.04522907959081416, 0.29002706504600284,
    0.9230002299546624, 1.4212652962885273, 0.8393045890472686,
), (
    1.4746273133988353e-05, 0.00095645316849793, 0.018371844675928513, 0.15686849470501807, 0.6957456649748311,
    1.6676441670650552, 2.043120513831378, 1.0,
)  # fmt: skip
_FARTHEST = (
    7.914916097425767e-13, 4.918468047917438e-09, 1.2403688177506536e-06, 8.959635569936322e-05,
    0.0025930534928599856, 0.03378483899170174, 0.19659333777154475, 0.41316316836437156,
), (
    8.715171767283001e-10, 2.8308348989079895e-07, 2.5402644906508453e-05, 0.0009315982164208382,
    0.016302912690204563, 0.1435081573969925, 0.6112332186152101, 1.0,
)  # fmt: skip
# erfinv(x) / x with w = -log(1 - x²), for float32: in terms of w - 5/2 for w < 5, then of √w - 3
_NEAR_FLOAT32 = (
    -8.79205312e-09, 2.32331668e-08, 4.66184393e-07, -3.46271112e-06, -4.96341048e-06, 0.000218344463, -0.00125274177,
    -0.00417738681, 0.246640286, 1.50140936,
)  # fmt: skip
_FAR_FLOAT32 = (
    9.92930998e-05, -0.000292869077, -3.27008582e-05, 0.00146339665, -0.00361025968, 0.00569563215, -0.00763445644,
    0.00944422921, 1.00167478, 2.83297682,
)  # fmt: skip


class QuantileFormulas:
    """The normal quantile divided by `root`. The coefficients contain the root, so that the division isn't rounded."""

    def __init__(self, root: float) -> None:
        self.root, self.square = root, round(2 / (root * root))
        table = ((_NEAR, (1.0,)), _CENTRAL, _FAR, _FARTHEST)
        self.table = tuple((tuple(c / root for c in numerator), denominator) for numerator, denominator in table)

    def __call__(self, q: Array, tail: Array) -> Array:
        """The quantile of the probability 1/2 + q, where `tail` is 1/2 - |q| with all digits."""
        (near, _), central, far, farthest = self.table
        y = abs(q)

        def outer(q: Array, tail: Array) -> Array:
            square = -np.log(tail)
            r = np.sqrt(square)
            correction = piecewise(
                (r,),
                (r < 5, lambda r: rational(r - 1.6, *far)),
                (r >= 5, lambda r: rational(np.minimum(r, 30.0) - 5, *farthest)),
            )
            return np.copysign(np.sqrt(self.square * square) - correction, q)

        return piecewise(
            (q, tail),
            (y < 0.25, lambda q, tail: q * polynomial(q * q, near)),
            ((y >= 0.25) & (y <= 0.425), lambda q, tail: q * (2.5 / self.root + rational(0.180625 - q * q, *central))),
            ((y > 0.425) & (tail >= 0), outer),
        )


_NDTRI, _ERFINV = QuantileFormulas(1), QuantileFormulas(math.sqrt(2))


def _erfinv(x: Array) -> Array:
    return _ERFINV(x / 2, (1 - abs(x)) / 2)


def _erfinv_float32(x: Any) -> Any:
    w = -np.log((1 - x) * (1 + x))
    ratio = replace_where(
        polynomial(w - 2.5, _NEAR_FLOAT32),
        (w,),
        (w >= 5, lambda w: np.where(w < math.inf, polynomial(np.sqrt(w) - 3, _FAR_FLOAT32), w)),
    )
    return x * ratio


def _ndtri(p: Array) -> Array:
    return _NDTRI(p - 0.5, np.minimum(p, 1 - p))


class Erfinv(Function):
    """The inverse of erf, on (-1, 1)."""

    symbol, promote = "erf⁻¹", promote

    def forward(self, x):
        return evaluate(_erfinv, _erfinv_float32, x)

    def grad_x(self, grad, x):
        y = Erfinv.apply(x)
        return grad * (math.sqrt(math.pi) / 2 * np.exp(y * y))


def erfinv(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse of erf, which is ±∞ at ±1 and NaN beyond.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.erfinv.

    >>> torch.erfinv(torch.tensor([0.0, 0.5, -1.0]))
    tensor([0.0000, 0.4769,   -inf])
    """
    return into(out, Erfinv.apply(input))


class Ndtri(Function):
    """The inverse of the normal distribution function, on (0, 1)."""

    symbol, operator, promote = "Φ⁻¹", "special_ndtri", promote

    def forward(self, x):
        return in_double(_ndtri, x)

    def grad_x(self, grad, out):
        return grad * (math.sqrt(2 * math.pi) * np.exp(out * out / 2))


def ndtri(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The quantile function of the normal distribution, the inverse of `ndtr`. Source: torch.special.ndtri.

    It is -∞ at 0 and ∞ at 1. Elementwise, of any shape; complex numbers raise RuntimeError.

    >>> torch.special.ndtri(torch.tensor([0.0, 0.5, 0.975]))
    tensor([  -inf, 0.0000, 1.9600])
    """
    return into(out, Ndtri.apply(input))
