"""NumPy's functions without a counterpart in PyTorch, composed of other operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .. import function as core
from ..backend.axes import reduced_shape
from ..errors import ArgumentError, DtypeError
from ..ops import creation, elementwise, movement, reduction
from .elementwise import as_exact_tensor, promoted, weakly_promoted


def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    *choices, result = weakly_promoted(*choicelist, default)
    kind = next(x.dtype for x in (*choices, result) if hasattr(x, "array"))
    result = creation.as_tensor(result, kind)
    for condition, choice in reversed(list(zip(condlist, choices, strict=True))):
        result = elementwise.Where.apply(condition, choice, result)
    return result


def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    # What is added is a multiple of the period, and so constant almost everywhere.
    turns = np.unwrap(p.array, discont, axis, period=period) - p.array
    return p + core.Tensor._wrap(turns)


def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = movement.flatten(ary)
    before, after = (_end(name, x, ary.dtype) for name, x in (("to_begin", to_begin), ("to_end", to_end)))
    return movement.cat([*before, flat[1:] - flat[:-1], *after])


def _end(name: str, x: Any, dtype: dtypes.dtype) -> list[Any]:
    """Flatten what np.ediff1d puts at an end, and convert it to the dtype if that loses no more than precision."""
    if x is None:
        return []
    x = as_exact_tensor(x)
    if not np.can_cast(x.array.dtype, np.dtype(dtype), "same_kind"):
        raise DtypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
    return [movement.flatten(x).to(dtype)]


def _cumulative(op: Callable[..., Any], first: int) -> Callable[..., Any]:
    def scan(x: Any, /, *, axis: Any = None, dtype: Any = None, out: None = None, include_initial: bool = False) -> Any:
        if axis is None and x.ndim > 1:
            raise ArgumentError("of more than one dimension the axis has to be given")
        x, axis = x if x.ndim else x.reshape(1), 0 if axis is None else axis
        found = op(x, axis, dtype=None if dtype is None else dtypes.of(dtype))
        if not include_initial:
            return found
        start = np.full_like(found.array, first, shape=reduced_shape(x.shape, axis))
        return movement.cat([core.Tensor._wrap(start), found], axis)

    return scan


def _real_if_close(a: Any, tol: float = 100) -> Any:
    if not a.is_complex():
        return a
    limit = tol * np.finfo(a.array.dtype).eps if tol > 1 else tol
    return elementwise.real(a) if bool((abs(a.array.imag) < limit).all()) else a


def _polyval(p: Any, x: Any) -> Any:
    p, x = promoted(p, x)
    result = x * 0
    for coefficient in p:
        result = result * x + coefficient
    return result


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.select: _select,
    np.unwrap: _unwrap,
    np.ediff1d: _ediff1d,
    np.cumulative_sum: _cumulative(reduction.cumsum, 0),
    np.cumulative_prod: _cumulative(reduction.cumprod, 1),
    np.real_if_close: _real_if_close,
    np.polyval: _polyval,
}
