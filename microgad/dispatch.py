"""NumPy's functions on Tensors: one table, NumPy function -> operation, with NumPy's arguments and defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from . import function as core
from .errors import DtypeError
from .ops import arithmetic, comparison, creation, elementwise, indexing, matmul, movement, reduction, selection


def ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `__array_ufunc__` answers."""
    if method == "__call__" and not kwargs and ufunc in UFUNCS:
        return UFUNCS[ufunc](*inputs)
    if method == "reduce" and ufunc is np.add and not kwargs.keys() - {"axis", "keepdims", "dtype"}:
        return _sum(inputs[0], **{"axis": 0, **kwargs})
    options = f" with {', '.join(sorted(kwargs))}=" if kwargs else ""
    call = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    raise DtypeError(
        f"numpy.{call}{options} is not recorded on Tensors; write it out of place, or use tensor.detach().numpy()"
    )


def function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `__array_function__` answers."""
    op = FUNCTIONS.get(func)
    if op is None:
        name = f"{func.__module__}.{func.__name__}"
        raise DtypeError(f"{name} is not recorded on Tensors; use microgad's own operation, or tensor.detach().numpy()")
    return op(*args, **kwargs)


UFUNCS: dict[Any, Callable[..., Any]] = {
    cls.numpy: cls.apply
    for cls in (
        *(
            arithmetic.Add,
            arithmetic.Sub,
            arithmetic.Mul,
            arithmetic.Div,
            arithmetic.Neg,
            arithmetic.Pow,
            arithmetic.Abs,
        ),
        *(arithmetic.Sign, selection.Maximum, selection.Minimum),
        *(elementwise.Exp, elementwise.Log, elementwise.Sqrt, elementwise.Sin, elementwise.Cos, elementwise.Tanh),
        *(comparison.Equal, comparison.NotEqual, comparison.Less, comparison.LessEqual, comparison.Greater),
        *(
            comparison.GreaterEqual,
            comparison.LogicalAnd,
            comparison.LogicalOr,
            comparison.LogicalXor,
            comparison.LogicalNot,
        ),
        *(comparison.BitwiseAnd, comparison.BitwiseOr, comparison.BitwiseXor, comparison.BitwiseNot),
        *(comparison.IsNaN, comparison.IsInf, comparison.IsFinite),
    )
}
UFUNCS[np.square] = arithmetic.square
UFUNCS[np.matmul] = lambda a, b: matmul.matmul(creation.as_tensor(a), creation.as_tensor(b))


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis


def _sum(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return reduction.sum(a, _axis(axis), keepdims, dtype=dtype)


def _mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return reduction.mean(a, _axis(axis), keepdims, dtype=dtype)


def _amax(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return reduction.amax(a, _axis(axis), keepdims)


def _amin(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return reduction.amin(a, _axis(axis), keepdims)


def _argmax(a: Any, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Any:
    return reduction.argmax(a, axis, keepdims)


def _argmin(a: Any, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Any:
    return reduction.argmin(a, axis, keepdims)


def _var(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Any:
    return reduction.var(a if dtype is None else a.to(dtype), _axis(axis), correction=ddof, keepdim=keepdims)


def _std(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Any:
    return reduction.std(a if dtype is None else a.to(dtype), _axis(axis), correction=ddof, keepdim=keepdims)


def _any(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return reduction.any(a, _axis(axis), keepdims)


def _all(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return reduction.all(a, _axis(axis), keepdims)


def _reshape(a: Any, /, shape: Any) -> Any:
    return movement.reshape(a, (shape,) if isinstance(shape, int) else shape)


def _transpose(a: Any, axes: Any = None) -> Any:
    return movement.permute(a, range(a.ndim)[::-1] if axes is None else axes)


def _moveaxis(a: Any, source: int, destination: int) -> Any:
    order = [i for i in range(a.ndim) if i != source % a.ndim]
    order.insert(destination % a.ndim, source % a.ndim)
    return movement.permute(a, order)


def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    return movement.expand(array, (shape,) if isinstance(shape, int) else shape)


def _concatenate(arrays: Any, /, axis: int | None = 0) -> Any:
    tensors = [creation.as_tensor(a) for a in arrays]
    return movement.cat([movement.flatten(t) for t in tensors] if axis is None else tensors, axis or 0)


def _stack(arrays: Any, axis: int = 0) -> Any:
    return movement.stack([creation.as_tensor(a) for a in arrays], axis)


def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    pairs = np.broadcast_to(pad_width, (array.ndim, 2)).tolist()
    modes = {"edge": "replicate", "wrap": "circular"}
    return movement.pad(array, [n for pair in pairs[::-1] for n in pair], modes.get(mode, mode), constant_values)


def _where(condition: Any, x: Any, y: Any, /) -> Any:
    return selection.Where.apply(condition, x, y)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: None = None, *, min: Any = None, max: Any = None) -> Any:
    return selection.clamp(a, a_min if min is None else min, a_max if max is None else max)


def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return x.to(dtype=dtypes.of(dtype), copy=copy)


def _flip(m: Any, axis: Any = None) -> Any:
    return movement.flip(m, tuple(range(m.ndim)) if axis is None else axis)


def _take_along_axis(arr: Any, indices: Any, axis: int = -1) -> Any:
    return indexing.gather(arr, axis, creation.as_tensor(indices))


def _like(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
        kind = a.array.dtype if dtype is None else dtypes.of(dtype).dtype
        return core.Tensor._made(make(a.array, kind, shape=shape))

    return made


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: _sum,
    np.mean: _mean,
    np.max: _amax,
    np.amax: _amax,
    np.min: _amin,
    np.amin: _amin,
    np.argmax: _argmax,
    np.argmin: _argmin,
    np.var: _var,
    np.std: _std,
    np.any: _any,
    np.all: _all,
    np.reshape: _reshape,
    np.transpose: _transpose,
    np.swapaxes: movement.transpose,
    np.moveaxis: _moveaxis,
    np.broadcast_to: _broadcast_to,
    np.squeeze: lambda a, axis=None: movement.squeeze(a, axis),
    np.expand_dims: lambda a, axis: movement.unsqueeze(a, axis),
    np.ravel: lambda a, order="C": movement.flatten(a),
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.pad: _pad,
    np.where: _where,
    np.clip: _clip,
    np.astype: _astype,
    np.copy: lambda a, order="K", subok=False: movement.clone(a),
    np.flip: _flip,
    np.take_along_axis: _take_along_axis,
    np.dot: lambda a, b, out=None: UFUNCS[np.matmul](a, b),
    np.zeros_like: _like(np.zeros_like),
    np.ones_like: _like(np.ones_like),
    np.empty_like: _like(np.empty_like),
    np.shape: lambda a: tuple(a.shape),
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.numel() if axis is None else a.shape[axis],
}
