"""Sorting and order statistics: sort, topk, kthvalue, median, mode.

Inside, the input is a matrix of `lines` (m, n): row i is the i-th 1-d slice along the axis.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np

from ... import backend, function, return_types
from ...backend.meta import as_zeros, placed_on
from ...backend.radix_sort import kth_smallest, stable_argsort
from ...dtypes.limits import highest, lowest
from ...errors import ArgumentError, DtypeError
from ...function.naming import with_torch_name
from ...state import observed
from ...type_aliases import Array, GivenInt, Tensor
from ..indexing import places
from ..indexing.gather import flat_indices
from ..movement.dims import wrap_dim
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from . import introsort, tie_breaking
from .axes import at_least_1d, check_not_empty, check_ordered
from .extrema import Median, equal_or_both_nan
from .picking import pick_along
from .scan_kernels import accumulate

R = TypeVar("R")
SHORT_LINE = 32  # lines up to this length are sorted whole
WHOLE_LINE, WHOLE_SIZE = 256, 1 << 10  # and lines up to this length, or fewer elements, where sorting is vectorized
SMALL_K = 10  # up to this k the best elements are found faster one after the other
FEW_LINES = 4  # of so many the best elements are found faster in one after the other than in all at once
BY_DIGITS_MIN = 1250  # from this length on a sort by digits is faster than NumPy's vectorized sort
LONG_LINE = 1 << 11  # from this length on only elements of the best groups are compared
GROUPS = 4  # the number of groups for each of the k best elements; in a group there are at least 8
TAKEN_FROM_COPY = 1 << 13  # elements up to which lines with gaps are copied sooner than places in them are computed
COPIED_MIN = 1 << 12  # elements from which on lines with gaps are copied before they are sorted
MAX_ASTRAY = 1 << 14  # the most elements, in lines with NaN, for which PyTorch's mode is worked out
MAX_TIED = 1 << 17  # the most elements for which PyTorch's order of equal elements is worked out
RADIX_MIN = 1 << 15  # from this many integers on PyTorch uses radix sort, which is stable


def _with_axis_last(x: Array, axis: int) -> Array:
    """Exchange an axis with the last one."""
    return x if axis == x.ndim - 1 else x.swapaxes(axis, -1)


def _lines(x: Array, axis: int, dense: bool = True) -> Array:
    """(..., n, ...) -> (m, n): the 1-d slices along an axis. On "meta" one of zeros stands for all of them.

    With `dense` many are copied if they have gaps: otherwise NumPy copies each of them when it sorts.
    """
    turned = _with_axis_last(x, axis)
    if backend.device_of(x).type == "meta":
        turned = as_zeros(turned[(slice(1),) * (turned.ndim - 1)])
    lines = turned.reshape(math.prod(turned.shape[:-1]), turned.shape[-1])
    return layouts.contiguous(lines) if dense and lines.size >= COPIED_MIN else lines


def _pick_at(input: Tensor, axis: int, index: Array, keepdim: bool, result: Callable[..., R], out: Any) -> R:
    """Make the named tuple `result` of the values and indices of input at `index` (m, k) into its `_lines`."""
    index = _along(axis, index, input)
    return into(out, pick_along(input, axis, index, keepdim, result), exact=result.__name__)


def _along(axis: int, index: Array, input: Tensor) -> Array:
    """(m, k) -> (..., k, ...): give indices into the `_lines` of input the input's shape, but for the axis."""
    *lead, _ = _with_axis_last(at_least_1d(input).array, axis).shape
    index, count = placed_on(index, input.device), math.prod(lead)
    if len(index) < count:  # on "meta"
        index = np.broadcast_to(index, (count, index.shape[1]))
    return layouts.row_major(_with_axis_last(index.reshape(*lead, index.shape[1]), axis))


def _take_from_lines(lines: Array, index: Array) -> Array:
    """Take the elements of lines at (m, k) indices; few of many without NumPy's copy of lines with gaps."""
    few = lines.size > TAKEN_FROM_COPY and 2 * index.size < lines.size
    memory, steps = places.flat_memory(lines) if few else (lines, None)
    return memory.take(flat_indices(1, index, lines.shape, steps))


