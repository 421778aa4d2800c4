"""Values taken from, and put at, places that an index names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops import indexing

if TYPE_CHECKING:
    from ..tensor import Tensor


class Indexing:
    """Methods that read and write by index."""

    __slots__ = ()

    gather = indexing.gather

    def copy_(self: Tensor, src: Any, non_blocking: Any = False) -> Tensor:
        """Take over the values of src, broadcast and converted."""
        self[...] = src
        return self

    def fill_(self: Tensor, value: Any) -> Tensor:
        """Set every element to value."""
        self[...] = value
        return self

    def zero_(self: Tensor) -> Tensor:
        """Set every element to 0."""
        self[...] = 0
        return self
