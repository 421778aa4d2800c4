"""index_select, index_add, index_copy, index_fill, index_reduce, and scatter_reduce: slices by index along one dim."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ...backend.axes import at_axis
from ...errors import ArgumentError, DimError, DtypeError, ShapeError
from ...errors.notices import once
from ...function.linear_map import LinearMap
from ...function.naming import with_torch_name
from ...state import observed
from ...type_aliases import Operand, Tensor
from ..creation.scalars import scale_factor
from ..movement.dims import wrap_dim
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from . import index_kernels
from .index_kernels import ALL, wrap_indices
from .index_parsing import INT64, INTEGERS, checked_index_array, into_separate
from .indexed_reduction import reduction_call
from .item import AddItem, GetItem, SetItem, Write, fill_value_for, single_write
from .scatter import scatter_operands


def _checked_vector(
    op: str, input: Tensor, dim: int, index: Tensor, error: type[Exception] | None, *others: Any,
    dtypes: tuple[np.dtype[Any], ...] = INTEGERS, negative: bool = False,
) -> tuple[int, Any]:  # fmt: skip
    """Check a vector of indices along dim, and return the axis and the array; a 0-d input counts as a vector."""
    shape = input.array.shape
    axis = wrap_dim(dim, len(shape), op)
    array = checked_index_array(op, index, input, *others, dtypes=dtypes)
    if array.ndim > 1:
        raise DimError(f"{op}(): Index is supposed to be a vector, but got {array.shape}")
    if error is None:
        error = ArgumentError if axis == 1 else DimError  # PyTorch's two kernels raise different errors
    return axis, wrap_indices(array.reshape(-1), shape[axis] if shape else 1, op, error, negative, axis)


def _as_index(op: str, input: Tensor, dim: int, index: Tensor, error: type[Exception], *others: Any, **kw: Any) -> Any:
    """Convert a vector of indices along dim to a NumPy index of input; a 0-d input is indexed as a vector."""
    axis, array = _checked_vector(op, input, dim, index, error, *others, **kw)
    if ndim := input.array.ndim:
        return at_axis(axis, array, *(ALL,) * (ndim - axis - 1))
    return array


def _checked_source(op: str, input: Tensor, dim: int, index: Tensor, source: Tensor, error: type[Exception]) -> Tensor:
    """Check that source has input's dtype, and its shape except along dim, where its size is that of the index."""
    if source.array.dtype != input.array.dtype:
        raise DtypeError(
            f"{op}(): self and source expected to have the same dtype, but got (self) {input.dtype} and (source) "
            f"{source.dtype}"
        )
    expected, given = list(input.array.shape), source.array.shape
    if expected:
        at = wrap_dim(dim, len(expected), op)
        expected[at] = index.array.size
        if len(given) == len(expected) and (*given[:at], expected[at], *given[at + 1 :]) != tuple(expected):
            error = ShapeError  # in PyTorch, too, other slices are another error than their number
    alike = op == "index_copy" and len(given) <= 1 and len(expected) <= 1  # one element matches a 0-d Tensor
    if given != tuple(expected) and not (alike and source.array.size == index.array.size == 1):
        raise error(
            f"{op}(): source tensor shape must match self tensor shape, excluding the specified dimension, where it "
            f"has {index.numel()} indices. Got self.shape = {tuple(input.shape)} source.shape = {tuple(source.shape)}"
        )
    return source if expected and given else source.reshape(1)


class IndexSelect(LinearMap):
    """The slices of x at a vector of indices along an axis."""

    symbol, native_half = "index select", True

    def forward(self, x):
        return index_kernels.take_along(x, self.index, self.axis)

    def adjoint(self, grad):
        out = backend.zeros(self.x_shape, grad)
        index_kernels.add(out, at_axis(self.axis, self.index), grad, blank=True)
        return out


@numpy_spelling
@observed
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Select slices of input along dim by a vector of indices.

    Raises IndexError for a dim or an index out of range, RuntimeError unless index is of integers.
    Source: torch.index_select.

    >>> torch.index_select(torch.tensor([[1, 2], [3, 4]]), 0, torch.tensor([1, 0, 1]))
    tensor([[3, 4],
            [1, 2],
            [3, 4]])
    """
    axis, where = _checked_vector("index_select", input, dim, index, None)
    if input.array.ndim:
        taken = IndexSelect.apply(input, index=where, axis=axis)
    elif where.size == 1:
        taken = with_torch_name("IndexSelect", GetItem.apply(input, index=where.reshape(())))
    else:
        raise ShapeError(f"index_select(): Index to scalar can have only 1 value, got {where.size} value(s)")
    return into_separate("index_select", out, taken, input, index)


def index_add_call(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Write:
    """Check the arguments of `index_add`, and return its Write."""
    ndim = input.array.ndim  # PyTorch's two kernels raise different errors
    error = ArgumentError if ndim > 1 and index.dtype == INT64 and dim % ndim in (0, ndim - 1) else DimError
    where = _as_index("index_add", input, dim, index, error, source)
    source = _checked_source("index_add", input, dim, index, source, ShapeError)
    if alpha != 1:
        source = source * scale_factor("index_add", alpha, input.array.dtype)
    return single_write("IndexAdd", AddItem, source, where)


@numpy_spelling
@observed
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return input with alpha times the slices of source added at index along dim.

    Raises IndexError for a dim out of range, RuntimeError for an index out of range, other shapes or dtypes.
    Source: torch.index_add.

    >>> torch.index_add(torch.zeros(3), 0, torch.tensor([0, 0, 2]), torch.ones(3), alpha=2)
    tensor([4., 0., 2.])
    """
    return into(out, index_add_call(input, dim, index, source, alpha=alpha).out_of_place(input), exact="index_add")


