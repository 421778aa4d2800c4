"""The standard normal distribution function Φ and its logarithm."""

from __future__ import annotations

import math

import numpy as np

from ...function import Function
from ...type_aliases import Array, Tensor
from ..elementwise import Select, Where
from ..support.blocks import in_double
from ..support.out import into
from .error_function import ErfcFormulas, Erfcx
from .evaluation import evaluate, piecewise, polynomial, promote

# log Φ(x) in terms of x - 0.614, for 0 <= x < 1.3
_MIDDLE = (
    -1.6337131432856181e-09, 6.079928715045687e-10, 1.8612989199319713e-08, 3.775489263888702e-08,
    -9.954223299504092e-08, -7.066026184975538e-07, -8.471077446497683e-07, 5.990028255674128e-06,
    2.761341805922517e-05, 3.2506102688969035e-06, -0.0003702104009840821, -0.0011801933840675182,
    0.0030729739575373876, 0.04670871457318092, -0.24119406749128047, 0.4523662719548207, -0.3141734420928936,
)  # fmt: skip
_ERFC_SQRT2 = ErfcFormulas(math.sqrt(2))  # Φ(x) = erfc(-x / √2) / 2
_BORDER = -0.72  # between erfc_upper and erfc_lower


def _ndtr(x: Array) -> Array:
    return piecewise(
        (x,),
        (x <= _BORDER, lambda x: _ERFC_SQRT2.erfc_upper(-x) / 2),
        (x > _BORDER, lambda x: _ERFC_SQRT2.erfc_lower(-x) / 2),
    )


def _log_ndtr(x: Array) -> Array:
    def far(x: Array) -> Array:
        return np.log(_ERFC_SQRT2.erfcx(-x) / 2) - x * (x / 2)

    return piecewise(
        (x,),
        (x <= _BORDER, far),
        ((x > _BORDER) & (x < 0), lambda x: -(_ERFC_SQRT2.minus_log_erfc(-x) + math.log(2))),
        ((x >= 0) & (x < 1.3), lambda x: polynomial(x - 0.614, _MIDDLE)),
        (x >= 1.3, lambda x: np.log1p(_ERFC_SQRT2.erfc_upper(x) / -2)),
    )


class Ndtr(Function):
    """The standard normal distribution function Φ(x)."""

    symbol, operator, node_name, promote = "Φ", "special_ndtr", "MulBackward1", promote

    def forward(self, x):
        return evaluate(_ndtr, lambda x: _ERFC_SQRT2.erfc_float32(-x) * 0.5, x)

    def grad_x(self, grad, x):
        return grad * (1 / math.sqrt(2 * math.pi) * np.exp(x * x / -2))


def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The standard normal distribution function, P(X <= input).

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.ndtr.

    >>> torch.special.ndtr(torch.tensor([0.0, -1.0, 1.96]))
    tensor([0.5000, 0.1587, 0.9750])
    """
    return into(out, Ndtr.apply(input))


def _slope_negative(x: Array, out: Array) -> Array:
    """The derivative of out = log Φ(x) for x < 0."""
    return math.sqrt(2 / math.pi) / Erfcx.apply(np.minimum(x, 0) * -math.sqrt(0.5))


def _slope_positive(x: Array, out: Array) -> Array:
    """The derivative φ(x) / Φ(x) of out = log Φ(x) for x >= 0, where erfcx would overflow. From 40 on φ(x) is 0."""
    square = np.clip(x, 0, 40) ** 2
    return np.exp(square / -2 - out) / math.sqrt(2 * math.pi)


class LogNdtr(Function):
    """log Φ(x), with all digits in both tails."""

    symbol, operator, promote = "log Φ", "special_log_ndtr", promote

    def forward(self, x):
        return in_double(_log_ndtr, x)

    def grad_x(self, grad, x, out):
        if type(x) is np.ndarray:
            flat = x.reshape(-1), out.reshape(-1)
            slope = piecewise(flat, (flat[0] < 0, _slope_negative), (flat[0] >= 0, _slope_positive))
            return grad * slope.reshape(x.shape)
        return grad * Where.apply(x < 0, _slope_negative(x, out), _slope_positive(x, Select.apply(x >= 0, out)))


def log_ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of `ndtr`, with all digits in both tails.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.log_ndtr.

    >>> torch.special.log_ndtr(torch.tensor([0.0, -30.0, 10.0]))
    tensor([-6.9315e-01, -4.5432e+02, -7.6199e-24])
    """
    return into(out, LogNdtr.apply(input))
