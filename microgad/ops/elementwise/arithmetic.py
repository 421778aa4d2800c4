"""Addition, subtraction, multiplication, negation and linear interpolation, with broadcasting."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ... import dtypes
from ...errors import DtypeError, KindError
from ...function import Function
from ...function.half import HALF
from ...function.naming import with_torch_name
from ...state import composite, current
from ...type_aliases import Array, Operand, Tensor
from ..creation.scalars import as_scalar, check_scale_factor, checked_scalar, scale_factor
from ..support import fast_numpy
from ..support.blocks import by_blocks, by_rows
from ..support.out import apply_into, into
from ..support.spelling import numbers_first, old_order, tensors_only
from .operands import require_tensor, require_tensors, wrap_scalars
from .selection_kernels import fast_where


class Add(Function):
    """a + b, broadcast."""

    symbol, numpy, promote, conjugates = "+", np.add, dtypes.promote, False  # the derivatives are real
    all_edges, large = True, by_rows(np.add)

    def forward(self, a, b):
        return a + b

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad):
        return grad


def add(input: Operand, other: Operand, *rest: Any, alpha: float = 1, out: Tensor | None = None) -> Tensor:
    """input + alpha · other, broadcast. Raises RuntimeError if the shapes don't broadcast. Source: torch.add.

    >>> torch.add(torch.tensor([1, 2]), 10)
    tensor([11, 12])
    """
    if rest:
        other, alpha = old_order("add", other, rest)
    scaled = other if type(alpha) is int and alpha == 1 else scaled_by_alpha("add", input, other, alpha)
    return apply_into(out, Add, *wrap_scalars(input, scaled))


def scaled_by_alpha(op: str, input: Any, other: Any, alpha: Any) -> Any:
    """Return alpha · other in the result's dtype, for `add` and `sub`."""
    alpha = as_scalar(op, "alpha", alpha)
    input, other = (as_scalar(op, "other", x) if isinstance(x, np.generic) else x for x in (input, other))
    for name, x in (("input", input), ("other", other)):
        if not hasattr(x, "dtype") and not isinstance(x, (complex, float, int)):
            raise DtypeError(f"{op}(): argument '{name}' must be Tensor, not {type(x).__name__}")
    dtype = dtypes.result_dtype([getattr(x, "array", x) for x in (input, other)])
    check_scale_factor(op, "alpha", alpha, dtype)
    if dtype.kind == "b":
        return other and bool(alpha) if isinstance(other, bool) else other * bool(alpha)
    if alpha == 1:
        return other
    alpha = checked_scalar(op, alpha, dtype) if dtype.kind in "iu" else alpha
    (other,) = cast_to(dtype, other)
    return with_torch_name("MulBackward1", other * alpha)


def cast_to(dtype: Any, *operands: Any) -> list[Any]:
    """Convert the Tensors among the operands to the result's dtype, in which PyTorch computes every step."""
    return [x.to(dtypes.of(dtype)) if hasattr(x, "array") and x.array.dtype != dtype else x for x in operands]


_NOT_FOR_MASKS = (
    "is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
)


def reject_booleans(operands: Any) -> None:
    """Raise RuntimeError if an operand of a subtraction is boolean."""
    booleans = [type(x) is bool or (hasattr(x, "dtype") and x.dtype == bool) for x in operands]
    if all(booleans):
        raise DtypeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    if any(booleans) and not current().deriving:  # a derivative is plain NumPy
        raise DtypeError(f"Subtraction, the `-` operator, with a bool tensor {_NOT_FOR_MASKS}")


class Sub(Function):
    """a - b, broadcast."""

    symbol, numpy, conjugates = "−", np.subtract, False
    all_edges, large = True, by_rows(np.subtract)

    @staticmethod
    def promote(arrays):
        reject_booleans(arrays)
        return dtypes.promote(arrays)

    def forward(self, a, b):
        return a - b

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad):
        return -grad


