"""log |Γ|, its derivatives digamma, trigamma and polygamma, and the multivariate log-gamma function."""

from __future__ import annotations

import math

import numpy as np

from ...errors import ArgumentError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..creation import arange
from ..support.blocks import in_double
from ..support.out import into
from ..support.spelling import tensors_only
from . import gamma_negative, gamma_positive
from .evaluation import piecewise, promote, replace_where
from .zeta import hurwitz_zeta


def _lgamma(x: Array) -> Array:
    return piecewise((x,), (x >= -0.3, gamma_positive.lgamma), (x < -0.3, gamma_negative.lgamma))


def _lgamma_float32(x: Array) -> Array:
    below = x < 0
    out = gamma_positive.lgamma_float32(abs(x) + below)
    return replace_where(out, (x, out), (below, gamma_negative.lgamma_float32))


def _digamma(x: Array) -> Array:
    return piecewise((x,), (x >= -0.25, gamma_positive.digamma), (x < -0.25, gamma_negative.digamma))


def _digamma_float32(x: Array) -> Array:
    below = x < 0
    out = gamma_positive.digamma_float32(np.where(below, 1 - x, x))
    return replace_where(out, (x, out), (below, gamma_negative.digamma_float32))


def _trigamma(x: Array) -> Array:
    return piecewise((x,), (x >= -0.25, gamma_positive.trigamma), (x < -0.25, gamma_negative.trigamma))


def _trigamma_float32(x: Array) -> Array:
    below = x < 0
    out = gamma_positive.trigamma_float32(abs(x) + below)
    return replace_where(out, (x, out), (below, gamma_negative.trigamma_float32))


class Lgamma(Function):
    """log |Γ(x)|."""

    symbol, promote = "log Γ", promote

    def forward(self, x):
        return in_double(_lgamma_float32 if x.dtype == np.float32 else _lgamma, x)

    def grad_x(self, grad, x):
        return grad * Digamma.apply(x)


def lgamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log |Γ(input)|, which is ∞ at 0 and at the negative integers.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.lgamma.

    >>> torch.lgamma(torch.tensor([0.5, 1.0, 10.0]))
    tensor([ 0.5724,  0.0000, 12.8018])
    """
    return into(out, Lgamma.apply(input))


class Digamma(Function):
    """ψ(x), the derivative of log Γ."""

    symbol, promote = "ψ", promote

    def forward(self, x):
        return in_double(_digamma_float32 if x.dtype == np.float32 else _digamma, x)

    def grad_x(self, grad, x):
        return grad * Polygamma.apply(x, n=1)


def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The digamma function ψ, the derivative of `lgamma`; NaN at the negative integers.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.digamma.

    >>> torch.digamma(torch.tensor([1.0, 0.5]))
    tensor([-0.5772, -1.9635])
    """
    return into(out, Digamma.apply(input))


class Polygamma(Function):
    """The n-th derivative of ψ for n >= 1, which is (-1)ⁿ⁺¹ n! ζ(n + 1, x)."""

    symbol, promote = "ψⁿ", promote

    def forward(self, x):
        if self.n == 1:
            return in_double(_trigamma_float32 if x.dtype == np.float32 else _trigamma, x)
        order = self.n + 1
        # n! = factor · 2^(power · order): the power of two goes into the zeta function, so that nothing overflows
        power = int(math.lgamma(order) / (order * math.log(2)))
        factor = math.factorial(self.n) / 2 ** (power * order) if order < 1000 else math.inf
        return in_double(lambda x: (-1) ** order * hurwitz_zeta(np.full_like(x, order), x, 2.0**power, factor), x)

    def grad_x(self, grad, x):
        return grad * Polygamma.apply(x, n=self.n + 1)


@tensors_only
def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The n-th derivative of `digamma`. Source: torch.polygamma.

    Raises RuntimeError for n < 0.

    >>> torch.polygamma(1, torch.tensor([1.0, 0.5]))
    tensor([1.6449, 4.9348])
    """
    if n < 0:
        raise ArgumentError(f"polygamma(n, x) does not support negative n, got n = {n}")
    return into(out, Polygamma.apply(input, n=n) if n else Digamma.apply(input))


@tensors_only
@composite
def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p. Source: torch.mvlgamma.

    Raises RuntimeError for p < 1.

    >>> torch.mvlgamma(torch.tensor([2.0, 3.0]), 2)
    tensor([0.4516, 1.5502])
    """
    if p < 1:
        raise ArgumentError(f"mvlgamma: p has to be greater than or equal to 1, got p = {p}")
    halves = arange(p, dtype=input.dtype if input.is_floating_point() else None, device=input.device) / 2
    return into(out, Lgamma.apply(input[..., None] - halves).sum(-1) + p * (p - 1) / 4 * math.log(math.pi))
