"""Order: sorting, and the elements that have a place in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np

from ... import backend, return_types
from ...backend.hollow import filled, made_for
from ...dtypes.limits import highest, lowest
from ...errors import ArgumentError, DtypeError
from ...stand_ins import Tensor
from ...state import observed
from .. import layouts
from ..indexing.gather import flat_indices
from ..movement.dims import wrap_dim
from ..out import into
from ..spelling import numpy_spelling
from . import introsort, tie_breaking
from .axes import at_least_1d, check_not_empty, check_ordered
from .extrema import Median
from .picking import pick_along
from .scan_kernels import accumulate

R = TypeVar("R")
FEW = 32  # lines of so few elements are sorted whole
FEWEST = 10  # so few are found faster one after the other
MOST = 1 << 17  # elements among which PyTorch's order of equal ones is looked for
RADIX = 1 << 15  # so many integers PyTorch sorts by their digits, which leaves equal ones as they are


def _turned(x: Any, axis: int) -> Any:
    """x with an axis in the place of the last one, and that in its place."""
    return x if axis == x.ndim - 1 else x.swapaxes(axis, -1)


def _lines(x: Any, axis: int) -> Any:
    """(..., n, ...) -> (m, n): what lies along an axis."""
    *lead, n = (turned := _turned(filled(x), axis)).shape
    return turned.reshape(math.prod(lead), n)


def _at(input: Tensor, axis: int, index: Any, keepdim: bool, result: Callable[..., R], out: Any) -> R:
    """(values, indices) of input at (m, k) indices along its `_lines`."""
    *lead, _ = _turned(at_least_1d(input).array, axis).shape
    index = made_for(layouts.contiguous(_turned(index.reshape(*lead, index.shape[1]), axis)), input.device)
    return into(out, pick_along(input, axis, index, keepdim, result), exact=result.__name__)


def _taken(lines: Any, index: Any) -> Any:
    """The elements of lines at (m, k) indices."""
    return lines.take(flat_indices(1, index, lines.shape))


def _ranking(lines: Any, descending: bool = False) -> Any:
    """The indices that put lines in order, equal elements as they come; NaN counts as the greatest."""
    if not descending:
        return np.argsort(lines, 1, kind="stable")
    return lines.shape[1] - 1 - np.argsort(lines[:, ::-1], 1, kind="stable")[:, ::-1]


def _as_sorted(lines: Any, descending: bool) -> Any:
    """The same, but equal elements as PyTorch's sort leaves them on the CPU.

    Of so many elements that float32 numbers are equal by chance, it takes more than a chance; of more than MOST, they
    stay as they come.
    """
    index, n = _ranking(lines, descending), lines.shape[1]
    if n <= introsort.SHORT or not lines.size or backend.is_gpu(lines):
        return index
    tied = tie_breaking.equal_neighbours(_taken(lines, index)).sum(1) > n * n >> 24
    if np.count_nonzero(tied) * n > MOST:
        return index
    return _decided(lines, index, tied, lambda lines: tie_breaking.all_sorted(lines, descending))


def _decided(lines: Any, index: Any, tied: Any, choose: Callable[[Any], Any]) -> Any:
    """Indices (m, k), in those lines that are `tied` (m) as chosen of the line."""
    if tied.any():
        index[tied] = choose(lines[tied])
    return index


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
    axis = wrap_dim(dim, input.array.ndim, "sort")
    check_ordered(input, "sort")
    lines = _lines(at_least_1d(input).array, axis)
    by_digits = input.array.ndim == 1 and lines.shape[1] >= RADIX and lines.dtype.kind in "iu" and not descending
    index = (_ranking if stable or by_digits else _as_sorted)(lines, descending)
    return _at(input, axis, index, True, return_types.sort, out)


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
    axis = wrap_dim(dim, input.array.ndim, "topk")
    check_ordered(input, "topk", "iuf")
    lines = _lines(at_least_1d(input).array, axis)
    n = lines.shape[1]
    if not 0 <= k <= n:
        raise ArgumentError(f"topk: selected index k out of range: k is {k}, dimension {dim} has size {n}")
    k = k if input.array.ndim else 1  # a single number is given even where k is 0, as in PyTorch
    if not sorted and tie_breaking.MANY * k > n and lines.size and not backend.is_gpu(lines):
        index = tie_breaking.best(lines, k, largest, False)
    else:
        index = _best(lines, k, largest)
    return _at(input, axis, index, True, return_types.topk, out)


def _best(lines: Any, k: int, largest: bool) -> Any:
    """(m, n) -> (m, k): the indices of the best elements in order, of equal ones those that PyTorch takes."""
    n, gpu = lines.shape[1], backend.is_gpu(lines)
    index = _one_by_one(lines, k, largest) if k <= FEWEST and lines.size > 5000 and not gpu else None
    if index is None and (n <= FEW or 4 * k > n or not k):
        order = _ranking(lines, largest)
        index, beyond = order[:, :k], order[:, : k + 1]
        if not gpu and not tie_breaking.equal_neighbours(_taken(lines, beyond)).any():
            return index
    elif index is None:
        order = np.argpartition(lines, n - k if largest else k, 1)
        index = np.sort(order[:, n - k :] if largest else order[:, :k], 1)
        index = _taken(index, _ranking(_taken(lines, index), largest))
    if not index.size or gpu:
        return index
    tied = tie_breaking.tied(lines, _taken(lines, index), largest)
    return _decided(lines, index, tied, lambda lines: tie_breaking.best(lines, k, largest))


def _one_by_one(lines: Any, k: int, largest: bool) -> Any:
    """The indices of the k best elements, each found when those before are struck out; None where that goes wrong."""
    if lines.dtype.kind not in "if":
        return None
    lines = lines.copy()
    rows, worst = np.arange(len(lines)), (lowest if largest else highest)(lines.dtype)
    index = np.empty((len(lines), k), np.int64)
    for i in range(k):
        place = index[:, i] = lines.argmax(1) if largest else lines.argmin(1)
        found = lines[rows, place]
        if (found == worst).any() or not (largest or (found == found).all()):
            return None  # an element may be found twice; and argmin takes NaN for the least
        lines[rows, place] = worst
    return index


@numpy_spelling
@observed
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> return_types.kthvalue:
    """(values, indices) of the k-th smallest element along dim, counted from 1. Source: torch.kthvalue.

    >>> torch.kthvalue(torch.tensor([4.0, 2.0, 9.0]), 2).values
    tensor(4.)
    """
    axis = wrap_dim(dim, input.array.ndim, "kthvalue")
    check_ordered(input, "kthvalue", "iuf")
    x = at_least_1d(input)
    check_not_empty(x, axis, "kthvalue")
    if not 1 <= k <= x.array.shape[axis]:
        raise ArgumentError(
            f"kthvalue: selected number k out of range: k is {k}, dimension {dim} has size {x.shape[axis]}"
        )
    if out is not None and np.may_share_memory(out[0].array, input.array):
        raise ArgumentError("kthvalue: input and out share memory; clone() the input first")
    lines = _lines(x.array, axis)
    equal = _kth(lines, k - 1)[1]
    index = equal.argmax(1, keepdims=True)
    if not backend.is_gpu(index):
        index = _decided(lines, index, equal.sum(1) > 1, lambda lines: tie_breaking.kth(lines, k - 1)[:, None])
    return _at(input, axis, index, keepdim, return_types.kthvalue, out)


def _kth(lines: Any, k: int) -> tuple[Any, Any]:
    """The value at place k of each line's order, (m, 1), and which elements equal it, (m, n)."""
    value = np.partition(lines, k, 1)[:, k : k + 1]
    return value, _equal(lines, value)


