"""Sums and means, also without NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...backend.axes import reduced_shape, reduction_size
from ...engine.transforms import transposes_tangent
from ...errors import DtypeError
from ...errors.wording import cannot_cast
from ...fast_reductions import fast_sum
from ...function import Function
from ...function.half import HALF
from ...function.linear_map import LinearMap
from ...state import composite
from ...type_aliases import Array, Dtype, Tensor
from ..elementwise import Select
from ..elementwise.selection_kernels import fast_select
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .axes import Dim, axes, check_floating, check_ordered


class Sum(LinearMap):
    """The sum over axes: its adjoint repeats the gradient along them."""

    symbol, numpy, conjugates = "Σ", np.sum, False

    def forward(self, x):
        return layouts.row_major(fast_sum(x, self.axis, self.keepdims))

    def adjoint(self, grad):
        return layouts.expand(grad.reshape(reduced_shape(self.x_shape, self.axis)), self.x_shape)


class Mean(LinearMap):
    """The mean over axes: NaN where there are no elements."""

    symbol, numpy = "mean", np.mean

    def forward(self, x):
        n = reduction_size(self.x_shape, self.axis)
        return layouts.row_major(fast_sum(x, self.axis, self.keepdims)) / (n or math.nan)

    def adjoint(self, grad):
        scaled = grad / (reduction_size(self.x_shape, self.axis) or math.nan)
        out = np.empty_like(grad, shape=self.x_shape, order="C")  # no view, unlike Sum's: programs write to it in place
        out[...] = scaled.reshape(reduced_shape(self.x_shape, self.axis))
        return out

    def grad_x(self, grad):
        """For no elements the sum's: it is empty as well, and its own derivative is 0, not NaN. Tangents are NaN."""
        if type(self) is Mean and 0 in self.x_shape and not transposes_tangent():
            return Sum.transposed.apply(grad, **vars(self))
        return super().grad_x(grad)


class NanSum(Function):
    """The sum over axes of what isn't NaN."""

    symbol, operator = "Σ", "nansum"

    def forward(self, x):
        total = fast_sum(x, self.axis, self.keepdims)
        if type(x) is not np.ndarray or np.isnan(total).any():
            total = fast_sum(fast_select(x == x, x), self.axis, self.keepdims)
        return layouts.row_major(total)

    def grad_x(self, grad, x):
        grad = np.broadcast_to(grad.reshape(reduced_shape(x.shape, self.axis)), x.shape)
        return grad * (x == x)  # NaN also where grad isn't finite


def channel_sums(x: Array) -> Array:
    """Sum over everything but the channels, (N, C, ...) -> (C)."""
    return Sum.apply(x, axis=(0, *range(2, x.ndim)), keepdims=False)


@numpy_spelling
def sum(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Dtype = None, out: Tensor | None = None
) -> Tensor:
    """Return the sum over dim (all dims by default). Integers and booleans give int64.

    Raises IndexError for a dim out of range. Source: torch.sum.

    >>> torch.sum(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    x = converted(input, dtype, out)
    result = Sum.apply(x, axis=axes(dim, x.array.ndim, "sum"), keepdims=keepdim)
    return into(out, integers_as_int64(result, x, dtype, out))


def converted(input: Tensor, dtype: Any, out: Tensor | None = None) -> Tensor:
    """Convert the input to `dtype`, or to out's dtype, before the reduction. Raises RuntimeError where these differ."""
    if dtype is not None and out is not None and out.dtype != dtype:
        raise DtypeError(f"Expected out tensor to have dtype {dtype}, but got {out.dtype} instead")
    if dtype is None:
        if out is None:
            return input
        dtype = out.dtype
    return input.to(dtype)


def integers_as_int64(result: Tensor, x: Tensor, dtype: Any, out: Tensor | None) -> Tensor:
    """Convert the sum or product of integers to int64, or to the requested dtype: NumPy's result dtype may differ."""
    if x.array.dtype.kind in "fc" or (dtype is out is None and result.array.dtype == np.int64):
        return result
    return result.to(dtype or (np.dtype(np.int64) if out is None else out.dtype))


@numpy_spelling
@composite
def nansum(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Dtype = None, out: Tensor | None = None
) -> Tensor:
    """Return the sum over dim, with NaN counted as 0. Source: torch.nansum.

    Raises RuntimeError for complex numbers.

    >>> torch.nansum(torch.tensor([1.0, torch.nan, 2.0]))
    tensor(3.)
    """
    if not input.is_floating_point():
        check_ordered(input, "nansum")
        return into(out, sum(input, dim, keepdim, dtype=dtype))
    if dtype is not None and dtypes.of(dtype).is_complex:
        check_ordered(input.to(dtype), "nansum")
    if dtype is not None and not dtypes.of(dtype).is_floating_point:  # NaN can't be cast
        return into(out, sum(Select.apply(input == input, input), dim, keepdim, dtype=dtype))
    x = converted(input, dtype)
    return into(out, NanSum.apply(x, axis=axes(dim, x.array.ndim, "nansum"), keepdims=keepdim))


def _may_be_nan(found: Array) -> bool:
    """Whether a sum is NaN, so that its elements may include NaN. On a GPU always True, to avoid a synchronization."""
    return not backend.on_cpu(found) or bool(np.isnan(found).any())


@numpy_spelling
def mean(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Dtype = None, out: Tensor | None = None
) -> Tensor:
    """Return the mean over dim (all dims by default) of floating-point numbers.

    Raises IndexError for a dim out of range, RuntimeError for integers and booleans. Source: torch.mean.

    >>> torch.mean(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1, keepdim=True)
    tensor([[1.5000],
            [3.5000]])
    """
    x = converted(input, dtype, out)
    given = input if dtype is None else x  # out's dtype alone doesn't admit integers
    if given.array.dtype.kind not in "fc":
        raise DtypeError(
            "mean: could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{given.dtype}; convert it or give dtype="
        )
    if x.array.dtype.kind not in "fc":
        raise DtypeError(f"mean: {cannot_cast(given.dtype, x.dtype)}")
    if x is not input and x.dtype == dtypes.float16:  # PyTorch rounds only the result
        return into(out, mean(input.to(dtypes.float32), dim, keepdim).to(dtypes.float16))
    return into(out, Mean.apply(x, axis=axes(dim, x.array.ndim, "mean"), keepdims=keepdim))


@numpy_spelling
@composite
def nanmean(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Dtype = None, out: Tensor | None = None
) -> Tensor:
    """Return the mean over dim of the elements that are not NaN; NaN where there are none.

    Raises IndexError for a dim out of range, RuntimeError for integers, booleans and complex numbers.
    Source: torch.nanmean.

    >>> torch.nanmean(torch.tensor([1.0, torch.nan, 3.0]))
    tensor(2.)
    """
    x = converted(input, dtype)
    for given in (input, x):
        check_floating(given, "nanmean")
        check_ordered(given, "nanmean")
    found = mean(x, dim, keepdim)
    count: Any
    if _may_be_nan(found.array):
        count = sum(x == x, dim, keepdim)
    elif found.node is None and x.array.dtype != HALF:
        return into(out, found)
    else:  # mean's gradient wouldn't lie in memory as the input does, and PyTorch rounds the sum to float16
        count = reduction_size(x.shape, axes(dim, x.array.ndim, "mean"))
    return into(out, nansum(x, dim, keepdim) / count)
