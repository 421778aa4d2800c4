"""segment_reduce: reductions of consecutive segments."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...state import composite
from ...type_aliases import Tensor
from ..elementwise import where
from ..movement import stack
from ..movement.dims import wrap_dim
from .extrema import Max, Min
from .products import prod
from .sums import sum

# For each mode: the reduction of a segment, how it is combined with `initial`, and the result of an empty segment.
_REDUCTIONS: dict[str, tuple[Any, Any, float]] = {
    "sum": (sum, lambda x, start: x + start, 0.0),
    "mean": (sum, lambda x, start: x + start, 0.0),
    "max": (lambda x, dim: Max.apply(x, axis=dim, keepdims=False), lambda x, low: where(x < low, low, x), -np.inf),
    "min": (lambda x, dim: Min.apply(x, axis=dim, keepdims=False), lambda x, high: where(x > high, high, x), np.inf),
    "prod": (prod, lambda x, start: x * start, 1.0),
}


@composite
def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None,
    offsets: Tensor | None = None, axis: int = 0, unsafe: bool = False, initial: float | None = None,
) -> Tensor:  # fmt: skip
    """Reduce ("sum", "mean", "max", "min", "prod") consecutive segments along axis, given by lengths or offsets.

    Raises RuntimeError where the lengths don't add up to the size of data, unless `unsafe`.
    Source: torch.segment_reduce.

    >>> torch.segment_reduce(torch.tensor([1.0, 2.0, 3.0]), "sum", lengths=torch.tensor([1, 2]))
    tensor([1., 5.])
    """
    if reduce not in _REDUCTIONS:
        raise ArgumentError(f"segment_reduce: reduce is one of {', '.join(_REDUCTIONS)}, got {reduce}")
    if indices is not None:
        raise ArgumentError("segment_reduce(): indices based reduction is not supported yet.")
    if not data.ndim:
        raise ShapeError("segment_reduce: data must have a dimension to reduce")
    at = wrap_dim(axis, data.ndim, "segment_reduce")
    if offsets is not None:
        bounds = offsets.array
    elif lengths is not None:
        ends = np.cumsum(lengths.array, -1)
        bounds = np.concatenate([np.zeros_like(ends, shape=(*ends.shape[:-1], 1)), ends], -1)
        if not unsafe and (np.any(lengths.array < 0) or np.any(bounds[..., -1] != data.shape[at])):
            raise ShapeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when "
                f"!unsafe, and none to be negative, but got {lengths.tolist()} for size {data.shape[at]}"
            )
    else:
        raise ArgumentError("segment_reduce: give lengths or offsets")
    if bounds.shape[:-1] != data.shape[:at]:
        raise ShapeError(
            f"segment_reduce: data {tuple(data.shape)} has other dimensions before axis {axis} than the segments, "
            f"{bounds.shape[:-1]}"
        )
    lines = data.reshape(-1, *data.shape[at:]) if at else data.unsqueeze(0)
    parts = [
        _segment(part, reduce, initial)
        for line, places in zip(lines.unbind(), bounds.reshape(-1, bounds.shape[-1]).tolist(), strict=True)
        for part in line[places[0] : places[-1]].split([stop - start for start, stop in pairwise(places)])
    ]
    shape = (*data.shape[:at], bounds.shape[-1] - 1, *data.shape[at + 1 :])
    return stack(parts).reshape(shape) if parts else data.reshape(-1)[:0].reshape(shape)


def _segment(part: Tensor, reduce: str, initial: float | None) -> Tensor:
    """Reduce one segment along its first axis."""
    reduction, combine, empty = _REDUCTIONS[reduce]
    n = part.shape[0]
    start = empty if initial is None else initial
    if not n:
        return sum(part, 0) + (start if reduce != "mean" or initial is not None else np.nan)
    found: Tensor = reduction(part, 0)
    if initial is not None:
        found = combine(found, start)
    return found / n if reduce == "mean" else found
