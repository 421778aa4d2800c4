"""Conversions of a one-element Tensor to a Python number."""

from __future__ import annotations

from typing import Any

from .. import errors, state
from .. import function as core
from ..errors import notices
from ..type_aliases import Tensor


class ScalarConversion:
    """The methods behind `float(x)`, `int(x)`, `complex(x)`, `bool(x)`, `[...][x]` and `f"{x:.3f}"`."""

    __slots__ = ()

    def __bool__(self: Tensor) -> bool:
        if self.array.size != 1:
            raise errors.ShapeError(
                f"Boolean value of Tensor with {'more than one value' if self.array.size else 'no values'} is ambiguous"
            )
        return bool(self.array)

    def __float__(self: Tensor) -> float:
        value = float(_real(self))
        _warn_of_gradient(self)
        return value

    def __int__(self: Tensor) -> int:
        return int(_real(self))

    def __complex__(self: Tensor) -> complex:
        value = complex(_item(self))
        _warn_of_gradient(self)
        return value

    def __index__(self: Tensor) -> int:
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __format__(self: Tensor, spec: str) -> str:
        plain = self.array.ndim == 0 and type(self) is core.Tensor and not self.is_meta
        return format(self.detach().item(), spec) if plain else object.__format__(self, spec)


def _item(tensor: Tensor) -> Any:
    if tensor.array.size != 1:
        raise errors.ShapeError("only one element tensors can be converted to Python scalars")
    return tensor.item()


def _real(tensor: Tensor) -> Any:
    value = _item(tensor)
    if value.imag:
        raise errors.DtypeError(f"value {value} cannot be converted to a real number without overflow")
    return value.real


def _warn_of_gradient(tensor: Tensor) -> None:
    if tensor.node is not None and state.current().grad_enabled:
        notices.once(notices.TO_SCALAR)
