"""Embeddings: lookup of a table's rows by integers, sums, means or maxima of bags of rows, and one-hot rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..backend.meta import as_zeros
from ..engine.transforms import transposes_tangent
from ..errors import ArgumentError, CallError, DimError, DtypeError, KindError, ShapeError, UnsupportedError
from ..errors.arguments import check_bool
from ..errors.notices import warn
from ..function import Function
from ..function.half import HALF
from ..function.linear_map import LinearMap
from ..state import composite, observed
from ..type_aliases import Array, Tensor, Truth
from .elementwise import Select
from .indexing import Gather, index_kernels
from .indexing.row_kernels import at_rows
from .reduction.segments import SegmentSum, places_in_segments, reduce_segments, segment_of_each
from .support.bare import is_recorded
from .support.spelling import numpy_spelling, tensors_only

MAX_TABLE = 1 << 18  # elements of the bags whose maxima are computed together


class TakeRows(LinearMap):
    """The rows at an index, (V, D) -> (..., D)."""

    symbol, operator, native_half = "rows", None, True

    def forward(self, x):
        return x.take(self.index, 0)  # twice as fast as x[index]

    def adjoint(self, grad):
        out = backend.zeros(self.x_shape, grad)
        index = self.index.reshape(-1)
        rows = grad.reshape((len(index), self.x_shape[1]))
        if backend.is_gpu(out):
            index_kernels.add(out, (index,), rows)
        else:
            at_rows(np.add, out[None], index.astype(np.intp, copy=False), rows[None], blank=True)
        return out


class Embedding(Function):
    """The rows at an index, (V, D) -> (..., D).

    In backward, `share`, if any, multiplies the gradient, and rows where `counted` is False (padding) get none. That
    doesn't concern tangents.
    """

    symbol, native_half = "embedding", True

    def forward(self, weight):
        return weight.take(self.index, 0)

    def grad_weight(self, grad):
        altered = not transposes_tangent()
        if altered and self.share is not None:
            grad = grad * self.share
        if altered and self.counted is not None:
            grad = Select.apply(self.counted, grad)
        return TakeRows.transposed.apply(grad, index=self.index, x_shape=self.shape_of_weight)


class BagSum(LinearMap):
    """The sums of consecutive bags, of given lengths, of the rows at an index: (V, D) -> (S, D).

    It doesn't write the rows to memory, which takes five times as long as to add them up.
    """

    symbol, operator, on_host = "bag sum", None, ("lengths",)
    index: Any
    lengths: Any

    def forward(self, x):
        if type(x) is not np.ndarray:
            return SegmentSum.apply(x.take(self.index, 0), lengths=self.lengths)
        return reduce_segments(np.add, x, self.lengths, 0, self.index)

    def adjoint(self, grad):
        rows = SegmentSum.transposed.apply(grad, lengths=self.lengths)
        return TakeRows.transposed.apply(rows, index=self.index, x_shape=self.x_shape)


@tensors_only
@observed
def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Return the rows of weight (V, D) at the indices input, int64 or int32 (...) -> (..., D).

    The row padding_idx gets no gradient. Rows that are looked up and have a norm over max_norm are scaled down in place
    first. scale_grad_by_freq divides a row's gradient by the number of its occurrences. Gradients are dense, `sparse`
    or not.

    Raises IndexError if an index is out of range, AssertionError if padding_idx is, RuntimeError for other shapes and
    dtypes. Source: torch.nn.functional.embedding.

    >>> F.embedding(torch.tensor([1, 0]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    if weight.ndim != 2:
        raise ShapeError(f"embedding: 'weight' must be 2-D, but is {tuple(weight.shape)}")
    count = weight.shape[0]
    padding_idx = None if padding_idx is None else int(padding_idx)
    if padding_idx is not None and not -count <= padding_idx < max(count, 1):
        raise CallError(f"Padding_idx must be within num_embeddings, {count}, but is {padding_idx}")
    index = _check_indices("embedding", input, count)
    if max_norm is not None:
        embedding_renorm_(weight.detach(), input, max_norm, norm_type)
    share = counted = None
    if scale_grad_by_freq:
        often = np.bincount(index.reshape(-1), minlength=count)[index]
        share = (1 / np.maximum(often, 1)).astype(weight.array.dtype)[..., None]
    if padding_idx is not None:
        counted = (index != padding_idx % max(count, 1))[..., None]
    index = index.copy() if is_recorded(weight) else index  # the caller may write to input before backward
    return Embedding.apply(weight, index=index, share=share, counted=counted, shape_of_weight=tuple(weight.shape))


def _check_indices(op: str, input: Tensor, count: int, renormed: bool = False) -> Array:
    index = input.array
    if index.dtype not in (np.dtype(np.int64), np.dtype(np.int32)):
        raise DtypeError(f"{op}: indices must be int64 or int32, but are {input.dtype}")
    if not index_kernels.all_in_range(index, count):
        found = f"weight has {count} rows, indices are {index.min()} to {index.max()}"
        if op == "embedding_bag" and not (renormed and index.min() >= 0):  # as in PyTorch
            raise ArgumentError(f"{op}: Expected idx >= 0 && idx < num_embeddings, but {found}")
        raise DimError(f"{op}: index out of range in self: {found}")
    return index


def embedding_renorm_(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale the rows of weight at indices down to max_norm, in place, if their norm is larger.

    weight (V, D), indices (...), int64 or int32. Raises RuntimeError for other dtypes, IndexError for indices out of
    range. Source: torch.embedding_renorm_.

    >>> torch.embedding_renorm_(torch.tensor([[3.0, 4.0], [3.0, 4.0]]), torch.tensor([1]), 1.0, 2.0)
    tensor([[3.0000, 4.0000],
            [0.6000, 0.8000]])
    """
    index = _check_indices("embedding_renorm_", indices, weight.shape[0])
    if "meta" in (weight.device.type, indices.device.type):
        return weight
    rows = np.unique(backend.to_numpy(index))
    found = weight.detach()[backend.like(rows, weight.array)]
    norms = backend.to_numpy(found.norm(norm_type, 1).array)
    exact = norms.astype(np.float64)  # PyTorch compares and divides in float64, and rounds the factor
    long = exact > max_norm
    if long.any():
        factor = (max_norm / (exact[long] + 1e-7)).astype(norms.dtype)[:, None]
        scaled = found[backend.like(np.flatnonzero(long), weight.array)] * backend.like(factor, weight.array)
        weight[backend.like(rows[long], weight.array)] = scaled
    return weight


