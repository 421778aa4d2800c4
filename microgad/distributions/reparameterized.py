"""Draws of gamma and Dirichlet distributions as functions of their parameters, by implicit differentiation.

A draw x with F(x; a) = u moves with a as dx/da = -∂F/∂a / density (Figurnov et al. 2018). ∂F/∂a is an integral of the
density times (log t - its mean) up to x, or from x on; on the side of the mean where that has one sign nothing cancels.
In w, the distance from log x (or logit x), the integrand is log-concave, and smooth: Gauss and Legendre's nodes on the
stretch that matters give it to 8 digits. PyTorch's own are rational approximations, good to 3 or 4.
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

_NODES, _WEIGHTS = (x[:, None] for x in np.polynomial.legendre.leggauss(48))
_BLOCK = 4096  # so many draws at a time, of which each takes the memory of a hundred and more
_DEPTH = 40.0  # below exp(-40) of its height, the integrand counts for nothing


def _standard_gamma(concentration: Tensor, generator: Generator | None = None) -> Tensor:
    """A draw of x^(a-1) exp(-x) / Γ(a) for each a, with its derivative. Source: torch._standard_gamma."""
    return _StandardGamma.apply(concentration, _drawn(gamma, concentration, generator))


def _sample_dirichlet(concentration: Tensor, generator: Generator | None = None) -> Tensor:
    """(*, K) -> probabilities that add up to 1 along the last dimension. Source: torch._sample_dirichlet."""
    return _Dirichlet.apply(concentration, _drawn(dirichlet, concentration, generator))


class _Draw(Function):
    """What was `drawn`, as it moves with the concentration."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, drawn: Tensor) -> Tensor:
        ctx.save_for_backward(concentration, drawn)
        return drawn


class _StandardGamma(_Draw):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        concentration, drawn = ctx.saved_tensors
        return grad * _on_arrays(_gamma_slope, concentration, drawn), None


def gamma_cdf(concentration: Tensor, x: Tensor) -> Tensor:
    """P(a, x), the chance of draws up to x; unlike torch.igamma, it has a derivative by a."""
    return (_GammaCdf.apply if concentration.requires_grad else igamma)(concentration, x)


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
        by_a = -flow * _on_arrays(_gamma_slope, a, x)
        return by_a.masked_fill((x == 0) | x.isinf(), 0.0), flow  # at its ends the cdf is 0 or 1 for every a


class _Dirichlet(_Draw):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        concentration, x = ctx.saved_tensors
        others = concentration.sum(-1, True) - concentration
        slope = _on_arrays(_beta_slope, concentration, others, x)
        return slope * (grad - (x * grad).sum(-1, True)), None


def _drawn(draw: Callable[..., Any], parameter: Tensor, generator: Generator | None) -> Tensor:
    array = backend.to_numpy(parameter.array)
    if array.dtype.char not in "fd":
        raise KindError(f"{draw.__name__}: concentration must be float32 or float64, but is {parameter.dtype}")
    return from_array(draw(array, generator=generator), parameter.device)


def _on_arrays(function: Callable[..., Any], *tensors: Tensor) -> Tensor:
    """A function of float64 arrays, computed on the CPU, in the first Tensor's shape, dtype, and device."""
    first = tensors[0]
    arrays = [backend.to_numpy(x.array).astype(np.float64).reshape(-1) for x in tensors]
    made = np.empty(first.array.shape, first.array.dtype)
    with np.errstate(all="ignore"):
        for start in range(0, made.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            made.reshape(-1)[block] = function(*(x[block] for x in arrays))
    return from_array(made, first.device)


def _digamma(x: Any) -> Any:
    return from_array(x).digamma().array


def _gamma_slope(a: Any, x: Any) -> Any:
    """dx/da of gamma's draws: the density of w is exp(a w - x (exp w - 1))."""
    excess = np.log(x) - _digamma(a)
    sign = np.where(excess > 0, 1.0, -1.0)

    def height(w: Any) -> Any:
        return a * sign * w - x * np.expm1(sign * w)

    def slope(w: Any) -> Any:
        return sign * (a - x * np.exp(sign * w))

    drop = _DEPTH + 2 * a * (np.log1p(_DEPTH / x) + 1 + np.log1p(a))
    far = np.where(sign > 0, np.log1p(drop / x), (_DEPTH + x) / a)
    return x * _integral(height, slope, lambda w: np.abs(excess + sign * w), far, lambda end: end - 6)


def _beta_slope(a: Any, b: Any, x: Any) -> Any:
    """dx/da / (1 - x) of beta's draws: the density of w is t^a (1 - t)^b of the t whose logit is w from x's."""
    log_x, log_rest = np.log(x), np.log1p(-x)
    centre = _digamma(a) - _digamma(a + b)
    sign = np.where(log_x > centre, 1.0, -1.0)
    logit = log_x - log_rest

    def logs(w: Any) -> tuple[Any, Any]:
        t = logit + sign * w
        return -np.logaddexp(0, -t), -np.logaddexp(0, t)

    def height(w: Any) -> Any:
        log_t, log_other = logs(w)
        return a * (log_t - log_x) + b * (log_other - log_rest)

    def slope(w: Any) -> Any:
        log_t, log_other = logs(w)
        return sign * (a * np.exp(log_other) - b * np.exp(log_t))

    far = np.where(sign > 0, (_DEPTH - (a + b) * log_x) / b, (_DEPTH - (a + b) * log_rest) / a)
    return x * _integral(height, slope, lambda w: np.abs(logs(w)[0] - centre), far, lambda end: -sign * logit)


def _integral(height: Any, slope: Any, weight: Any, far: Any, bend: Any) -> Any:
    """∫ exp(height) · weight from 0 to where the height, which is concave, has fallen to -_DEPTH.

    Newton's steps from beyond that place come down to it without passing it. Away from `bend` the height is nearly
    straight.
    """
    end = far
    for _ in range(60):
        step = (height(end) + _DEPTH) / slope(end)
        end = end - step
        if not (np.abs(step) > 1e-3 * end).any():
            break
    total: Any = 0.0
    places = [0.0, *(np.clip(bend(end) + side, 0, end) for side in (-6, 6)), end]
    for low, high in pairwise(places):
        half = (high - low) / 2
        w = low + half * (1 + _NODES)
        total = total + half * (_WEIGHTS * np.exp(height(w)) * weight(w)).sum(0)
    return total
