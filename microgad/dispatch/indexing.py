"""NumPy's functions that read or write by index, and `ufunc.at`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import function as core
from ..backend.axes import at_axis
from ..errors import ArgumentError
from ..function import Function
from ..ops import creation, indexing, movement
from ..ops.creation.scalars import checked_scalar
from ..ops.movement.dims import wrap_dim
from ..type_aliases import Array
from .elementwise import as_exact_tensor, integers


def _indices(indices: Any, size: int, mode: str) -> Array:
    """Convert indices to an array, clipped or wrapped to the size according to `mode`."""
    array = integers(indices).array
    if mode == "raise":
        return array
    if mode not in ("clip", "wrap"):
        raise ArgumentError(f"mode must be one of 'clip', 'raise' or 'wrap', got {mode!r}")
    return np.clip(array, 0, size - 1) if mode == "clip" else array % size


def _flat(a: Any) -> Any:
    return movement.reshape(a, (-1,))


def _take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    a = as_exact_tensor(a)
    a, axis = (_flat(a), 0) if axis is None or not a.ndim else (a, axis)
    axis = wrap_dim(axis, a.ndim, "take")
    return a[at_axis(axis, _indices(indices, a.shape[axis], mode))]


def _take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    return indexing.take_along_dim(as_exact_tensor(arr), integers(indices), axis)


def _compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    return _take(a, np.flatnonzero(creation.as_tensor(condition).array), axis)


def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    _put_repeated(a, _indices(ind, a.numel(), mode).reshape(-1), v)


def _put_repeated(a: Any, places: Array, values: Any) -> None:
    """Write values, repeated as needed, at flat indices."""
    a.put_(creation.from_array(places, a.device), _repeated(values, places.size, a))


def _repeated(values: Any, count: int, like: Any) -> Any:
    """Repeat values cyclically to `count` of them, in the dtype of a Tensor."""
    flat = _flat(as_exact_tensor(values)).to(dtype=like.dtype, device=like.device)
    return flat[np.arange(count) % max(flat.numel(), 1)] if count else flat[:0]


def _put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    target, axis = (_flat(arr), 0) if axis is None else (arr, axis)
    index, values = integers(indices), as_exact_tensor(values).to(dtype=arr.dtype)
    shape = list(target.shape)
    shape[axis] = index.shape[axis]
    index = indexing.normalize_index((index.expand(shape),), target.array)[0] % target.shape[axis]
    target.scatter_(axis, creation.from_array(index), values.expand(shape))


def _place(arr: Any, mask: Any, vals: Any) -> None:
    _put_repeated(arr, np.flatnonzero(creation.as_tensor(mask).array), vals)


def _putmask(a: Any, mask: Any, values: Any) -> None:
    chosen = np.flatnonzero(creation.as_tensor(mask).array)
    a.put_(creation.from_array(chosen), _repeated(values, a.numel(), a)[chosen])


def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    places = np.arange(a.numel()).reshape(a.shape)
    np.fill_diagonal(places, -1, wrap)  # marks the diagonal, and raises NumPy's errors
    _put_repeated(a, np.flatnonzero(places == -1), val)


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    src = as_exact_tensor(src)
    if not np.can_cast(src.array.dtype, dst.array.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"numpy.copyto: Cannot cast {src.dtype} to {dst.dtype} according to the rule {casting!r}")
    if where is True:
        dst.copy_(src)
        return
    mask = creation.as_tensor(where).expand(dst.shape)
    dst[mask] = src.to(dtype=dst.dtype).expand(dst.shape)[mask]


def _unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    if order == "F":
        return indexing.unravel_index(creation.as_tensor(indices), shape[::-1])[::-1]
    return indexing.unravel_index(creation.as_tensor(indices), shape)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.take: _take,
    np.take_along_axis: _take_along_axis,
    np.compress: _compress,
    np.extract: lambda condition, arr: _compress(condition, arr),
    np.put: _put,
    np.put_along_axis: _put_along_axis,
    np.place: _place,
    np.putmask: _putmask,
    np.fill_diagonal: _fill_diagonal,
    np.copyto: _copyto,
    np.unravel_index: _unravel_index,
}

_AT: dict[Any, tuple[type[Function], dict[str, Any]]] = {
    np.add: (indexing.AddItem, {}),
    np.subtract: (indexing.AddItem, {}),
    np.multiply: (indexing.MulItem, {}),
    np.maximum: (indexing.ExtremeItem, {"largest": True}),
    np.minimum: (indexing.ExtremeItem, {"largest": False}),
}


def at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = None) -> bool:
    """Compute `ufunc.at(a, indices, b)` in place and return True, or return False if the ufunc isn't supported."""
    if ufunc not in _AT or not isinstance(a, core.Tensor):
        return False
    cls, settings = _AT[ufunc]
    if not isinstance(b, core.Tensor):
        b = checked_scalar(ufunc.__name__, b, a.array.dtype) if isinstance(b, (int, float, complex)) else b
        b = as_exact_tensor(b).to(device=a.device)
    b = b.to(dtype=a.dtype)
    b = -b if ufunc is np.subtract else b
    cls.apply_(a, b, index=indexing.normalize_index(indices, a.array, True), **settings)
    return True
