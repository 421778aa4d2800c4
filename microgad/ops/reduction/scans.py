"""Cumulative sums, extrema and log-sum-exps, and differences of neighbors."""

from __future__ import annotations

import cmath
import math
from typing import Any, ClassVar

import numpy as np

from ... import backend, return_types
from ...backend.axes import slice_along
from ...errors import ArgumentError, ShapeError
from ...fast_reductions import SMALL
from ...function import Function
from ...function.linear_map import LinearMap
from ...state import composite
from ...type_aliases import Array, Dtype, Tensor
from ..elementwise import Flat
from ..indexing import Gather
from ..movement import cat
from ..movement.dims import wrap_dim
from ..support import layouts
from ..support.bare import bare
from ..support.out import into
from ..support.spelling import numpy_spelling
from .axes import apply_along, at_least_1d, check_floating, check_ordered, without_dimension
from .scan_kernels import accumulate, associative_scan, cumulative, in_wider_dtype
from .sums import converted, integers_as_int64


class Cumsum(LinearMap):
    """The cumulative sum along an axis."""

    symbol, numpy, native_half = "cumsum", np.cumsum, True

    def forward(self, x):
        return cumulative(np.add, layouts.contiguous(x), self.axis)

    def adjoint(self, grad):
        backwards = slice_along(self.axis, None, None, -1)
        return cumulative(np.add, grad[backwards], self.axis)[backwards].copy()


@numpy_spelling
def cumsum(input: Tensor, dim: int, *, dtype: Dtype = None, out: Tensor | None = None) -> Tensor:
    """Return the cumulative sum along dim. Integers and booleans give int64.

    Raises IndexError for a dim out of range. Source: torch.cumsum.

    >>> torch.cumsum(torch.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    x = converted(input, dtype, out)
    result = apply_along(Cumsum, x, wrap_dim(dim, x.array.ndim, "cumsum"))
    return into(out, integers_as_int64(result, x, dtype, out))


class Cummax(Function):
    """The cumulative maximum along an axis, and the last index at which it occurs; NaN counts as the maximum."""

    symbol, constants = "cummax", ("index",)
    better: ClassVar[Any] = np.maximum

    def forward(self, x):
        x = layouts.contiguous(x)
        best = accumulate(self.better, x, self.axis)
        n, reached = x.shape[self.axis], (x == best) | (x != x)
        if self.axis == x.ndim - 1 and x.size >= SMALL and not backend.is_gpu(x):
            self.index = _last_true(reached.reshape(-1, n)).reshape(x.shape)
        else:
            place = backend.like(np.arange(n).reshape((n,) + (1,) * (x.ndim - 1 - self.axis)), x)
            self.index = accumulate(np.maximum, reached * place, self.axis)
        return best, self.index.copy()  # a copy: writing to the result must not change where gradients go

    def grad_x(self, grad, index):
        if 0 in index.shape:
            return grad[0]
        return Gather.transposed.apply(grad[0], index=index, axis=self.axis, x_shape=index.shape)


def _last_true(reached: Array) -> Array:
    """(R, n) booleans -> (R, n): for each element the index of the last True up to it; each row begins with True."""
    places = np.flatnonzero(reached)
    gaps = np.full_like(places, reached.size)  # from each True to the next, or to the end
    gaps[:-1] = places[1:]
    gaps -= places
    index = np.repeat(places, gaps).reshape(reached.shape)
    index -= np.arange(0, reached.size, reached.shape[1])[:, None]
    return index


class Cummin(Cummax):
    """The cumulative minimum along an axis, and the last index at which it occurs; NaN counts as the minimum."""

    symbol = "cummin"
    better = np.minimum


def _cumulative_extremum(cls: type[Function], input: Tensor, dim: int, out: Any, result: Any) -> Any:
    """Check the arguments of cummax or cummin, apply its Function, and make the named tuple."""
    op = result.__name__
    axis = wrap_dim(dim, input.array.ndim, op)
    check_ordered(input, op)
    found = cls.apply(at_least_1d(input), axis=axis)
    return into(out, result(*(found if input.array.ndim else map(without_dimension, found))), exact=op)


@numpy_spelling
def cummax(input: Tensor, dim: int, *, out: Any = None) -> return_types.cummax:
    """Return (values, indices) of the cumulative maximum along dim; of equal elements the last.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.cummax.

    >>> torch.cummax(torch.tensor([1.0, 3.0, 2.0]), 0).values
    tensor([1., 3., 3.])
    """
    return _cumulative_extremum(Cummax, input, dim, out, return_types.cummax)


@numpy_spelling
def cummin(input: Tensor, dim: int, *, out: Any = None) -> return_types.cummin:
    """Return (values, indices) of the cumulative minimum along dim; of equal elements the last.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.cummin.

    >>> torch.cummin(torch.tensor([3.0, 1.0, 2.0]), 0).values
    tensor([3., 1., 1.])
    """
    return _cumulative_extremum(Cummin, input, dim, out, return_types.cummin)


class LogCumSumExp(Function):
    """The cumulative log-sum-exp along an axis: log Σ eˣ over each element and all before it."""

    symbol, operator, zero_link, native_half = "log Σ exp so far", "logcumsumexp", Flat, True

    def forward(self, x):
        return in_wider_dtype(_running_log_sum, layouts.contiguous(x), self.axis)

    def grad_x(self, grad, x, out):
        """eˣ · Σ grad / e^out over this and all later elements, added by doubling, with no power of e above 1.

        Each power is computed from the difference of its ends: a product of powers loses digits with every factor.
        """
        axis, n = self.axis, x.shape[self.axis]
        total = grad.copy()
        for step in (1 << k for k in range((n - 1).bit_length())):
            earlier, later = slice_along(axis, 0, n - step), slice_along(axis, step, n)
            equal = out[earlier] == out[later]  # also infinities, of which the difference is NaN
            total[earlier] += np.exp(np.where(equal, 0, out[earlier] - out[later])) * total[later]
        return np.exp(x - out) * total

    def decomposition(self, x):
        # An infinite result that is x itself: there the derivative is NaN, as in PyTorch.
        values = bare(x)
        undefined = np.isinf(values.real) & (values == _running_log_sum(values, self.axis))
        nan = np.where(undefined, math.nan, 0).astype(values.dtype)
        total = associative_scan(_add_exponentials, np.where(undefined, values, x), self.axis)
        return total + np.where(undefined, x, 0) * nan


def _running_log_sum(x: Array, axis: int) -> Array:
    """Compute the cumulative log-sum-exp along an axis."""
    if backend.is_gpu(x):
        return accumulate(_add_exponentials, x, axis)
    if x.dtype.kind != "c":
        return np.logaddexp.accumulate(x, axis)
    x = np.where(x.real == -math.inf, -math.inf, x)  # there eˣ is 0, whatever the imaginary part
    return _ADD_COMPLEX.accumulate(x.astype(object), axis).astype(x.dtype)


def _add_exponentials(a: Array, b: Array) -> Array:
    """Compute log(eᵃ + eᵇ) of real or complex numbers, with the one of larger real part (else b) factored out."""
    low = np.real(a) <= np.real(b)
    large, small = np.where(low, b, a), np.where(low, a, b)
    infinite = np.isinf(np.real(large))  # then so is the result
    return large + np.log1p(np.exp(np.where(infinite, 0, small) - np.where(infinite, 0, large)))


def _add_complex(a: complex, b: complex) -> complex:
    """Compute log(eᵃ + eᵇ) of Python's complex numbers; the order of addition decides the branch of the logarithm."""
    large, small = (b, a) if a.real <= b.real else (a, b)
    if small.real == math.inf:
        return cmath.log(cmath.exp(small) + cmath.exp(large))
    try:
        ratio = 0 if large.real == -math.inf else cmath.exp(small - large)
    except ValueError:  # an infinite imaginary part has no direction
        return complex(math.nan, math.nan)
    return large + cmath.log(1 + ratio) if ratio != -1 else complex(-math.inf)


