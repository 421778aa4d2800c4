"""Indexing, read and written: basic (views), integer, boolean and mixed; by dimension, by mask, and flat."""

from .by_index import index_add, index_copy, index_fill, index_reduce, index_select, scatter_reduce
from .gather import Gather, gather, put, take, take_along_dim, unravel_index
from .index import normalized
from .item import AddItem, Clear, GetItem, SetItem, _last_writes, getitem, index_put, setitem
from .masked import (
    _unsafe_masked_index,
    _unsafe_masked_index_put_accumulate,
    masked_fill,
    masked_scatter,
    masked_select,
)
from .places import is_basic
from .reduced import ExtremeItem, MulItem
from .scatter import scatter, scatter_add

__all__ = [
    "AddItem",
    "Clear",
    "ExtremeItem",
    "Gather",
    "GetItem",
    "MulItem",
    "SetItem",
    "_last_writes",
    "_unsafe_masked_index",
    "_unsafe_masked_index_put_accumulate",
    "gather",
    "getitem",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "index_select",
    "is_basic",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "normalized",
    "put",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "setitem",
    "take",
    "take_along_dim",
    "unravel_index",
]
