"""Variances, standard deviations, covariances and correlations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend import as_array
from ...backend.axes import reduced_shape, reduction_size
from ...engine.transforms import transposes_tangent
from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.notices import warn
from ...fast_reductions import fast_sum
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import clamp, complex, conj, conjugate, imag, real
from ..linalg.common import safe_divide
from ..linalg.products import matmul
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .axes import Dim, axes
from .sums import Mean


class Var(Function):
    """Σ |x - mean|² / (n - correction) over axes that have n elements."""

    symbol, numpy = "var", np.var

    def forward(self, x):
        return _spread_and_mean(self, x)[0]

    def grad_x(self, grad, x):
        return _grad_from_variance(self, grad, x)


class Std(Function):
    """The square root of the variance, which may itself be too large for float16. Its derivative at 0 is taken as 0."""

    symbol = "std"

    def forward(self, x):
        return _spread_and_mean(self, x, np.sqrt)[0]

    def grad_x(self, grad, x, out):
        return _grad_from_variance(self, safe_divide(grad, 2 * out), x)


class VarMean(Function):
    """The variance and the mean over axes, computed together."""

    symbol, materializes = "var, mean", False

    def forward(self, x):
        return _with_mean(*_spread_and_mean(self, x), x)

    def grad_x(self, grad, x):
        variance, mean = grad
        return _grad_from_both(self, variance, mean, x)


class StdMean(Function):
    """The standard deviation and the mean over axes, computed together."""

    symbol, materializes = "√, mean", False

    def forward(self, x):
        return _with_mean(*_spread_and_mean(self, x, np.sqrt), x)

    def grad_x(self, grad, x, out):
        deviation, mean = grad
        return _grad_from_both(self, None if deviation is None else safe_divide(deviation, 2 * out[0]), mean, x)


def _spread_and_mean(node: Any, x: Array, of_variance: Callable[[Any], Any] = np.positive) -> tuple[Array, Array]:
    """Compute a function of the variance with the settings axis, keepdims and correction of `node`, and the mean.

    In double precision, as PyTorch does: only the result is rounded, and may overflow. The mean has all dims.
    """
    n = reduction_size(x.shape, node.axis)
    double = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64, copy=False)
    mean = layouts.row_major(fast_sum(double, node.axis, True)) / (n or math.nan)
    centered = np.subtract(double, mean, out=None if double.dtype == x.dtype else double)  # then it is x, or a view
    if x.dtype.kind == "c":
        squares = centered.real * centered.real
        squares += centered.imag * centered.imag
    else:
        squares = centered
        squares *= centered
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        variance = layouts.row_major(fast_sum(squares, node.axis, node.keepdims))
        variance = variance / (max(n - node.correction, 0) if n else math.nan)
        return as_array(of_variance(variance)).astype(x.real.dtype, copy=False), mean


def _with_mean(spread: Array, mean: Array, x: Array) -> tuple[Array, Array]:
    return spread, layouts.contiguous(mean.reshape(spread.shape)).astype(x.dtype, copy=False)


def _grad_from_variance(node: Any, grad: Array, x: Array) -> Array:
    """Compute the gradient of x from the gradient of the variance."""
    n = reduction_size(x.shape, node.axis) - node.correction
    centered = x - Mean.apply(x, axis=node.axis, keepdims=True)
    grad = grad.reshape(reduced_shape(x.shape, node.axis))
    if n <= 0 and node.axis is None:  # no degrees of freedom: PyTorch gives ±∞ and NaN
        return grad * np.where(centered == 0, math.nan, math.inf)
    return grad * conjugate(centered) * (2 / n if n else math.inf)


def _grad_from_both(node: Any, variance: Array, mean: Array | None, x: Array) -> Array:
    """Compute the gradient of x from those of the variance and the mean; None is the gradient of an unused output."""
    found = None if variance is None else _grad_from_variance(node, variance, x)
    if mean is None:
        return found
    n = reduction_size(x.shape, node.axis) or (math.nan if transposes_tangent() else 1)  # as Mean's
    share = mean.reshape(reduced_shape(x.shape, node.axis)) / n
    return np.broadcast_to(share, x.shape) if found is None else found + share


def _var(
    op: str, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: float | None,
    cls: type[Function] = Var,
) -> Any:  # fmt: skip
    """Check the arguments of var, std and their relatives, and apply the Function `cls`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    if input.array.dtype.kind not in "fc":
        raise DtypeError(f"{op}: std and var only support floating point and complex dtypes, got {input.dtype}")
    axis = axes(dim, input.array.ndim, op)
    if reduction_size(input.array.shape, axis) <= correction:
        warn(
            f"{op}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input "
            "numel divided by output numel)."
        )
    return cls.apply(input, axis=axis, keepdims=keepdim, correction=correction)


