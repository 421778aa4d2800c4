"""Exponentials, logarithms, and the logistic function (sigmoid) with its inverse (logit)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...function import Function
from ...function.half import by_forward
from ...type_aliases import Array, Operand, Tensor
from ..support import fast_numpy, layouts
from ..support.blocks import by_blocks
from ..support.out import apply_into
from .operands import require_one_tensor, require_tensors
from .selection import Select, Where, finite_at

LOG_2, LOG_10 = math.log(2), math.log(10)
FEW = 1 << 8  # elements of a column that NumPy's plain loop computes as fast


def _write(self: Function, out: Array, x: Array) -> None:
    """The `write` of exp and log. NumPy vectorizes them for float32 only where adjacent results are written."""
    quick = out.size <= FEW or (out.strides[-1] == out.itemsize and out.shape[-1] > 1) or out.dtype.char != "f"
    if quick or out.itemsize in [step for n, step in zip(out.shape, out.strides, strict=True) if n > 1]:
        Function.write(self, out, x)
    else:
        by_forward(self, out, x)


class Exp(Function):
    """eˣ."""

    symbol, numpy, promote = "exp", np.exp, dtypes.promote_floating

    def forward(self, x):
        return np.exp(x)

    write = _write

    def grad_x(self, grad, out):
        return grad * out


def exp(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e to the power input. Of any shape; integers become floating-point. Source: torch.exp.

    >>> torch.exp(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return apply_into(out, Exp, input)


class Exp2(Function):
    """2ˣ."""

    symbol, numpy, promote = "exp2", np.exp2, dtypes.promote_floating

    def forward(self, x):
        return np.exp2(x)

    def grad_x(self, grad, out):
        return grad * (out * LOG_2)


def exp2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """2 to the power input. Elementwise, of any shape; integers become floating-point. Source: torch.exp2.

    >>> torch.exp2(torch.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    return apply_into(out, Exp2, input)


class Expm1(Function):
    """eˣ - 1, accurate near 0."""

    symbol, numpy, promote = "expm1", np.expm1, dtypes.promote_floating

    def forward(self, x):
        return np.expm1(x)

    def grad_x(self, grad, out):
        return grad * (out + 1)


def expm1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e to the power input, minus 1; accurate also near 0.

    Elementwise, of any shape; integers become floating-point. Source: torch.expm1.

    >>> torch.expm1(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    return apply_into(out, Expm1, input)


class Log(Function):
    """The natural logarithm."""

    symbol, numpy, promote = "log", np.log, dtypes.promote_floating

    def forward(self, x):
        return np.log(x)

    write = _write

    def grad_x(self, grad, x):
        return grad / x


def log(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The natural logarithm. Of any shape; integers become floating-point. Source: torch.log.

    >>> torch.log(torch.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])
    """
    return apply_into(out, Log, input)


class Log2(Function):
    """The logarithm to the base 2."""

    symbol, numpy, promote = "log2", np.log2, dtypes.promote_floating

    def forward(self, x):
        return np.log2(x)

    def grad_x(self, grad, x):
        return grad / (x * LOG_2)


def log2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm to the base 2. Of any shape; integers become floating-point. Source: torch.log2.

    >>> torch.log2(torch.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    return apply_into(out, Log2, input)


class Log10(Function):
    """The logarithm to the base 10."""

    symbol, numpy, promote = "log10", np.log10, dtypes.promote_floating

    def forward(self, x):
        return np.log10(x)

    def grad_x(self, grad, x):
        return grad / (x * LOG_10)


def log10(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm to the base 10. Of any shape; integers become floating-point. Source: torch.log10.

    >>> torch.log10(torch.tensor([1.0, 2.0]))
    tensor([0.0000, 0.3010])
    """
    return apply_into(out, Log10, input)


class Log1p(Function):
    """log(1 + x), accurate near 0."""

    symbol, numpy, promote, write = "log1p", np.log1p, dtypes.promote_floating, by_forward

    def forward(self, x):
        return np.log1p(x) if x.dtype.kind != "c" else _log1p(x)

    def grad_x(self, grad, x):
        return grad / (x + 1)


def _log1p(x: Array) -> Array:
    """log(1 + z) of complex z. NumPy's real part is log|1 + z|, which loses its digits near z = 0."""
    z, a, b = np.empty_like(x), x.real, x.imag
    z[...] = np.log1p(x)
    near = np.absolute(x) < 0.5
    z.real = np.where(near, np.log1p(np.where(near, a * (2 + a) + b * b, 0)) / 2, z.real)
    return z


def log1p(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(1 + input), accurate also near 0.

    Elementwise, of any shape; integers become floating-point. Source: torch.log1p.

    >>> torch.log1p(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    return apply_into(out, Log1p, input)


class LogAddExp(Function):
    """log(eᵃ + eᵇ), computed so that no exponential overflows."""

    symbol, operator, numpy, promote = "logaddexp", "logaddexp", np.logaddexp, dtypes.only("fc")

    def forward(self, a, b):
        if np.result_type(a, b).kind != "c":
            return _log_add(np.logaddexp, np.exp, a, b, 1.0)
        first = np.real(a) > np.real(b)
        larger, smaller = np.where(first, a, b), np.where(first, b, a)
        return larger + np.log1p(np.exp(np.where(larger == smaller, 0, smaller - larger)))  # ∞ - ∞ is NaN

    def grad_a(self, grad, a, b):
        return grad * Share.apply(a - b)

    def grad_b(self, grad, a, b):
        return grad * Share.apply(b - a)


def _log_add(ufunc: np.ufunc, power: Any, a: Array | float, b: Array | float, scale: float) -> Array:
    """ufunc(a, b), which is max(a, b) + scale · log1p(power(-|a - b|)).

    Large arrays take that formula, vectorized, in a fifth of the time.
    """
    if fast_numpy.result_size(a, b) < 5000 or backend.is_gpu(a):
        return ufunc(a, b)
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.absolute(a - b)
    np.negative(out, out=out)
    power(out, out=out)
    np.log1p(out, out=out)
    if scale != 1:
        out *= scale
    out += np.maximum(a, b)
    return ufunc(a, b) if np.isnan(out).any() else out  # a NaN may come from ∞ - ∞


def logaddexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(exp(input) + exp(other)), broadcast; nothing overflows on the way.

    Raises RuntimeError if the shapes don't broadcast, and for integers and booleans. Source: torch.logaddexp.

    >>> torch.logaddexp(torch.tensor([-100.0, 1000.0]), torch.tensor([-100.0, 0.0]))
    tensor([ -99.3069, 1000.0000])
    """
    return apply_into(out, LogAddExp, *require_tensors("logaddexp", input, other))


class LogAddExp2(Function):
    """log₂(2ᵃ + 2ᵇ), computed so that no power overflows."""

    symbol, operator, numpy, promote = "logaddexp2", "logaddexp2", np.logaddexp2, dtypes.only("f")

    def forward(self, a, b):
        return _log_add(np.logaddexp2, np.exp2, a, b, 1 / LOG_2)

    def grad_a(self, grad, a, b):
        return grad / (1 + np.exp2(b - a))

    def grad_b(self, grad, a, b):
        return grad / (1 + np.exp2(a - b))


def logaddexp2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log₂(exp2(input) + exp2(other)), broadcast; nothing overflows on the way.

    Raises RuntimeError if the shapes don't broadcast, and for integers, booleans and complex numbers.
    Source: torch.logaddexp2.

    >>> torch.logaddexp2(torch.tensor([1.0, 1000.0]), torch.tensor([1.0, 0.0]))
    tensor([   2., 1000.])
    """
    return apply_into(out, LogAddExp2, *require_tensors("logaddexp2", input, other))


_REAL = dtypes.only("f", dtypes.promote_floating)


class XLogY(Function):
    """x · log(y), which is 0 where x is 0 and y isn't NaN."""

    symbol, operator, elementwise = "xlogy", "xlogy", True

    @staticmethod
    def promote(arrays):
        arrays = _REAL(arrays)
        array = next(x for x in arrays if hasattr(x, "dtype"))
        return [x if hasattr(x, "dtype") else backend.like(x, array, array.dtype) for x in arrays]

    def forward(self, x, y):
        return (x + 0.0) * np.log(np.where((x == 0) & (y == y), 1.0, y))  # 0 · log(0) would be NaN; x + 0 makes 0 of -0

    def grad_x(self, grad, x, y):
        undefined = (x == 0) & (y <= 0)  # there it is 0, not -∞ or NaN
        return layouts.in_rows(XLogY.apply(finite_at(undefined, grad), np.where(undefined, 1.0, y)))

    def grad_y(self, grad, x, y):
        return grad * (x / y)


def xlogy(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input · log(other), broadcast; it is 0 where input is 0 and other isn't NaN.

    Raises RuntimeError for complex numbers. Source: torch.xlogy.

    >>> torch.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    return apply_into(out, XLogY, *require_one_tensor("xlogy", input, other))


class Sigmoid(Function):
    """1 / (1 + e⁻ˣ). Small values keep all their digits, which (1 + tanh(x/2)) / 2 would lose."""

    symbol, promote = "σ", dtypes.promote_floating

    def forward(self, x):
        def logistic(out: Array, x: Array) -> None:
            np.negative(x, out=out)
            np.exp(out, out=out)
            out += 1
            np.divide(1, out, out=out)  # faster than np.reciprocal

        with np.errstate(over="ignore"):
            out = by_blocks(logistic, x)
            if x.dtype == np.float64:
                far = x < -708  # e⁻ˣ overflows below -709, where the result, eˣ, isn't 0 yet
                if backend.is_gpu(x) or far.any():
                    out = np.where(far, np.exp(x), out)
        return out

    def grad_x(self, grad, out):
        return grad * (out * (1 - out))


class Share(Sigmoid):
    """σ(a - b) = eᵃ / (eᵃ + eᵇ). Its derivative keeps its digits where it is near 1; there Sigmoid's is 0."""

    operator = None

    def grad_x(self, grad, x, out):  # type: ignore[override]
        return grad * (out * Share.apply(-x))


def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logistic function, 1 / (1 + exp(-input)).

    Elementwise, of any shape; integers become floating-point. Source: torch.sigmoid.

    >>> torch.sigmoid(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    return apply_into(out, Sigmoid, input)


class Logit(Function):
    """log(x / (1 - x)), with x clipped to [eps, 1 - eps] unless eps is None."""

    symbol, promote, elementwise = "logit", dtypes.only("f", dtypes.promote_floating), True

    def forward(self, x):
        if self.eps is not None:
            x = np.where(x < self.eps, self.eps, np.minimum(x, 1 - self.eps))
        out = np.log(x / (1 - x))
        if x.dtype == np.float64:  # near its zero, 1/2, the quotient's rounding would cost digits
            out = np.where(abs(x - 0.5) < 0.25, np.log1p((2 * x - 1) / (1 - x)), out)
        return out

    def grad_x(self, grad, x):
        low = self.eps or 0.0
        outside = (x < low) | (x > 1 - low)
        x = x + 0.0  # of -0 it makes 0, where the slope is ∞
        if type(x) is np.ndarray and not outside.any():
            return grad / (x * (1 - x))
        quotient = grad / Where.apply(outside, math.nan if self.eps is None else 1.0, x * (1 - x))
        return quotient if self.eps is None else Select.apply(np.logical_not(outside), quotient)


def logit(input: Tensor, eps: float | None = None, *, out: Tensor | None = None) -> Tensor:
    """log(input / (1 - input)), the inverse of sigmoid. Source: torch.logit.

    If eps is given and not negative, input is clipped to [eps, 1 - eps] first. Elementwise, of any shape; complex
    numbers raise RuntimeError.

    >>> torch.logit(torch.tensor([0.5, 0.8808]))
    tensor([0.0000, 2.0000])
    """
    return apply_into(out, Logit, input, eps=None if eps is None or eps < 0 else eps)
