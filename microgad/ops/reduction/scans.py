"""Running sums, extrema and log-sums, and differences."""

from __future__ import annotations

import cmath
import math
from typing import Any, ClassVar

import numpy as np

from ... import backend, return_types
from ...errors import ArgumentError, ShapeError
from ...function import Function
from ...function.linear_map import LinearMap
from ...stand_ins import Dtype, Tensor
from ...state import composite
from .. import layouts
from ..elementwise import Flat
from ..indexing import Gather
from ..movement import cat
from ..movement.dims import slice_along, wrap_dim
from ..out import into
from ..spelling import numpy_spelling
from .axes import apply_along, at_least_1d, check_floating, check_ordered
from .scan_kernels import accumulate, associative_scan, cumulative, in_wider_dtype
from .sums import converted, whole_numbers


class Cumsum(LinearMap):
    """The sum of an element and all before it along an axis."""

    symbol, numpy = "cumsum", np.cumsum

    def forward(self, x):
        return cumulative(np.add, layouts.contiguous(x), self.axis)

    def adjoint(self, grad):
        return np.flip(cumulative(np.add, np.flip(grad, self.axis), self.axis), self.axis).copy()


@numpy_spelling
def cumsum(input: Tensor, dim: int, *, dtype: Dtype = None, out: Tensor | None = None) -> Tensor:
    """The running sum along dim. Integers and booleans give int64. Source: torch.cumsum.

    >>> torch.cumsum(torch.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    x = converted(input, dtype, out)
    result = apply_along(Cumsum, x, wrap_dim(dim, x.array.ndim, "cumsum"))
    return into(out, whole_numbers(result, x, dtype, out))


class Cummax(Function):
    """The largest element so far along an axis, and the last index that it is at; NaN is larger than all."""

    symbol, constants = "cummax", ("index",)
    better: ClassVar[Any] = np.maximum

    def forward(self, x):
        x = layouts.contiguous(x)
        best = accumulate(self.better, x, self.axis)
        n, reached = x.shape[self.axis], (x == best) | (x != x)
        if self.axis == x.ndim - 1 and x.size > 5000 and not backend.is_gpu(x):
            self.index = _latest(reached.reshape(-1, n)).reshape(x.shape)
        else:
            place = backend.like(np.arange(n).reshape((n,) + (1,) * (x.ndim - 1 - self.axis)), x)
            self.index = accumulate(np.maximum, reached * place, self.axis)
        return best, self.index.copy()  # a copy: writing to the result must not change where gradients go

    def grad_x(self, grad, index):
        if 0 in index.shape:
            return grad[0]
        return Gather.transposed.apply(grad[0], index=index, axis=self.axis, x_shape=index.shape)


def _latest(reached: Any) -> Any:
    """(R, n) booleans -> (R, n): the last place so far in each row that is true, as the first of it is."""
    places = np.flatnonzero(reached)
    stretches = np.full_like(places, reached.size)
    stretches[:-1] = places[1:]
    stretches -= places
    index = np.repeat(places, stretches).reshape(reached.shape)
    index -= np.arange(0, reached.size, reached.shape[1])[:, None]
    return index


class Cummin(Cummax):
    """The smallest element so far along an axis, and the last index that it is at; NaN is smaller than all."""

    symbol = "cummin"
    better = np.minimum


def _extremum(cls: type[Function], input: Tensor, dim: int, out: Any, result: Any) -> Any:
    op = result.__name__
    axis = wrap_dim(dim, input.array.ndim, op)
    check_ordered(input, op)
    found = cls.apply(at_least_1d(input), axis=axis)
    return into(out, result(*(found if input.array.ndim else (part.reshape(()) for part in found))), exact=op)


@numpy_spelling
def cummax(input: Tensor, dim: int, *, out: Any = None) -> return_types.cummax:
    """(values, indices) of the largest element so far along dim, the last of equal ones. Source: torch.cummax.

    >>> torch.cummax(torch.tensor([1.0, 3.0, 2.0]), 0).values
    tensor([1., 3., 3.])
    """
    return _extremum(Cummax, input, dim, out, return_types.cummax)


@numpy_spelling
def cummin(input: Tensor, dim: int, *, out: Any = None) -> return_types.cummin:
    """(values, indices) of the smallest element so far along dim, the last of equal ones. Source: torch.cummin.

    >>> torch.cummin(torch.tensor([3.0, 1.0, 2.0]), 0).values
    tensor([3., 1., 1.])
    """
    return _extremum(Cummin, input, dim, out, return_types.cummin)


class LogCumSumExp(Function):
    """log Σ eˣ over an element and all before it along an axis."""

    symbol, flat = "log Σ exp so far", Flat

    def forward(self, x):
        return in_wider_dtype(_running_log_sum, layouts.contiguous(x), self.axis)

    def grad_x(self, grad, x, out):
        """eˣ times Σ grad / e^out over what follows, added up so that no power of e is more than 1."""
        axis, n = self.axis, x.shape[self.axis]
        low = np.where(out.real == -math.inf, 0, out)
        total, decay = grad, np.exp(low[slice_along(axis, 0, n - 1)] - low[slice_along(axis, 1, n)])
        decay = np.concatenate([decay, np.zeros_like(out[slice_along(axis, 0, 1)])], axis)
        step = 1
        while step < n:
            nothing, later = np.zeros_like(total[slice_along(axis, 0, step)]), slice_along(axis, step, n)
            total = total + decay * np.concatenate([total[later], nothing], axis)
            decay = decay * np.concatenate([decay[later], nothing], axis)
            step *= 2
        return np.exp(x - low) * total

    def decomposition(self, x):
        return associative_scan(_add_exponentials, x, self.axis)


def _running_log_sum(x: Any, axis: int) -> Any:
    if backend.is_gpu(x):
        return accumulate(_add_exponentials, x, axis)
    if x.dtype.kind != "c":
        return np.logaddexp.accumulate(x, axis)
    x = np.where(x.real == -math.inf, -math.inf, x)  # eˣ is 0 there, whatever the imaginary part
    return _ADD_COMPLEX.accumulate(x.astype(object), axis).astype(x.dtype)


def _add_exponentials(a: Any, b: Any) -> Any:
    """log(eᵃ + eᵇ), also of complex numbers: the one with the larger real part, else the later, is taken off first."""
    low = np.real(a) <= np.real(b)
    large, small = np.where(low, b, a), np.where(low, a, b)
    nothing = np.real(large) == -math.inf
    return large + np.log1p(np.exp(np.where(nothing, 0, small) - np.where(nothing, 0, large)))


def _add_complex(a: complex, b: complex) -> complex:
    """The same of Python's numbers, one after the other: which of its imaginary parts log gives hangs on the order."""
    large, small = (b, a) if a.real <= b.real else (a, b)
    if small.real == math.inf:
        return cmath.log(cmath.exp(small) + cmath.exp(large))
    try:
        ratio = 0 if large.real == -math.inf else cmath.exp(small - large)
    except ValueError:  # an infinite imaginary part says nothing of a direction
        return complex(math.nan, math.nan)
    return large + cmath.log(1 + ratio) if ratio != -1 else complex(-math.inf)