def sub(input: Operand, other: Operand, *rest: Any, alpha: float = 1, out: Tensor | None = None) -> Tensor:
    """input - alpha · other, broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for booleans. Source: torch.sub.

    >>> torch.sub(torch.tensor([1, 2]), torch.tensor([3]), alpha=2)
    tensor([-5, -4])
    """
    if rest:
        other, alpha = old_order("sub", other, rest)
    scaled = other
    if type(alpha) is not int or alpha != 1:
        given = [0 if isinstance(x, np.generic) else x for x in (input, other)]  # np.bool_ counts as a float
        reject_booleans(given)  # before scaling, which may convert a boolean
        scaled = scaled_by_alpha("sub", input, other, alpha)
    return apply_into(out, Sub, *wrap_scalars(input, scaled))


def rsub(input: Tensor, other: Operand, alpha: float = 1) -> Tensor:
    """other - alpha · input, broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for booleans. Source: torch.rsub.

    >>> torch.rsub(torch.tensor([1, 2]), 10)
    tensor([9, 8])
    """
    result = sub(other, require_tensor("rsub", input), alpha=alpha)
    return with_torch_name(f"RsubBackward{int(not hasattr(other, 'array'))}", result)


class Mul(Function):
    """a · b, broadcast."""

    symbol, numpy, promote = "×", np.multiply, dtypes.promote_exactly
    all_edges, large = True, by_rows(np.multiply)
    exact_scalars = True

    def forward(self, a, b):
        return a * b

    def grad_a(self, grad, b):
        return grad * b

    def grad_b(self, grad, a):
        return grad * a