_ADD_COMPLEX = np.frompyfunc(_add_complex, 2, 1)


@numpy_spelling
def logcumsumexp(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of the cumulative sum of exp(input) along dim, without overflow.

    Raises IndexError for a dim out of range, RuntimeError for integers and booleans. Source: torch.logcumsumexp.

    >>> torch.logcumsumexp(torch.tensor([0.0, 0.0, 0.0]), 0)
    tensor([0.0000, 0.6931, 1.0986])
    """
    axis = wrap_dim(dim, input.array.ndim, "logcumsumexp")
    check_floating(input, "logcumsumexp")
    return into(out, apply_along(LogCumSumExp, input, axis), exact="logcumsumexp")


class Diff(LinearMap):
    """The differences of neighbors along an axis."""

    symbol, node_name, numpy = "Δ", "Sub", np.diff

    def forward(self, x):
        return x[self.later] - x[self.earlier]

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape, order="C")
        out[self.later] = grad
        out[self.earlier] -= grad
        return out


@numpy_spelling
@composite
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the n-th differences of neighbors along dim; of booleans whether neighbors differ.

    Raises RuntimeError for 0-d Tensors, a negative n, and prepend or append of other sizes; IndexError for a dim out of
    range. Source: torch.diff.

    >>> torch.diff(torch.tensor([1, 4, 9, 16]), n=2)
    tensor([2, 2])
    """
    if input.ndim == 0:
        raise ShapeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise ArgumentError(f"diff: order must be non-negative but got {n}")
    axis = wrap_dim(dim, input.ndim, "diff")
    parts = [x for x in (prepend, input, append) if x is not None]
    if any(x.ndim != input.ndim for x in parts):
        raise ShapeError(
            "diff expects prepend or append to be the same dimension as input, got "
            f"{', '.join(str(tuple(x.shape)) for x in parts if x is not input)}"
        )
    for x in parts:
        for i, (size, given) in enumerate(zip(input.shape, x.shape, strict=True)):
            if i != axis and size != given:
                raise ShapeError(
                    "diff expects the shape of tensor to prepend or append to match that of input except along the "
                    f"differencing dimension; input.size({i}) = {size}, but got tensor.size({i}) = {given}"
                )
    x = cat(parts, axis) if len(parts) > 1 and n else input
    later, earlier = slice_along(axis, 1, None), slice_along(axis, 0, -1)
    for _ in range(min(n, x.shape[axis])):
        if x.array.dtype.kind == "b":
            x = x[later] != x[earlier]
        else:
            x = Diff.apply(x, later=later, earlier=earlier)
    return into(out, x.clone() if x is input else x)
