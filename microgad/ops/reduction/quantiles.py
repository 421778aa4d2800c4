"""Quantiles, interpolated between sorted elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import function
from ...backend.axes import reduced_shape
from ...backend.meta import known
from ...errors import ArgumentError, DtypeError, ShapeError
from ...state import composite
from ...type_aliases import Array, Tensor
from ..creation import tensor
from ..elementwise import lerp, where
from ..indexing import Gather
from ..movement.dims import wrap_dim
from ..support.out import into
from ..support.spelling import numpy_spelling
from .sorting import sort

_ROUNDED: dict[str, Any] = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}


@numpy_spelling
@composite
def quantile(
    input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the q-quantiles along dim (of all elements by default) for q in [0, 1]; a 1-d q adds a first dim.

    Between two elements, interpolation is linear, lower, higher, midpoint or nearest. NaN gives NaN.
    Source: torch.quantile.

    >>> torch.quantile(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 0.75]))
    tensor([2., 3.])
    """
    return into(out, _quantile("quantile", input, q, dim, keepdim, interpolation), exact="quantile")


@numpy_spelling
@composite
def nanquantile(
    input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """`quantile` of the elements that are not NaN. Source: torch.nanquantile.

    >>> torch.nanquantile(torch.tensor([1.0, torch.nan, 4.0]), 0.5)
    tensor(2.5000)
    """
    return into(out, _quantile("nanquantile", input, q, dim, keepdim, interpolation), exact="nanquantile")


def _quantile(op: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str) -> Tensor:
    """Compute quantile or nanquantile, whichever `op` names."""
    q = _checked_q(op, input, q, interpolation)
    over_all = dim is None or input.ndim == 0
    axis = 0 if dim is None else wrap_dim(dim, input.ndim, op)
    x = input.reshape(-1) if over_all else input if axis == input.ndim - 1 else input.movedim(axis, -1)
    values = sort(x).values
    last = x.shape[-1] - 1
    nans = np.sum(values.array != values.array, -1, keepdims=True)
    highest = np.maximum(last - nans, 0) if op == "nanquantile" else last + 0 * nans
    rank = q.reshape(-1) * function.Tensor._wrap(highest.astype(values.array.dtype))
    if op == "quantile" and known(np.any(nans)):
        rank = where(function.Tensor._wrap(nans > 0), float(last), rank)  # NaN is sorted last
    found = _interpolated(values, rank, interpolation)
    shape = reduced_shape(tuple(input.shape), None if over_all else axis, keepdim)
    return found.movedim(-1, 0).reshape((-1, *shape)) if q.ndim else found.reshape(shape)


def _interpolated(values: Tensor, rank: Tensor, interpolation: str) -> Tensor:
    """Interpolate sorted values at fractional ranks along the last axis."""

    def at(place: Array) -> Any:
        return Gather.apply(values, axis=values.ndim - 1, index=place.astype(np.int64))

    if interpolation in _ROUNDED:
        return at(_ROUNDED[interpolation](rank.array))
    below = np.floor(rank.array)
    low, high = at(below), at(np.ceil(rank.array))
    return lerp(low, high, rank - function.Tensor._wrap(below) if interpolation == "linear" else 0.5)


def _checked_q(op: str, input: Tensor, q: Any, interpolation: str) -> Tensor:
    """Check the arguments, and return q as a Tensor of input's dtype."""
    if input.array.dtype.char not in "fd":
        raise DtypeError(f"{op}: input tensor must be either float or double dtype, got {input.dtype}")
    if not input.array.size:
        raise ShapeError(f"{op}: input tensor must be non-empty, got shape {tuple(input.shape)}")
    if interpolation not in (*_ROUNDED, "linear", "midpoint"):
        raise ArgumentError(
            f"{op}: interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not isinstance(q, function.Tensor):
        q = tensor(q, dtype=input.dtype, device=input.device)
    if q.ndim > 1:
        raise ShapeError(f"{op}: q must be a scalar or 1D tensor, got shape {tuple(q.shape)}")
    if q.dtype != input.dtype:
        raise DtypeError(f"{op}: q tensor must be same dtype as the input tensor: q {q.dtype}, input {input.dtype}")
    if known(~np.all((q.array >= 0) & (q.array <= 1))):
        raise ArgumentError(f"{op}: q must be in the range [0, 1] but got {q.tolist()}")
    return q
