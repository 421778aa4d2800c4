"""Translate an index from PyTorch's rules to NumPy's, and check index Tensors and `out`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ... import backend, function
from ...backend import memory_layout
from ...errors import ArgumentError, DeviceError, DimError, DtypeError, GraphError
from ...errors.arguments import is_sequence
from ...errors.notices import warn
from ...type_aliases import Array, Tensor
from ..creation.data import as_tensor
from ..support.bare import is_recorded
from ..support.out import into
from .index_kernels import ALL, BASIC, is_mask, unexpanded

INT64, UINT8 = np.dtype(np.int64), np.dtype(np.uint8)
BOUNDS = frozenset((int, type(None)))  # the types of most slices' bounds
NUMBERS = frozenset((int, bool, float))
INTEGERS = (INT64, np.dtype(np.int32))


def plain_index(index: Any) -> tuple[Any, ...] | None:
    """Return an index of numbers, new axes, slices with such bounds and one ... as a tuple for arrays, else None."""
    items = index if type(index) is tuple else (index,)
    rest: tuple[Any, ...] = (...,)  # a view even where a single element is left
    for item in items:
        if type(item) is not int and item is not None:
            if item is ... and rest:
                rest = ()
                continue
            if type(item) is not slice or item.step is not None:
                return None
            if type(item.start) not in BOUNDS or type(item.stop) not in BOUNDS:
                return None
    return (*items, *rest)


def normalize_index(index: Any, x: Array, keep: bool = False) -> tuple[Any, ...]:
    """Convert a user's index to a tuple for arrays on x's device: Tensors and lists become arrays, copied if `keep`.

    uint8 counts as a mask, as in PyTorch. Raises IndexError for objects that are no index, for negative steps, and for
    masks whose shape differs from the dimensions that they index.
    """
    return plain_index(index) or other_index(index, x, keep)


def other_index(index: Any, x: Any, keep: bool) -> tuple[Any, ...]:
    """`normalize_index` of an index that isn't plain."""
    items = [_item(item, x, keep) for item in (index if isinstance(index, tuple) else _as_tuple(index))]
    if not BASIC.issuperset(map(type, items)) and any(map(backend.is_array, items)):
        expanded = _expand_ellipsis(items, x.ndim) if len(items) > 1 else tuple(items)
        if any(map(is_mask, expanded)):
            _check_masks(expanded, x.shape)
        return expanded
    if ... not in items:
        items.append(...)
    while items[-1] is ... and items.count(...) > 1:
        items.pop()  # the first one stands for all that is left
    return tuple(items)


def _as_tuple(index: Any) -> tuple[Any, ...]:
    """An index as a tuple: the items of a short sequence that holds more than numbers, or else index alone."""
    if index is None or isinstance(index, (slice, function.Tensor)) or backend.is_array(index):
        return (index,)
    if not is_sequence(index) or len(index) >= 32 or NUMBERS.issuperset(map(type, index)):
        return (index,)
    if not any(item is None or item is ... or isinstance(item, slice) or is_sequence(item) for item in index):
        return (index,)
    warn("Using a non-tuple sequence for multidimensional indexing is deprecated; use x[tuple(seq)]")
    return tuple(index)


def _item(item: Any, x: Array, keep: bool) -> Any:
    """Convert one item of an index."""
    if item is None or item is ... or type(item) is int:
        return item
    if type(item) is bool:
        return backend.like(item, x)
    if isinstance(item, slice):
        if item.step is None and type(item.start) in BOUNDS and type(item.stop) in BOUNDS:
            return item
        if item.step is not None and _bound(item.step) < 0:
            raise DimError(f"index: step must be greater than zero, got {item.step}")
        return slice(*map(_bound, (item.start, item.stop, item.step)))
    if isinstance(item, function.Tensor):
        return _array(item.array, x, keep, INTEGERS)
    if isinstance(item, np.generic):
        return item.item() if item.dtype.kind in "iu" else _refused(item)
    if backend.is_array(item) or is_sequence(item):
        array = _array_of(item)
        return _array(array, x, keep and array is item)
    return operator.index(item) if hasattr(type(item), "__index__") else _refused(item)


def _array_of(item: Any) -> Array:
    """Convert an array or a sequence to an array, of integers if it holds floating-point numbers, as PyTorch does."""
    if backend.is_array(item):
        array = item
    elif isinstance(item, (list, tuple)) and NUMBERS.issuperset(map(type, item)):
        array = np.asarray(item)
    else:
        array = as_tensor(item, device="cpu").array
    return array.astype(np.int64) if array.dtype.kind == "f" else array


def _bound(bound: Any) -> Any:
    """Convert the start, stop or step of a slice to an int, or leave it None."""
    if bound is None or hasattr(bound, "__index__"):
        return None if bound is None else operator.index(bound)
    raise TypeError("slice indices must be integers or None or have an __index__ method")


def _array(item: Array, x: Array, keep: bool, integers: tuple[np.dtype[Any], ...] = ()) -> Array | int:
    """Check an array in an index; 0-d integers become numbers. `integers` are the allowed integer dtypes."""
    kind = item.dtype.kind
    if kind in "UO":
        raise DtypeError(f"index: expected numbers, got {item.tolist()!r}")
    if kind not in "iub":
        _refused_dtype(item)
    if item.dtype == UINT8:
        warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.")
        item = item.astype(bool)
    if item.ndim == 0 and item.dtype.kind != "b":
        return item.item()
    if integers and item.dtype.kind != "b" and item.dtype not in integers:
        _refused_dtype(item)
    if backend.is_gpu(x) != backend.is_gpu(item):
        if backend.is_gpu(item):
            raise DeviceError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        return backend.like(item, x)
    return item.copy() if keep else item