@composite
def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None, norm_type: float = 2,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
    per_sample_weights: Tensor | None = None, include_last_offset: Truth = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """Return the sum, mean or max of the rows of weight (V, D) in each bag of indices, (bags, D).

    input is (bags, n), or (n) with offsets, int (bags), the first entry of each bag; with include_last_offset there is
    one more offset, the end of the last bag. Entries equal to padding_idx do not count; an empty bag gives 0.
    per_sample_weights, of input's shape, multiply the rows in mode "sum". The other arguments are those of embedding.

    Raises ValueError if shapes, offsets or the mode do not fit, RuntimeError if an index is out of range
    (with max_norm IndexError for a positive one). Source: torch.nn.functional.embedding_bag.

    >>> weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> F.embedding_bag(torch.tensor([0, 1, 1]), weight, torch.tensor([0, 1]), mode="sum")
    tensor([[1., 2.],
            [6., 8.]])
    """
    if weight.array.dtype == np.int64 and input.array.dtype.kind == "f":
        warn("embedding_bag(weight, input, ...) is deprecated: it is embedding_bag(input, weight, ...) now")
        input, weight = weight, input
    _check_bag(input, weight, mode, scale_grad_by_freq, sparse, per_sample_weights, padding_idx)
    starts, sizes = _bag_bounds(input, offsets, include_last_offset)
    flat = input if input.ndim == 1 else input.reshape(-1)
    index = as_zeros(backend.to_numpy(_check_indices("embedding_bag", flat, weight.shape[0], max_norm is not None)))
    if max_norm is not None:
        embedding_renorm_(weight.detach(), flat, max_norm, norm_type)
    counts, factors = sizes, None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if padding_idx is not None or sizes.sum() != flat.shape[0]:  # otherwise every entry counts
        entries = places_in_segments(starts, sizes)
        if padding_idx is not None:
            counted = index[entries] != padding_idx % weight.shape[0]
            counts = np.bincount(segment_of_each(sizes)[counted], minlength=len(sizes))
            entries = entries[counted]
        chosen, index = backend.like(entries, weight.array), index[entries]
        flat, factors = flat[chosen], None if factors is None else factors[chosen]
    plain = type(index) is type(weight.array) is np.ndarray and weight.array.dtype != HALF
    if plain and input.ndim == 1 and mode != "max" and factors is None and not scale_grad_by_freq:
        out = BagSum.apply(weight, index=index.copy() if is_recorded(weight) else index, lengths=counts)
    else:
        rows = embedding(flat, weight, scale_grad_by_freq=scale_grad_by_freq)
        if mode == "max":
            return _bag_maxima(rows, counts)
        if factors is not None:
            rows = rows * factors.unsqueeze(1)
        if input.ndim == 2 and padding_idx is None:
            out = rows.reshape(*input.shape, weight.shape[1]).sum(1)
        else:
            out = SegmentSum.apply(rows, lengths=counts)
    if mode == "mean":
        out = out / backend.like(np.maximum(counts, 1)[:, None], weight.array, weight.array.dtype)
    return out


