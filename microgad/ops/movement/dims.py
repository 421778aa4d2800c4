"""A dimension counted from the front, and what is said of one that isn't there."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeGuard

from ...errors import DimError, ShapeError


def wrap_dim(dim: int, ndim: int, op: str, of_scalars: bool = True) -> int:
    """A dimension counted from the front; a Tensor without dimensions has one to speak of, if `of_scalars`."""
    if type(dim) is not int:
        dim = _whole(dim, op)
    if not (ndim or of_scalars):
        raise DimError(f"{op}: Dimension specified as {dim} but tensor has no dimensions")
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise DimError(f"{op}: Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def wrap_dims(dims: int | Sequence[int], ndim: int, op: str, of_scalars: bool = True) -> tuple[int, ...]:
    """Dimensions counted from the front, none of them twice."""
    if type(dims) is int:
        return (wrap_dim(dims, ndim, op, of_scalars),)
    found = tuple(wrap_dim(d, ndim, op, of_scalars) for d in as_tuple(dims))
    for d in found:
        if found.count(d) > 1:
            raise ShapeError(f"{op}: dim {d} appears multiple times in the list of dims {dims}")
    return found


def slice_along(axis: int, start: int | None, stop: int | None, step: int | None = None) -> tuple[slice, ...]:
    """The index of a stretch of an axis: x[stretch(1, 0, 3)] is x[:, 0:3]."""
    return (*(slice(None),) * axis, slice(start, stop, step))


def as_tuple(numbers: Any) -> tuple[Any, ...]:
    """Numbers as a tuple, where one may stand for a sequence of one: Python's, NumPy's or a Tensor without dims."""
    return (numbers,) if is_number(numbers) else tuple(numbers)


def is_number(numbers: Any) -> TypeGuard[int]:
    """Whether it is a number by itself: Python's, NumPy's or a Tensor without dimensions."""
    return isinstance(numbers, (int, float)) or getattr(numbers, "ndim", 1) == 0


def _whole(dim: Any, op: str) -> int:
    """NumPy's integers and Tensors of one are dims as well; truth values and fractions aren't, as in PyTorch."""
    if isinstance(dim, bool) or getattr(dim, "ndim", 0) != 0 or not hasattr(dim, "__index__"):
        raise TypeError(f"{op}(): argument 'dim' must be int, not {type(dim).__name__}")
    return operator.index(dim)
