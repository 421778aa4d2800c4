"""Check dimensions, and count negative ones from the front."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeGuard

from ...errors import DimError, ShapeError


def wrap_dim(dim: int, ndim: int, op: str, wrap_scalar: bool = True) -> int:
    """Check a dim and count it from the front; a 0-d Tensor counts as having one dim, unless `wrap_scalar` is false."""
    if type(dim) is not int:
        dim = as_int(dim, op)
    if not (ndim or wrap_scalar):
        raise DimError(f"{op}: Dimension specified as {dim} but tensor has no dimensions")
    n = ndim or 1
    if not -n <= dim < n:
        raise DimError(f"{op}: Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def wrap_dims(dims: int | Sequence[int], ndim: int, op: str, wrap_scalar: bool = True) -> tuple[int, ...]:
    """Check that dims are distinct and in range, and count them from the front."""
    if type(dims) is int:
        return (wrap_dim(dims, ndim, op, wrap_scalar),)
    found = tuple(wrap_dim(d, ndim, op, wrap_scalar) for d in as_tuple(dims))
    for d in found:
        if found.count(d) > 1:
            raise ShapeError(f"{op}: dim {d} appears multiple times in the list of dims {dims}")
    return found


def as_tuple(numbers: Any) -> tuple[Any, ...]:
    """Return numbers as a tuple; a single one (see `is_number`) becomes a tuple of one."""
    return (numbers,) if is_number(numbers) else tuple(numbers)


def is_number(numbers: Any) -> TypeGuard[int]:
    """Whether this is a single number: Python's, NumPy's, a 0-d Tensor, or another object that Python takes for one."""
    if isinstance(numbers, (int, float)):
        return True
    return not isinstance(numbers, (tuple, list)) and getattr(numbers, "ndim", not hasattr(numbers, "__index__")) == 0


def as_int(dim: Any, op: str) -> int:
    """Convert a dim to int: NumPy's integers and 0-d Tensors are dims, booleans and floats are not, as in PyTorch."""
    if isinstance(dim, bool) or getattr(dim, "ndim", 0) != 0 or not hasattr(dim, "__index__"):
        raise TypeError(f"{op}(): argument 'dim' must be int, not {type(dim).__name__}")
    return operator.index(dim)
