"""Logical and bitwise operations. Their results have no derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...function import Function
from ...type_aliases import Array, Operand, Tensor
from ..support.out import apply_into, into
from .comparison import non_differentiable
from .operands import require_one_tensor, require_tensors


def _promote_truths(arrays: list[Any]) -> list[Any]:
    """Promote the operands, and make complex ones boolean: CuPy has no logical functions of complex numbers."""
    return [x != 0 if np.dtype(getattr(x, "dtype", type(x))).kind == "c" else x for x in dtypes.promote(arrays)]


def _truths(x: Array | complex) -> Array | complex:
    """x != 0, which takes a fifth of the time that NumPy's logical functions need for many floats; else x itself."""
    return x != 0 if type(x) is np.ndarray and x.size >= 2000 and x.dtype.kind == "f" else x


def _logical(name: str, symbol: str, ufunc: np.ufunc) -> type[Function]:
    def unary(self: Function, x: Array) -> Array:
        return ufunc(_truths(x))

    def binary(self: Function, a: Array | complex, b: Array | complex) -> Array:
        return ufunc(_truths(a), _truths(b))

    forward = unary if ufunc.nin == 1 else binary
    return non_differentiable(name, symbol, ufunc, "biufc", __name__, _promote_truths, forward=forward)


LogicalAnd: type[Function] = _logical("LogicalAnd", "∧", np.logical_and)
LogicalOr: type[Function] = _logical("LogicalOr", "∨", np.logical_or)
LogicalXor: type[Function] = _logical("LogicalXor", "⊻", np.logical_xor)
LogicalNot: type[Function] = _logical("LogicalNot", "¬", np.logical_not)
BitwiseAnd: type[Function] = non_differentiable("BitwiseAnd", "&", np.bitwise_and, "biu", __name__)
BitwiseOr: type[Function] = non_differentiable("BitwiseOr", "|", np.bitwise_or, "biu", __name__)
BitwiseXor: type[Function] = non_differentiable("BitwiseXor", "^", np.bitwise_xor, "biu", __name__)
LeftShift: type[Function] = non_differentiable(
    "LeftShift", "<<", np.left_shift, "iu", __name__, operator="bitwise_left_shift"
)
RightShift: type[Function] = non_differentiable(
    "RightShift", ">>", np.right_shift, "iu", __name__, operator="bitwise_right_shift"
)
BitwiseNot: type[Function] = non_differentiable("BitwiseNot", "~", np.bitwise_not, "biu", __name__, list)


def logical_and(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input and other are both nonzero, elementwise and broadcast.

    Raises RuntimeError if the shapes don't broadcast. Source: torch.logical_and.

    >>> torch.logical_and(torch.tensor([0, 1]), torch.tensor([2, 3]))
    tensor([False,  True])
    """
    return apply_into(out, LogicalAnd, *require_tensors("logical_and", input, other))


def logical_or(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input or other is nonzero, elementwise and broadcast.

    Raises RuntimeError if the shapes don't broadcast. Source: torch.logical_or.

    >>> torch.logical_or(torch.tensor([0, 1]), torch.tensor([2, 3]))
    tensor([True, True])
    """
    return apply_into(out, LogicalOr, *require_tensors("logical_or", input, other))


def logical_xor(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether exactly one of input and other is nonzero, elementwise and broadcast.

    Raises RuntimeError if the shapes don't broadcast. Source: torch.logical_xor.

    >>> torch.logical_xor(torch.tensor([0, 1]), torch.tensor([2, 3]))
    tensor([ True, False])
    """
    return apply_into(out, LogicalXor, *require_tensors("logical_xor", input, other))


def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether input is zero, elementwise. Source: torch.logical_not.

    >>> torch.logical_not(torch.tensor([0, 1]))
    tensor([ True, False])
    """
    return into(out, LogicalNot.apply(input))


def bitwise_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bitwise AND of integers or booleans, broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for other dtypes. Source: torch.bitwise_and.

    >>> torch.bitwise_and(torch.tensor([6]), 3)
    tensor([2])
    """
    return apply_into(out, BitwiseAnd, *require_one_tensor("bitwise_and", input, other))


def bitwise_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bitwise OR of integers or booleans, broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for other dtypes. Source: torch.bitwise_or.

    >>> torch.bitwise_or(torch.tensor([6]), 3)
    tensor([7])
    """
    return apply_into(out, BitwiseOr, *require_one_tensor("bitwise_or", input, other))


def bitwise_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bitwise exclusive OR of integers or booleans, broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for other dtypes. Source: torch.bitwise_xor.

    >>> torch.bitwise_xor(torch.tensor([6]), 3)
    tensor([5])
    """
    return apply_into(out, BitwiseXor, *require_one_tensor("bitwise_xor", input, other))


def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Bitwise NOT of integers or booleans. Of any shape; other dtypes raise RuntimeError. Source: torch.bitwise_not.

    >>> torch.bitwise_not(torch.tensor([True, False]))
    tensor([False,  True])
    """
    return into(out, BitwiseNot.apply(input), exact="bitwise_not")


def bitwise_left_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Shift the bits of integers to the left: input · 2^other.

    Raises RuntimeError if the shapes don't broadcast, and for other dtypes.
    Source: torch.bitwise_left_shift.

    >>> torch.bitwise_left_shift(torch.tensor([1, 3]), 2)
    tensor([ 4, 12])
    """
    return apply_into(out, LeftShift, *require_one_tensor("bitwise_left_shift", input, other))


def bitwise_right_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Shift the bits of integers to the right: input / 2^other, rounded down.

    Raises RuntimeError if the shapes don't broadcast, and for other dtypes.
    Source: torch.bitwise_right_shift.

    >>> torch.bitwise_right_shift(torch.tensor([-8, 3]), 1)
    tensor([-4,  1])
    """
    return apply_into(out, RightShift, *require_one_tensor("bitwise_right_shift", input, other))
