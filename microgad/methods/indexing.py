"""Values taken from, and put at, places that an index names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..ops import indexing
from ..ops.indexing.by_index import (
    index_add_call,
    index_copy_call,
    index_fill_call,
    index_reduce_call,
    scatter_reduce_call,
)
from ..ops.indexing.gather import put_call
from ..ops.indexing.item import Call, index_put_call
from ..ops.indexing.masked import masked_fill_call, masked_scatter_call
from ..ops.indexing.scatter import scatter_add_call, scatter_call

if TYPE_CHECKING:
    from ..tensor import Tensor


def _written(call: Callable[..., Call]) -> Callable[..., Tensor]:
    """The method `op_`: what the operation comes to, in the Tensor's own memory."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        return call(self, *args, **options).into(self)

    name = call.__name__.removesuffix("_call")
    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"In place: see `{name}`."
    return method


class Indexing:
    """Methods that read and write by index."""

    __slots__ = ()

    gather, take, take_along_dim = indexing.gather, indexing.take, indexing.take_along_dim
    put, put_ = indexing.put, _written(put_call)
    index_put, index_put_ = indexing.index_put, _written(index_put_call)
    scatter, scatter_ = indexing.scatter, _written(scatter_call)
    scatter_add, scatter_add_ = indexing.scatter_add, _written(scatter_add_call)
    scatter_reduce, scatter_reduce_ = indexing.scatter_reduce, _written(scatter_reduce_call)
    index_select = indexing.index_select
    index_add, index_add_ = indexing.index_add, _written(index_add_call)
    index_copy, index_copy_ = indexing.index_copy, _written(index_copy_call)
    index_fill, index_fill_ = indexing.index_fill, _written(index_fill_call)
    index_reduce, index_reduce_ = indexing.index_reduce, _written(index_reduce_call)
    masked_fill, masked_fill_ = indexing.masked_fill, _written(masked_fill_call)
    masked_scatter, masked_scatter_ = indexing.masked_scatter, _written(masked_scatter_call)
    masked_select = indexing.masked_select

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
