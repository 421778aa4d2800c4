"""scatter and scatter_add: values written to, or added at, an index along one dimension."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from ... import backend, function
from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.notices import once
from ...state import observed
from ...type_aliases import Array, Operand, Tensor
from ..creation.scalars import checked_scalar
from ..support.out import into
from ..support.spelling import numpy_spelling
from .gather import checked_index, index_along
from .indexed_reduction import MulItem
from .item import AddItem, SetItem, Write, single_write

_REDUCE: dict[str | None, Any] = {None: SetItem, "add": AddItem, "multiply": MulItem}


def scatter_operands(op: str, input: Tensor, dim: int, index: Tensor, src: Any) -> tuple[Any, Any]:
    """Check the arguments of a scatter, and return its values and the index in input where they go."""
    if op == "scatter" and not isinstance(src, function.Tensor):
        axis, array = checked_index(op, input, dim, index)
        return checked_scalar(op, src, input.array.dtype), _index(input, axis, array)
    if src.array.dtype != input.array.dtype:
        raise DtypeError(f"{op}(): Expected self.dtype to be equal to src.dtype, got {input.dtype} and {src.dtype}")
    axis, array = checked_index(op, input, dim, index, src)
    if not array.size:
        return src.reshape(-1)[:0].reshape(array.shape), array
    if src.array.shape == array.shape:
        return src, _index(input, axis, array)
    if max(src.ndim, 1) != max(array.ndim, 1):
        raise ShapeError(
            f"{op}: Index tensor must have the same number of dimensions as src tensor, got {array.shape} and "
            f"{tuple(src.shape)}"
        )
    if any(n > m for n, m in zip(array.shape or (1,), src.array.shape or (1,), strict=True)):
        raise ShapeError(
            f"{op}: Expected index {array.shape} to be no larger than self {tuple(input.shape)} apart from dimension "
            f"{axis} and to be no larger size than src {tuple(src.shape)}"
        )
    if src.ndim != array.ndim:  # one of them has a single number
        return src.reshape(-1)[: array.size].reshape(array.shape), _index(input, axis, array)
    return src[tuple(slice(n) for n in array.shape)], _index(input, axis, array)


def _index(input: Tensor, axis: int, array: Array) -> Any:
    return index_along(axis, array, input.array.shape) if array.size and input.ndim else array


def scatter_call(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Write:
    """Check the arguments of `scatter`, and return its Write."""
    if reduce not in _REDUCE:
        raise ArgumentError(f"scatter: reduce argument must be either add or multiply, got {reduce!r}")
    if (src is None) == (value is None):
        raise TypeError(f"scatter(): expected src or value, got {'neither' if src is None else 'both'}")
    if reduce is not None and isinstance(src, function.Tensor):
        once("The reduce argument of torch.scatter with Tensor src is deprecated: use torch.scatter_reduce")
    source, where = scatter_operands("scatter", input, dim, index, value if src is None else src)
    if reduce == "multiply" and not isinstance(source, function.Tensor):
        source = function.Tensor._wrap(backend.make_like(np.full_like, input.array, source, shape=index.array.shape))
    name = f"ScatterBackward{int(not hasattr(src, 'array'))}" if reduce is None else "ScatterReduce"
    return single_write(name, _REDUCE[reduce], source, where)


@overload
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Operand, *, reduce: str | None = None, out: Tensor | None = None
) -> Tensor: ...
@overload
def scatter(
    input: Tensor, dim: int, index: Tensor, *, value: Operand, reduce: str | None = None, out: Tensor | None = None
) -> Tensor: ...
@numpy_spelling
@observed
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return input with the values of src, a Tensor or one number, written to index along dim. Source: torch.scatter.

    Of a repeated index the last value stays, and only that one has a gradient. With `reduce` ("add" or "multiply") all
    values are combined with input's. Raises IndexError for a dim out of range, RuntimeError for an index out of range,
    other shapes or dtypes.

    >>> torch.scatter(torch.zeros(2, 3), 1, torch.tensor([[2], [0]]), torch.tensor([[1.0], [2.0]]))
    tensor([[0., 0., 1.],
            [2., 0., 0.]])
    """
    call = scatter_call(input, dim, index, src, value=value, reduce=reduce)
    return into(out, call.out_of_place(input), exact="scatter")


def scatter_add_call(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Write:
    """Check the arguments of `scatter_add`, and return its Write."""
    source, where = scatter_operands("scatter_add", input, dim, index, src)
    return single_write("ScatterAdd", AddItem, source, where)


@numpy_spelling
@observed
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return input with the values of src added at index along dim. Raises as scatter does. Source: torch.scatter_add.

    >>> torch.scatter_add(torch.zeros(3), 0, torch.tensor([0, 0, 2]), torch.ones(3))
    tensor([2., 0., 1.])
    """
    return into(out, scatter_add_call(input, dim, index, src).out_of_place(input), exact="scatter_add")
