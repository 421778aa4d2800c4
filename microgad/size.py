"""Shapes."""

from __future__ import annotations

import math


class Size(tuple[int, ...]):
    """A shape. Source: torch.Size.

    >>> torch.zeros(2, 3).shape.numel()
    6
    """

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    __str__ = __repr__