def mul(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input · other, broadcast. Raises RuntimeError if the shapes don't broadcast. Source: torch.mul.

    >>> torch.mul(torch.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """
    return apply_into(out, Mul, *wrap_scalars(input, other))


# -0 - x is -x, also for zeros, and is vectorized, while NumPy negates complex numbers one by one.
NEGATIVE_ZERO = complex(-0.0, -0.0)


class Neg(Function):
    """-x."""

    symbol, numpy, native_half, conjugates = "−", np.negative, True, False

    @staticmethod
    def promote(arrays):
        if arrays[0].dtype.kind == "b":
            raise DtypeError(f"Negation, the `-` operator, on a bool tensor {_NOT_FOR_MASKS}")
        return arrays

    def forward(self, x):
        return NEGATIVE_ZERO - x if x.dtype.kind == "c" else -x

    def write(self, out, x):
        if out.flags.c_contiguous:
            np.negative(x, out=out)
        else:  # NumPy 2.4 writes wrong numbers where both strides are 16 bytes
            out[...] = -x

    def grad_x(self, grad):
        return -grad


def neg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-input. Source: torch.neg.

    Raises RuntimeError for booleans.

    >>> torch.neg(torch.tensor([1, -2]))
    tensor([-1,  2])
    """
    return apply_into(out, Neg, input, exact="neg")


@tensors_only
def positive(input: Tensor) -> Tensor:
    """Return input itself. Source: torch.positive.

    Raises RuntimeError for booleans.

    >>> torch.positive(torch.tensor([1, -2]))
    tensor([ 1, -2])
    """
    if input.dtype == np.bool_:
        raise DtypeError("positive: the `+` operator, on a bool tensor is not supported")
    return input


@numbers_first
@composite
def addcmul(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: complex = 1, out: Tensor | None = None
) -> Tensor:
    """input + value · tensor1 · tensor2, broadcast. Source: torch.addcmul.

    >>> torch.addcmul(torch.tensor([1.0, 2.0]), torch.tensor([3.0]), torch.tensor([4.0]), value=0.5)
    tensor([7., 8.])
    """
    result = _add_scaled("addcmul", input, operator.mul, tensor1, tensor2, value)
    return into(out, result, operands=(input, tensor1, tensor2))


@numbers_first
@composite
def addcdiv(
    input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: complex = 1, out: Tensor | None = None
) -> Tensor:
    """input + value · tensor1 / tensor2, broadcast. Source: torch.addcdiv.

    Raises RuntimeError where both tensors hold integers.

    >>> torch.addcdiv(torch.tensor([1.0, 2.0]), torch.tensor([3.0]), torch.tensor([4.0]), value=2)
    tensor([2.5000, 3.5000])
    """
    if tensor1.array.dtype.kind in "biu" and tensor2.array.dtype.kind in "biu":
        raise DtypeError("Integer division with addcdiv is no longer supported: convert tensor1 or tensor2")
    result = _add_scaled("addcdiv", input, operator.truediv, tensor1, tensor2, value)
    return into(out, result, operands=(input, tensor1, tensor2))


def _add_scaled(op: str, input: Tensor, combine: Any, tensor1: Tensor, tensor2: Tensor, value: complex) -> Tensor:
    """input + combine(value · tensor1, tensor2); float16 is computed in float32 and rounded once."""
    dtype = dtypes.result_dtype([x.array for x in (input, tensor1, tensor2)])
    wide = np.dtype(np.float32) if dtype == HALF else dtype
    input, tensor1, tensor2 = cast_to(wide, *cast_to(dtype, input, tensor1, tensor2))
    value = scale_factor(op, value, wide)
    result: Tensor = input + combine(tensor1 if value == 1 else value * tensor1, tensor2)
    return result if dtype is wide else result.to(dtypes.of(dtype))


class Lerp(Function):
    """a + weight · (b - a).

    Where |weight| >= ½ it is computed as b + (weight - 1) · (b - a), so that weight 1 gives exactly b.
    """

    symbol, elementwise = "lerp", True
    exact_scalars = True

    @staticmethod
    def promote(arrays):
        for x, name in zip(arrays[1:], ("end", "weight"), strict=True):
            if hasattr(x, "dtype") and x.dtype != arrays[0].dtype and (x.ndim or name == "end"):
                raise DtypeError(f"expected dtype {arrays[0].dtype} for `{name}` but got dtype {x.dtype}")
        weight, dtype = arrays[2], arrays[0].dtype
        promoted = arrays if getattr(weight, "dtype", dtype) == dtype else dtypes.promote(arrays)
        if promoted[0].dtype.kind not in "fc":
            raise KindError(f"not implemented for {dtype}")
        if type(weight) is complex:
            return *arrays[:2], checked_scalar("weight", weight, dtype)
        return promoted if type(weight) in (int, float) or hasattr(weight, "dtype") else dtypes.promote(arrays)

    def forward(self, a, b, weight):
        if isinstance(weight, (int, float, complex)):
            far = abs(weight) >= 0.5
            out = b - a
            out *= weight - far
            out += b if far else a
            return out
        if a.shape == b.shape == weight.shape:
            return by_blocks(_lerp_arrays, a, b, weight)
        shape = fast_numpy.broadcast_shapes(a.shape, b.shape, weight.shape)
        return _lerp_arrays(np.empty_like(a, shape=shape, order="C"), a, b, weight)

    def grad_a(self, grad, weight):
        return grad * (1 - weight)

    def grad_b(self, grad, weight):
        return grad * weight

    def grad_weight(self, grad, a, b):
        return grad * (b - a)


def _lerp_arrays(out: Array, a: Array, b: Array, weight: Array) -> Array:
    """Write a + weight · (b - a) into out where |weight| < ½, else b + (weight - 1) · (b - a)."""
    far = np.absolute(weight) >= 0.5
    np.subtract(b, a, out=out)
    out *= weight - far
    out += fast_where(far, b, a)
    return out


@tensors_only
def lerp(input: Tensor, end: Tensor, weight: Operand, *, out: Tensor | None = None) -> Tensor:
    """input + weight · (end - input), broadcast. Source: torch.lerp.

    Raises RuntimeError where the dtypes differ. A 0-dimensional weight may have any.

    >>> torch.lerp(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 8.0]), 0.5)
    tensor([2., 5.])
    """
    return apply_into(out, Lerp, *require_tensors("lerp", input, end), weight)


subtract, multiply, negative = sub, mul, neg
