"""NumPy's reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import reduction


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis


def sum(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
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


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: sum,
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
}
