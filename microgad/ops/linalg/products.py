"""Products of matrices and vectors: matmul and its kin, linear."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...errors import KindError, ShapeError
from ...fast_reductions import sum_to
from ...function import Function
from ...function.naming import with_torch_name
from ...state import composite
from ...type_aliases import Array, Tensor
from ..creation.scalars import as_scalar, check_scale_factor, scale_factor
from ..elementwise import Mul, Where, conj, mul
from ..elementwise.arithmetic import cast_to
from ..movement import Reshape, transpose, unsqueeze
from ..support import layouts
from ..support.blocks import apply_row, unbuffered_runs
from ..support.out import into
from ..support.spelling import numbers_first, numpy_spelling, tensors_only
from .common import check_ndims, check_not_bool, check_same_dtype, not_a_tensor
from .product_kernels import SHORT_ROW, SMALL_INTEGERS, columns_as_rows, few_columns, integer_product, product


class MatMul(Function):
    """The matrix product, (..., n, k), (..., k, m) -> (..., n, m), with leading axes that broadcast."""

    symbol, operator, numpy, promote, broadcasts = "@", "matmul", np.matmul, dtypes.only("iufc"), True
    saved_names = {"mat2": "b"}
    native_half = "cuda"
    by_columns = 0  # a bit for each operand that lies in memory by columns: its gradient then does, too, as in PyTorch
    shared = False  # whether one matrix is multiplied with all of a batch

    def forward(self, a, b):
        if a.shape[-1] != b.shape[-2]:
            raise ShapeError(
                f"mat1 and mat2 shapes cannot be multiplied ({_matrix(a.shape[-2:])} and {_matrix(b.shape[-2:])})"
            )
        if a.dtype.kind in "iu" and a.size > SMALL_INTEGERS and b.size > SMALL_INTEGERS and not backend.is_gpu(a):
            return integer_product(a, b)
        out = product(a, b)
        return out if out.ndim == 2 else layouts.contiguous(out)

    def grad_a(self, grad, b):
        if self.shared and few_columns(grad.shape[-2], b):  # one product, in place of the sum of a batch of them
            return product(columns_as_rows(grad).swapaxes(0, 1), columns_as_rows(b))
        if self.by_columns & 1:
            return product(b, grad.swapaxes(-1, -2)).swapaxes(-1, -2)
        return product(grad, b.swapaxes(-1, -2))

    def grad_b(self, grad, a):
        if self.by_columns & 2:
            return product(grad.swapaxes(-1, -2), a).swapaxes(-1, -2)
        return product(a.swapaxes(-1, -2), grad)


class Linear(Function):
    """x Wᵀ + b with one matrix product for all leading axes, (..., in), (out, in), (out) -> (..., out)."""

    symbol, last_first = "linear", True  # PyTorch's addmm begins with the bias
    saved_names = {"mat1": "x"}
    native_half = "cuda"
    by_columns = False  # whether the weight lies in memory by columns, as the transpose of matmul's operand

    def forward(self, x, weight, bias):
        if not x.ndim or not weight.ndim:
            found = f"{x.ndim}D and {weight.ndim}D"
            raise ShapeError(f"both arguments to linear need to be at least 1D, but they are {found}")
        if weight.ndim == 1:
            raise ShapeError("mat2 must be a matrix, got 1-D tensor")
        if weight.ndim != 2 or x.shape[-1] != weight.shape[-1]:
            hint = ": the last size of input must be that of weight, in_features" if weight.ndim == 2 else ""
            raise ShapeError(
                f"mat1 and mat2 shapes cannot be multiplied ({_matrix(x.shape)} and "
                f"{_matrix(weight.shape[::-1][:2])}){hint}"
            )
        if bias is not None and bias.shape != weight.shape[:-1]:
            raise ShapeError(f"bias has shape {bias.shape}, but weight has {weight.shape[0]} rows")
        check_not_bool(x)
        matrices = x.ndim == 2
        out = product(x if matrices or _in_blocks(x) else _rows(x), weight.T)
        if bias is not None:
            apply_row(np.add, out, bias)
        return out if matrices else out.reshape(x.shape[:-1] + weight.shape[:-1])

    def grad_x(self, grad, weight):
        return product(_rows(grad), weight).reshape((*grad.shape[:-1], weight.shape[1]))

    def grad_weight(self, grad, x):
        if self.by_columns:
            return product(_rows(x).T, _rows(grad)).T
        return product(_rows(grad).T, _rows(x))

    def grad_bias(self, grad):
        return sum_to(grad, grad.shape[-1:])


def _rows(x: Array) -> Array:
    """Flatten (..., n) into (rows, n)."""
    if x.ndim == 2:
        return x
    return (layouts.contiguous(x) if _in_blocks(x) else x).reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _in_blocks(x: Array) -> bool:
    """Whether x (B, T, n) holds transposed matrices: flattened it would be copied; BLAS takes each where it lies."""
    if type(x) is not np.ndarray or x.ndim != 3 or x.strides[1] != x.itemsize or x.shape[1] < SHORT_ROW:
        return False
    step = x.shape[1] * x.itemsize
    return x.strides[0] != step and x.strides[2] >= step


def _matrix(shape: tuple[int, ...]) -> str:
    """Return the words of an error message for a shape as a matrix: "6x4" for (2, 3, 4)."""
    return "x".join(map(str, (math.prod(shape[:-1]), *shape[-1:])))


class Mv(Function):
    """The product of a matrix and a vector, for all leading axes, (..., n, k), (k) -> (..., n)."""

    symbol = "@"
    saved_names = {"vec": "b"}
    native_half = "cuda"

    def forward(self, a, b):
        if a.shape[-1] != b.shape[0]:
            n, k = _rows(a).shape
            raise ShapeError(f"size mismatch, got input ({n}), mat ({n}x{k}), vec ({b.size})")
        check_not_bool(a)
        return product(_rows(a), b).reshape(a.shape[:-1])

    def grad_a(self, grad, b):
        return grad.reshape((*grad.shape, 1)) * b

    def grad_b(self, grad, a):
        return np.matmul(grad.reshape((math.prod(grad.shape),)), _rows(a))


class Dot(Function):
    """The dot product Σ a·b, (n), (n) -> ()."""

    symbol, promote = "·", dtypes.only("iufc")
    saved_names = {"tensor": "b"}

    def forward(self, a, b):
        return np.dot(a, b)

    def grad_a(self, grad, b):
        return grad * b

    def grad_b(self, grad, a):
        return grad * a


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the matrix product; leading axes broadcast, and operands may be vectors. Source: torch.matmul.

    Raises RuntimeError if the inner sizes or the dtypes differ.

    >>> torch.matmul(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    try:
        mixed = input.array.dtype is not other.array.dtype
    except AttributeError:
        raise not_a_tensor("matmul", input=input, other=other) from None
    if mixed:
        check_same_dtype("matmul", input, other, names="input other")
    return into(out, promoted_matmul(input, other), exact="matmul")


def promoted_matmul(a: Tensor, b: Tensor) -> Tensor:
    """Compute `matmul` in the promoted dtype of its operands, as NumPy does."""
    if b.ndim == 2:
        if a.ndim == 2:
            x, y = a.array.flags, b.array.flags
            if x.c_contiguous and y.c_contiguous:
                return MatMul.apply(a, b)
            by_columns = (x.f_contiguous and not x.c_contiguous) + 2 * (y.f_contiguous and not y.c_contiguous)
            return MatMul.apply(a, b, by_columns=by_columns)
        if a.ndim:
            return Linear.apply(a, transpose(b, 0, 1), None, by_columns=b.array.flags.c_contiguous)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D")
    if b.ndim == 1:
        return _dot("matmul", a, b) if a.ndim == 1 else Mv.apply(a, b)
    if a.ndim == 1:
        return MatMul.apply(unsqueeze(a, 0), b).squeeze(-2)
    return MatMul.apply(a, b, shared=True) if a.ndim == 2 else MatMul.apply(a, b)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return input weightᵀ + bias, (..., in), (out, in), (out) -> (..., out). Source: torch.nn.functional.linear.

    Raises RuntimeError if the sizes do not fit or the dtypes differ.

    >>> F.linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([0.5]))
    tensor([[11.5000]])
    """
    try:
        dtype = input.array.dtype
        mixed = dtype is not weight.array.dtype or (bias is not None and dtype is not bias.array.dtype)
    except AttributeError:
        raise not_a_tensor("linear", input=input, weight=weight, bias=bias) from None
    if mixed:
        check_same_dtype("linear", input, weight, *(() if bias is None else (bias,)), names="input weight bias")
    if bias is not None and bias.array.shape != weight.array.shape[:1] and (bias.ndim != 1 or bias.numel() == 1):
        return _add_scaled("linear", bias, _times_rows(input, weight), 1, 1, out)
    result = _times_rows(input, weight) if bias is None else Linear.apply(input, weight, bias)
    if bias is not None and input.array.ndim > 2 and not input.array.flags.c_contiguous:
        with_torch_name("Add", result)  # PyTorch adds the bias to a product then
    return into(out, result, exact="linear")


