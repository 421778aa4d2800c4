"""Norms of vectors and matrices, and condition numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import dtypes
from ...backend.axes import reduced_shape
from ...backend.memory_layout import axes_of
from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.notices import once
from ...fast_reductions import fast_reduce, fast_sum
from ...fast_reductions.products import sum_of_squares
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Dtype, Tensor
from ..elementwise import Select, Sign, where
from ..elementwise.complex_numbers import is_complex
from ..movement import permute, reshape
from ..movement.dims import as_tuple, wrap_dim, wrap_dims
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .common import bare, check_floating, check_floating_matrices, check_matrices, safe_divide
from .solving import inv_ex
from .spectra import svdvals


class VectorNorm(Function):
    """(Σ |x|ᵖ)^(1/p) over axes. For p = inf, -inf and 0: the largest |x|, the smallest |x|, the number of nonzeros.

    Where the norm is 0, its derivative is 0. For p = ±inf, values of equal magnitude share the gradient. For p = 0
    there is no gradient, as in PyTorch.
    """

    symbol, operator, conjugates = "‖x‖", "linalg_vector_norm", False

    def forward(self, x):
        return layouts.contiguous(self._length(x))

    def _length(self, x: Array) -> Array:
        axis, keep = self.axis, self.keepdims
        if self.p == 2 and x.size > 1 and len(axis) == x.ndim and x.dtype.kind == "f" and x.itemsize > 2:
            x = x if x.flags.c_contiguous else x.transpose(axes_of(x))  # in memory order, a permuted one isn't copied
            return np.sqrt(sum_of_squares(x.reshape(x.size))).reshape((1,) * (x.ndim * keep))
        if self.p and all(x.shape[i] == 1 for i in axis):  # the power of one element could overflow
            return abs(x).sum(axis, keepdims=keep)
        if self.p == 2:
            square = x * x if x.dtype.kind == "f" else x.real * x.real + x.imag * x.imag
            return np.sqrt(fast_sum(square, axis, keep))
        size = abs(x)
        if self.p == 1:
            return fast_sum(size, axis, keep)
        if self.p == 0:
            return fast_reduce(np.add, x != 0, axis, keep).astype(size.dtype)
        if math.isinf(self.p):
            return fast_reduce(np.maximum if self.p > 0 else np.minimum, size, axis, keep)
        with np.errstate(divide="ignore"):
            return fast_sum(size**self.p, axis, keep) ** (1 / self.p)

    def backward(self, grad, x, out):
        p = self.p
        shape = reduced_shape(x.shape, self.axis)
        grad, out = grad.reshape(shape), out.reshape(shape)
        if p == 0:
            return None
        if p == 1:
            return grad * _direction(x)
        if p == 2:
            # Where the norm is 0 the gradient is 0, but NaN if grad isn't finite. grad / out, and its derivative, could
            # be too small or too large where the result isn't.
            unit = x / np.where(out == 0, math.inf, out)
            if type(unit) is not np.ndarray:
                return unit * grad
            unit *= grad
            return unit
        if math.isinf(p):
            ties = (np.absolute(x) == out) | (x != x)
            count = np.astype(np.sum(ties, self.axis, keepdims=True), grad.dtype)
            return _direction(x) * (ties * (grad / count))
        zero = x == 0
        power = Select.apply(np.logical_not(zero), np.absolute(np.where(zero, 1, x)) ** (p - 1 if p < 2 else p - 2))
        scale = grad * out ** (1 - p) if p < 1 else safe_divide(grad, out ** (p - 1))
        return (_direction(x) if p < 2 else x) * power * scale


def _direction(x: Array) -> Array:
    """Return x / |x|, and 0 at 0; a real NaN gives 0, too."""
    if not is_complex(x):
        return Sign.apply(x)
    return safe_divide(x, np.absolute(x))


def _cast(op: str, x: Tensor, dtype: Any) -> Tensor:
    """Return x in the dtype to compute in, or raise an error if it is not allowed."""
    if x.array.dtype.kind not in "fc":
        raise DtypeError(f"{op}: Expected a floating point or complex tensor as input. Got {x.dtype}")
    if dtype is None:
        return x
    kind = dtypes.of(dtype)
    if not (kind.is_floating_point or kind.is_complex):
        raise DtypeError(f"{op}: dtype should be floating point or complex, but got {kind}")
    if kind.is_complex != x.is_complex():
        real = "complex for complex" if x.is_complex() else "real for real"
        raise DtypeError(f"{op}: dtype should be {real} inputs, but got {kind}")
    if np.promote_types(x.array.dtype, kind.dtype) != kind.dtype:
        raise DtypeError(
            f"{op}: the dtype of the input ({x.dtype}) should be convertible without narrowing to the specified dtype "
            f"({kind})"
        )
    return x.to(kind)


def _dims(op: str, dim: Any, x: Tensor) -> tuple[int, ...]:
    """Return dims as nonnegative numbers; None and () stand for all of them."""
    found = () if dim is None else wrap_dims(dim, x.ndim, op)
    return found or tuple(range(x.ndim)) if x.ndim else ()


@numpy_spelling
@composite
def vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Dtype = None, out: Tensor | None = None
) -> Tensor:
    """Return (Σ |x|ᵒʳᵈ)^(1/ord) over dim, by default over all dimensions.

    For ord = inf, -inf and 0 it is the largest |x|, the smallest |x|, and the number of nonzeros. Raises RuntimeError
    for integers, IndexError for a dimension out of range. Source: torch.linalg.vector_norm.

    >>> torch.linalg.vector_norm(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), dim=1)
    tensor([5., 0.])
    """
    x = _cast("linalg.vector_norm", x, dtype)
    axis, p = _dims("linalg.vector_norm", dim, x), float(ord)
    if (p < 0 or p == math.inf) and 0 in (x.shape[a] for a in axis):
        raise ShapeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the operation does not have "
            "an identity"
        )
    return into(out, VectorNorm.apply(x, p=p, axis=axis, keepdims=keepdim), exact="linalg.vector_norm")


@numpy_spelling
@composite
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Dtype = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the norm of matrices.

    `ord` is "fro", "nuc" (the sum of the singular values), 2 or -2 (the largest or smallest one), inf or -inf (the
    largest or smallest row sum of magnitudes), 1 or -1 (column sums). (..., m, n) -> (...). Raises RuntimeError for
    fewer dimensions and for integers. Source: torch.linalg.matrix_norm.

    >>> torch.linalg.matrix_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), ord="nuc")
    tensor(7.)
    """
    op = "linalg.matrix_norm"
    check_matrices(op, A)
    x = _cast(op, A, dtype)
    dims = as_tuple(dim)
    if len(dims) != 2:
        raise ShapeError(f"{op}: dim must be a 2-tuple. Got {', '.join(map(str, dims))}")
    axis = tuple(wrap_dim(d, x.ndim, op) for d in dims)
    if axis[0] == axis[1]:
        raise ShapeError(f"{op}: dims must be different. Got {axis}")
    if ord == "fro":
        return into(out, VectorNorm.apply(x, p=2.0, axis=axis, keepdims=keepdim), exact="linalg.matrix_norm")
    if ord not in ("nuc", 2, -2, 1, -1, math.inf, -math.inf):
        raise ArgumentError(f"{op}: Order {ord} not supported.")
    if ord in ("nuc", 2, -2):
        check_floating(op, x)
        order = [*(i for i in range(x.ndim) if i not in axis), *axis]
        sigma = svdvals(permute(x, order))
        result = sigma.sum(-1) if ord == "nuc" else _extreme(sigma, -1, ord)
    else:
        first, last = axis if abs(ord) == 1 else axis[::-1]
        sums = abs(x).sum(first)
        result = _extreme(sums, last - (last > first), ord)
    if keepdim:
        result = reshape(result, reduced_shape(x.shape, axis))
    return into(out, result, exact="linalg.matrix_norm")


