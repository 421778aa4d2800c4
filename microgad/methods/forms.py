"""Forms of an operation that follow from its Function: the method `op_`, written into the Tensor's own memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..function import Function

if TYPE_CHECKING:
    from ..tensor import Tensor


def in_place(cls: type[Function], name: str = "") -> Callable[..., Tensor]:
    """The method `op_` of a Function: the result is written into the Tensor's own memory."""

    def method(self: Tensor, *others: Any) -> Tensor:
        result: Tensor = cls.apply_(self, *others)
        return result

    return _named(method, cls, name)


def with_alpha(cls: type[Function]) -> Callable[..., Tensor]:
    """The same with a keyword `alpha` that multiplies the other operand."""

    def method(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        result: Tensor = cls.apply_(self, other if alpha == 1 else other * alpha)
        return result

    return _named(method, cls)


def by_copy(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """The method `op_` of a composite: its result is copied into the Tensor's own memory."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        self[...] = function(self, *args, **options)
        return self

    method.__name__ = method.__qualname__ = f"{function.__name__}_"
    method.__doc__ = f"In place: see `{function.__name__}`."
    return method


def _named(method: Callable[..., Tensor], cls: type[Function], name: str = "") -> Callable[..., Tensor]:
    method.__name__ = method.__qualname__ = name or f"{cls.__name__.lower()}_"
    method.__doc__ = f"In place: {cls.__doc__}"
    return method


def shape_of(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sizes given one by one or as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) and np.ndim(sizes[0]) else sizes