def _stable_argsort(lines: Array, descending: bool = False) -> Array:
    """Sort lines stably, also if `descending`, and return the indices; NaN counts as the greatest."""
    if not descending:
        return stable_argsort(lines)
    return lines.shape[1] - 1 - stable_argsort(lines[:, ::-1])[:, ::-1]


def _argsort_of_distinct(lines: Array, descending: bool) -> Array:
    """Sort lines and return the indices, with equal elements in any order. NumPy vectorizes this, unlike stable sorts.

    Long lines, and small dtypes, are sorted stably, by digits.
    """
    if _by_digits(lines):
        return _stable_argsort(lines, descending)
    index = lines.argsort(1)  # np.argsort takes 1 µs longer
    return index[:, ::-1] if descending else index


def _by_digits(lines: Array) -> bool:
    narrow = lines.dtype.itemsize <= 4 or lines.dtype.kind in "iu"
    return lines.shape[1] >= BY_DIGITS_MIN or (narrow and lines.size > 5000)


def torch_argsort(lines: Array, descending: bool) -> Array:
    """Sort lines with equal elements in the order in which PyTorch's unstable sort leaves them on the CPU.

    Stable order is kept for lines with no more ties than random float32 numbers have by chance, and where more than
    MAX_TIED elements are in lines with ties.
    """
    n = lines.shape[1]
    if n <= introsort.INSERTION_MAX or not lines.size or backend.is_gpu(lines):
        return _stable_argsort(lines, descending)
    stable = _by_digits(lines) or (lines.size > MAX_TIED and lines.dtype.kind != "f")  # among many integers are ties
    index = (_stable_argsort if stable else _argsort_of_distinct)(lines, descending)
    equal = tie_breaking.equal_neighbors(_take_from_lines(lines, index))
    if not np.count_nonzero(equal):
        return index
    tied = equal.sum(1) > n * n >> 24
    if np.count_nonzero(tied) * n > MAX_TIED:
        return index if stable else _stable_argsort(lines, descending)
    return _resolve_ties(lines, index, tied, lambda lines: tie_breaking.argsort(lines, descending))


def _resolve_ties(lines: Array, index: Array, tied: Array, choose: Callable[[Any], Any]) -> Array:
    """Replace the rows of `index` (m, k) of the lines marked in `tied` (m) by `choose(those lines)`."""
    if np.count_nonzero(tied):
        index[tied] = choose(lines if tied.all() else lines[tied])
    return index


@numpy_spelling
@observed
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = False, out: Any = None
) -> return_types.sort:
    """Return (values, indices) sorted along dim; NaN counts as the greatest. Source: torch.sort.

    If not `stable`, equal elements come in the order in which PyTorch's unstable sort leaves them on the CPU, but in
    stable order where lines with ties have more than 2¹⁷ elements.

    >>> torch.sort(torch.tensor([3.0, 1.0, 2.0])).indices
    tensor([1, 2, 0])
    """
    axis, index = _order(input, dim, descending, stable)
    in_its_order = functools.partial(layouts.match_strides, x=input.array)
    return into(out, pick_along(input, axis, index, True, return_types.sort, in_its_order), exact="sort")


def _order(input: Tensor, dim: int, descending: bool, stable: bool | None) -> tuple[int, Array]:
    """Return the axis, and the indices that sort input along it."""
    axis = wrap_dim(dim, input.array.ndim, "sort")
    check_ordered(input, "sort")
    x = at_least_1d(input).array
    lines = _lines(x, axis)
    by_radix = x.ndim == 1 and lines.shape[1] >= RADIX_MIN and lines.dtype.kind in "iu" and not descending
    keeps_order = stable or by_radix or x.strides[axis] == 0  # PyTorch doesn't sort along an expanded axis
    return axis, _along(axis, (_stable_argsort if keeps_order else torch_argsort)(lines, descending), input)


