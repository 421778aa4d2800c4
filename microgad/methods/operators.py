"""Python's operators on Tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from .. import function as core
from ..errors import ArgumentError
from ..lazy import LazyModule
from .elementwise import Elementwise
from .factories import augmented, binary, in_place, is_operand, operator, reflected

if TYPE_CHECKING:
    from ..ops import creation, indexing, linalg
    from ..ops import elementwise as ops
    from ..tensor import Tensor
    from ..torch_function.wrappers import retry_overridden
    from ..type_aliases import Operand
else:
    creation = LazyModule("microgad.ops.creation")
    indexing = LazyModule("microgad.ops.indexing")
    linalg = LazyModule("microgad.ops.linalg")
    ops = LazyModule("microgad.ops.elementwise")
    retry_overridden = LazyModule("microgad.torch_function.wrappers").retry_overridden


def _augmented(name: str) -> Callable[[Tensor, Operand | np.ndarray], Tensor]:
    return augmented(vars(Elementwise)[name])  # getattr would load operations


class Operators:
    """The methods behind `a + b`, `a[i]`, `a += b` and other operators."""

    __slots__ = ()

    __add__ = __radd__ = operator(ops.Add)
    __sub__, __rsub__ = operator(ops.Sub), reflected(ops.Sub, "RsubBackward1")
    __mul__ = __rmul__ = operator(ops.Mul)
    __truediv__ = __div__ = operator(ops.Div)
    __floordiv__, __rfloordiv__ = operator(ops.FloorDivide), reflected(ops.FloorDivide)
    __mod__, __rmod__ = operator(ops.Remainder), reflected(ops.Remainder)
    __pow__, __rpow__ = operator(ops.Pow), reflected(ops.Pow)
    __neg__, __pos__, __abs__ = ops.neg, ops.positive, ops.abs
    __lt__, __le__ = operator(ops.Less), operator(ops.LessEqual)
    __gt__, __ge__ = operator(ops.Greater), operator(ops.GreaterEqual)
    __and__ = __rand__ = operator(ops.BitwiseAnd)
    __or__ = __ror__ = operator(ops.BitwiseOr)
    __xor__ = __rxor__ = operator(ops.BitwiseXor)
    __invert__ = ops.bitwise_not
    __lshift__, __rlshift__ = operator(ops.LeftShift), reflected(ops.LeftShift)
    __rshift__, __rrshift__ = operator(ops.RightShift), reflected(ops.RightShift)

    def __eq__(self: Tensor, other: Any) -> Tensor:  # type: ignore[override]
        return ops.Equal.apply(self, other) if is_operand(other) else retry_overridden(Operators.__eq__, self, other)

    def __ne__(self: Tensor, other: Any) -> Tensor:  # type: ignore[override]
        return ops.NotEqual.apply(self, other) if is_operand(other) else retry_overridden(Operators.__ne__, self, other)

    def __rtruediv__(self: Tensor, other: Any) -> Tensor:
        if not is_operand(other):
            return retry_overridden(Operators.__rtruediv__, self, other)
        return ops.Mul.apply(ops.Reciprocal.apply(self), other)

    __rdiv__ = __rtruediv__

    def __matmul__(self: Tensor, other: Tensor) -> Tensor:
        if not isinstance(other, core.Tensor):
            return retry_overridden(Operators.__matmul__, self, other)  # NotImplemented for an array: NumPy is next
        return linalg.matmul(self, other)

    def __rmatmul__(self: Tensor, other: Any) -> Tensor:
        if isinstance(other, core.Tensor) or backend.is_array(other):
            return linalg.matmul(creation.as_tensor(other), self)
        return retry_overridden(Operators.__rmatmul__, self, other)

    __getitem__, __setitem__ = indexing.getitem, indexing.setitem

    def __len__(self: Tensor) -> int:
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return int(self.array.shape[0])

    def __iter__(self: Tensor) -> Iterator[Tensor]:
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind())

    def __reversed__(self: Tensor) -> Tensor:
        return self.flip(0) if self.array.ndim else self

    def __contains__(self: Tensor, value: Any) -> bool:
        if not isinstance(value, (core.Tensor, int, float, complex, np.number)):
            raise ArgumentError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(value)}."
            )
        return bool((self == value).any())

    def __delitem__(self: Tensor, index: Any) -> None:
        raise TypeError("Tensor does not support deleting items")

    __iadd__, __isub__ = _augmented("add_"), _augmented("sub_")
    __imul__, __itruediv__ = _augmented("mul_"), _augmented("div_")
    __ifloordiv__, __imod__ = augmented(in_place(ops.FloorDivide, binary)), augmented(in_place(ops.Remainder, binary))
    __ipow__, __iand__ = augmented(in_place(ops.Pow, binary)), augmented(in_place(ops.BitwiseAnd, binary))
    __ior__, __ixor__ = augmented(in_place(ops.BitwiseOr, binary)), augmented(in_place(ops.BitwiseXor, binary))
    __ilshift__, __irshift__ = augmented(in_place(ops.LeftShift, binary)), augmented(in_place(ops.RightShift, binary))
    __idiv__ = __itruediv__
