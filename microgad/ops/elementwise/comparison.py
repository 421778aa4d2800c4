"""Comparisons and tests of values. Their results are boolean and have no derivative."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...errors import ArgumentError, DeviceError, DtypeError
from ...function import Function
from ...state import observed
from ...type_aliases import Array, Operand, Tensor
from ..support.blocks import by_rows
from ..support.out import apply_into, into
from ..support.spelling import tensors_only
from .operands import require_one_tensor, require_tensor, require_tensors

COMPARED_MAX = 1 << 13  # pairs of elements that `isin` compares in less time than NumPy's takes to choose an algorithm


def non_differentiable(
    name: str, symbol: str, ufunc: np.ufunc, kinds: str, module: str = __name__, promotion: Any = dtypes.promote,
    **attributes: Any,
) -> type[Function]:  # fmt: skip
    """Define the Function of a ufunc of one or two operands whose result has no derivative.

    `kinds` are the kinds of dtype that it accepts; "" stands for all. `attributes` are further ones of the class.
    """

    def unary(self: Function, x: Array) -> Array:
        return ufunc(x)

    def binary(self: Function, a: Array | complex, b: Array | complex) -> Array:
        return ufunc(a, b)

    forward, formula = (unary, f"{symbol} x.") if ufunc.nin == 1 else (binary, f"a {symbol} b, broadcast.")
    body: dict[str, Any] = {"forward": forward, "symbol": symbol, "numpy": ufunc}
    body |= {"__doc__": formula, "__module__": module, **attributes}
    if body["forward"] is binary:
        body["large"] = by_rows(ufunc)
    if kinds:
        body["promote"] = dtypes.only(kinds, promotion)
    return type(name, (Function,), body)


Equal: type[Function] = non_differentiable("Equal", "=", np.equal, "biufc", operator="eq")
NotEqual: type[Function] = non_differentiable("NotEqual", "≠", np.not_equal, "biufc", operator="ne")
Less: type[Function] = non_differentiable("Less", "<", np.less, "biuf", operator="lt")
LessEqual: type[Function] = non_differentiable("LessEqual", "≤", np.less_equal, "biuf", operator="le")
Greater: type[Function] = non_differentiable("Greater", ">", np.greater, "biuf", operator="gt")
GreaterEqual: type[Function] = non_differentiable("GreaterEqual", "≥", np.greater_equal, "biuf", operator="ge")
IsNaN: type[Function] = non_differentiable("IsNaN", "isnan", np.isnan, "", operator="isnan")
IsInf: type[Function] = non_differentiable("IsInf", "isinf", np.isinf, "", operator="isinf")
IsFinite: type[Function] = non_differentiable("IsFinite", "isfinite", np.isfinite, "", operator="isfinite")


def eq(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input == other, elementwise and broadcast. Raises RuntimeError if the shapes don't broadcast. Source: torch.eq.

    >>> torch.eq(torch.tensor([1, 2, 3]), 2)
    tensor([False,  True, False])
    """
    return apply_into(out, Equal, require_tensor("eq", input), other)


