"""Histograms (bincount, histc, histogram), and the search in sorted values (searchsorted, bucketize)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import backend, dtypes, function, return_types
from ...backend.meta import as_zeros, known, placed_on
from ...errors import ArgumentError, DeviceError, KindError, ShapeError
from ...errors.notices import once
from ...state import observed
from ...type_aliases import Array, Tensor
from ..creation import as_tensor, linspace
from ..indexing import Gather
from ..support.out import into
from ..support.spelling import tensors_only


@tensors_only
@observed
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Count each of 0, 1, 2, ... in a vector of integers, or add up their weights.

    (n) -> (max(input) + 1), or (minlength) if that is more: int64, with weights float32 for float32, else float64.
    Raises RuntimeError for other dtypes and shapes, negative numbers or minlength, and weights of another length.
    Source: torch.bincount.

    >>> torch.bincount(torch.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    x = input.array
    if x.dtype.kind not in "iu":
        raise KindError(f"bincount: is not implemented for {input.dtype}, but for integers only")
    if minlength < 0:
        raise ArgumentError(f"bincount: minlength should be >= 0, got {minlength}")
    if x.ndim != 1 or (x.size and x.dtype.kind == "i" and x.min() < 0):
        got = f"shape {x.shape}" if x.ndim != 1 else x.min()
        raise ShapeError(f"bincount: only supports 1-d non-negative integral inputs, got {got}")
    if weights is None:
        return function.Tensor._wrap(np.bincount(x.astype(np.int64), minlength=minlength))
    if weights.array.shape != x.shape:
        raise ShapeError(f"bincount: input and weights should have the same length, got {x.shape}, {weights.shape}")
    count = max(minlength, int(x.max()) + 1 if x.size else 0)
    return _sum_of_weights(x.astype(np.int64), weights if weights.dtype == dtypes.float32 else weights.double(), count)


def _sum_of_weights(place: Array, weights: Tensor, count: int) -> Tensor:
    """(n) -> (count): the sums of the weights that have the same place."""
    if weights.node is not None:
        return Gather.transposed.apply(weights, index=place, axis=0, x_shape=(count,))
    return function.Tensor._wrap(np.bincount(place, weights.array, count).astype(weights.array.dtype))


@tensors_only
@observed
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0, *, out: Tensor | None = None) -> Tensor:
    """Count the elements in each of `bins` equal bins of [min, max], by default the range of the elements.

    Raises RuntimeError for integers, bins < 1, and a range that is infinite or has min > max. Source: torch.histc.

    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    if input.array.dtype.kind != "f":
        raise KindError(f"histc: is not implemented for {input.dtype}, but for floating-point numbers only")
    x = as_zeros(input.array).reshape(-1)
    bins = int(bins)
    low, high = _range("histc", x, bins, (float(min), float(max)) if min != max else None, 1)
    x = x.astype(np.float64) if (high - low) * bins > np.finfo(x.dtype).max else x
    low, high = x.dtype.type(low), x.dtype.type(high)  # as in PyTorch, the width of a bin is computed in input's dtype
    x = x[(x >= low) & (x <= high)]
    if low == high:  # the range is too narrow for the dtype: the elements go to the middle bin
        place = np.full_like(x, bins // 2, dtype=np.int64)
    else:
        place = ((x - low) * bins / (high - low)).astype(np.int64)
    counts = np.bincount(np.minimum(place, bins - 1), minlength=bins)
    counts = placed_on(counts.astype(input.array.dtype), input.device)
    return into(out, function.Tensor._wrap(counts), exact="histc")


def _range(op: str, x: Array, bins: int, given: tuple[float, float] | None, margin: float) -> tuple[float, float]:
    """Return the range of a histogram: the given one, else that of the elements; a single point gets a margin."""
    if bins <= 0:
        raise ArgumentError(f"{op}: bins must be > 0, but got {bins}")
    low, high = given or ((float(x.min()), float(x.max())) if x.size else (0.0, 1.0))
    if not math.isfinite(high - low):
        raise ArgumentError(f"{op}: range of [{low:g}, {high:g}] is not finite")
    if low > high:
        raise ArgumentError(f"{op}: max must be larger than min, got [{low}, {high}]")
    return (low - margin, high + margin) if low == high else (low, high)


@tensors_only
@observed
def histogram(
    input: Tensor, bins: int | Tensor = 100, *, range: tuple[float, float] | None = None, weight: Tensor | None = None,
    density: bool = False, out: Any = None,
) -> return_types.histogram:  # fmt: skip
    """Return (hist, bin_edges): the number of elements in each bin, or the sum of their weights.

    `bins` has the edges, or is the number of equal bins in `range`, by default that of the elements. The last bin
    includes its right edge. Raises RuntimeError for integers, bins < 1, edges or weights of another dtype, and sizes
    that don't fit. Source: torch.histogram.

    >>> torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=3, range=(0.0, 3.0)).hist
    tensor([0., 2., 1.])
    """
    hist, edges = _histogram("histogram", input.reshape(-1, 1), [bins], range, weight, density)
    found = return_types.histogram(hist, edges[0].clone() if isinstance(bins, function.Tensor) else edges[0])
    return into(out, found, exact="histogram")


@tensors_only
@observed
def histogramdd(
    input: Tensor, bins: int | Sequence[int] | Sequence[Tensor], range: Sequence[float] | None = None,
    weight: Tensor | None = None, density: bool = False,
) -> return_types.histogramdd:  # fmt: skip
    """Return (hist, bin_edges) of points (..., D): the number of points in each cell of a D-dimensional grid.

    Raises as histogram does, and for a vector or a number of bins or edges other than D. Source: torch.histogramdd.

    >>> torch.histogramdd(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), bins=[2, 2]).hist
    tensor([[0., 1.],
            [1., 0.]])
    """
    if input.ndim < 2:
        raise ShapeError(f"histogramdd: input tensor should have at least 2 dimensions, got {input.ndim}")
    d = input.shape[-1]
    each = [bins] * d if isinstance(bins, int) else list(bins)
    if len(each) != d:
        raise ShapeError(f"histogramdd: expected {d} sequences of bin edges or counts, got {len(each)}")
    points = input.reshape(input.numel() // max(d, 1), d)
    return return_types.histogramdd(*_histogram("histogramdd", points, each, range, weight, density))


def _histogram(op: str, points: Tensor, bins: list[Any], range: Any, weight: Any, density: bool) -> Any:
    """Compute the histogram of points (N, D) and the edges along each dimension."""
    x = points.array
    if x.dtype.kind != "f":
        raise KindError(f"{op}: is not implemented for {points.dtype}, but for floating-point numbers only")
    if range is not None and len(range) != 2 * len(bins):
        raise ShapeError(
            f"{op}: for {len(bins)} dimensions range should have {2 * len(bins)} numbers, got {len(range)}"
        )
    if weight is not None and (weight.array.size != len(x) or weight.dtype != points.dtype):
        raise ShapeError(f"{op}: expected weight to have a value of {points.dtype} for each of {len(x)} points")
    edges: list[Tensor] = []
    rows = x.shape[:1]
    inside, cell = np.ones_like(x, shape=rows, dtype=bool), np.zeros_like(x, shape=rows, dtype=np.int64)
    for i, part in enumerate(bins):
        column = x[:, i]
        edge = _edges(op, part, points, column, None if range is None else range[2 * i : 2 * i + 2])
        low, high = edge.array[0], edge.array[-1]
        within = (column >= low) & (column <= high)
        inside = inside & within
        place = _bin_by_search if edge is part else _bin_by_division
        cell = cell * (len(edge) - 1) + place(np.where(within, column, low), edge.array)
        edges.append(edge)
    sizes = [len(e) - 1 for e in edges]
    count = math.prod(sizes)
    if weight is None:
        hist = function.Tensor._wrap(np.bincount(cell[inside], minlength=count).astype(x.dtype))
    else:
        hist = _sum_of_weights(cell[inside], weight.reshape(-1)[inside], count)
    hist = hist.reshape(sizes)
    if density:
        hist = hist / hist.sum()
        for i, e in enumerate(edges):
            hist = hist / np.diff(e.array).reshape([-1 if i == j else 1 for j, _ in enumerate(sizes)])
    return hist, tuple(edges)


def _edges(op: str, bins: Any, points: Tensor, column: Array, ends: Sequence[float] | None) -> Tensor:
    """Return the edges of the bins along one dimension: the given ones, or those of `bins` equal bins."""
    if not isinstance(bins, function.Tensor):
        low, high = _range(op, column, bins, None if ends is None else (float(ends[0]), float(ends[1])), 0.5)
        return linspace(low, high, bins + 1, dtype=points.dtype, device=points.device)
    if bins.ndim != 1 or bins.dtype != points.dtype:
        raise ShapeError(f"{op}: edges must be one-dimensional and {points.dtype}, got {bins.shape} {bins.dtype}")
    if len(bins) < 2:
        raise ShapeError(f"{op}: bins must be > 0, but {len(bins)} edges make none")
    return bins


def _bin_by_search(x: Array, edges: Array) -> Array:
    """Return the bin of each number, for any edges; the last bin includes its right edge."""
    return np.minimum(np.searchsorted(edges, x, "right") - 1, len(edges) - 2)


def _bin_by_division(x: Array, edges: Array) -> Array:
    """Return the bin of each number, for equal bins: by division, corrected where rounding crossed an edge."""
    n = len(edges) - 1
    scale = n / (float(edges[-1] - edges[0]) or 1.0)
    place = np.minimum(((x - edges[0]) * scale).astype(np.int64), n - 1)
    place -= x < edges[place]
    place += x >= edges[place + 1]
    return np.minimum(place, n - 1)


@tensors_only
@observed
def searchsorted(
    sorted_sequence: Tensor, input: Tensor | float, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the indices at which input's elements would be inserted into sorted sequences.

    The shapes are (..., N), (..., M) -> (..., M). Elements go before equal elements, or after them if right=True or
    side="right". A 1-d sequence serves an input of any shape. `sorter` has the indices that sort unsorted sequences.
    Raises RuntimeError for a 0-d sequence, leading sizes that differ, another side or "left" with right=True, a sorter
    of other shape, dtype or range, complex numbers, and an input on another device. Source: torch.searchsorted.

    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 6]), right=True)
    tensor([2, 3])
    """
    if side not in (None, "left", "right"):
        raise ArgumentError(f"searchsorted: side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise ArgumentError("searchsorted: side and right can't be set to opposites, got side of left and right=True")
    if isinstance(input, function.Tensor) and input.device != sorted_sequence.device:
        raise DeviceError(
            "searchsorted(): boundaries and input value tensors should have same device type, but got boundaries "
            f"tensor device type {sorted_sequence.device} and input value tensor device type {input.device}"
        )
    lines = sorted_sequence.array
    values = as_tensor(input, device=sorted_sequence.device).array
    if "c" in (lines.dtype.kind, values.dtype.kind):
        raise KindError(f"searchsorted: is not implemented for complex numbers, got {lines.dtype} and {values.dtype}")
    if lines.ndim == 0:
        raise ShapeError("searchsorted: sorted_sequence should have positive dimension, but got 0 dimension")
    if lines.ndim > 1 and lines.shape[:-1] != values.shape[:-1]:
        raise ShapeError(
            "searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor "
            f"and input value tensor must match, but we got boundaries tensor {[*lines.shape]} and input value tensor "
            f"{[*values.shape]}"
        )
    given = (("boundary", lines), ("input value", values), ("sorter", None if sorter is None else sorter.array))
    for name, x in given:
        if x is not None and not x.flags.c_contiguous:
            once(f"torch.searchsorted(): {name} tensor is non-contiguous, which costs a copy.")
    if sorter is not None:
        if sorter.array.dtype != np.int64 or sorter.array.shape != lines.shape:
            raise ShapeError(
                f"searchsorted: sorter must be int64 and have the shape {lines.shape} of sorted_sequence, got "
                f"{sorter.array.shape} {sorter.dtype}"
            )
        if known(np.any((sorter.array < 0) | (sorter.array >= lines.shape[-1]))):
            raise ArgumentError("searchsorted: sorter index out of range")
        lines = np.take_along_axis(lines, sorter.array, -1)
    found = _search(lines, values, right or side == "right")
    places = backend.as_array(found).astype(np.int32 if out_int32 else np.int64, "C")
    return into(out, function.Tensor._wrap(places), exact="searchsorted")


def _search(lines: Array, values: Array, right: bool) -> Array:
    if lines.ndim == 1:
        if not backend.on_cpu(lines) or not lines.size or lines[-1] == lines[-1]:
            return np.searchsorted(lines, values, "right" if right else "left")
        # A NaN at the end: NumPy counts it as the largest number, PyTorch's comparisons don't.
        return _binary_search(lines, values.reshape(-1), right).reshape(values.shape)
    return _binary_search(lines, values, right)


def _binary_search(lines: Array, values: Array, right: bool) -> Array:
    """Search values (..., M) in sorted lines (..., N), all at once, with the comparisons that PyTorch makes."""
    low = np.zeros_like(lines, shape=values.shape, dtype=np.int64)
    high = low + lines.shape[-1]
    for _ in range(lines.shape[-1].bit_length()):
        middle = (low + high) // 2
        there = np.take_along_axis(lines, np.minimum(middle, lines.shape[-1] - 1), -1)
        after = (low < high) & np.logical_not(there > values if right else there >= values)
        low, high = np.where(after, middle + 1, low), np.where(after, high, middle)
    return low


@tensors_only
@observed
def bucketize(
    input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the index of the bucket between boundaries that each element is in: see `searchsorted`.

    Raises RuntimeError unless boundaries are a vector. Source: torch.bucketize.

    >>> torch.bucketize(torch.tensor([3, 6, 9]), torch.tensor([1, 3, 5, 7, 9]))
    tensor([1, 3, 4])
    """
    if boundaries.ndim != 1:
        raise ShapeError(f"bucketize: boundaries must have one dimension, got {tuple(boundaries.shape)}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)
