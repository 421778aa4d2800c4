"""unique and unique_consecutive: the different elements, or slices, with their places and counts."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from ... import backend, function
from ...backend.radix_sort import stable_argsort
from ...errors import KindError, ShapeError
from ...state import observed
from ...type_aliases import Array, Tensor
from ..movement.dims import wrap_dim
from ..support import fast_numpy
from ..support.spelling import tensors_only
from .sorting import torch_argsort
from .tie_breaking import equal_neighbors


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
@observed
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


def _row_order(rows: Array) -> Array:
    """(n, k) -> (n): the stable order of rows by their first column, then the second, and so on.

    Rows that differ from all others in the columns so far are done; the other ones are sorted by further columns, twice
    as many each time.
    """
    order = backend.like(np.arange(len(rows)), rows)
    places = order.copy()
    run, start, width = np.zeros_like(places), 0, 1  # run: numbers the places with equal rows
    while len(places) and start < rows.shape[1]:
        columns = rows[order[places], start : start + width]
        sorting = np.lexsort(columns.T[::-1])
        sorting = sorting[stable_argsort(run[sorting])]
        order[places], columns = order[places][sorting], columns[sorting]
        equal = np.all(equal_neighbors(columns.T), 0) & (run[1:] == run[:-1])
        begins, shared = np.ones_like(run, dtype=bool), np.zeros_like(run, dtype=bool)
        begins[1:] = ~equal
        shared[1:] = equal
        shared[:-1] |= equal
        places, run, start, width = places[shared], np.cumsum(begins)[shared], start + width, 2 * width
    return order


def _in_small_range(x: Array) -> bool:
    """Whether x has many integers, in a range no wider than their number, so that counting beats sorting."""
    return (
        x.ndim == 1 and x.dtype.kind in "iub" and x.size > 1000 and not backend.is_gpu(x)
        and int(x.max()) - int(x.min()) <= x.size
    )  # fmt: skip


def _unique_by_counting(x: Array, inverse: bool, counts: bool) -> tuple[Any, Any, Any, Any]:
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
@observed
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
    return fast_numpy.moveaxis(x, axis, 0).reshape(n, x.size // n if n else 1), (n,)


def _run_starts(rows: Array) -> Array:
    """Mark the elements or rows that differ from the one before."""
    starts = np.ones_like(rows, dtype=bool, shape=(len(rows),))
    differ = rows[1:] != rows[:-1]
    starts[1:] = differ if rows.ndim == 1 else np.any(differ, 1)
    return starts


def _run_lengths(is_start: Array) -> Array:
    """Return the lengths of the runs that begin where `is_start` is true."""
    starts = np.flatnonzero(is_start)
    counts = np.empty_like(starts)
    counts[:-1] = starts[1:]
    counts[-1:] = len(is_start)
    counts -= starts
    return counts


def _unique_result(
    input: Tensor, dim: int | None, shape: Any, rows: Array, first: Any, inverse: Array | None, counts: Array | None
) -> Any:
    """Make the result of `unique`: the rows at `first` in the shape of slices, then the inverse and the counts.

    If input is on a graph, the rows are selected from it by a recorded operation.
    """
    made, found = function.Tensor._wrap, rows[first]
    if dim is not None and input.array.ndim > 1:
        axis = dim % input.array.ndim
        rest = [n for i, n in enumerate(input.array.shape) if i != axis]
        found = fast_numpy.moveaxis(found.reshape(len(found), *rest), 0, axis)
        results = [made(found) if input.node is None else input.index_select(axis, made(first))]
    else:
        results = [made(found) if input.node is None else input.reshape(-1).index_select(0, made(first))]
    if inverse is not None:
        results.append(made(inverse.reshape(shape)))
    if counts is not None:
        results.append(made(counts))
    return tuple(results) if len(results) > 1 else results[0]