def _extreme(x: Tensor, dim: int, ord: float) -> Tensor:
    """Return the maximum (0 for an empty dim), or for a negative order the minimum (an error for an empty dim)."""
    if ord < 0:
        return x.amin(dim)
    return x.amax(dim) if x.shape[dim] else x.sum(dim)


@numpy_spelling
@composite
def linalg_norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Dtype = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return `vector_norm` over one dim or `matrix_norm` over two; without ord, the 2-norm of all elements.

    With ord but without dim, A must have one or two dimensions. Raises RuntimeError for integers.
    Source: torch.linalg.norm.

    >>> torch.linalg.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    dims = dim if dim is None else as_tuple(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise ShapeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype, out=out)
    if dims is None and A.ndim not in (1, 2):
        raise ShapeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D.")
    if (A.ndim if dims is None else len(dims)) == 1 and not isinstance(ord, str):
        return vector_norm(A, ord, dims, keepdim, dtype=dtype, out=out)
    return matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype, out=out)


def norm(
    input: Tensor, p: float | str | None = "fro", dim: Any = None, keepdim: bool = False, out: Tensor | None = None,
    dtype: Dtype = None,
) -> Tensor:  # fmt: skip
    """Return the p-norm of the elements over dim, by default of all; "nuc" is a matrix norm.

    Raises RuntimeError for other strings, IndexError for a dim out of range. Source: torch.norm.

    >>> torch.norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), p=1)
    tensor(7.)
    """
    if p == "nuc" or (p == "fro" and dim is not None and len(as_tuple(dim)) > 2):
        return matrix_norm(input, p, range(input.ndim) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if isinstance(p, str) and p != "fro":
        raise ArgumentError(f"norm: p is a number, 'fro' or 'nuc', got '{p}'")
    return vector_norm(input, 2 if p is None or isinstance(p, str) else p, dim, keepdim, dtype=dtype, out=out)


@composite
def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the square root of the sum of squares over one or two dims; () means all. Source: torch.frobenius_norm.

    Raises RuntimeError for more than two dims.

    >>> torch.frobenius_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), (0, 1))
    tensor(5.)
    """
    once("frobenius_norm is deprecated. Use linalg.vector_norm(A, 2., dim, keepdim) instead.")
    dims = as_tuple(dim)
    if len(dims) > 2:
        raise ShapeError(f"frobenius_norm: expected at most 2 dimensions in dim, but got {len(dims)}")
    return vector_norm(input, 2, dims or None, keepdim, out=out)


@composite
def nuclear_norm(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the sum of the singular values of matrices; `dim` are their two dimensions, the last ones by default.

    Source: torch.nuclear_norm, whose second argument is `keepdim` where it is a bool.

    >>> torch.nuclear_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(7.)
    """
    once("nuclear_norm is deprecated. Use linalg.matrix_norm(A, 'nuc', dim, keepdim) instead.")
    if isinstance(dim, bool):
        dim, keepdim = None, dim
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, out=out)