def index_copy_call(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Write:
    """Check the arguments of `index_copy`, and return its Write."""
    where = _as_index("index_copy", input, dim, index, DimError, source, dtypes=(INT64,))
    source = _checked_source("index_copy", input, dim, index, source, DimError)
    return single_write("IndexCopy", SetItem, source, where)


@numpy_spelling
@observed
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return input with the slices of source copied to index along dim; of a repeated index the last stays.

    Raises IndexError for a dim or an index out of range, RuntimeError for another dtype.
    Source: torch.index_copy.

    >>> torch.index_copy(torch.zeros(3), 0, torch.tensor([2, 0]), torch.tensor([1.0, 2.0]))
    tensor([2., 0., 1.])
    """
    return into(out, index_copy_call(input, dim, index, source).out_of_place(input), exact="index_copy")


def index_fill_call(input: Tensor, dim: int, index: Tensor, value: Operand) -> Write:
    """Check the arguments of `index_fill`, and return its Write."""
    if index.array.dtype != INT64:
        raise DimError(f"index_fill_(): Expected dtype int64 for index, got {index.array.dtype}")
    where = _as_index("index_fill", input, dim, index, DimError, value, negative=True)
    name, value = f"IndexFillBackward{int(hasattr(value, 'array'))}", fill_value_for("index_fill", value, input)
    return single_write(name, SetItem, value, where, True, order=layouts.copy_order(input.array))


@numpy_spelling
@observed
def index_fill(input: Tensor, dim: int, index: Tensor, value: Operand) -> Tensor:
    """Return input with the slices at index along dim filled by one value, a number or 0-d Tensor.

    Raises IndexError for a dim or an index out of range, RuntimeError for a value with dimensions.
    Source: torch.index_fill.

    >>> torch.index_fill(torch.zeros(3), 0, torch.tensor([0, -1]), 5)
    tensor([5., 0., 5.])
    """
    return index_fill_call(input, dim, index, value).out_of_place(input)


def index_reduce_call(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Write:
    """Check the arguments of `index_reduce`, and return its Write."""
    once("index_reduce() is in beta in PyTorch, and the API may change.")
    where = _as_index("index_reduce", input, dim, index, DimError, source)
    source = _checked_source("index_reduce", input, dim, index, source, ShapeError)
    return reduction_call("index_reduce", input, source, where, reduce, include_self, ("prod", "mean", "amax", "amin"))


@numpy_spelling
@observed
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return input with the slices of source reduced ("prod", "mean", "amax", "amin") into those at index along dim.

    If `include_self` is false, the original values don't take part. Raises IndexError for a dim out of range or an
    index out of range, RuntimeError for another `reduce`. Source: torch.index_reduce.

    >>> torch.index_reduce(torch.ones(2), 0, torch.tensor([1, 1]), torch.tensor([2.0, 3.0]), "prod")
    tensor([1., 6.])
    """
    call = index_reduce_call(input, dim, index, source, reduce, include_self=include_self)
    return into(out, call.out_of_place(input), exact="index_reduce")


def scatter_reduce_call(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Write:
    """Check the arguments of `scatter_reduce`, and return its Write."""
    source, where = scatter_operands("scatter_reduce", input, dim, index, src)
    allowed = ("sum", "prod", "mean", "amax", "amin")
    return reduction_call("scatter_reduce", input, source, where, reduce, include_self, allowed)


@numpy_spelling
@observed
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return input with values of src reduced ("sum", "prod", "mean", "amax", "amin") into those at index along dim.

    If `include_self` is false, the original values don't take part. Raises IndexError for a dim out of range,
    RuntimeError for an index out of range or another `reduce`. Source: torch.scatter_reduce.

    >>> torch.scatter_reduce(torch.ones(2), 0, torch.tensor([0, 0, 1]), torch.tensor([2.0, 6.0, 5.0]), "mean")
    tensor([3., 3.])
    """
    call = scatter_reduce_call(input, dim, index, src, reduce, include_self=include_self)
    return into(out, call.out_of_place(input), exact="scatter_reduce")