@numpy_spelling
@observed
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Return the indices that sort input along dim, with equal elements in the order of `sort`.

    Raises IndexError for a dim out of range, RuntimeError for complex numbers. Source: torch.argsort.

    >>> torch.argsort(torch.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([0, 2, 1])
    """
    _, index = _order(input.detach(), dim, descending, stable)  # a cut, which `why_no_grad` names
    index = layouts.match_strides(index.reshape(input.array.shape), input.array)
    return into(out, function.Tensor._wrap(index), exact="argsort")


def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the values sorted along the first dim. Source: torch.msort.

    >>> torch.msort(torch.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])
    """
    return into(out, sort(input, 0).values, exact="msort")


@numpy_spelling
@observed
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None
) -> return_types.topk:
    """Return (values, indices) of the k largest elements along dim, or the k smallest. Source: torch.topk.

    They are sorted, best first; if not `sorted`, they come as PyTorch leaves them on the CPU. Raises RuntimeError where
    the dim has fewer than k elements.

    >>> torch.topk(torch.tensor([1.0, 5.0, 3.0]), 2).values
    tensor([5., 3.])
    """
    axis = wrap_dim(dim, input.array.ndim, "topk")
    check_ordered(input, "topk", "iuf")
    lines = _lines(at_least_1d(input).array, axis, False)
    n = lines.shape[1]
    if not 0 <= k <= n:
        raise ArgumentError(f"topk: selected index k out of range: k is {k}, dimension {dim} has size {n}")
    k = k if input.array.ndim else 1  # as in PyTorch, a 0-d input gives its number even for k = 0
    if not sorted and tie_breaking.HEAP_RATIO * k > n and lines.size and not backend.is_gpu(lines):
        index = tie_breaking.topk(lines, k, largest, False)
    else:
        index = topk_indices(lines, k, largest)
    return _pick_at(input, axis, index, True, return_types.topk, out)