def _times_rows(x: Tensor, weight: Tensor) -> Tensor:
    """Return x Wᵀ, (..., in), (out, in) -> (..., out), or the products with a vector, (..., in), (in) -> (...)."""
    if weight.array.ndim == 1 and x.array.ndim:
        return promoted_matmul(x, weight)
    return Linear.apply(x, weight, None)


def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the product of two matrices, (n, k), (k, m) -> (n, m). Source: torch.mm.

    Raises RuntimeError for other dimensions, and if the inner sizes or the dtypes differ.

    >>> torch.mm(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    check_ndims("mm", input=(input, 2), mat2=(mat2, 2))
    return matmul(input, mat2, out=out)


def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the products of two batches of matrices, (b, n, k), (b, k, m) -> (b, n, m). Source: torch.bmm.

    Raises RuntimeError for other than three dimensions, and if the sizes do not fit.

    >>> torch.bmm(torch.ones(2, 1, 3), torch.ones(2, 3, 1))
    tensor([[[3.]],
            [[3.]]])
    """
    check_ndims("bmm", batch1=(input, 3), batch2=(mat2, 3))
    if (input.shape[0], input.shape[2]) != mat2.shape[:2]:
        raise ShapeError(
            "bmm: Expected size for first two dimensions of batch2 tensor to be: "
            f"[{input.shape[0]}, {input.shape[2]}] but got: {list(mat2.shape[:2])}."
        )
    return with_torch_name("Bmm", matmul(input, mat2, out=out))


def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Multiply a matrix and a vector, (n, m), (m) -> (n). Raises RuntimeError for other shapes. Source: torch.mv.

    >>> torch.mv(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    check_ndims("mv", input=(input, 2), vec=(vec, 1))
    return matmul(input, vec, out=out)


@tensors_only
def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the dot product of two vectors, without conjugation, (n), (n) -> ().

    Raises RuntimeError for other shapes and for dtypes that differ. Source: torch.dot.

    >>> torch.dot(torch.tensor([2, 3]), torch.tensor([2, 1]))
    tensor(7)
    """
    check_same_dtype("dot", input, tensor)
    return into(out, _dot("dot", input, tensor), exact="dot")


@tensors_only
def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the dot product of two vectors with the first one conjugated, (n), (n) -> ().

    Raises RuntimeError for other shapes. Source: torch.vdot.

    >>> torch.vdot(torch.tensor([1 + 2j]), torch.tensor([3 + 1j]))
    tensor(5.-5.j)
    """
    check_same_dtype("vdot", input, other)
    return into(out, with_torch_name("Vdot", _dot("vdot", conj(input), other)), exact="vdot")


def _dot(op: str, a: Tensor, b: Tensor) -> Tensor:
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"{op}: 1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.array.shape != b.array.shape:
        raise ShapeError(
            f"{op}: inconsistent tensor size, expected both to have the same number of elements, but got "
            f"{a.numel()} and {b.numel()} elements respectively"
        )
    return Dot.apply(a, b)


@numpy_spelling
@composite
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return Σ conj(x) · y along dim; the other dimensions broadcast.

    (..., n), (..., n) -> (...). Raises RuntimeError for other shapes and for dtypes that differ.
    Source: torch.linalg.vecdot.

    >>> torch.linalg.vecdot(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    check_same_dtype("linalg.vecdot", x, y)
    if x.array.dtype.kind not in "fc":
        raise KindError(f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {x.dtype}")
    return into(out, mul(conj(x), y).sum(dim), exact="linalg.vecdot")


@composite
def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the dot products over the last axes, (..., k), (*, k) -> (..., *); a 0-d operand multiplies the other.

    Raises RuntimeError for other sizes and for dtypes that differ. Source: torch.inner.

    >>> torch.inner(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if input.ndim == 0 or other.ndim == 0:
        return into(out, mul(input, other))
    check_same_dtype("inner", input, other)
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(input.shape)} and "
            f"{list(other.shape)}"
        )
    k = other.shape[-1]
    rows = other if other.ndim <= 2 else other.reshape(math.prod(other.shape[:-1]), k)
    result = _times_rows(input, rows)
    return into(out, result if other.ndim <= 2 else result.reshape(*input.shape[:-1], *other.shape[:-1]), exact="inner")


@composite
def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the outer product of two vectors, (n), (m) -> (n, m).

    Raises RuntimeError unless both are vectors. Source: torch.outer.

    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    check_ndims("outer", input=(input, 1), vec2=(vec2, 1))
    column = with_torch_name("Unsqueeze", Reshape.apply(input, size=(input.array.size, 1)))
    with unbuffered_runs(vec2.array.size):
        return into(out, Mul.apply(column, vec2))


def ger(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Call `outer`; this is its older name. Source: torch.ger.

    >>> torch.ger(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    return outer(input, vec2, out=out)


def _add_scaled(op: str, input: Tensor, product: Tensor, beta: Any, alpha: Any, out: Tensor | None) -> Tensor:
    """Return beta · input + alpha · product; for beta = 0, input's values are ignored."""
    beta, alpha = (scale_factor(op, x, product.array.dtype) for x in (beta, alpha))
    given, shape = input.array.shape, product.array.shape
    sizes = zip(given[::-1], shape[::-1], strict=False)
    if given != shape and (len(given) > len(shape) or any(n not in (1, m) for n, m in sizes)):
        raise ShapeError(f"{op}: input of shape {given} can't be expanded to the shape {shape} of the product")
    result = product if alpha == 1 else product * alpha
    if beta != 0:
        result = result + (input if beta == 1 else input * beta)
    elif input.node is not None:  # its gradient is 0, but not None
        result = result + Where.apply(backend.like(False, input.array), input, 0)
    return into(out, result, exact=op)


@numbers_first
@composite
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return beta · input + alpha · mat1 mat2; for beta = 0, input's NaN are ignored.

    (n, m), (m, p), and input that broadcasts to (n, p). Raises RuntimeError for other shapes and dtypes that differ.
    Source: torch.addmm.

    >>> torch.addmm(torch.tensor([1.0]), torch.ones(1, 2), torch.ones(2, 2), alpha=10)
    tensor([[21., 21.]])
    """
    check_same_dtype("addmm", input, mat1, mat2)
    return _add_scaled("addmm", input, mm(mat1, mat2), beta, alpha, out)


@numbers_first
@composite
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return beta · input + alpha · mat vec; for beta = 0, input's NaN are ignored.

    (n, m), (m), and input that broadcasts to (n). Raises as addmm does. Source: torch.addmv.

    >>> torch.addmv(torch.tensor([1.0]), torch.ones(1, 2), torch.ones(2))
    tensor([3.])
    """
    check_same_dtype("addmv", input, mat, vec)
    return _add_scaled("addmv", input, mv(mat, vec), beta, alpha, out)


@numbers_first
@composite
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return beta · input + alpha · batch1 batch2, matrix by matrix; for beta = 0, input's NaN are ignored.

    (b, n, m), (b, m, p) -> (b, n, p). Raises as addmm does. Source: torch.baddbmm.

    >>> torch.baddbmm(torch.ones(1, 1, 1), torch.ones(1, 1, 2), torch.ones(1, 2, 1), beta=10)
    tensor([[[12.]]])
    """
    check_same_dtype("baddbmm", input, batch1, batch2)
    return _add_scaled("baddbmm", input, bmm(batch1, batch2), beta, alpha, out)


@numbers_first
@composite
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return beta · input + alpha · Σ batch1 batch2, summed over the batch.

    (b, n, m), (b, m, p) -> (n, p). Raises as addmm does. Source: torch.addbmm.

    >>> torch.addbmm(torch.ones(1, 1), torch.ones(3, 1, 2), torch.ones(3, 2, 1))
    tensor([[7.]])
    """
    check_same_dtype("addbmm", input, batch1, batch2)
    return _add_scaled("addbmm", input, bmm(batch1, batch2).sum(0, dtype=input.dtype), beta, alpha, out)


@numbers_first
@composite
def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return beta · input + alpha · vec1 ⊗ vec2; for beta = 0, input's NaN are ignored.

    (n), (m), and input that broadcasts to (n, m). Raises as addmm does. Source: torch.addr.

    >>> torch.addr(torch.zeros(2, 2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    dtype = dtypes.promote_types(dtypes.promote_types(input.dtype, vec1.dtype), vec2.dtype)  # also that of a 0-d input
    for name, value in (("beta", beta), ("alpha", alpha)):
        check_scale_factor("addr", name, as_scalar("addr", name, value), dtype.dtype)
    input, vec1, vec2 = cast_to(dtype, input, vec1, vec2)
    return into(out, _add_scaled("addr", input, outer(vec1, vec2), beta, alpha, None))
