"""Functions of each element: arithmetic, comparison, choice, and in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops import arithmetic, comparison, complex, elementwise, selection
from .forms import in_place, with_alpha

if TYPE_CHECKING:
    from ..tensor import Tensor


class Elementwise:
    """Methods that work element by element."""

    __slots__ = ()

    add, sub, mul, div, neg = arithmetic.add, arithmetic.sub, arithmetic.mul, arithmetic.div, arithmetic.neg
    subtract, multiply, divide, true_divide, negative = sub, mul, div, div, neg
    pow, abs, absolute, sign = arithmetic.pow, arithmetic.abs, arithmetic.abs, arithmetic.sign
    square = arithmetic.square
    exp, log, sqrt, sin, cos = elementwise.exp, elementwise.log, elementwise.sqrt, elementwise.sin, elementwise.cos
    tanh, sigmoid, relu = elementwise.tanh, elementwise.sigmoid, elementwise.relu
    maximum, minimum, clamp, clip = selection.maximum, selection.minimum, selection.clamp, selection.clamp
    eq, ne, lt, le, gt, ge = comparison.eq, comparison.ne, comparison.lt, comparison.le, comparison.gt, comparison.ge
    logical_and, logical_or, logical_xor = comparison.logical_and, comparison.logical_or, comparison.logical_xor
    logical_not, isnan, isinf = comparison.logical_not, comparison.isnan, comparison.isinf
    isfinite, allclose, equal = comparison.isfinite, comparison.allclose, comparison.equal

    conj = complex.conj

    @property
    def real(self: Tensor) -> Tensor:
        """The real part, a view: see `real`."""
        return complex.real(self)

    @property
    def imag(self: Tensor) -> Tensor:
        """The imaginary part, a view: see `imag`."""
        return complex.imag(self)

    def where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
        """This Tensor where the condition holds, other elsewhere: see `where`."""
        return selection.where(condition, self, other)

    add_, sub_ = with_alpha(arithmetic.Add), with_alpha(arithmetic.Sub)
    mul_, div_, pow_ = in_place(arithmetic.Mul), in_place(arithmetic.Div), in_place(arithmetic.Pow)
    neg_, abs_ = in_place(arithmetic.Neg), in_place(arithmetic.Abs)
    exp_, log_, sqrt_ = in_place(elementwise.Exp), in_place(elementwise.Log), in_place(elementwise.Sqrt)
    tanh_, sigmoid_, relu_ = in_place(elementwise.Tanh), in_place(elementwise.Sigmoid), in_place(elementwise.Relu)

    def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
        """In place: held between min and max."""
        result: Tensor = selection.Clamp.apply_(self, min, max)
        return result