def topk_indices(lines: Array, k: int, largest: bool) -> Array:
    """(m, n) -> (m, k): the indices of the k best elements, best first; among equal ones those that PyTorch takes."""
    n, gpu = lines.shape[1], backend.is_gpu(lines)
    if k == 1 and lines.size and not gpu:
        index, alone, ordered = _best_of_each(lines, largest)
        if alone or largest or ordered:
            return index if alone else _as_pytorch_chooses(lines, index, k, largest)
    whole = _sorted_whole(lines, k, gpu)
    if k <= min(SMALL_K, n // 4) and (lines.size > 5000 or not whole) and not gpu:
        index = _topk_by_argmax(lines, k, largest)
        if index is not None:
            return _as_pytorch_chooses(lines, index, k, largest)
    if whole:
        order = (_stable_argsort if gpu else _argsort_of_distinct)(lines, largest)
        ties = None if gpu or not k else tie_breaking.equal_neighbors(_take_from_lines(lines, order[:, : k + 1]))
        if ties is not None and not np.count_nonzero(ties):
            return order[:, :k]
        return _as_pytorch_chooses(lines, order[:, :k], k, largest)
    long = n >= max(LONG_LINE, 8 * GROUPS * k) and lines.size and not gpu
    places = np.array([_best_of_line(x, k, largest) for x in lines]) if long else _best_places(lines, k, largest)
    index = _take_from_lines(places, _stable_argsort(_take_from_lines(lines, places), largest))
    return _as_pytorch_chooses(lines, index, k, largest)


def _best_of_each(lines: Array, largest: bool) -> tuple[Any, bool, bool]:
    """Return the index of each line's best element, (m, n) -> (m, 1); argmax and argmin take a NaN for the best.

    Also return whether no line has another element as good, or NaN, and whether none has NaN.
    """
    index = lines.argmax(1, keepdims=True) if largest else lines.argmin(1, keepdims=True)
    best = _take_from_lines(lines, index)
    ordered = not np.count_nonzero(best != best)
    return index, ordered and np.count_nonzero(lines == best) == len(lines), ordered


def _sorted_whole(lines: Array, k: int, gpu: bool) -> bool:
    """Whether sorting lines takes less time than finding their k best elements first."""
    n = lines.shape[1]
    if n <= SHORT_LINE or 4 * k > n or not k:
        return True
    vectorized = not gpu and lines.dtype.itemsize >= 4
    return vectorized and (n <= WHOLE_LINE or lines.size <= WHOLE_SIZE)


def _as_pytorch_chooses(lines: Array, index: Array, k: int, largest: bool) -> Array:
    """Replace the indices in lines with ties by those of PyTorch's topk; on a GPU any will do."""
    if not index.size or backend.is_gpu(lines):
        return index
    tied = tie_breaking.have_ties(lines, _take_from_lines(lines, index), largest)
    return _resolve_ties(lines, index, tied, lambda lines: tie_breaking.topk(lines, k, largest))


def _best_places(lines: Array, k: int, largest: bool) -> Array:
    """(..., n) -> (..., k): the indices of the k best elements, in ascending order."""
    order = np.argpartition(lines, lines.shape[-1] - k if largest else k - 1, -1)
    return np.sort(order[..., lines.shape[-1] - k :] if largest else order[..., :k], -1)


def _best_of_line(line: Array, k: int, largest: bool) -> Array:
    """Compute `_best_places` of one long line.

    The best elements of the k best groups are k elements. So only what is not worse than all of them, or is NaN, has to
    be compared further.
    """
    count = GROUPS * k
    groups = line[: len(line) // count * count].reshape(-1, count)
    best, last = (groups.max(0), count - k) if largest else (groups.min(0), k - 1)
    limit = np.partition(best, last)[last]
    near = np.flatnonzero(~(line < limit if largest else line > limit))
    return near[_best_places(line[near], k, largest)]


def _topk_by_argmax(lines: Array, k: int, largest: bool) -> Any:
    """Find the k best elements by argmax, overwriting each with the worst value; None where that isn't safe."""
    lines = lines.copy()
    rows, worst = np.arange(len(lines)), (lowest if largest else highest)(lines.dtype)
    index = np.empty((len(lines), k), np.int64)
    if len(lines) <= FEW_LINES:
        for line, places in zip(lines, index, strict=True):
            for i in range(k):
                place = places[i] = int(line.argmax() if largest else line.argmin())
                found = line[place]
                if found == worst or not (largest or found == found):
                    return None
                line[place] = worst
        return index
    for i in range(k):
        place = index[:, i] = lines.argmax(1) if largest else lines.argmin(1)
        found = lines[rows, place]
        if (found == worst).any() or not (largest or (found == found).all()):
            return None  # an overwritten element may be found again; argmin takes NaN for the least
        lines[rows, place] = worst
    return index


@numpy_spelling
@observed
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> return_types.kthvalue:
    """Return (values, indices) of the k-th smallest element along dim, counted from 1.

    Raises RuntimeError unless 1 <= k <= the size of dim, and for an `out` that shares memory with input; IndexError for
    a dim out of range. Source: torch.kthvalue.

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
    on_cpu = not backend.is_gpu(lines)
    index, alone, _ = _best_of_each(lines, False) if k == 1 and lines.size and on_cpu else (None, False, False)
    if not alone:
        equal = _kth_value_and_ties(lines, k - 1)[1]
        index = equal.argmax(1, keepdims=True)
        if on_cpu:
            index = _resolve_ties(lines, index, equal.sum(1) > 1, lambda x: tie_breaking.kthvalue(x, k - 1)[:, None])
    return _pick_at(input, axis, index, keepdim, return_types.kthvalue, out)


def _kth_value_and_ties(lines: Array, k: int) -> tuple[Array, Array]:
    """Return the k-th smallest value of each line, counted from 0, (m, 1), and which elements equal it, (m, n)."""
    value = kth_smallest(lines, k)
    return value, equal_or_both_nan(lines, value)


def _index_of_kth(lines: Array, k: int) -> Array:
    """(m, n) -> (m, 1): the index of the k-th smallest element, counted from 0, with equal ones in stable order."""
    if lines.shape[1] < SHORT_LINE:
        return _stable_argsort(lines)[:, k : k + 1]
    value, equal = _kth_value_and_ties(lines, k)
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
def median(input: Tensor, dim: GivenInt = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the lower median of all values; with a dim, (values, indices). NaN if there is one.

    Raises IndexError for a dim out of range, RuntimeError for booleans and complex numbers. Source: torch.median.

    >>> torch.median(torch.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    return _median(input, dim, keepdim, out, False, return_types.median)


@overload
def nanmedian(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def nanmedian(input: Tensor, dim: int, keepdim: bool = False, *, out: Any = None) -> return_types.nanmedian: ...
@numpy_spelling
@observed
def nanmedian(input: Tensor, dim: GivenInt = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the lower median of the values that are not NaN; with a dim, (values, indices).

    Raises IndexError for a dim out of range, RuntimeError for booleans and complex numbers. Source: torch.nanmedian.

    >>> torch.nanmedian(torch.tensor([4.0, torch.nan, 3.0]))
    tensor(3.)
    """
    return _median(input, dim, keepdim, out, True, return_types.nanmedian)


def _median(input: Tensor, dim: int | None, keepdim: bool, out: Any, skip: bool, result: type[Any]) -> Any:
    """Compute median, or nanmedian if `skip`."""
    op = result.__name__
    check_ordered(input, op, "iuf")
    if dim is None:
        if keepdim:
            raise DtypeError(f"{op}: keepdim goes with a dim")
        if not input.array.size:
            return into(out, (input.sum() * math.nan).to(input.dtype))  # of integers what NaN is converted to
        return into(out, with_torch_name(f"{op.capitalize()}Backward0", Median.apply(input, skip=skip, axis=None)))
    axis = wrap_dim(dim, input.array.ndim, op)
    x = at_least_1d(input)
    check_not_empty(x, axis, op)
    found = _pick_at(input, axis, _index_of_median(_lines(x.array, axis), skip), keepdim, result, out)
    with_torch_name(f"{op.capitalize()}Backward1", found.values)  # PyTorch numbers the overloads
    return found


def _index_of_median(lines: Array, skip: bool) -> Array:
    """(m, n) -> (m, 1): the index of each line's lower median; of its first NaN if it has one, unless `skip`."""
    n = lines.shape[1]
    nan = lines != lines
    if not backend.is_gpu(lines) and not nan.any():
        return _index_of_kth(lines, (n - 1) // 2)
    if not skip:
        first = nan.argmax(1, keepdims=True)
        return np.where(nan.any(1, keepdims=True), first, _index_of_kth(lines, (n - 1) // 2))
    numbers = n - nan.sum(1, keepdims=True)
    return _take_from_lines(_stable_argsort(lines), np.maximum(numbers - 1, 0) // 2)


@numpy_spelling
@observed
def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> return_types.mode:
    """Return (values, indices) of the most frequent element along dim; of several the smallest. Source: torch.mode.

    NaN equals nothing, and where there is one, PyTorch misses some of the elements that are equal: so does this, on the
    CPU, where lines with NaN have up to 2¹⁴ elements.

    >>> torch.mode(torch.tensor([3, 1, 2, 3])).values
    tensor(3)
    """
    axis = wrap_dim(dim, input.array.ndim, "mode")
    check_ordered(input, "mode")
    check_not_empty(at_least_1d(input), axis, "mode")
    lines = _lines(at_least_1d(input).array, axis)
    return _pick_at(input, axis, _index_of_mode(lines), keepdim, return_types.mode, out)


def _index_of_mode(lines: Array) -> Array:
    """(m, n) -> (m, 1): the index of each line's most frequent element."""
    values = np.sort(lines, 1)
    changes, last = values[:, 1:] != values[:, :-1], values[:, -1]
    if not backend.is_gpu(lines) and np.count_nonzero(changes) == changes.size and not np.count_nonzero(last != last):
        return lines.argmin(1, keepdims=True)  # all differ, and none is NaN
    place = backend.like(np.arange(lines.shape[1]), lines)
    starts = np.concatenate([values[:, :1] != values[:, :1], changes], 1)
    run = place - accumulate(np.maximum, np.where(starts, place, 0), 1)  # the number of equal elements before
    end = run.argmax(1, keepdims=True)
    if backend.is_gpu(lines):
        return _take_from_lines(_stable_argsort(lines), end)
    equal, astray = equal_or_both_nan(lines, _take_from_lines(values, end)), (lines != lines).any(1)
    if lines.shape[1] <= introsort.INSERTION_MAX and not np.count_nonzero(astray):
        return lines.shape[1] - 1 - equal[:, ::-1].argmax(1, keepdims=True)  # the last, as this sort is stable
    index, tied = equal.argmax(1, keepdims=True), equal.sum(1) > 1
    index = _resolve_ties(lines, index, tied, lambda x: tie_breaking.argsort_at(x, end[tied, 0])[:, None])
    if np.count_nonzero(astray) * lines.shape[1] <= MAX_ASTRAY:
        index = _resolve_ties(lines, index, astray, tie_breaking.mode)
    return index