@numpy_spelling
def var(
    input: Tensor, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the variance over dim: squared deviations summed, divided by n - correction (1 by default).

    Raises IndexError for a dim out of range, RuntimeError for integers and booleans. Source: torch.var.

    >>> torch.var(torch.tensor([1.0, 2.0, 4.0]))
    tensor(2.3333)
    """
    return into(out, _var("var", input, dim, unbiased, keepdim, correction))


@numpy_spelling
def var_mean(
    input: Tensor, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None, out: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the variance and the mean over dim.

    Raises IndexError for a dim out of range, RuntimeError for integers and booleans. Source: torch.var_mean.

    >>> torch.var_mean(torch.tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    return into(out, _var("var_mean", input, dim, unbiased, keepdim, correction, VarMean))


@numpy_spelling
def std(
    input: Tensor, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the standard deviation over dim: the square root of `var`. Its derivative at 0 is 0.

    Raises IndexError for a dim out of range, RuntimeError for integers and booleans. Source: torch.std.

    >>> torch.std(torch.tensor([1.0, 2.0, 4.0]))
    tensor(1.5275)
    """
    return into(out, _var("std", input, dim, unbiased, keepdim, correction, Std))


@numpy_spelling
def std_mean(
    input: Tensor, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None, out: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the standard deviation and the mean over dim.

    Raises IndexError for a dim out of range, RuntimeError for integers and booleans. Source: torch.std_mean.

    >>> torch.std_mean(torch.tensor([1.0, 3.0]))
    (tensor(1.4142), tensor(2.))
    """
    return into(out, _var("std_mean", input, dim, unbiased, keepdim, correction, StdMean))


@composite
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Return the covariance matrix of variables (rows) over observations (columns).

    fweights are the integer counts of the observations, aweights their relative importance. (n, m) -> (n, n); a vector
    is one variable: (m) -> (). Raises RuntimeError for more than two dimensions, booleans, weights of another size or
    dtype, negative ones, and if they sum to 0. Source: torch.cov.

    >>> torch.cov(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2 or input.array.dtype.kind == "b":
        raise ShapeError(f"cov: expected input to have two or fewer dimensions and numbers, got {_described(input)}")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    weights = _weights(x.shape[1], fweights, aweights)
    if weights is None:
        norm = x.shape[1] - correction
        centered = weighted = x - x.sum(1, keepdim=True) / x.shape[1] if x.shape[1] else x * 1.0
    else:
        weight_sum = weights.sum()
        if not weight_sum.item():
            raise ArgumentError("cov: weights sum to zero, can't be normalized")
        norm = weight_sum - correction
        if aweights is not None and correction:
            norm = weight_sum - correction * (weights * aweights).sum() / weight_sum
        centered = x - (x * weights).sum(1, keepdim=True) / weight_sum
        weighted = centered * weights
    if norm <= 0:
        warn("cov(): degrees of freedom is <= 0")
        norm = 0
    return (matmul(centered, conj(weighted.transpose(0, 1))) / norm).squeeze()


def _weights(n: int, fweights: Tensor | None, aweights: Tensor | None) -> Any:
    """Combine and check the weights of n observations; None where all count the same."""
    for name, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if given is None:
            continue
        if given.ndim > 1 or given.array.size != n:
            raise ShapeError(f"cov: expected {name} to have {n} elements in one dimension, got {_described(given)}")
        if given.array.dtype.kind not in kinds:
            raise DtypeError(f"cov: expected {name} to have {'integral' if kinds == 'iu' else 'floating point'} dtype")
        if np.any(given.array < 0):
            raise ArgumentError(f"cov: {name} cannot be negative")
    if fweights is None or aweights is None:
        return aweights if fweights is None else fweights
    return fweights * aweights


def _described(x: Tensor) -> str:
    return f"{tuple(x.shape)} {x.dtype}"


@composite
def corrcoef(input: Tensor) -> Tensor:
    """Return the matrix of Pearson's correlation coefficients of variables (rows).

    (n, m) -> (n, n), (m) -> (). Raises RuntimeError for more than two dimensions. Source: torch.corrcoef.

    >>> torch.corrcoef(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise ShapeError(f"corrcoef: expected input to have two or fewer dimensions, got {_described(input)}")
    c = cov(input)
    if c.ndim == 0:
        return c / c
    places = list(range(c.shape[0]))
    deviations = real(c[places, places]).sqrt()
    c = c / deviations.unsqueeze(1) / deviations
    return clamp(c, -1, 1) if not c.is_complex() else complex(clamp(real(c), -1, 1), clamp(imag(c), -1, 1))
