"""Samples of gamma and Dirichlet distributions with gradients, by implicit reparameterization (Figurnov et al. 2018).

A sample x with cdf F(x; a) = u has the derivative dx/da = -∂F/∂a / density. ∂F/∂a is the integral of the density times
(log t - mean of log t), over t < x or over t > x. The side on which this factor has one sign is used, so that nothing
cancels. In w, the distance from log x (or logit x), the integrand is log-concave and smooth: Gauss-Legendre quadrature
over the relevant interval is accurate to 8 digits. PyTorch's rational approximations are accurate to 3 or 4.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function
from ..autograd.function import once_differentiable
from ..errors import KindError
from ..generator import Generator, dirichlet, gamma
from ..ops.creation import from_array
from ..ops.movement import broadcast_tensors
from ..ops.special import igamma
from ..tensor import Tensor
from ..type_aliases import Array

_NODES, _WEIGHTS = (x[:, None] for x in np.polynomial.legendre.leggauss(48))
_BLOCK = 4096  # samples at a time: each needs the memory of a hundred or more
_CUTOFF = 40.0  # the integrand is neglected below exp(-40) of its value at 0


def _standard_gamma(concentration: Tensor, generator: Generator | None = None) -> Tensor:
    """Sample the density x^(a-1) exp(-x) / Γ(a) for each a, differentiably. Source: torch._standard_gamma."""
    return _StandardGamma.apply(concentration, _draw(gamma, concentration, generator))


def _sample_dirichlet(concentration: Tensor, generator: Generator | None = None) -> Tensor:
    """Sample (*, K) probabilities that sum to 1 along the last dimension. Source: torch._sample_dirichlet."""
    return _Dirichlet.apply(concentration, _draw(dirichlet, concentration, generator))


def _dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """Return what `backward` of a draw x multiplies, for concentrations and their sums. Source: torch._dirichlet_grad.

    >>> torch._dirichlet_grad(torch.tensor([0.25, 0.75]), torch.ones(2), torch.full((2,), 2.0))
    tensor([0.4621, 0.8630])
    """
    others = total - alpha
    slope = _in_float64(_beta_slope, alpha, others, x)
    return slope.masked_fill(others == 0, 0.0)  # the only category always has probability 1


class _ImplicitDraw(Function):
    """The sample `drawn` as a differentiable function of the concentration."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, drawn: Tensor) -> Tensor:
        ctx.save_for_backward(concentration, drawn)
        return drawn


class _StandardGamma(_ImplicitDraw):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        concentration, drawn = ctx.saved_tensors
        return grad * _in_float64(_gamma_slope, concentration, drawn), None


def gamma_cdf(concentration: Tensor, x: Tensor) -> Tensor:
    """Return P(a, x), the probability of samples ≤ x. Unlike torch.igamma, it is differentiable by a."""
    return (_GammaCdf.apply if concentration.node is not None else igamma)(concentration, x)


