"""Python's operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import function as core
from ..ops import arithmetic, comparison, creation, indexing, matmul
from .forms import in_place, with_alpha

if TYPE_CHECKING:
    from ..tensor import Tensor


class Operators:
    """`a + b`, `a[i]`, `a += b`, and their kin."""

    __slots__ = ()

    __add__ = __radd__ = arithmetic.add
    __sub__ = arithmetic.sub
    __mul__ = __rmul__ = arithmetic.mul
    __truediv__ = arithmetic.div
    __pow__ = arithmetic.pow
    __matmul__ = matmul.matmul
    __neg__ = arithmetic.neg
    __abs__ = arithmetic.abs
    __lt__, __le__, __gt__, __ge__ = comparison.lt, comparison.le, comparison.gt, comparison.ge
    __and__ = __rand__ = comparison.bitwise_and
    __or__ = __ror__ = comparison.bitwise_or
    __xor__ = __rxor__ = comparison.bitwise_xor
    __invert__ = comparison.bitwise_not

    def __eq__(self: Tensor, other: Any) -> Any:
        return False if other is None else comparison.eq(self, other)

    def __ne__(self: Tensor, other: Any) -> Any:
        return True if other is None else comparison.ne(self, other)

    def __rsub__(self: Tensor, other: Any) -> Any:
        return arithmetic.Sub.apply(other, self)

    def __rtruediv__(self: Tensor, other: Any) -> Any:
        return arithmetic.Div.apply(other, self)

    def __rpow__(self: Tensor, other: Any) -> Any:
        return arithmetic.Pow.apply(other, self)

    def __rmatmul__(self: Tensor, other: Any) -> Any:
        return matmul.matmul(creation.as_tensor(other), self)

    __getitem__ = indexing.getitem

    def __setitem__(self: Tensor, index: Any, value: Any) -> None:
        if not isinstance(value, (core.Tensor, int, float, complex)):
            value = creation.as_tensor(value)
        indexing.SetItem.apply_(self, value, index=indexing.normalized(index, self.array))

    __iadd__, __isub__ = with_alpha(arithmetic.Add), with_alpha(arithmetic.Sub)
    __imul__, __itruediv__, __ipow__ = in_place(arithmetic.Mul), in_place(arithmetic.Div), in_place(arithmetic.Pow)