def _equal(x: Any, value: Any) -> Any:
    return (x == value) | ((x != x) & (value != value))


def _place(lines: Any, k: int) -> Any:
    """(m, n) -> (m, 1): the index of the element at place k of the order, equal ones as they come."""
    if lines.shape[1] < FEW:
        return _ranking(lines)[:, k : k + 1]
    value, equal = _kth(lines, k)
    if not backend.is_gpu(lines) and np.count_nonzero(equal) == value.size:
        return equal.argmax(1, keepdims=True)
    before = k - (lines < value).sum(1, keepdims=True)
    return (equal.cumsum(1) > before).argmax(1, keepdims=True)


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
    check_ordered(input, op, "iuf")
    if dim is None:
        if keepdim:
            raise DtypeError(f"{op}: keepdim goes with a dim")
        if not input.array.size:
            nothing = input.sum()
            return into(out, nothing * math.nan if input.array.dtype.kind == "f" else nothing.to(input.dtype))
        return into(out, Median.apply(input, skip=skip, axis=None))
    axis = wrap_dim(dim, input.array.ndim, op)
    x = at_least_1d(input)
    check_not_empty(x, axis, op)
    return _at(input, axis, _middle(_lines(x.array, axis), skip), keepdim, result, out)


def _middle(lines: Any, skip: bool) -> Any:
    """(m, n) -> (m, 1): where the lower median of each line is, or its first NaN unless these are skipped."""
    n = lines.shape[1]
    nan = lines != lines
    if not backend.is_gpu(lines) and not nan.any():
        return _place(lines, (n - 1) // 2)
    if not skip:
        first = nan.argmax(1, keepdims=True)
        return np.where(nan.any(1, keepdims=True), first, _place(lines, (n - 1) // 2))
    numbers = n - nan.sum(1, keepdims=True)
    return _taken(_ranking(lines), np.maximum(numbers - 1, 0) // 2)


@numpy_spelling
def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> return_types.mode:
    """(values, indices) of the commonest element along dim, the smallest of several. Source: torch.mode.

    >>> torch.mode(torch.tensor([3, 1, 2, 3])).values
    tensor(3)
    """
    axis = wrap_dim(dim, input.array.ndim, "mode")
    check_ordered(input, "mode")
    check_not_empty(at_least_1d(input), axis, "mode")
    lines = _lines(at_least_1d(input).array, axis)
    values, place = np.sort(lines, 1), backend.like(np.arange(lines.shape[1]), lines)
    new = np.concatenate([values[:, :1] != values[:, :1], values[:, 1:] != values[:, :-1]], 1)
    run = place - accumulate(np.maximum, np.where(new, place, 0), 1)  # how many equal ones came before
    end = run.argmax(1, keepdims=True)
    if backend.is_gpu(lines):
        index = _taken(_ranking(lines), end)
    else:
        equal = _equal(lines, _taken(values, end))
        index, tied = equal.argmax(1, keepdims=True), equal.sum(1) > 1
        index = _decided(lines, index, tied, lambda lines: tie_breaking.sorted_at(lines, end[tied, 0])[:, None])
    return _at(input, axis, index, keepdim, return_types.mode, out)
