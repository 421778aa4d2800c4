"""A dimension counted from the front, and what is said of one that isn't there."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import DimError, ShapeError


def dim_of(dim: int, ndim: int, op: str) -> int:
    """A dimension counted from the front; a Tensor without dimensions has one to speak of."""
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise DimError(f"{op}: Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return int(dim) % n


def dims_of(dims: int | Sequence[int], ndim: int, op: str) -> tuple[int, ...]:
    """Dimensions counted from the front, none of them twice."""
    found = tuple(dim_of(d, ndim, op) for d in ((dims,) if isinstance(dims, int) else dims))
    for d in found:
        if found.count(d) > 1:
            raise ShapeError(f"{op}: dim {d} appears multiple times in the list of dims {dims}")
    return found
