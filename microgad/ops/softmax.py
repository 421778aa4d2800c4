"""Softmax, log-softmax and log-sum-exp. They subtract the maximum first, so that exp cannot overflow."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import backend, dtypes
from .. import generator as draws
from ..backend.axes import reduced_shape
from ..duck_arrays import DuckArray
from ..errors import KindError
from ..errors.notices import warn
from ..fast_reductions import SMALL, fast_reduce
from ..fast_reductions.products import ones, row_dots
from ..function import Function
from ..state import composite
from ..type_aliases import Array, Dtype, GivenDims, Tensor
from .creation import zeros_like
from .elementwise.complex_numbers import is_complex
from .movement.dims import wrap_dim
from .reduction.axes import apply_along, axes
from .support import layouts
from .support.blocks import BLOCK_SIZE, UFUNC_BUFFER, arithmetic, unbuffered, unbuffered_runs
from .support.out import into
from .support.spelling import numpy_spelling

UNSHIFTED = 0  # what is subtracted from the exponents where no maximum is
LEAST = {char: float(np.finfo(char).min) for char in "efd"}  # below it is -∞ alone
TINY, HUGE = 1e-4, 1e15  # a sum of exponentials between them has neither overflowed nor lost digits


class Softmax(Function):
    """exp(x) / Σ exp(x) along an axis."""

    symbol = "softmax"

    def forward(self, x):
        x = layouts.contiguous(x)
        out, total, _ = exponentials(x, self.axis)
        with unbuffered(out, self.axis):
            out /= total
        return out

    def grad_x(self, grad, out):
        centered = _less_dots(grad, out, self.axis)
        if type(centered) is not np.ndarray:
            return centered * out
        centered *= out
        return centered


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype = None) -> Tensor:
    """Return exp(input) / Σ exp(input) along dim: positive numbers that sum to 1. Source: torch.nn.functional.softmax.

    input is floating-point, or is converted to `dtype` first. Raises RuntimeError for integers, IndexError for a dim
    that is out of range.

    >>> F.softmax(torch.tensor([[1.0, 1.0], [1.0, 3.0]]), dim=1)
    tensor([[0.5000, 0.5000],
            [0.1192, 0.8808]])
    """
    return _apply(Softmax, "softmax", input, dim, _stacklevel, dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype = None) -> Tensor:
    """Return the softmax of -input.

    Of any shape. Raises RuntimeError for integers, IndexError for a dimension out of range.
    Source: torch.nn.functional.softmin.

    >>> F.softmin(torch.tensor([1.0, 3.0]), dim=0)
    tensor([0.8808, 0.1192])
    """
    return _apply(Softmax, "softmin", -input, dim, _stacklevel, dtype)


class LogSoftmax(Function):
    """x - log Σ exp(x) along an axis."""

    symbol = "log softmax"

    def forward(self, x):
        x = layouts.contiguous(x)
        with unbuffered(x, self.axis):
            out = x - maximum_along(x, self.axis)
            out -= np.log(sum_along(np.exp(out), self.axis))
        return out

    def grad_x(self, grad, out):
        with unbuffered(out, self.axis):
            return grad - np.exp(out) * sum_along(grad, self.axis)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype = None) -> Tensor:
    """Return the logarithm of softmax, without the loss of precision. Source: torch.nn.functional.log_softmax.

    The arguments, shapes and errors are those of softmax.

    >>> F.log_softmax(torch.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return _apply(LogSoftmax, "log_softmax", input, dim, _stacklevel, dtype)


def _apply(cls: type[Function], name: str, input: Tensor, dim: int | None, stacklevel: int, dtype: Any) -> Tensor:
    """Check the arguments and apply a Function; warn if dim is not given, as PyTorch does."""
    if dim is None:
        dim = _get_softmax_dim(name, input.ndim, stacklevel + 1)
    x = input if dtype is None else input.to(dtype=dtype)
    if x.array.dtype.kind != "f":
        raise KindError(f"{name}: input must be floating-point, got {x.dtype}; convert it or give dtype=")
    return apply_along(cls, x, wrap_dim(dim, x.ndim, name))


def _get_softmax_dim(name: str, ndim: int, stacklevel: int) -> int:
    dim = 0 if ndim in (0, 1, 3) else 1
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        f"Change the call to include dim={dim} as an argument.",
        stacklevel=stacklevel,
    )
    return dim


