"""Order: sorting, and the elements that have a place in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from ... import backend, return_types
from ...errors import ArgumentError, DtypeError
from ...limits import highest, lowest
from ...stand_ins import Tensor
from ...state import observed
from ..indexing.gather import positions
from ..movement.dims import dim_of
from ..out import into
from ..spelling import numpy_spelling
from . import introsort, selection
from .axes import line, not_empty, ordered
from .extrema import Median
from .picking import picked
from .running import accumulated

FEW = 32  # elements that are sorted whole, equal ones as they come
FEWEST = 10  # elements that are found faster one after the other
MOST = 1 << 17  # elements among which PyTorch's order of equal ones is looked for
RADIX = 1 << 15  # so many integers PyTorch sorts by their digits, which leaves equal ones as they are


def ranking(x: Any, axis: int, descending: bool = False) -> Any:
    """The indices that put an array in order, equal elements as they come; NaN counts as the greatest."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    turned = (*(slice(None),) * axis, slice(None, None, -1))  # np.flip, in a tenth of its overhead
    return x.shape[axis] - 1 - np.argsort(x[turned], axis, kind="stable")[turned]


def _as_sorted(x: Any, axis: int, descending: bool = False) -> Any:
    """The same, but equal elements as PyTorch's sort leaves them on the CPU.

    Of so many elements that float32 numbers are equal by chance, it takes more than a chance; of more than MOST, they
    stay as they come.
    """
    index, n = ranking(x, axis, descending), x.shape[axis]
    if n <= introsort.SHORT or not x.size or backend.is_gpu(x):
        return index
    lines = _lines(np.take_along_axis(x, index, axis), axis)
    tied = selection.equal_neighbours(lines).sum(1) > n * n >> 24
    if np.count_nonzero(tied) * n > MOST:
        return index
    return _decided(x, index, axis, tied, lambda lines: selection.all_sorted(lines, descending))


@numpy_spelling
@observed
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = False, out: Any = None
) -> return_types.sort:
    """(values, indices) in order along dim; NaN is the greatest. Source: torch.sort.

    If not `stable`, the indices of equal elements are in the order in which PyTorch leaves them on the CPU.

    >>> torch.sort(torch.tensor([3.0, 1.0, 2.0])).indices
    tensor([1, 2, 0])
    """
    axis = dim_of(dim, input.array.ndim, "sort")
    ordered(input, "sort")
    x = line(input).array
    kept = stable or (x.ndim == 1 and len(x) >= RADIX and x.dtype.kind in "iu" and not descending)
    index = (ranking if kept else _as_sorted)(x, axis, descending)
    return into(out, picked(input, axis, index, True, return_types.sort), exact="sort")


@numpy_spelling
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """The indices that put input in order along dim, of equal elements as in `sort`. Source: torch.argsort.

    >>> torch.argsort(torch.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([0, 2, 1])
    """
    return into(out, sort(input.detach(), dim, descending, stable=stable).indices)