def _check_bag(
    input: Tensor, weight: Tensor, mode: str, by_freq: bool, sparse: bool, per_sample_weights: Tensor | None,
    padding_idx: int | None,
) -> None:  # fmt: skip
    """Raise an error if arguments of embedding_bag do not fit."""
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ShapeError(
            f"embedding_bag: per_sample_weights {tuple(per_sample_weights.shape)} must have the same shape as the "
            f"input {tuple(input.shape)}"
        )
    if weight.ndim != 2:
        raise ShapeError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if weight.array.dtype.kind != "f":
        raise KindError(f"embedding_bag: weight must be floating-point, got {weight.dtype}")
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(f"mode has to be one of sum, mean or max, got {mode!r}")
    if mode == "max" and (by_freq or sparse):
        kind = "scaling the gradient by the frequency" if by_freq else "sparse weights"
        raise ArgumentError(f"max mode does not support {kind}")
    if per_sample_weights is not None and mode != "sum":
        raise UnsupportedError(f"embedding_bag: per_sample_weights is only supported for mode='sum', got mode='{mode}'")
    if per_sample_weights is not None and per_sample_weights.dtype != weight.dtype:
        found = f"{weight.dtype} is not {per_sample_weights.dtype}"
        raise DtypeError(f"embedding_bag: expected weight to have the same type as per_sample_weights, but {found}")
    if padding_idx is not None and not -weight.shape[0] <= padding_idx < weight.shape[0]:
        rows = weight.shape[0]
        given = f"{-rows} through {rows - 1}, but got {padding_idx}"
        raise ArgumentError(f"embedding_bag: padding_idx must be within the number of embeddings, {given}")


def _bag_bounds(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> tuple[Array, Array]:
    """Return the first entry of each bag, and its number of entries."""
    if input.ndim == 2:
        if offsets is not None:
            raise ArgumentError("if input is 2D, then offsets has to be None: the rows are the bags")
        return np.arange(input.shape[0]) * input.shape[1], np.full(input.shape[0], input.shape[1])
    check_bool("embedding_bag", include_last_offset=include_last_offset)
    if input.ndim != 1:
        raise ShapeError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None or offsets.ndim != 1:
        raise ShapeError(f"offsets has to be a 1D Tensor but got {None if offsets is None else tuple(offsets.shape)}")
    if offsets.array.dtype.kind != "i":
        raise DtypeError(f"embedding_bag: offsets must be int64 or int32, but are {offsets.dtype}")
    starts, end = as_zeros(backend.to_numpy(offsets.array)), input.shape[0]
    if include_last_offset and not starts.size:
        raise ArgumentError("embedding_bag: include_last_offset needs at least one offset")
    if starts.size and starts[0] != 0:
        raise ArgumentError(f"embedding_bag: offsets[0] has to be 0, but is {starts[0]}")
    if starts.size and starts[-1] > end:
        raise ArgumentError(f"embedding_bag: offsets[-1] can not be greater than input's length {end}: {starts[-1]}")
    edges = starts if include_last_offset else np.concatenate((starts, [end]))
    sizes = edges[1:] - edges[:-1]
    if (sizes < 0).any():
        raise ArgumentError(f"embedding_bag: offsets must ascend, but are {starts.tolist()}")
    return edges[:-1], sizes


def _bag_maxima(rows: Tensor, counts: Array) -> Tensor:
    """Return the maximum of each bag's rows, (n, D) -> (bags, D); 0 for empty bags. Of equal values the first wins."""
    x, shape = rows.array, (len(counts), rows.shape[1])
    if not len(x):
        return TakeRows.transposed.apply(rows, index=backend.like([], x, np.int64), x_shape=shape)
    starts, index = np.cumsum(counts) - counts, np.zeros_like(x, shape=shape, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    while order.size:  # bags of similar size together: a table of all bags would be as wide as the largest
        width = int(counts[order[0]])
        step = max(1, MAX_TABLE // (width * max(shape[1], 1)))
        bags, order = order[:step], order[step:]
        inside = np.arange(width) < counts[bags, None]
        table = backend.like(np.where(inside, starts[bags, None] + np.arange(width), 0), x)
        values = np.where(backend.like(inside, x)[:, :, None], x[table], -math.inf)
        index[backend.like(bags, x)] = table[backend.like(np.arange(len(bags)), x)[:, None], values.argmax(1)]
    return Select.apply(backend.like(counts[:, None] > 0, x), Gather.apply(rows, index=index, axis=0))


@numpy_spelling
@observed
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Encode classes as one-hot rows, int64 (...) -> (..., num_classes). By default the largest class is the last one.

    Raises RuntimeError if a class is negative or too large. Source: torch.nn.functional.one_hot.

    >>> F.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.array.dtype != "int64":
        raise DtypeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}")
    if num_classes <= 0 and not tensor.numel():
        raise ArgumentError("one_hot: can not infer total number of classes from empty tensor; give num_classes")
    x = tensor.array
    values = x if num_classes == -1 else as_zeros(x)  # on "meta" there are none to check
    low, high = (int(values.min()), int(values.max())) if x.size else (0, -1)
    count = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= count:
        rule = "non-negative" if low < 0 else "smaller than num_classes"
        raise ArgumentError(f"one_hot: Class values must be {rule}: there are {low} to {high} for {count} classes")
    out = np.zeros_like(x, shape=(x.size, count), order="C")
    out[backend.like(np.arange(x.size), x), x.reshape(-1)] = 1
    return tensor._wrap(out.reshape((*x.shape, count)))
