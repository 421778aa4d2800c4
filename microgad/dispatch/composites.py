"""NumPy's functions that PyTorch has no name for, made of those that it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .. import function as core
from ..ops import creation, elementwise, movement, reduction
from ..ops.grids import meshgrid
from .reduction import sort


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis


def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = elementwise.Where.apply(condition, choice, result)
    return result


def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    turns = (
        np.unwrap(p.array, discont, axis, period=period) - p.array
    )  # multiples of the period: constant nearly everywhere
    return p + core.Tensor._made(turns)


def _nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False
) -> Any:
    a = a if dtype is None else a.to(dtype=dtypes.of(dtype))
    known = elementwise.logical_not(elementwise.isnan(a))
    count = reduction.sum(known, _axis(axis), True)
    x = elementwise.Where.apply(known, a, 0.0)
    off = elementwise.Where.apply(known, x - reduction.sum(x, _axis(axis), True) / count, 0.0)
    return reduction.sum(off * off, _axis(axis), keepdims) / (reduction.sum(known, _axis(axis), keepdims) - ddof)


def _nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False
) -> Any:
    return elementwise.sqrt(_nanvar(a, axis, dtype, None, ddof, keepdims))


def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = movement.flatten(ary)
    ends = [None if x is None else movement.flatten(creation.as_tensor(x)) for x in (to_begin, to_end)]
    parts = [ends[0], flat[1:] - flat[:-1], ends[1]]
    return movement.cat([part for part in parts if part is not None])


def _cumulative(op: Callable[..., Any], first: float) -> Callable[..., Any]:
    def scan(x: Any, /, *, axis: Any = None, dtype: Any = None, out: None = None, include_initial: bool = False) -> Any:
        axis = 0 if axis is None else axis
        kind = None if dtype is None else dtypes.of(dtype)
        found = op(x, axis, dtype=kind)
        if not include_initial:
            return found
        start = movement.narrow(found, axis, 0, 1).detach() * 0 + first
        return movement.cat([start, found], axis)

    return scan


def _real_if_close(a: Any, tol: float = 100) -> Any:
    if not a.is_complex():
        return a
    limit = tol * np.finfo(a.array.dtype).eps if tol > 1 else tol
    return elementwise.real(a) if bool((abs(a.array.imag) < limit).all()) else a


def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if sparse:
        raise TypeError("numpy.meshgrid with sparse=True is not recorded on Tensors")
    return tuple(meshgrid(*map(creation.as_tensor, xi), indexing=indexing))


def _polyval(p: Any, x: Any) -> Any:
    result = x * 0
    for coefficient in p:
        result = result * x + coefficient
    return result


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.select: _select,
    np.unwrap: _unwrap,
    np.nanvar: _nanvar,
    np.nanstd: _nanstd,
    np.ediff1d: _ediff1d,
    np.cumulative_sum: _cumulative(reduction.cumsum, 0.0),
    np.cumulative_prod: _cumulative(reduction.cumprod, 1.0),
    np.real_if_close: _real_if_close,
    np.meshgrid: _meshgrid,
    np.polyval: _polyval,
    np.partition: lambda a, kth, axis=-1, kind="introselect", order=None: sort(a, axis, kind, order),
}  # fmt: skip