def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The values in order along the first dim. Source: torch.msort.

    >>> torch.msort(torch.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])
    """
    return into(out, sort(input, 0).values, exact="msort")


@numpy_spelling
@observed
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None
) -> return_types.topk:
    """(values, indices) of the k largest, or smallest, elements along dim. Source: torch.topk.

    They are in order; if not `sorted`, as PyTorch leaves them on the CPU. Raises RuntimeError where there are fewer.

    >>> torch.topk(torch.tensor([1.0, 5.0, 3.0]), 2).values
    tensor([5., 3.])
    """
    axis = dim_of(dim, input.array.ndim, "topk")
    ordered(input, "topk", "iuf")
    x = line(input).array
    n = x.shape[axis]
    if not input.array.ndim and k == 0:
        k = 1  # as PyTorch does
    if not 0 <= k <= n:
        raise ArgumentError(f"topk: selected index k out of range: k is {k}, dimension {dim} has size {n}")
    k = k if input.array.ndim else 1  # of a number that, even where k is 0
    if not sorted and selection.MANY * k > n and not backend.is_gpu(x):
        nowhere, every = np.zeros((*x.shape[:axis], k, *x.shape[axis + 1 :]), np.int64), np.ones(x.size // n, bool)
        found = _decided(x, nowhere, axis, every, lambda lines: selection.best(lines, k, largest, False))
        return into(out, picked(input, axis, found, True, return_types.topk), exact="topk")
    index = _one_by_one(x, k, axis, largest) if k <= FEWEST and x.size > 5000 else None
    if index is None and (n <= FEW or 4 * k > n or not k):
        order = ranking(x, axis, largest)
        index = _cut(order, axis, 0, k)
        if not backend.is_gpu(x) and index.size and not _ties(x, _cut(order, axis, 0, k + 1), axis):
            return into(out, picked(input, axis, index, True, return_types.topk), exact="topk")
    elif index is None:
        order = np.argpartition(x, n - k if largest else k, axis)
        index = np.sort(_cut(order, axis, n - k, n) if largest else _cut(order, axis, 0, k), axis)
        best = ranking(np.take_along_axis(x, index, axis), axis, largest)
        index = np.take_along_axis(index, best, axis)
    return into(out, picked(input, axis, _as_torch(x, index, axis, largest), True, return_types.topk), exact="topk")


def _ties(x: Any, index: Any, axis: int) -> bool:
    """Whether some of the elements at indices along an axis, which are in order, are equal."""
    found = x.take(positions(axis, index, x.shape))
    before, after = _cut(found, axis, 0, index.shape[axis] - 1), _cut(found, axis, 1, index.shape[axis])
    return not (before != after).all() or bool((after != after).any())


def _as_torch(x: Any, index: Any, axis: int, largest: bool) -> Any:
    """The indices of the best elements, where some are equal those that PyTorch takes on the CPU."""
    k = index.shape[axis]
    if not index.size or backend.is_gpu(x):
        return index
    lines, places = (_lines(t, axis) for t in (x, index))
    tied = selection.tied(lines, lines[np.arange(len(lines))[:, None], places], largest)
    return _decided(x, index, axis, tied, lambda lines: selection.best(lines, k, largest))


def _decided(x: Any, index: Any, axis: int, tied: Any, choose: Callable[[Any], Any]) -> Any:
    """Indices along an axis, in those lines that are `tied` as chosen of the line."""
    if not tied.any():
        return index
    lines, places = _lines(x, axis), _lines(index, axis).copy()
    places[tied] = choose(lines[tied])
    shape = np.swapaxes(index, axis, -1).shape
    return np.swapaxes(places.reshape(shape), -1, axis)


def _lines(x: Any, axis: int) -> Any:
    return x.swapaxes(axis, -1).reshape(-1, x.shape[axis])


def _one_by_one(x: Any, k: int, axis: int, largest: bool) -> Any:
    """The indices of the k best elements, each found when those before are struck out; None where that goes wrong."""
    if x.dtype.kind not in "if" or not x.size or backend.is_gpu(x):
        return None
    moved = np.moveaxis(x, axis, -1)
    lines = np.array(moved, order="C").reshape(-1, moved.shape[-1])
    rows, worst = np.arange(len(lines)), (lowest if largest else highest)(x.dtype)
    index = np.empty((len(lines), k), np.int64)
    for i in range(k):
        place = index[:, i] = lines.argmax(1) if largest else lines.argmin(1)
        found = lines[rows, place]
        if (found == worst).any() or not (largest or (found == found).all()):
            return None  # one may be found twice; and to argmin NaN is the least
        lines[rows, place] = worst
    return np.moveaxis(index.reshape(*moved.shape[:-1], k), -1, axis)


def _cut(x: Any, axis: int, start: int, stop: int) -> Any:
    return x[(*(slice(None),) * axis, slice(start, stop))]


@numpy_spelling
@observed
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> return_types.kthvalue:
    """(values, indices) of the k-th smallest element along dim, counted from 1. Source: torch.kthvalue.

    >>> torch.kthvalue(torch.tensor([4.0, 2.0, 9.0]), 2).values
    tensor(4.)
    """
    axis = dim_of(dim, input.array.ndim, "kthvalue")
    ordered(input, "kthvalue", "iuf")
    x = line(input)
    not_empty(x, axis, "kthvalue")
    if not 1 <= k <= x.array.shape[axis]:
        raise ArgumentError(
            f"kthvalue: selected number k out of range: k is {k}, dimension {dim} has size {x.shape[axis]}"
        )
    if out is not None and np.may_share_memory(out[0].array, input.array):
        raise ArgumentError("kthvalue: input and out share memory; clone() the input first")
    equal = _kth(x.array, k - 1, axis)[1]
    index = equal.argmax(axis, keepdims=True)
    if not backend.is_gpu(index):
        tied = _lines(equal, axis).sum(1) > 1
        index = _decided(x.array, index, axis, tied, lambda lines: selection.kth(lines, k - 1)[:, None])
    return into(out, picked(input, axis, index, keepdim, return_types.kthvalue), exact="kthvalue")


def _kth(x: Any, k: int, axis: int) -> tuple[Any, Any]:
    """The value at place k of the order, kept as an axis of length 1, and which elements equal it."""
    value = _cut(np.partition(x, k, axis), axis, k, k + 1)
    return value, _equal(x, value)


def _equal(x: Any, value: Any) -> Any:
    return (x == value) | ((x != x) & (value != value))


def _place(x: Any, k: int, axis: int) -> Any:
    """The index of the element at place k of the order, equal ones as they come, kept as an axis of length 1."""
    if x.shape[axis] < FEW:
        return _cut(ranking(x, axis), axis, k, k + 1)
    value, equal = _kth(x, k, axis)
    if not backend.is_gpu(x) and np.count_nonzero(equal) == value.size:
        return equal.argmax(axis, keepdims=True)
    before = k - (x < value).sum(axis, keepdims=True)
    return (equal.cumsum(axis) > before).argmax(axis, keepdims=True)


@overload
def median(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def median(input: Tensor, dim: int, keepdim: bool = False, *, out: Any = None) -> return_types.median: ...
@numpy_spelling
@observed
def median(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """The median of all values, the lower of two; with a dim, (values, indices). NaN wins. Source: torch.median.

    >>> torch.median(torch.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    return _median(input, dim, keepdim, out, False, return_types.median)


@overload
def nanmedian(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def nanmedian(input: Tensor, dim: int, keepdim: bool = False, *, out: Any = None) -> return_types.nanmedian: ...
@numpy_spelling
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """The median of what is not NaN, the lower of two; with a dim, (values, indices). Source: torch.nanmedian.

    >>> torch.nanmedian(torch.tensor([4.0, torch.nan, 3.0]))
    tensor(3.)
    """
    return _median(input, dim, keepdim, out, True, return_types.nanmedian)


def _median(input: Tensor, dim: int | None, keepdim: bool, out: Any, skip: bool, result: type[Any]) -> Any:
    op = result.__name__
    ordered(input, op, "iuf")
    if dim is None:
        if keepdim:
            raise DtypeError(f"{op}: keepdim goes with a dim")
        if not input.array.size:
            nothing = input.sum()
            return into(out, nothing * math.nan if input.array.dtype.kind == "f" else nothing.to(input.dtype))
        return into(out, Median.apply(input, skip=skip, axis=None))
    axis = dim_of(dim, input.array.ndim, op)
    x = line(input)
    not_empty(x, axis, op)
    return into(out, picked(input, axis, _middle(x.array, axis, skip), keepdim, result), exact=result.__name__)


def _middle(x: Any, axis: int, skip: bool) -> Any:
    """Where the lower median of each line is; where there is a NaN, unless it is skipped, the first NaN."""
    n = x.shape[axis]
    nan = x != x
    if not backend.is_gpu(x) and not nan.any():
        return _place(x, (n - 1) // 2, axis)
    if not skip:
        first = nan.argmax(axis, keepdims=True)
        return np.where(nan.any(axis, keepdims=True), first, _place(x, (n - 1) // 2, axis))
    numbers = n - nan.sum(axis, keepdims=True)
    return np.take_along_axis(ranking(x, axis), np.maximum(numbers - 1, 0) // 2, axis)


@numpy_spelling
def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> return_types.mode:
    """(values, indices) of the commonest element along dim, the smallest of several. Source: torch.mode.

    >>> torch.mode(torch.tensor([3, 1, 2, 3])).values
    tensor(3)
    """
    axis = dim_of(dim, input.array.ndim, "mode")
    ordered(input, "mode")
    not_empty(line(input), axis, "mode")
    x = line(input).array
    values = np.sort(x, axis)
    n = x.shape[axis]
    place = backend.like(np.arange(n).reshape([n if i == axis else 1 for i in range(x.ndim)]), values)
    differ = _cut(values, axis, 1, n) != _cut(values, axis, 0, n - 1)
    new = np.concatenate([_cut(values != values, axis, 0, 1), differ], axis)
    run = place - accumulated(np.maximum, np.where(new, place, 0), axis)  # how many equal ones came before
    end = run.argmax(axis, keepdims=True)
    if backend.is_gpu(x):
        index = np.take_along_axis(ranking(x, axis), end, axis)
    else:
        equal = _equal(x, np.take_along_axis(values, end, axis))
        index, tied, at = equal.argmax(axis, keepdims=True), _lines(equal, axis).sum(1) > 1, _lines(end, axis)[:, 0]
        index = _decided(x, index, axis, tied, lambda lines: selection.sorted_at(lines, at[tied])[:, None])
    return into(out, picked(input, axis, index, keepdim, return_types.mode), exact="mode")
