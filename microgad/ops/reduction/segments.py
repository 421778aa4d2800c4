"""Reductions of segments that follow one another."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...state import composite
from ..elementwise import maximum, minimum
from ..movement import stack
from ..movement.dims import dim_of
from .extrema import amax, amin
from .products import prod
from .sums import sum

if TYPE_CHECKING:
    from ...tensor import Tensor

# Of a segment and the number to start with: reduced, where it has elements; the number where there are none.
_REDUCED: dict[str, tuple[Any, Any, float]] = {
    "sum": (sum, lambda a, b: a + b, 0.0),
    "mean": (sum, lambda a, b: a + b, 0.0),
    "max": (amax, maximum, -np.inf),
    "min": (amin, minimum, np.inf),
    "prod": (prod, lambda a, b: a * b, 1.0),
}


@composite
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """The sum, mean, max, min or prod of segments along axis, given by lengths or offsets.

    Source: torch.segment_reduce.

    >>> torch.segment_reduce(torch.tensor([1.0, 2.0, 3.0]), "sum", lengths=torch.tensor([1, 2]))
    tensor([1., 5.])
    """
    if reduce not in _REDUCED:
        raise ArgumentError(f"segment_reduce: reduce is one of {', '.join(_REDUCED)}, got {reduce}")
    at = dim_of(axis, data.ndim, "segment_reduce")
    if offsets is not None:
        bounds = offsets.array
    elif lengths is not None:
        ends = np.cumsum(lengths.array, -1)
        bounds = np.concatenate([np.zeros_like(ends[..., :1]), ends], -1)
    else:
        raise ArgumentError("segment_reduce: give lengths or offsets")
    if bounds.shape[:-1] != data.shape[:at]:
        raise ShapeError(
            f"segment_reduce: data {tuple(data.shape)} has other dimensions before axis {axis} than the segments, "
            f"{bounds.shape[:-1]}"
        )
    lines = data.reshape(-1, *data.shape[at:]) if at else data.unsqueeze(0)
    parts = [
        _segment(line[start:stop], reduce, initial)
        for line, places in zip(lines, bounds.reshape(-1, bounds.shape[-1]).tolist(), strict=True)
        for start, stop in pairwise(places)
    ]
    shape = (*data.shape[:at], bounds.shape[-1] - 1, *data.shape[at + 1 :])
    return stack(parts).reshape(shape) if parts else data.reshape(-1)[:0].reshape(shape)


def _segment(part: Tensor, reduce: str, initial: float | None) -> Tensor:
    reduced, joined, nothing = _REDUCED[reduce]
    n = part.shape[0]
    start = nothing if initial is None else initial
    if not n:
        return sum(part, 0) + (start if reduce != "mean" or initial is not None else np.nan)
    found: Tensor = reduced(part, 0)
    if initial is not None:
        found = joined(found, found.detach() * 0 + start)
    return found / n if reduce == "mean" else found
