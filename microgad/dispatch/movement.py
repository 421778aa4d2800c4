"""NumPy's functions that reshape, join, split, repeat or reorder arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from .. import function as core
from ..backend.axes import at_axis
from ..backend.axis_order import outermost_first
from ..errors import ArgumentError, DtypeError
from ..ops import movement
from ..ops.movement.dims import wrap_dim, wrap_dims
from .elementwise import as_exact_tensor, integers


def _tensors(arrays: Any) -> list[Any]:
    return [as_exact_tensor(a) for a in arrays]


def _shape(shape: Any) -> Any:
    return (shape,) if isinstance(shape, (int, np.integer)) else shape


def _reversed(a: Any) -> Any:
    return movement.permute(a, range(a.ndim)[::-1])


def _reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    flags = a.array.flags
    if order == "F" or (order == "A" and flags.f_contiguous and not flags.c_contiguous):  # by the transpose
        result = _reversed(movement.reshape(_reversed(a), _shape(shape)[::-1]))
    else:
        result = movement.reshape(a, _shape(shape))
    return movement.clone(result) if copy else result


def _ravel(a: Any, order: str = "C") -> Any:
    if order == "K":  # the order of the elements in memory
        a, order = movement.permute(a, outermost_first(a.array.strides)), "C"
    return _reshape(a, (-1,), order) if a.numel() else movement.ravel(a)


def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis, start = wrap_dim(axis, a.ndim, "rollaxis"), start + a.ndim if start < 0 else start
    return movement.movedim(a, axis, start - 1 if start > axis else start)


def _squeeze(a: Any, axis: Any = None) -> Any:
    if axis is not None and any(a.shape[i] != 1 for i in wrap_dims(axis, a.ndim, "squeeze")):
        raise ArgumentError(f"squeeze: axes {axis} of shape {tuple(a.shape)} are not all of size 1")
    return movement.squeeze(a) if axis is None else movement.squeeze(a, axis)


def _expand_dims(a: Any, axis: Any) -> Any:
    axes = _shape(axis)
    for i in sorted(wrap_dims(axes, a.ndim + len(axes), "expand_dims")):
        a = movement.unsqueeze(a, i)
    return a


def _concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    tensors = _tensors(arrays)
    joined = movement.cat([movement.ravel(t) for t in tensors] if axis is None else tensors, axis or 0)
    return _joined_as(tensors, joined, dtype, casting)


def _joined_as(tensors: Any, joined: Any, dtype: Any, casting: str) -> Any:
    """Convert a joined result to `dtype`. Raises TypeError if NumPy's casting rule forbids it for a Tensor."""
    result = joined if dtype is None else joined.to(dtype=dtype)
    for t in tensors:
        if not np.can_cast(t.array.dtype, result.array.dtype, casting):  # type: ignore[arg-type]
            raise TypeError(f"Cannot cast {t.dtype} to {result.dtype} according to the rule {casting!r}")
    return result


def _stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    tensors = _tensors(arrays)
    return _joined_as(tensors, movement.stack(tensors, axis), dtype, casting)


