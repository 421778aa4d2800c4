"""Comparison and logic: boolean results, which have no derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..function import Function

if TYPE_CHECKING:
    from ..tensor import Operand, Tensor


def _comparison(name: str, symbol: str, ufunc: np.ufunc) -> type[Function]:
    """A comparison or logical operation: a boolean result, and so no derivative."""

    def forward(self: Function, a: Any, b: Any) -> Any:
        return ufunc(a, b)

    doc = f"a {symbol} b, broadcast."
    body = {
        "forward": forward,
        "symbol": symbol,
        "numpy": ufunc,
        "promote": staticmethod(dtypes.promote),
        "__doc__": doc,
    }
    return type(name, (Function,), {**body, "__module__": __name__})


Equal = _comparison("Equal", "=", np.equal)
NotEqual = _comparison("NotEqual", "≠", np.not_equal)
Less = _comparison("Less", "<", np.less)
LessEqual = _comparison("LessEqual", "≤", np.less_equal)
Greater = _comparison("Greater", ">", np.greater)
GreaterEqual = _comparison("GreaterEqual", "≥", np.greater_equal)
LogicalAnd = _comparison("LogicalAnd", "∧", np.logical_and)
LogicalOr = _comparison("LogicalOr", "∨", np.logical_or)
LogicalXor = _comparison("LogicalXor", "⊻", np.logical_xor)
BitwiseAnd = _comparison("BitwiseAnd", "&", np.bitwise_and)
BitwiseOr = _comparison("BitwiseOr", "|", np.bitwise_or)
BitwiseXor = _comparison("BitwiseXor", "^", np.bitwise_xor)


class BitwiseNot(Function):
    """The bits of x inverted; of booleans, not x."""

    symbol, numpy = "~", np.bitwise_not

    def forward(self, x):
        return np.bitwise_not(x)


class LogicalNot(Function):
    """Not x."""

    symbol, numpy = "¬", np.logical_not

    def forward(self, x):
        return np.logical_not(x)


def eq(input: Tensor, other: Operand) -> Tensor:
    """input == other, elementwise and broadcast. Source: torch.eq.

    >>> torch.eq(torch.tensor([1, 2, 3]), 2)
    tensor([False,  True, False])
    """
    return Equal.apply(input, other)


def ne(input: Tensor, other: Operand) -> Tensor:
    """input != other, elementwise and broadcast. Source: torch.ne.

    >>> torch.ne(torch.tensor([1, 2, 3]), 2)
    tensor([ True, False,  True])
    """
    return NotEqual.apply(input, other)


def lt(input: Tensor, other: Operand) -> Tensor:
    """input < other, elementwise and broadcast. Source: torch.lt.

    >>> torch.lt(torch.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    return Less.apply(input, other)


def le(input: Tensor, other: Operand) -> Tensor:
    """input <= other, elementwise and broadcast. Source: torch.le.

    >>> torch.le(torch.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    return LessEqual.apply(input, other)


def gt(input: Tensor, other: Operand) -> Tensor:
    """input > other, elementwise and broadcast. Source: torch.gt.

    >>> torch.gt(torch.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    return Greater.apply(input, other)


def ge(input: Tensor, other: Operand) -> Tensor:
    """input >= other, elementwise and broadcast. Source: torch.ge.

    >>> torch.ge(torch.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    return GreaterEqual.apply(input, other)


def logical_and(input: Tensor, other: Operand) -> Tensor:
    """Whether both are nonzero, elementwise. Source: torch.logical_and.

    >>> torch.logical_and(torch.tensor([0, 1]), torch.tensor([2, 3]))
    tensor([False,  True])
    """
    return LogicalAnd.apply(input, other)


def logical_or(input: Tensor, other: Operand) -> Tensor:
    """Whether one of the two is nonzero, elementwise. Source: torch.logical_or.

    >>> torch.logical_or(torch.tensor([0, 1]), torch.tensor([2, 3]))
    tensor([True, True])
    """
    return LogicalOr.apply(input, other)


def logical_xor(input: Tensor, other: Operand) -> Tensor:
    """Whether exactly one of the two is nonzero, elementwise. Source: torch.logical_xor.

    >>> torch.logical_xor(torch.tensor([0, 1]), torch.tensor([2, 3]))
    tensor([ True, False])
    """
    return LogicalXor.apply(input, other)


def logical_not(input: Tensor) -> Tensor:
    """Whether the value is zero, elementwise. Source: torch.logical_not.

    >>> torch.logical_not(torch.tensor([0, 1]))
    tensor([ True, False])
    """
    return LogicalNot.apply(input)


class IsNaN(Function):
    """Whether values are NaN."""

    symbol, numpy = "isnan", np.isnan

    def forward(self, x):
        return np.isnan(x)


def isnan(input: Tensor) -> Tensor:
    """Whether values are NaN, elementwise. Source: torch.isnan.

    >>> torch.isnan(torch.tensor([float('inf'), float('nan'), 1.0]))
    tensor([False,  True, False])
    """
    return IsNaN.apply(input)


class IsInf(Function):
    """Whether values are infinite."""

    symbol, numpy = "isinf", np.isinf

    def forward(self, x):
        return np.isinf(x)


def isinf(input: Tensor) -> Tensor:
    """Whether values are infinite, elementwise. Source: torch.isinf.

    >>> torch.isinf(torch.tensor([float('inf'), float('nan'), 1.0]))
    tensor([ True, False, False])
    """
    return IsInf.apply(input)


class IsFinite(Function):
    """Whether values are neither infinite nor NaN."""

    symbol, numpy = "isfinite", np.isfinite

    def forward(self, x):
        return np.isfinite(x)


def isfinite(input: Tensor) -> Tensor:
    """Whether values are neither infinite nor NaN, elementwise. Source: torch.isfinite.

    >>> torch.isfinite(torch.tensor([float('inf'), float('nan'), 1.0]))
    tensor([False, False,  True])
    """
    return IsFinite.apply(input)


def bitwise_and(input: Tensor, other: Operand) -> Tensor:
    """The bits of integers or booleans combined. Source: torch.bitwise_and.

    >>> torch.bitwise_and(torch.tensor([6]), 3)
    tensor([2])
    """
    return BitwiseAnd.apply(input, other)


def bitwise_or(input: Tensor, other: Operand) -> Tensor:
    """The bits of integers or booleans combined. Source: torch.bitwise_or.

    >>> torch.bitwise_or(torch.tensor([6]), 3)
    tensor([7])
    """
    return BitwiseOr.apply(input, other)


def bitwise_xor(input: Tensor, other: Operand) -> Tensor:
    """The bits of integers or booleans combined. Source: torch.bitwise_xor.

    >>> torch.bitwise_xor(torch.tensor([6]), 3)
    tensor([5])
    """
    return BitwiseXor.apply(input, other)


def bitwise_not(input: Tensor) -> Tensor:
    """The bits of integers or booleans inverted. Source: torch.bitwise_not.

    >>> torch.bitwise_not(torch.tensor([True, False]))
    tensor([False,  True])
    """
    return BitwiseNot.apply(input)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two Tensors have the same shape and values. Source: torch.equal.

    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    return input.shape == other.shape and bool((input.array == other.array).all())


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether |input - other| ≤ atol + rtol · |other| everywhere. Source: torch.allclose.

    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    return bool(np.allclose(input.array, other.array, rtol=rtol, atol=atol, equal_nan=equal_nan))
