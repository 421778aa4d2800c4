"""segment_reduce: reductions of consecutive segments."""

from __future__ import annotations

import math

import numpy as np

from ... import backend
from ...errors import ArgumentError, KindError, ShapeError
from ...function import Function
from ...function.linear_map import LinearMap
from ...state import composite
from ...type_aliases import Array, Tensor
from ..creation import from_array
from ..elementwise import Select, where
from ..indexing import MulItem, index_kernels
from ..movement.dims import wrap_dim
from .extrema import equal_or_both_nan

ROUNDS = 64  # how many rows of all segments are reduced together


class SegmentSum(LinearMap):
    """The sums of consecutive segments of given lengths: (N, ...) -> (S, ...)."""

    symbol, operator, on_host = "segment sum", None, ("lengths",)

    def forward(self, x):
        return reduce_segments(np.add, x, self.lengths, 0)

    def adjoint(self, grad):
        if type(grad) is np.ndarray:
            return np.repeat(grad, self.lengths, 0)
        return grad[backend.like(segment_of_each(self.lengths), grad)]


class SegmentExtreme(Function):
    """The maxima or minima of consecutive segments of given lengths: (N, ...) -> (S, ...).

    Tied elements share the gradient equally; if there are NaNs, only they share it.
    """

    symbol, operator, on_host = "segment max", None, ("lengths",)

    def forward(self, x):
        ufunc, empty = (np.maximum, -math.inf) if self.largest else (np.minimum, math.inf)
        with np.errstate(invalid="ignore"):  # NumPy warns of comparisons with NaN
            return reduce_segments(ufunc, x, self.lengths, empty)

    def grad_x(self, grad, x, out):
        segments = {"lengths": self.lengths}
        spread = {**segments, "x_shape": x.shape}
        extreme = SegmentSum.transposed.apply(out, **spread)
        winners = equal_or_both_nan(x, extreme)
        ties = SegmentSum.apply(np.astype(winners, grad.dtype), **segments)
        return Select.apply(winners, SegmentSum.transposed.apply(grad / np.maximum(ties, 1), **spread))


def reduce_segments(ufunc: np.ufunc, x: Array, lengths: Array, empty: float, index: Array | None = None) -> Array:
    """Reduce segments by a ufunc, (N, ...) -> (S, ...); the result of an empty one is `empty`.

    With an index, (N), the segments are of x's rows at the index: x is then a matrix on the CPU.
    """
    out = np.full_like(x, empty, order="C", shape=(len(lengths), *x.shape[1:]))
    if type(x) is not np.ndarray:
        index_kernels.at(ufunc, out, (backend.like(segment_of_each(lengths), x), *[slice(None)] * (x.ndim - 1)), x)
        return out
    starts = np.cumsum(lengths) - lengths
    if x.ndim == 1:
        filled = np.flatnonzero(lengths)
        out[filled] = ufunc.reduceat(x, starts[filled])
    elif lengths.any():
        _reduce_rows(ufunc, x, starts, lengths, out, index)
    return out


def _reduce_rows(ufunc: np.ufunc, x: Array, starts: Array, lengths: Array, out: Array, index: Array | None) -> None:
    """Write the reductions of segments of rows, (N, ..., D), to `out`; empty segments are left as they are.

    The first rows of all segments are reduced together, then the second ones, and so on; what is left of long segments
    is reduced one by one. `reduceat` goes through x once for each column.
    """
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]  # the longest first
    starts, lengths = starts[order], lengths[order]
    rows = starts if index is None else index.take(starts)
    found = x.take(rows, 0)
    unfinished = np.bincount(np.minimum(lengths, ROUNDS))[:1:-1].cumsum()[::-1]  # those of more than 1 row, than 2, ...
    next_rows = starts.copy()
    for count in unfinished.tolist():
        next_rows += 1
        rows, part = next_rows[:count], found[:count]
        ufunc(part, x.take(rows if index is None else index.take(rows), 0), out=part)
    for i in range(np.count_nonzero(lengths > ROUNDS)):
        rest = slice(starts[i] + ROUNDS, starts[i] + lengths[i])
        ufunc(found[i], ufunc.reduce(x[rest] if index is None else x.take(index[rest], 0), 0), out=found[i, ...])
    out[order] = found


def segment_of_each(lengths: Array) -> Array:
    """The number of the segment of each element, (S) -> (N)."""
    return np.repeat(np.arange(len(lengths)), lengths)