@composite
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """Return the norm over all dimensions but `dim`, which are kept with size 1; for dim = -1 over all dimensions.

    Source: torch.norm_except_dim.

    >>> torch.norm_except_dim(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5.],
            [1.]])
    """
    if dim == -1:
        return vector_norm(v, pow)
    kept = wrap_dim(dim, v.ndim, "norm_except_dim")
    others = [i for i in range(v.ndim) if i != kept]
    return vector_norm(v, pow, others, keepdim=True) if others else v.abs()


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """Return g v / |v|: the directions v with the norms g along `dim`. Source: torch._weight_norm.

    >>> torch._weight_norm(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.tensor([[10.0], [2.0]]))
    tensor([[6., 8.],
            [0., 2.]])
    """
    return v * (g / norm_except_dim(v, 2, dim))


def tensor_norm(
    input: Tensor, p: float | str | None = "fro", dim: Any = None, keepdim: bool = False, dtype: Dtype = None
) -> Tensor:
    """Call `norm` with the order of arguments that the method has. Source: torch.Tensor.norm."""
    return norm(input, p, dim, keepdim, dtype=dtype)


@numpy_spelling
@composite
def cond(A: Tensor, p: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Return the condition number ‖A‖ ‖A⁻¹‖ in the norm p; by default the largest singular value over the smallest.

    It is infinite for singular matrices, but 0 for p = -2. (..., m, n) -> (...); (..., n, n) for p other than None, 2
    and -2. Raises RuntimeError for other shapes. Source: torch.linalg.cond.

    >>> torch.linalg.cond(torch.tensor([[1.0, 0.0], [0.0, 4.0]]))
    tensor(4.)
    """
    check_floating_matrices("linalg.cond", A, square=p not in (None, 2, -2))
    if p is not None and p not in ("fro", "nuc", 2, -2, 1, -1, math.inf, -math.inf):
        raise ArgumentError(f"linalg.cond: got an invalid norm type {p}")
    if not A.numel():
        return into(out, reshape(A, (*A.shape[:-2], 0)).sum(-1).real)
    if p in (None, 2, -2):
        sigma = svdvals(A)
        return into(out, sigma[..., -1] / sigma[..., 0] if p == -2 else sigma[..., 0] / sigma[..., -1])
    inverse, info = inv_ex(A)
    result = matrix_norm(A, p) * matrix_norm(where(reshape(info, (*info.shape, 1, 1)) > 0, 0.0, inverse), p)
    return into(out, where(info > 0, math.inf, result) if bare(info).any() else result)
