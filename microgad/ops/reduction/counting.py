"""any, all, nonzero elements and their indices, and unique values with their counts."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from ... import backend, function
from ...backend.radix_sort import stable_argsort
from ...errors import ArgumentError, DtypeError, KindError, ShapeError
from ...fast_reductions import fast_reduce
from ...function import Function
from ...type_aliases import Tensor
from ..movement.dims import wrap_dim
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .axes import Dim, axes
from .sorting import torch_argsort
from .tie_breaking import equal_neighbors


class Any_(Function):
    """Whether any value along the axes is nonzero."""

    symbol, operator, numpy = "any", "any", np.any

    def forward(self, x):
        return layouts.row_major(backend.as_array(fast_reduce(np.logical_or, x, self.axis, self.keepdims)))


class All(Function):
    """Whether all values along the axes are nonzero."""

    symbol, numpy = "all", np.all

    def forward(self, x):
        return layouts.row_major(backend.as_array(fast_reduce(np.logical_and, x, self.axis, self.keepdims)))


class CountNonzero(Function):
    """How many values along the axes are not zero."""

    symbol, numpy = "count", np.count_nonzero

    def forward(self, x):
        if self.axis is None or backend.is_gpu(x):
            return layouts.contiguous(backend.as_array(np.count_nonzero(x, self.axis)))
        return layouts.contiguous(fast_reduce(np.add, x if x.dtype.kind == "b" else x != 0, self.axis, False))


def _any_or_all(cls: type[Function], input: Tensor, dim: Dim, keepdim: bool, op: str, out: Tensor | None) -> Tensor:
    """Apply `cls`, over no axes if dim is an empty tuple. The result is bool, or uint8 of uint8, as in PyTorch."""
    if out is not None and out.array.dtype not in (bool, np.uint8):
        raise DtypeError(f"{op} only supports bool tensor for result, got: {out.dtype}")
    axis = () if isinstance(dim, (tuple, list)) and not dim else axes(dim, input.array.ndim, op)
    result: Tensor = cls.apply(input, axis=axis, keepdims=keepdim)
    return into(out, result) if out is not None or input.array.dtype != np.uint8 else result.to(input.dtype)


@numpy_spelling
def any(input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Whether any value over dim is nonzero.

    Raises IndexError for a dim out of range, TypeError for an `out` that is neither bool nor uint8. Source: torch.any.

    >>> torch.any(torch.tensor([[0, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    return _any_or_all(Any_, input, dim, keepdim, "any", out)


@numpy_spelling
def all(input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Whether all values over dim are nonzero.

    Raises IndexError for a dim out of range, TypeError for an `out` that is neither bool nor uint8. Source: torch.all.

    >>> torch.all(torch.tensor([[1, 1], [0, 1]]), dim=1)
    tensor([ True, False])
    """
    return _any_or_all(All, input, dim, keepdim, "all", out)


@numpy_spelling
def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """Return the number of nonzero values over dim.

    Raises IndexError for a dim out of range. Source: torch.count_nonzero.

    >>> torch.count_nonzero(torch.tensor([[0, 1], [2, 3]]), dim=0)
    tensor([1, 2])
    """
    return CountNonzero.apply(input, axis=axes(dim, input.array.ndim, "count_nonzero"))


@overload
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: Literal[False] = False) -> Tensor: ...
@overload
def nonzero(input: Tensor, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
@tensors_only
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: bool = False) -> Any:
    """Return the indices of nonzero elements, one row for each; as a tuple, one Tensor for each dim.

    (n, input.ndim), or tuples of (n), of int64. Raises RuntimeError for `out` together with as_tuple.
    Source: torch.nonzero.

    >>> torch.nonzero(torch.tensor([[1, 0], [0, 2]]))
    tensor([[0, 0],
            [1, 1]])
    """
    x = input.array
    places = layouts.nonzero(x.reshape(x.shape or (1,)))
    if as_tuple:
        if out is not None:
            raise DtypeError("nonzero does not support the out kwarg when as_tuple is True")
        return tuple(function.Tensor._wrap(layouts.contiguous(place)) for place in places)
    found = np.stack(places).T
    return into(out, function.Tensor._wrap(found if x.ndim else found[:, :0]), exact="nonzero")


@tensors_only
def argwhere(input: Tensor) -> Tensor:
    """Return the indices of nonzero elements, one row for each. Source: torch.argwhere.

    >>> torch.argwhere(torch.tensor([0, 3]))
    tensor([[1]])
    """
    return nonzero(input)