@composite
def gumbel_softmax(
    logits: Tensor, tau: float | Tensor = 1, hard: bool | int = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Return the softmax of (logits + Gumbel noise) / tau along dim. Source: torch.nn.functional.gumbel_softmax.

    With `hard`, the result is 1 at the maximum and 0 elsewhere, but has the gradient of the soft result. The draws are
    PyTorch's. Jang et al. (2016). Raises RuntimeError for integers.

    >>> _ = torch.manual_seed(2024)
    >>> F.gumbel_softmax(torch.tensor([1.0, 2.0, 0.0]), hard=True)
    tensor([1., 0., 0.])
    """
    if eps != 1e-10:
        warn("`eps` parameter is deprecated and has no effect.")
    x, dim = logits.array, wrap_dim(dim, logits.ndim, "gumbel_softmax")  # before anything is drawn
    mapped = isinstance(x, DuckArray)  # vmap's slices are drawn in the order in which they lie in memory
    drawn = draws.exponential_(draws.fills.empty_like(x) if mapped else np.empty(x.shape, x.dtype))
    noise = backend.to_device(-np.log(drawn), logits.device)
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    value = soft.detach()
    return zeros_like(value).scatter_(dim, value.max(dim, keepdim=True)[1], 1.0) - value + soft


class LogSumExp(Function):
    """log Σ exp(x) over axes; -∞ if all values are -∞."""

    symbol, operator, promote = "log Σ exp", "logsumexp", dtypes.promote_floating

    def forward(self, x):
        peak = maximum_along(x.real, self.axis)
        peak = np.where(np.isinf(peak), 0, peak)  # ∞ - ∞ would be NaN
        total = sum_along(np.exp(x - peak), self.axis)
        with np.errstate(divide="ignore"):
            out = np.log(total) + peak
        return layouts.contiguous(out if self.keepdims else np.squeeze(out, self.axis))

    def grad_x(self, grad, x, out):
        shape = reduced_shape(x.shape, self.axis)
        share = np.exp(x - np.where(out == -np.inf, 0.0, out).reshape(shape))
        if is_complex(x):
            return grad.reshape(shape) * share
        total = _accurate_sum(share, self.axis)  # 1 except for the rounding of a large `out`; NaN if that is ∞
        return grad.reshape(shape) * (share / np.where(total > 0, total, 1.0))


@numpy_spelling
def logsumexp(input: Tensor, dim: GivenDims, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return log Σ exp(input) over one or several dims, without overflow.

    IndexError is raised for a dimension out of range. Source: torch.logsumexp.

    >>> torch.logsumexp(torch.tensor([[1000.0, 1000.0], [0.0, -torch.inf]]), dim=1)
    tensor([1000.6932,    0.0000])
    """
    return into(out, LogSumExp.apply(input, axis=axes(dim, input.ndim, "logsumexp"), keepdims=keepdim))


def exponentials(x: Array, axis: int, out: Array | None = None, safe: bool = False) -> tuple[Any, Any, Any]:
    """Return exp(x - t), its sum along an axis, and t: the maximum, of length 1 there, or UNSHIFTED.

    Any t will do for which the sum is neither huge nor tiny. For large arrays 0 is tried first, which saves the pass
    for the maximum. Lines that are all -∞ give zeros if `safe`, otherwise NaN.
    """
    if type(x) is np.ndarray and x.size >= UFUNC_BUFFER and x.itemsize > 2:
        with np.errstate(over="ignore"):
            exps = np.exp(x, out=out)
            total = sum_along(exps, axis)
        if np.minimum.reduce(total, None) > TINY and np.maximum.reduce(total, None) < HUGE:  # faster than min()
            return exps, total, UNSHIFTED
    top = maximum_along(x, axis)
    with unbuffered(x, axis):
        exps = np.subtract(x, np.maximum(top, LEAST[x.dtype.char]) if safe else top, out=out)
    np.exp(exps, out=exps)
    return exps, sum_along(exps, axis), top


def maximum_along(x: Array, axis: Any) -> Array:
    """Return the maximum along axes, which keep length 1; 0 for an empty array."""
    if type(x) is np.ndarray and axis in (-1, x.ndim - 1) and 0 < 20 * x.shape[-1] < min(x.size, 20 * 32):
        columns = x.reshape((-1, x.shape[-1])).T.copy()  # NumPy is slow on many short rows
        return np.maximum.reduce(columns, 0).reshape((*x.shape[:-1], 1))
    return fast_reduce(np.maximum, x, axis, True) if x.size else x.sum(axis, keepdims=True)


def sum_along(x: Array, axis: Any) -> Array:
    """Return the sum along axes, which keep length 1. Along the last axis a matrix product is the fastest way."""
    if type(x) is np.ndarray and x.size < SMALL:
        return np.add.reduce(x, axis, keepdims=True)
    if axis in (-1, x.ndim - 1):
        return np.matmul(x, ones(x.shape[-1], x))[..., None]
    return fast_reduce(np.add, x, axis, True)


def _accurate_sum(x: Array, axis: Any) -> Array:
    """Return the sum along axes, which keep length 1; an array's is computed in float64 and rounded once."""
    if not backend.is_array(x):
        return sum_along(x, axis)
    return np.sum(x, axis, np.float64, keepdims=True).astype(x.dtype)


def _less_dots(a: Array, b: Array, axis: int) -> Array:
    """Return a - Σ a · b along an axis."""
    rows = axis in (-1, b.ndim - 1)
    dots = row_dots(a, b) if rows else sum_along(a * b, axis)
    if type(a) is not np.ndarray:
        return a - dots
    if not rows or a.size >= BLOCK_SIZE:
        return arithmetic(np.subtract, a, dots)
    with unbuffered_runs(a.shape[-1]):
        return a - dots