class _GammaCdf(Function):
    @staticmethod
    def forward(ctx: Any, concentration: Tensor, x: Tensor) -> Tensor:
        concentration, x = broadcast_tensors(concentration, x)
        ctx.save_for_backward(concentration, x)
        return igamma(concentration, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, x = ctx.saved_tensors
        flow = grad * ((a - 1).xlogy(x) - x - a.lgamma()).exp()
        by_a = -flow * _in_float64(_gamma_slope, a, x)
        return by_a.masked_fill((x == 0) | x.isinf(), 0.0), flow  # at 0 and infinity the cdf is 0 or 1 for every a


class _Dirichlet(_ImplicitDraw):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        concentration, x = ctx.saved_tensors
        slope = _dirichlet_grad(x, concentration, concentration.sum(-1, True))
        return slope * (grad - (x * grad).sum(-1, True)), None


def _draw(draw: Callable[..., Any], parameter: Tensor, generator: Generator | None) -> Tensor:
    array = backend.to_numpy(parameter.array)
    if array.dtype.char not in "fd":
        raise KindError(f"{draw.__name__}: concentration must be float32 or float64, but is {parameter.dtype}")
    return from_array(draw(array, generator=generator), parameter.device)


def _in_float64(function: Callable[..., Any], *tensors: Tensor) -> Tensor:
    """Compute a function in float64 on the CPU; the result has the shape, dtype and device of the first Tensor."""
    first = tensors[0]
    arrays = [backend.to_numpy(x.array).astype(np.float64).reshape(-1) for x in tensors]
    made = np.empty(first.array.shape, first.array.dtype)
    with np.errstate(all="ignore"):
        for start in range(0, made.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            made.reshape(-1)[block] = function(*(x[block] for x in arrays))
    return from_array(made, first.device)


def _digamma(x: Array) -> Array:
    return from_array(x).digamma().array


def _gamma_slope(a: Array, x: Array) -> Array:
    """Return dx/da of gamma samples; the density of w is ∝ exp(±a w - x (exp(±w) - 1)) with log t = log x ± w."""
    log_x = np.log(x)
    excess = log_x - _digamma(a)
    sign = np.where(excess > 0, 1.0, -1.0)
    half = sign / 2  # exp(±w) = exp(±w/2)² may overflow although x exp(±w) doesn't

    def height(w: Array) -> Array:
        root = np.expm1(half * w)
        return a * sign * w - x * root * (root + 2)

    def curve(w: Array) -> tuple[Array, Array]:
        root = np.exp(half * w)
        return height(w), sign * (a - x * root * root)

    def integrand(w: Array) -> Array:
        return np.exp(height(w)) * np.abs(excess + sign * w)

    def log1p_over_x(y: Array | float) -> Array:
        return np.logaddexp(0, np.log(y) - log_x)

    drop = _CUTOFF + 2 * a * (log1p_over_x(_CUTOFF) + 1 + np.log1p(a))
    far = np.where(sign > 0, log1p_over_x(drop), (_CUTOFF + x) / a)
    return x * _integral(curve, integrand, far, lambda end: end - 6)


def _beta_slope(a: Array, b: Array, x: Array) -> Array:
    """Return dx/da / (1 - x) of beta samples; the density of w is ∝ t^a (1 - t)^b with logit t = logit x ± w."""
    log_x, log_rest = np.log(x), np.log1p(-x)
    mean_log = _digamma(a) - _digamma(a + b)
    sign = np.where(log_x > mean_log, 1.0, -1.0)
    logit = log_x - log_rest

    def logs(w: Array) -> tuple[Array, Array]:
        t = logit + sign * w
        tail = np.log1p(np.exp(-np.abs(t)))
        return np.minimum(t, 0) - tail, np.minimum(-t, 0) - tail

    def height(log_t: Array, log_other: Array) -> Array:
        return a * (log_t - log_x) + b * (log_other - log_rest)

    def curve(w: Array) -> tuple[Array, Array]:
        log_t, log_other = logs(w)
        return height(log_t, log_other), sign * (a * np.exp(log_other) - b * np.exp(log_t))

    def integrand(w: Array) -> Array:
        log_t, log_other = logs(w)
        return np.exp(height(log_t, log_other)) * np.abs(log_t - mean_log)

    far = np.where(sign > 0, (_CUTOFF - (a + b) * log_x) / b, (_CUTOFF - (a + b) * log_rest) / a)
    return x * _integral(curve, integrand, far, lambda end: -sign * logit)


def _integral(curve: Any, integrand: Any, far: Array, bend: Any) -> Array:
    """Return ∫ integrand from 0 to the point where its concave height has fallen to -_CUTOFF.

    `curve` returns the height, which is the logarithm of the density in the integrand, and its slope. Newton's method,
    started at `far` beyond that point, approaches it from one side. Away from `bend` the height is nearly linear, so
    the interval is split there.
    """
    end = far
    for _ in range(60):
        height, slope = curve(end)
        step = (height + _CUTOFF) / slope
        end = end - step
        if not (np.abs(step) > 1e-3 * end).any():
            break
    total = 0.0
    places = [0.0, *(np.clip(bend(end) + side, 0, end) for side in (-6, 6)), end]
    for low, high in pairwise(places):
        half = (high - low) / 2
        total = total + half * (_WEIGHTS * integrand(low + half * (1 + _NODES))).sum(0)
    return total