@tensors_only
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the first `size` rows of `nonzero`, padded with rows of fill_value.

    Raises RuntimeError for a negative size. Source: torch.nonzero_static.

    >>> torch.nonzero_static(torch.tensor([0, 3]), size=2)
    tensor([[ 1],
            [-1]])
    """
    if size < 0:
        raise ArgumentError(f"nonzero_static: size must be a non-negative integer, got {size}")
    if input.is_meta:
        found = np.zeros_like(input.array, dtype=np.int64, shape=(0, input.ndim))
    else:
        found = nonzero(input).array[:size]
    padded = np.full_like(found, fill_value, order="C", shape=(size, found.shape[1]))
    padded[: len(found)] = found
    return into(out, function.Tensor._wrap(padded), exact="nonzero_static")


@overload
def unique(
    input: Tensor, sorted: bool = True, return_inverse: Literal[False] = False, return_counts: Literal[False] = False,
    dim: int | None = None,
) -> Tensor: ...  # fmt: skip
@overload
def unique(
    input: Tensor, sorted: bool = True, *, return_inverse: Literal[True], return_counts: Literal[False] = False,
    dim: int | None = None,
) -> tuple[Tensor, Tensor]: ...  # fmt: skip
@overload
def unique(
    input: Tensor, sorted: bool = True, return_inverse: Literal[False] = False, *, return_counts: Literal[True],
    dim: int | None = None,
) -> tuple[Tensor, Tensor]: ...  # fmt: skip
@overload
def unique(
    input: Tensor, sorted: bool = True, *, return_inverse: Literal[True], return_counts: Literal[True],
    dim: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...  # fmt: skip
@overload
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any: ...  # fmt: skip
@tensors_only
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """Return the sorted unique values of input, or with a dim its unique slices. Source: torch.unique.

    With return_inverse, also the index of each element's value in the result; with return_counts, also how often each
    value occurs. Each NaN is unique. The gradient of a value goes to its first occurrence; PyTorch has no derivative.
    Raises IndexError for a dim out of range, RuntimeError for complex numbers.

    >>> torch.unique(torch.tensor([3, 1, 1]), return_counts=True)
    (tensor([1, 3]), tensor([2, 1]))
    """
    rows, shape = _as_rows(input, dim, "unique")
    if _in_small_range(rows):
        return _unique_result(input, dim, shape, *_unique_by_counting(rows, return_inverse, return_counts))
    if rows.ndim == 1 and not return_inverse and input.node is None:
        rows = np.sort(rows)
        starts = _run_starts(rows)
        return _unique_result(input, dim, shape, rows, starts, None, _run_lengths(starts) if return_counts else None)
    order = stable_argsort(rows) if rows.ndim == 1 else _row_order(rows)
    starts = _run_starts(rows[order])
    inverse = None
    if return_inverse:
        inverse, places = np.empty_like(order), order
        if rows.ndim == 1 and rows.dtype.kind == "f" and np.any(rows != rows):
            places = torch_argsort(rows[None], False)[0]  # PyTorch numbers NaN after NaN as its sort leaves them
        inverse[places] = np.cumsum(starts) - 1
    counts = _run_lengths(starts) if return_counts else None
    return _unique_result(input, dim, shape, rows, order[starts], inverse, counts)


def _row_order(rows: Any) -> Any:
    """(n, k) -> (n): the stable order of rows by their first column, then the second, and so on.

    Rows that differ from all others in the columns so far are done; the other ones are sorted by further columns, twice
    as many each time.
    """
    order = backend.like(np.arange(len(rows)), rows)
    places = order.copy()
    run, start, width = np.zeros_like(places), 0, 1  # run: numbers the places with equal rows
    while len(places) and start < rows.shape[1]:
        columns = rows[order[places], start : start + width]
        sorting = np.lexsort(np.flip(columns.T, 0))
        sorting = sorting[stable_argsort(run[sorting])]
        order[places], columns = order[places][sorting], columns[sorting]
        equal = np.all(equal_neighbors(columns.T), 0) & (run[1:] == run[:-1])
        begins, shared = np.ones_like(run, dtype=bool), np.zeros_like(run, dtype=bool)
        begins[1:] = ~equal
        shared[1:] = equal
        shared[:-1] |= equal
        places, run, start, width = places[shared], np.cumsum(begins)[shared], start + width, 2 * width
    return order


def _in_small_range(x: Any) -> bool:
    """Whether x has many integers, in a range no wider than their number, so that counting beats sorting."""
    return (
        x.ndim == 1 and x.dtype.kind in "iub" and x.size > 1000 and not backend.is_gpu(x)
        and int(x.max()) - int(x.min()) <= x.size
    )  # fmt: skip


def _unique_by_counting(x: Any, inverse: bool, counts: bool) -> tuple[Any, Any, Any, Any]:
    """Return the last four arguments of `_unique_result`."""
    low = int(x.min())
    offsets = np.subtract(x, low, dtype=np.int64)
    occurrences = np.bincount(offsets)
    found = np.flatnonzero(occurrences)
    where = (np.cumsum(occurrences > 0) - 1)[offsets] if inverse else None
    return (found + low).astype(x.dtype), ..., where, occurrences[found] if counts else None


@overload
def unique_consecutive(
    input: Tensor, return_inverse: Literal[False] = False, return_counts: Literal[False] = False,
    dim: int | None = None,
) -> Tensor: ...  # fmt: skip
@overload
def unique_consecutive(
    input: Tensor, return_inverse: Literal[True], return_counts: Literal[False] = False, dim: int | None = None
) -> tuple[Tensor, Tensor]: ...
@overload
def unique_consecutive(
    input: Tensor, return_inverse: Literal[False] = False, *, return_counts: Literal[True], dim: int | None = None
) -> tuple[Tensor, Tensor]: ...
@overload
def unique_consecutive(
    input: Tensor, return_inverse: Literal[True], return_counts: Literal[True], dim: int | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
@overload
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any: ...
@tensors_only
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Collapse runs of equal neighbors, in input's order; arguments as in `unique`.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.unique_consecutive.

    >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    rows, shape = _as_rows(input, dim, "unique_consecutive")
    starts = _run_starts(rows)
    inverse = np.cumsum(starts) - 1 if return_inverse else None
    first = starts if input.node is None else np.flatnonzero(starts)
    return _unique_result(input, dim, shape, rows, first, inverse, _run_lengths(starts) if return_counts else None)


def _as_rows(input: Tensor, dim: int | None, op: str) -> tuple[Any, Any]:
    """Return the items to be compared, elements (n,) or flattened slices (n, k), and the shape of the inverse."""
    x = input.array
    if x.dtype.kind == "c":
        raise KindError(f"{op}: is not implemented for complex numbers, got {input.dtype}")
    axis = None if dim is None else wrap_dim(dim, x.ndim, op, wrap_scalar=False)
    if axis is None or x.ndim == 1:
        return x.reshape(-1), x.shape
    n = x.shape[axis]
    if 0 in (*x.shape[:axis], *x.shape[axis + 1 :]):
        raise ShapeError(
            f"{op}: There are 0 sized dimensions, and they aren't selected, so unique cannot be applied "
            f"(shape {x.shape}, dim {axis})"
        )
    return np.moveaxis(x, axis, 0).reshape(n, x.size // n if n else 1), (n,)


def _run_starts(rows: Any) -> Any:
    """Mark the elements or rows that differ from the one before."""
    starts = np.ones_like(rows, dtype=bool, shape=(len(rows),))
    differ = rows[1:] != rows[:-1]
    starts[1:] = differ if rows.ndim == 1 else np.any(differ, 1)
    return starts


def _run_lengths(is_start: Any) -> Any:
    """Return the lengths of the runs that begin where `is_start` is true."""
    starts = np.flatnonzero(is_start)
    counts = np.empty_like(starts)
    counts[:-1] = starts[1:]
    counts[-1:] = len(is_start)
    counts -= starts
    return counts


def _unique_result(input: Tensor, dim: int | None, shape: Any, rows: Any, first: Any, inverse: Any, counts: Any) -> Any:
    """Make the result of `unique`: the rows at `first` in the shape of slices, then the inverse and the counts.

    If input is on a graph, the rows are selected from it by a recorded operation.
    """
    made, found = function.Tensor._wrap, rows[first]
    if dim is not None and input.array.ndim > 1:
        axis = dim % input.array.ndim
        rest = [n for i, n in enumerate(input.array.shape) if i != axis]
        found = np.moveaxis(found.reshape(len(found), *rest), 0, axis)
        results = [made(found) if input.node is None else input.index_select(axis, made(first))]
    else:
        results = [made(found) if input.node is None else input.reshape(-1).index_select(0, made(first))]
    if inverse is not None:
        results.append(made(inverse.reshape(shape)))
    if counts is not None:
        results.append(made(counts))
    return tuple(results) if len(results) > 1 else results[0]