_ADD_COMPLEX = np.frompyfunc(_add_complex, 2, 1)


@numpy_spelling
def logcumsumexp(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """log Σ exp(input) so far along dim, without overflow. Source: torch.logcumsumexp.

    >>> torch.logcumsumexp(torch.tensor([0.0, 0.0, 0.0]), 0)
    tensor([0.0000, 0.6931, 1.0986])
    """
    axis = wrap_dim(dim, input.array.ndim, "logcumsumexp")
    check_floating(input, "logcumsumexp")
    return into(out, apply_along(LogCumSumExp, input, axis), exact="logcumsumexp")


class Diff(LinearMap):
    """The differences of neighbours along an axis."""

    symbol, numpy = "Δ", np.diff

    def forward(self, x):
        return x[self.later] - x[self.earlier]

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape)
        out[self.later] = grad
        out[self.earlier] -= grad
        return out


@numpy_spelling
@composite
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None, *,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The differences of neighbours along dim, taken n times; of booleans whether they differ. Source: torch.diff.

    >>> torch.diff(torch.tensor([1, 4, 9, 16]), n=2)
    tensor([2, 2])
    """
    if input.ndim == 0:
        raise ShapeError("diff: expects input to be at least one-dimensional")
    if n < 0:
        raise ArgumentError(f"diff: order must be non-negative but got {n}")
    axis = wrap_dim(dim, input.ndim, "diff")
    parts = [x for x in (prepend, input, append) if x is not None]
    if any(x.ndim != input.ndim for x in parts):
        raise ShapeError(
            f"diff: prepend and append must have the {input.ndim} dimensions of input, got "
            f"{', '.join(str(tuple(x.shape)) for x in parts if x is not input)}"
        )
    x = cat(parts, axis) if len(parts) > 1 and n else input
    later, earlier = slice_along(axis, 1, None), slice_along(axis, 0, -1)
    for _ in range(min(n, x.shape[axis])):
        if x.array.dtype.kind == "b":
            x = x[later] != x[earlier]
        else:
            x = Diff.apply(x, later=later, earlier=earlier)
    return into(out, x.clone() if x is input else x)