def _refused(item: Any) -> Any:
    raise DimError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got "
        f"{type(item).__name__})"
    )


def _refused_dtype(item: Array) -> Any:
    raise DimError(f"tensors used as indices must be long, int, byte or bool tensors, got {item.dtype}")


def _expand_ellipsis(items: list[Any], ndim: int) -> tuple[Any, ...]:
    """Replace `...`, in an index with arrays, by full slices."""
    if not any(item is ... for item in items):
        return tuple(items)
    where = next(i for i, item in enumerate(items) if item is ...)
    rest = [item for item in items if item is not ...]
    used = sum(item.ndim if is_mask(item) else 1 for item in rest if item is not None)
    return (*items[:where], *[ALL] * (ndim - used), *(item for item in items[where:] if item is not ...))


def _check_masks(items: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    """Raise IndexError where the shape of a mask differs from the dimensions that it indexes."""
    if len(items) == 1 and items[0].shape == shape[: items[0].ndim]:
        return
    left, at, masks = list(shape), 0, []  # x's shape after the items so far, the next axis, (axis, shape) of masks
    for item in items:
        if isinstance(item, int):
            del left[at : at + 1]
            continue
        if is_mask(item):
            masks.append((at, item.shape))
        elif item is None:
            left.insert(at, 1)
        elif isinstance(item, slice) and at < len(left):
            left[at] = len(range(*item.indices(left[at])))
        at += item.ndim if is_mask(item) else 1
    for at, sizes in masks:
        for i, n in enumerate(sizes):
            if left[at + i : at + i + 1] != [n]:
                raise DimError(
                    f"The shape of the mask {list(sizes)} at index {i} does not match the shape of the indexed tensor "
                    f"{left} at index {at + i}"
                )


def refuse_uint8_fill(index: Any, items: tuple[Any, ...]) -> None:
    """Raise RuntimeError for one value and one uint8 mask, which PyTorch hands to `masked_fill_`, which refuses it."""
    arrays = [item for item in items if backend.is_array(item)]
    if len(arrays) != 1 or not is_mask(arrays[0]) or not arrays[0].ndim:
        return
    given = [getattr(item, "array", item) for item in (index if isinstance(index, tuple) else (index,))]
    if UINT8 in [getattr(item, "dtype", None) for item in given]:
        raise ArgumentError("masked_fill_ only supports boolean masks, but got mask with dtype unsigned char")


def split_int_indices(index: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Split an index into a basic one and one for its result, where NumPy and PyTorch order the axes differently.

    NumPy treats integers like arrays: with a slice between an integer and an array, the arrays' axes come first.
    PyTorch applies integers beforehand. Returns None where the two agree.
    """
    if not any(type(item) is int for item in index) or not any(map(backend.is_array, index)):
        return None
    group = [i for i, item in enumerate(index) if backend.is_array(item) or type(item) is int]
    if group[-1] - group[0] + 1 == len(group):
        return None
    first: list[Any] = []
    then: list[Any] = []
    for item in index:
        if backend.is_array(item):
            first += [ALL] * (item.ndim if is_mask(item) else 1)
            then.append(item)
        else:
            first.append(item)
            then += [ALL] * (type(item) is not int)
    return (*first, ...), tuple(then)


def checked_index_array(op: str, index: Tensor, *kept_by: Any, dtypes: tuple[np.dtype[Any], ...] = INTEGERS) -> Array:
    """Return the array of an index Tensor, copied if a graph will keep it. Raises RuntimeError for other dtypes."""
    array = index.array
    if array.dtype != INT64:
        if array.dtype not in dtypes:
            raise DtypeError(f"{op}(): Expected dtype {' or '.join(map(str, dtypes))} for index, got {array.dtype}")
        return array.astype(INT64)
    if not is_recorded(*kept_by):
        return array
    found = array[unexpanded(array)].copy()
    return found if found.shape == array.shape else np.broadcast_to(found, array.shape)


def _address_range(x: Array) -> tuple[int, int]:
    """Return the addresses at which the memory of an array begins and ends."""
    first = memory_layout.address(x)
    if not x.size:
        return first, first
    reach = [(n - 1) * stride for n, stride in zip(x.shape, x.strides, strict=True)]
    return first + sum(r for r in reach if r < 0), first + sum(r for r in reach if r > 0) + x.itemsize


def _overlap(out: Array, nbytes: int, x: Array) -> bool:
    """Whether the memory of `out`, which may have to grow to `nbytes`, overlaps x's; an empty `out` has none."""
    if not out.size:
        return False
    (start, stop), (first, last) = _address_range(out), _address_range(x)
    return bool(start < last and first < max(stop, start + nbytes))


def into_separate(op: str, out: Tensor | None, result: Tensor, *inputs: Tensor) -> Tensor:
    """Return the result, or write it to `out`, which must have its dtype and share no memory with the inputs."""
    if out is None:
        return result
    if any(_overlap(out.array, result.array.nbytes, x.array) for x in inputs):
        raise GraphError(
            f"{op}: unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    out._check_writable(op, False)
    return into(out, result, exact=op)