def _joined(op: Callable[..., Any]) -> Callable[..., Any]:
    def join(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
        tensors = _tensors(tup)
        return _joined_as(tensors, op(tensors), dtype, casting)

    return join


def _block(arrays: Any) -> Any:
    depth, row = 0, arrays
    while isinstance(row, list):
        depth, row = depth + 1, row[0]

    def least(x: Any, ndim: int) -> Any:
        return movement.reshape(x, (*(1,) * (ndim - x.ndim), *x.shape))

    def joined(part: Any, level: int) -> Any:
        if not isinstance(part, list):
            return least(as_exact_tensor(part), depth)
        parts = [joined(p, level + 1) for p in part]
        ndim = max(p.ndim for p in parts)
        return movement.cat([least(p, ndim) for p in parts], level - depth)

    return movement.clone(as_exact_tensor(arrays)) if depth == 0 else joined(arrays, 0)


def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    arr, values = as_exact_tensor(arr), as_exact_tensor(values)
    if axis is None:
        arr, axis = movement.ravel(arr), 0
    obj = backend.to_numpy(obj.array) if isinstance(obj, core.Tensor) else obj
    axis = wrap_dim(axis, arr.ndim, "insert")
    n, values = arr.shape[axis], values.to(dtype=arr.dtype)
    places = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
    if places.dtype == bool:
        places = np.flatnonzero(places)
    values = movement.reshape(values, (*(1,) * (arr.ndim - values.ndim), *values.shape))
    if places.ndim == 0:
        values = movement.movedim(values, 0, axis)
    count = values.shape[axis] if places.size == 1 else places.size
    values = movement.expand(values, (*arr.shape[:axis], count, *arr.shape[axis + 1 :]))
    order = np.insert(np.arange(n), places, n + np.arange(count))
    return movement.cat([arr, values], axis)[at_axis(axis, order)]


def _delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    if axis is None:
        arr, axis = movement.ravel(arr), 0
    axis = wrap_dim(axis, arr.ndim, "delete")
    return arr[at_axis(axis, np.delete(np.arange(arr.shape[axis]), obj))]


def _resize(a: Any, new_shape: Any) -> Any:
    index = np.resize(np.arange(a.numel()), new_shape)
    return movement.ravel(a)[index] if a.numel() else movement.reshape(a, index.shape)


def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    return list(movement.tensor_split(ary, indices_or_sections, axis))


def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    n, parts = ary.shape[axis], indices_or_sections
    if isinstance(parts, int) and (parts <= 0 or n % parts):
        raise ArgumentError(f"split: the size {n} of axis {axis} can't be divided equally by {parts}")
    return _array_split(ary, parts, axis)


def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    many = isinstance(constant_values, (list, tuple)) or np.shape(constant_values)
    if mode not in ("constant", "reflect", "symmetric", "edge", "wrap") or many:
        raise DtypeError(
            f"numpy.pad on Tensors: mode is constant (of one value), reflect, symmetric, edge or wrap, got '{mode}'"
        )
    if isinstance(pad_width, dict):
        by_axis = {wrap_dim(axis, array.ndim, "pad"): width for axis, width in pad_width.items()}
        pad_width = [np.broadcast_to(by_axis.get(axis, 0), 2) for axis in range(array.ndim)]
    widths = [(int(low), int(high)) for low, high in np.broadcast_to(pad_width, (array.ndim, 2))]
    return movement.padded(array, widths, mode, constant_values)


def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return movement.roll(a, int(np.sum(shift)))
    shifts, axes = np.broadcast_arrays(shift, axis)
    return movement.roll(a, shifts.ravel().tolist(), axes.ravel().tolist())


def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    return movement.repeat_interleave(a, repeats if isinstance(repeats, int) else integers(repeats), axis)


def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return movement.diagonal(a, offset, axis1, axis2).sum(-1, dtype=dtype)


def _triangle(op: Callable[..., Any]) -> Callable[..., Any]:
    """Make np.tril or np.triu, which repeat a vector in each row first."""
    return lambda m, k=0: op(m if m.ndim > 1 else movement.expand(m, (m.shape[0], m.shape[0])), k)


def _atleast(op: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arys: op(*_tensors(arys))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.reshape: _reshape,
    np.ravel: _ravel,
    np.transpose: lambda a, axes=None: _reversed(a) if axes is None else movement.permute(a, axes),
    np.swapaxes: movement.transpose,
    np.matrix_transpose: lambda x, /: movement.transpose(x, -2, -1),
    np.moveaxis: lambda a, source, destination: movement.movedim(a, source, destination),
    np.rollaxis: _rollaxis,
    np.squeeze: _squeeze,
    np.expand_dims: _expand_dims,
    np.atleast_1d: _atleast(movement.atleast_1d),
    np.atleast_2d: _atleast(movement.atleast_2d),
    np.atleast_3d: _atleast(movement.atleast_3d),
    np.broadcast_to: lambda array, shape, subok=False: movement.expand(array, _shape(shape)),
    np.broadcast_arrays: lambda *args, subok=False: movement.broadcast_tensors(*_tensors(args)),
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.hstack: _joined(movement.hstack),
    np.vstack: _joined(movement.vstack),
    np.dstack: _joined(movement.dstack),
    np.column_stack: _joined(movement.column_stack),
    np.block: _block,
    np.append: lambda arr, values, axis=None: _concatenate((arr, values), axis),
    np.insert: _insert,
    np.delete: _delete,
    np.resize: _resize,
    np.split: _split,
    np.array_split: _array_split,
    np.hsplit: lambda ary, indices_or_sections: list(movement.hsplit(ary, indices_or_sections)),
    np.vsplit: lambda ary, indices_or_sections: list(movement.vsplit(ary, indices_or_sections)),
    np.dsplit: lambda ary, indices_or_sections: list(movement.dsplit(ary, indices_or_sections)),
    np.unstack: lambda x, /, *, axis=0: movement.unbind(x, axis),
    np.pad: _pad,
    np.copy: lambda a, order="K", subok=False: movement.Clone.apply(a, order=order),
    np.flip: lambda m, axis=None: movement.flip(m, tuple(range(m.ndim)) if axis is None else axis),
    np.fliplr: movement.fliplr,
    np.flipud: movement.flipud,
    np.rot90: lambda m, k=1, axes=(0, 1): movement.rot90(m, k, axes),
    np.roll: _roll,
    np.tile: lambda A, reps: movement.tile(as_exact_tensor(A), _shape(reps)),
    np.repeat: _repeat,
    np.diag: lambda v, k=0: movement.diag(v, k),
    np.diagflat: lambda v, k=0: movement.diagflat(as_exact_tensor(v), k),
    np.diagonal: lambda a, offset=0, axis1=0, axis2=1: movement.diagonal(a, offset, axis1, axis2),
    np.trace: _trace,
    np.tril: _triangle(movement.tril),
    np.triu: _triangle(movement.triu),
    np.kron: lambda a, b: movement.kron(as_exact_tensor(a), as_exact_tensor(b)),
    np.linalg.diagonal: lambda x, /, *, offset=0: movement.diagonal(x, offset, -2, -1),
    np.linalg.trace: lambda x, /, *, offset=0, dtype=None: _trace(x, offset, -2, -1, dtype),
    np.linalg.matrix_transpose: lambda x, /: movement.transpose(x, -2, -1),
    np.shape: lambda a: tuple(a.shape),
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.numel() if axis is None else a.shape[axis],
}
