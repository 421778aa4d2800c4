"""The normal distribution function and its logarithm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...function import Function
from ..blocks import in_double
from ..elementwise import Select, Where
from ..out import into
from .error import Complement, Erfcx
from .numeric import in_either, pieces, promote

if TYPE_CHECKING:
    from ...tensor import Tensor

_OF_ROOT_2 = Complement(math.sqrt(2))


def _ndtr(x: Any) -> Any:
    return pieces(
        (x,),
        (x <= -1, lambda x: _OF_ROOT_2.above(-x) / 2),
        (x > -1, lambda x: _OF_ROOT_2.below(-x) / 2),
    )


def _ndtr_single(x: Any) -> Any:
    return _OF_ROOT_2.single(-x) / 2


def _log_ndtr(x: Any) -> Any:
    def far(x: Any) -> Any:
        return np.log(_OF_ROOT_2.scaled(-x) / 2) - x * (x / 2)

    return pieces(
        (x,),
        (x <= -1.1, far),
        (abs(x) < 1.1, lambda x: np.log1p(_OF_ROOT_2.below(x) / -2)),
        (x >= 1.1, lambda x: np.log1p(_OF_ROOT_2.above(x) / -2)),
    )


class Ndtr(Function):
    """The mass of the normal distribution below x."""

    symbol, promote = "Φ", promote

    def forward(self, x):
        return in_either(_ndtr, _ndtr_single, x)

    def grad_x(self, grad, x):
        return grad * (1 / math.sqrt(2 * math.pi) * np.exp(x * x / -2))


def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The mass of the standard normal distribution below input. Source: torch.special.ndtr.

    >>> torch.special.ndtr(torch.tensor([0.0, -1.0, 1.96]))
    tensor([0.5000, 0.1587, 0.9750])
    """
    return into(out, Ndtr.apply(input))


class LogNdtr(Function):
    """log Φ(x), with all its digits in both tails."""

    symbol, promote = "log Φ", promote

    def forward(self, x):
        return in_double(_log_ndtr, x)

    def grad_x(self, grad, x, out):
        tail = math.sqrt(2 / math.pi) / Erfcx.apply(np.minimum(x, 0) * -math.sqrt(0.5))
        # Of large x, where erfcx of -x, or its square, overflows: from 40 on the density is 0.
        square = np.clip(x, 0, 40) ** 2
        density = np.exp(square / -2 - Select.apply(x >= 0, out)) / math.sqrt(2 * math.pi)
        return grad * Where.apply(x < 0, tail, density)


def log_ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of `ndtr`, with all its digits in both tails. Source: torch.special.log_ndtr.

    >>> torch.special.log_ndtr(torch.tensor([0.0, -30.0, 10.0]))
    tensor([-6.9315e-01, -4.5432e+02, -7.6199e-24])
    """
    return into(out, LogNdtr.apply(input))
