"""Products and cumulative products. Their derivatives are exact to every order, also at zeros."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...backend.axes import reduced_shape, slice_along
from ...backend.axis_order import outermost_first
from ...fast_reductions import fast_reduce
from ...fast_reductions.lines import BLOCK_SIZE
from ...function import Function
from ...type_aliases import Array, Dtype, GivenInt, Tensor
from ..elementwise import Flat
from ..movement.dims import wrap_dim
from ..support import fast_numpy, layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .axes import apply_along
from .scan_kernels import associative_scan, cumulative, in_wider_dtype
from .sums import converted, integers_as_int64

MANY = 20_000  # elements that repay several calls for their product


class Prod(Function):
    """The product over an axis, or of all elements."""

    symbol, numpy, zero_link = "Π", np.prod, Flat

    def forward(self, x):
        return layouts.row_major(product(x, self.axis, self.keepdims))

    def grad_x(self, grad, x, out):
        """Return grad · the product of all other elements: out / x, or with zeros, the product before · that after."""
        if x.ndim == 0:
            return grad
        kept = reduced_shape(x.shape, self.axis)
        zeros = np.sum(x == 0)
        if zeros == 0:
            return grad.reshape(kept) * (out.reshape(kept) / x)
        if self.axis is None and zeros > 1:
            return np.zeros_like(x)
        line, axis = (x.reshape(-1), 0) if self.axis is None else (x, self.axis)
        others = _product_before(line, axis) * np.flip(_product_before(np.flip(line, axis), axis), axis)
        return grad.reshape(kept) * others.reshape(x.shape)

    def decomposition(self, x):
        """Multiply pairs, then pairs of pairs, and so on."""
        kept = reduced_shape(x.shape, self.axis)
        x, axis = (x.reshape(-1), 0) if self.axis is None else (x, self.axis)
        n = x.shape[axis]
        while n > 1:
            half = n // 2
            pairs = x[slice_along(axis, 0, half)] * x[slice_along(axis, half, 2 * half)]
            x = np.concatenate([pairs, x[slice_along(axis, 2 * half, n)]], axis) if n % 2 else pairs
            n = n - half
        out = x.sum(axis) if n else 1 + x.sum(axis)  # one element is left along the axis
        return out.reshape(kept) if self.keepdims else out


def _product_before(x: Array, axis: int) -> Array:
    """Return the exclusive cumulative product: for each element the product of all before it."""
    out = np.ones_like(x)
    out[slice_along(axis, 1, None)] = np.cumprod(x[slice_along(axis, 0, -1)], axis)
    return out


def product(x: Array, axis: Any, keepdims: bool) -> Array:
    """Multiply the elements of an array along an axis, or all of them.

    Long rows are first cut into equal parts, which are multiplied elementwise: up to 10 × as fast in NumPy.
    """
    n, plain = x.size if axis is None else x.shape[axis], type(x) is np.ndarray and x.dtype.kind in "fc"
    if plain and axis is None and n >= MANY and not x.flags.c_contiguous and 0 not in x.strides:
        x = layouts.contiguous(x.transpose(outermost_first(x.strides)))
    if plain and axis is not None and x.dtype.char in "fF" and _has_many_rows(x, axis):
        rows = fast_numpy.moveaxis(x, axis, -1)
        step = max(1, 2 * len(rows) * BLOCK_SIZE // x.size)
        parts = [_multiply_halves(rows[i : i + step]) for i in range(0, len(rows), step)]
        return (parts[0] if len(parts) == 1 else np.concatenate(parts)).reshape(reduced_shape(x.shape, axis, keepdims))
    if not plain or x.size < MANY or n <= 256 or axis not in (None, x.ndim - 1) or not x.flags.c_contiguous:
        return fast_reduce(np.multiply, x, axis, keepdims)
    rows = x.reshape(-1, n)
    rest = np.ones_like(rows, shape=(len(rows),))
    while n > 256:
        # Few groups, so that few elements are left once products get tiny: subnormal numbers slow a processor down.
        groups = 32 if n > 1 << 14 else 8
        n //= groups
        if n * groups < rows.shape[1]:
            rest = rest * np.prod(rows[:, groups * n :], 1)
        rows = np.multiply.reduce(rows[:, : groups * n].reshape(len(rows), groups, n), 1)
    out = fast_reduce(np.multiply, rows, 1, False) * rest
    return out.reshape(reduced_shape(x.shape, axis, keepdims))


def _has_many_rows(x: Array, axis: int) -> bool:
    """Whether elements follow each other along the axis, in many rows that are neither short nor long."""
    n, most = x.shape[axis], (1 << 18, 1 << 9) if x.flags.c_contiguous else (math.inf, 1 << 10)
    return x.strides[axis] == x.itemsize and 64 < n <= most[1] and 100 * n <= x.size <= most[0]


def _multiply_halves(x: Array) -> Array:
    """Multiply rows, (..., n) -> (M): the halves of each, the halves of these, and the last few elements in turn."""
    while (n := x.shape[-1]) > 64:
        half = n // 2
        halves = x[..., :half] * x[..., half : 2 * half]
        if n % 2:
            halves[..., 0] *= x[..., -1]
        x = halves
    return np.multiply.reduce(x.reshape(-1, n).T.copy(), 0)


@numpy_spelling
def prod(
    input: Tensor, dim: GivenInt = None, keepdim: bool = False, *, dtype: Dtype = None, out: Tensor | None = None
) -> Tensor:
    """Return the product over dim (of all elements by default). Integers and booleans give int64.

    Raises IndexError for a dim out of range. Source: torch.prod.

    >>> torch.prod(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([ 2., 12.])
    """
    x = converted(input, dtype, out)
    axis = None if dim is None else wrap_dim(dim, x.array.ndim, "prod")
    result = Prod.apply(x, axis=axis if x.array.ndim else None, keepdims=keepdim)
    return into(out, integers_as_int64(result, x, dtype, out))


class Cumprod(Function):
    """The cumulative product along an axis."""

    symbol, numpy, native_half = "cumprod", np.cumprod, True

    def forward(self, x):
        return cumulative(np.multiply, layouts.contiguous(x), self.axis)

    def grad_x(self, grad, x, out):
        """Before the first zero: Σ grad · out / x over this and all elements up to the zero. At it: Σ grad · the
        product of the others, over this and all elements up to the next zero. After it: 0, even beside ∞ and NaN.
        """
        axis, n = self.axis, x.shape[self.axis]
        if n == 1:
            return grad
        zero = x == 0
        if not np.any(zero):
            return _sum_from_here_on(grad * out, axis) / x
        zeros = np.cumsum(zero, axis)  # so far
        before, between = zeros == 0, zeros == 1
        first = zero & between
        after = np.cumprod(np.where(between & ~first, x, 1), axis)
        so_far = np.concatenate([np.ones_like(x[slice_along(axis, 0, 1)]), out[slice_along(axis, 0, n - 1)]], axis)
        at_zero = so_far * np.sum(np.where(between, grad, 0) * after, axis, keepdims=True)
        up_to_zero = _sum_from_here_on(np.where(before, grad * out, 0), axis) / np.where(zero, 1, x)
        return np.where(before, up_to_zero, np.where(first, at_zero, 0))

    def decomposition(self, x):
        return associative_scan(np.multiply, x, self.axis)


def _sum_from_here_on(x: Array, axis: int) -> Array:
    backwards = slice_along(axis, None, None, -1)
    return in_wider_dtype(np.cumsum, x[backwards], axis)[backwards]


@numpy_spelling
def cumprod(input: Tensor, dim: int, *, dtype: Dtype = None, out: Tensor | None = None) -> Tensor:
    """Return the cumulative product along dim. Integers and booleans give int64.

    Raises IndexError for a dim out of range. Source: torch.cumprod.

    >>> torch.cumprod(torch.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])
    """
    x = converted(input, dtype, out)
    result = apply_along(Cumprod, x, wrap_dim(dim, x.array.ndim, "cumprod"))
    return into(out, integers_as_int64(result, x, dtype, out))