def ne(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input != other, elementwise and broadcast. Raises RuntimeError if the shapes don't broadcast. Source: torch.ne.

    >>> torch.ne(torch.tensor([1, 2, 3]), 2)
    tensor([ True, False,  True])
    """
    return apply_into(out, NotEqual, require_tensor("ne", input), other)


def lt(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input < other, elementwise and broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.lt.

    >>> torch.lt(torch.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    return apply_into(out, Less, require_tensor("lt", input), other)


def le(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input <= other, elementwise and broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.le.

    >>> torch.le(torch.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    return apply_into(out, LessEqual, require_tensor("le", input), other)


def gt(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input > other, elementwise and broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.gt.

    >>> torch.gt(torch.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    return apply_into(out, Greater, require_tensor("gt", input), other)


def ge(input: Tensor, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input >= other, elementwise and broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.ge.

    >>> torch.ge(torch.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    return apply_into(out, GreaterEqual, require_tensor("ge", input), other)


def isnan(input: Tensor) -> Tensor:
    """Whether values are NaN, elementwise. Source: torch.isnan.

    >>> torch.isnan(torch.tensor([float('inf'), float('nan'), 1.0]))
    tensor([False,  True, False])
    """
    return IsNaN.apply(input)


def isinf(input: Tensor) -> Tensor:
    """Whether values are infinite, elementwise. Source: torch.isinf.

    >>> torch.isinf(torch.tensor([float('inf'), float('nan'), 1.0]))
    tensor([ True, False, False])
    """
    return IsInf.apply(input)


def isfinite(input: Tensor) -> Tensor:
    """Whether values are neither infinite nor NaN, elementwise. Source: torch.isfinite.

    >>> torch.isfinite(torch.tensor([float('inf'), float('nan'), 1.0]))
    tensor([False, False,  True])
    """
    return IsFinite.apply(input)


class IsPosInf(Function):
    """Whether values are +∞."""

    symbol, numpy, promote, elementwise = "= ∞", np.isposinf, dtypes.only("biuf", list), True
    operator = "isposinf"

    def forward(self, x):
        return x == math.inf


def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether values are +∞, elementwise. Complex numbers raise RuntimeError. Source: torch.isposinf.

    >>> torch.isposinf(torch.tensor([float('inf'), -float('inf'), 1.0]))
    tensor([ True, False, False])
    """
    return into(out, IsPosInf.apply(input), exact="isposinf")


class IsNegInf(Function):
    """Whether values are -∞."""

    symbol, numpy, promote, elementwise = "= -∞", np.isneginf, dtypes.only("biuf", list), True
    operator = "isneginf"

    def forward(self, x):
        return x == -math.inf


def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether values are -∞, elementwise. Complex numbers raise RuntimeError. Source: torch.isneginf.

    >>> torch.isneginf(torch.tensor([float('inf'), -float('inf'), 1.0]))
    tensor([False,  True, False])
    """
    return into(out, IsNegInf.apply(input), exact="isneginf")


class IsReal(Function):
    """Whether values have no imaginary part."""

    symbol, operator, numpy = "isreal", "isreal", np.isreal

    def forward(self, x):
        return np.imag(x) == 0 if x.dtype.kind == "c" else np.ones_like(x, bool)


def isreal(input: Tensor) -> Tensor:
    """Whether values have no imaginary part, elementwise. Source: torch.isreal.

    >>> torch.isreal(torch.tensor([1 + 0j, 1j]))
    tensor([ True, False])
    """
    return IsReal.apply(input)


class IsClose(Function):
    """Whether |a - b| ≤ atol + rtol · |b|, broadcast."""

    symbol, operator, promote, elementwise = "≈", "isclose", dtypes.promote, True

    def forward(self, a, b):
        close = a == b
        if self.equal_nan:
            close |= np.isnan(a) & np.isnan(b)
        if self.atol == self.rtol == 0:
            return close
        if a.dtype.kind in "biu":
            a, b = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(invalid="ignore"):  # ∞ - ∞
            distance = np.absolute(a - b)
        return close | (np.isfinite(distance) & (distance <= self.atol + np.absolute(self.rtol * b)))


@tensors_only
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether |input - other| ≤ atol + rtol · |other|, elementwise. Source: torch.isclose.

    Raises RuntimeError where the dtypes differ, or rtol or atol is negative.

    >>> torch.isclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0 + 1e-7, 3.0]))
    tensor([ True, False])
    """
    require_tensors("isclose", input, other)
    if input.dtype != other.dtype:
        raise DtypeError(f"isclose: input's dtype {input.dtype} did not match other's {other.dtype}")
    for name, bound in (("rtol", rtol), ("atol", atol)):
        if not bound >= 0:
            raise ArgumentError(f"isclose: {name} must be greater than or equal to zero, but got {bound}")
    return IsClose.apply(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


@tensors_only
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether |input - other| ≤ atol + rtol · |other| everywhere.

    Raises RuntimeError if the shapes don't broadcast. Source: torch.allclose.

    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@tensors_only
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two Tensors have the same shape and values. Source: torch.equal.

    Raises RuntimeError where they are on different devices.

    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    if input.device != other.device:
        raise DeviceError(
            f"equal: Cannot compare two tensors on different devices. Got: {input.device} and {other.device}"
        )
    if input is other and input.array.dtype.kind in "biu" and not input.is_meta:  # unlike NaN, they equal themselves
        return True
    return input.shape == other.shape and bool((input.array == other.array).all())


class IsIn(Function):
    """Whether each element of a is in b."""

    symbol, operator, promote = "∈", "isin", dtypes.promote

    def forward(self, a, b):
        if not (backend.is_array(a) and backend.is_array(b)) or a.size * b.size > COMPARED_MAX:
            return np.isin(a, b, assume_unique=self.assume_unique, invert=self.invert)
        found = (b.reshape((b.size, 1)) == a.reshape(-1)).any(0).reshape(a.shape)
        return ~found if self.invert else found


@tensors_only
@observed
def isin(
    elements: Operand, test_elements: Operand, *, assume_unique: bool = False, invert: bool = False,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Whether each element is in test_elements, or is not, with `invert`. Source: torch.isin.

    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    operands = require_one_tensor("isin", elements, test_elements)
    return into(out, IsIn.apply(*operands, assume_unique=assume_unique, invert=invert), exact="isin")


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