def places_in_segments(starts: Array, lengths: Array) -> Array:
    """The places of the elements of segments, (S), (S) -> (N)."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


@composite
def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None,
    offsets: Tensor | None = None, axis: int = 0, unsafe: bool = False, initial: float | None = None,
) -> Tensor:  # fmt: skip
    """Reduce ("sum", "mean", "max", "min", "prod") consecutive segments along axis, given by lengths or offsets.

    "amax" and "amin" are further names of "max" and "min". Raises RuntimeError where the lengths don't add up to the
    size of data, unless `unsafe`.
    Source: torch.segment_reduce.

    >>> torch.segment_reduce(torch.tensor([1.0, 2.0, 3.0]), "sum", lengths=torch.tensor([1, 2]))
    tensor([1., 5.])
    """
    reduce = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    if reduce not in ("sum", "mean", "max", "min", "prod"):
        raise ArgumentError(f"segment_reduce: reduce is one of sum, mean, max, min, prod, got {reduce}")
    if reduce in ("max", "min") and data.array.dtype.kind == "c":
        raise KindError(f"segment_reduce: {reduce} is not implemented for complex numbers, got {data.dtype}")
    if indices is not None:
        raise ArgumentError("segment_reduce(): indices based reduction is not supported yet.")
    if not data.ndim:
        raise ShapeError("segment_reduce: data must have a dimension to reduce")
    at = wrap_dim(axis, data.ndim, "segment_reduce")
    starts, sizes = _bounds(data, at, lengths, offsets, unsafe)
    if starts.shape[:-1] != data.shape[:at]:
        raise ShapeError(
            f"segment_reduce: data {tuple(data.shape)} has other dimensions before axis {axis} than the segments, "
            f"{starts.shape[:-1]}"
        )
    rest, shape = data.shape[at + 1 :], (*starts.shape, *data.shape[at + 1 :])
    x = data if at == 0 else data.reshape(-1, *rest)
    if offsets is not None or unsafe:
        lines = np.arange(math.prod(data.shape[:at])).reshape(*data.shape[:at], 1)
        starts, sizes = (starts + data.shape[at] * lines).reshape(-1), sizes.reshape(-1)
        if sizes.sum() != x.shape[0] or (starts != np.cumsum(sizes) - sizes)[sizes > 0].any():  # some are in no segment
            x = x[from_array(places_in_segments(starts, sizes), data.device)]
    out = _reduced(x, reduce, sizes.reshape(-1), initial)
    return out if at == 0 else out.reshape(shape)


def _bounds(
    data: Tensor, axis: int, lengths: Tensor | None, offsets: Tensor | None, unsafe: bool
) -> tuple[Array, Array]:
    """Return where segments begin and their lengths, (..., S) each, on the CPU."""
    given = lengths if offsets is None else offsets
    if given is None:
        raise ArgumentError("segment_reduce: give lengths or offsets")
    if given.array.dtype.kind not in "iu":
        raise KindError(f"segment_reduce: lengths and offsets must be integers, got {given.dtype}")
    if given.ndim != axis + 1:
        name = "lengths" if offsets is None else "offsets"
        raise ShapeError(
            f"segment_reduce(): Expected axis to be the last dimension of {name} but got {axis}: {name} has shape "
            f"{tuple(given.shape)}"
        )
    n = data.shape[axis]
    if given.is_meta and data.is_meta:  # as if the first segment had all
        count = given.shape[-1] - (offsets is not None)
        sizes = np.zeros((*given.shape[:-1], count), np.int64)
        sizes[..., :1] = n
        return np.cumsum(sizes, -1) - sizes, sizes
    values = backend.to_numpy(given.array).astype(np.int64)
    if offsets is None:
        if not unsafe and ((values < 0).any() or (values.sum(-1) != n).any()):
            raise ShapeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when "
                f"!unsafe, and none to be negative, but got {values.tolist()} for size {n}"
            )
        if not unsafe:
            return values.cumsum(-1) - values, values
        values = np.cumsum(np.insert(values, 0, 0, axis=-1), -1)
    edges = np.clip(values, 0, n)
    return edges[..., :-1], np.maximum(np.diff(edges, axis=-1), 0)


def _reduced(x: Tensor, reduce: str, sizes: Array, initial: float | None) -> Tensor:
    """Reduce consecutive segments along the first axis, with `initial` as a further element of each."""
    if reduce in ("max", "min"):
        out: Tensor = SegmentExtreme.apply(x, lengths=sizes, largest=reduce == "max")
        if initial is None:
            return out
        return where(out < initial if reduce == "max" else out > initial, initial, out)
    if reduce == "prod":
        index = (backend.like(segment_of_each(sizes), x.array), *[slice(None)] * (x.ndim - 1))
        out = MulItem.apply(x.new_ones((len(sizes), *x.shape[1:])), x, index=index)
        return out if initial is None else out * initial
    out = SegmentSum.apply(x, lengths=sizes)
    out = out if initial is None else out + initial
    if reduce == "sum":
        return out
    counts = sizes.astype(x.array.dtype).reshape(-1, *[1] * (x.ndim - 1))
    counts[counts == 0] = math.nan if initial is None else 1
    return out / backend.like(counts, x.array)
