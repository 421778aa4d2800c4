"""Read and write by index: brackets (basic, integer, boolean, mixed), along one dimension, by mask, and flat."""

# isort: skip_file
# Without their `as`, `mypy --strict` takes `gather` and `scatter` for the files of these names.
from .index_along_dim import (
    IndexSelect, index_add, index_add_call, index_copy, index_copy_call, index_fill, index_fill_call, index_reduce,
    index_reduce_call, index_select, scatter_reduce, scatter_reduce_call,
)  # fmt: skip
from .gather import Gather, gather as gather, put, put_call, take, take_along_dim, unravel_index
from .index_parsing import normalize_index
from .item import (
    AddItem, ClearItem, GetItem, SetItem, fill_everywhere, fill_value_for, getitem, index_put, index_put_call, setitem,
)  # fmt: skip
from .masked import (
    MaskedScatter, _unsafe_masked_index, _unsafe_masked_index_put_accumulate, masked_fill, masked_fill_call,
    masked_scatter, masked_scatter_call, masked_select,
)  # fmt: skip
from .index_kernels import is_basic
from .indexed_reduction import ExtremeItem, MulItem
from .scatter import scatter as scatter, scatter_add, scatter_add_call, scatter_call
