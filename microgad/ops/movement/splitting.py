"""Split a Tensor into parts, and select parts of it: all of them views."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ... import function
from ...backend.axes import at_axis, slice_along
from ...dtypes.type_names import TYPE_NAMES
from ...errors import ArgumentError, DeviceError, DimError, DtypeError, ShapeError
from ...function import Function
from ...function.naming import with_torch_name
from ...state import observed
from ...type_aliases import Array, Tensor
from ..support.spelling import numpy_spelling
from .dims import as_tuple, is_number, wrap_dim
from .joining import concatenated, stacked


class _SeveralViews:
    """Mixin for Functions that return several views of an array, one for each of `indices`."""

    __slots__ = ()
    indices: tuple[Any, ...]

    def forward(self, x: Array) -> tuple[Array, ...]:
        return tuple([x[index] for index in self.indices])

    def part_of(self, shape: tuple[int, ...]) -> Callable[[int], Any]:
        """Return a function: the operation that makes the i-th view alone, which is applied again after a write."""
        indices = self.indices

        def part(i: int) -> Any:
            from ..indexing import GetItem  # not at the top: indexing imports movement; here it is rarely reached

            return GetItem, {"index": indices[i], "x_shape": shape}

        return part


class Split(_SeveralViews, Function):
    """Consecutive slices along an axis, which cover it: views."""

    symbol, numpy, may_share = "split", np.split, True

    def grad_x(self, grad):
        return (np.concatenate if isinstance(grad[0], function.Tensor) else concatenated)(grad, self.axis)


class Unbind(_SeveralViews, Function):
    """The slices along an axis, each without that axis: views."""

    symbol, numpy, may_share = "unbind", np.unstack, True

    def grad_x(self, grad):
        return (np.stack if isinstance(grad[0], function.Tensor) else stacked)(grad, self.axis)


def _split_at(input: Tensor, bounds: Sequence[int], axis: int) -> tuple[Tensor, ...]:
    """Return views between consecutive bounds, which begin with 0 and end with the size of the axis."""
    indices: tuple[Any, ...] = tuple([(*slice_along(axis, a, b), ...) for a, b in pairwise(bounds)])
    if list(bounds) == sorted(bounds):
        return Split.apply(input, indices=indices, axis=axis)
    return tuple(input[index] for index in indices)


def _check_ndim(input: Tensor, min_ndim: int, op: str) -> None:
    if input.array.ndim < min_ndim:
        raise ShapeError(f"{op} expects at least a {min_ndim}-dimensional tensor, but got {input.ndim} dimensions")


@numpy_spelling
def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Split along dim into views of one size (the last may be smaller) or of the given sizes.

    Raises IndexError for a dim out of range, RuntimeError for negative sizes, and for given sizes that don't add up.
    Source: torch.split.

    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if isinstance(split_size_or_sections, int):
        pass
    elif isinstance(split_size_or_sections, function.Tensor) and split_size_or_sections.numel() == 1:
        split_size_or_sections = int(split_size_or_sections)
    elif not is_number(split_size_or_sections):
        return split_with_sizes(tensor, as_tuple(split_size_or_sections), dim)
    _check_ndim(tensor, 1, "split")
    return _split_evenly(tensor, operator.index(split_size_or_sections), wrap_dim(dim, tensor.array.ndim, "split"))


def _split_evenly(tensor: Tensor, step: int, axis: int) -> tuple[Tensor, ...]:
    n = tensor.array.shape[axis]
    if step < 0:
        raise ArgumentError(f"split expects split_size be non-negative, but got split_size={step}")
    if step == 0 and n:
        raise ArgumentError(f"split: split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
    return _split_at(tensor, [*range(0, n, step or 1), n] if n else [0, 0], axis)


@numpy_spelling
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Split along dim into views of the given sizes, which add up to input's.

    Raises RuntimeError if they don't. Source: torch.split_with_sizes.

    >>> torch.split_with_sizes(torch.arange(3), [1, 2])
    (tensor([0]), tensor([1, 2]))
    """
    _check_ndim(input, 1, "split")
    axis, sizes = wrap_dim(dim, input.ndim, "split"), [*map(operator.index, split_sizes)]
    n = input.shape[axis]
    if any(s < 0 for s in sizes):
        raise ArgumentError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={sizes}"
        )
    if sum(sizes) != n:
        raise ShapeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {axis}), "
            f"but got split_sizes={sizes}, which sum to {sum(sizes)}"
        )
    parts = _split_at(input, [0, *accumulate(sizes)], axis) if sizes else ()
    if parts and (node := parts[0].grad_fn) is not None:  # all parts share it
        node.torch_name = "SplitWithSizes"
    return parts


@numpy_spelling
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Split along dim into at most `chunks` views, of equal size but for the last.

    Raises IndexError for a dim out of range, RuntimeError unless chunks > 0. Source: torch.chunk.

    >>> torch.chunk(torch.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    _check_ndim(input, 1, "chunk")
    if chunks <= 0:
        raise ArgumentError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = wrap_dim(dim, input.array.ndim, "chunk")
    n = input.array.shape[axis]
    return _split_evenly(input, -(-n // chunks), axis) if n else split_with_sizes(input, [0] * chunks, axis)


unsafe_split = split
unsafe_split_with_sizes = split_with_sizes
unsafe_chunk = chunk


@numpy_spelling
@observed
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Split along dim into a number of views of nearly equal size, or at indices.

    Raises IndexError for a dim out of range, RuntimeError unless the number is positive. Source: torch.tensor_split.

    >>> torch.tensor_split(torch.arange(5), (1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    if input.ndim == 0:
        raise ShapeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    axis = wrap_dim(dim, input.ndim, "tensor_split")
    n, cuts = input.shape[axis], indices_or_sections
    if isinstance(cuts, function.Tensor):
        if cuts.array.dtype != np.int64:
            raise DtypeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{TYPE_NAMES[cuts.dtype]}"
            )
        if cuts.ndim > 1:
            raise ShapeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, "
                f"but got a tensor with {cuts.ndim} dims"
            )
        if cuts.is_cuda:
            raise DeviceError(
                f"tensor_split expected tensor_indices_or_sections to be on cpu, but it's on {cuts.device}"
            )
        cuts = cuts.tolist()
    if isinstance(cuts, (Mapping, Set)):
        raise DtypeError(f"tensor_split: expected an int or a sequence of ints, got {type(cuts).__name__}")
    if is_number(cuts):
        cuts = operator.index(cuts)
        if cuts <= 0:
            raise ArgumentError(f"tensor_split: number of sections must be larger than 0, got {cuts}")
        size, larger = divmod(n, cuts)  # the first `larger` sections have one more
        bounds = [*(size * i + min(i, larger) for i in range(min(cuts, n) + 1)), *[n] * (cuts - n)]
    else:
        bounds = [0, *(builtins.slice(operator.index(i)).indices(n)[1] for i in cuts), n]
    return tuple([with_torch_name("Slice", part) for part in _split_at(input, bounds, axis)])


def _split_along(input: Tensor, parts: Any, min_ndim: int, axis: int, op: str) -> tuple[Tensor, ...]:
    """Check the arguments of hsplit, vsplit or dsplit, and split."""
    if input.ndim < min_ndim:
        raise ShapeError(
            f"torch.{op} requires a tensor with at least {min_ndim} dimension, but got a tensor with {input.ndim} "
            "dimensions!"
        )
    parts = operator.index(parts) if is_number(parts) else parts
    if isinstance(parts, int) and (parts <= 0 or input.shape[axis] % parts):
        raise ArgumentError(
            f"torch.{op} attempted to split along dimension {axis}, but the size of the dimension {input.shape[axis]} "
            f"is not divisible by the split_size {parts}!"
        )
    return tensor_split(input, parts, axis)


@numpy_spelling
def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Split along the second dimension, a vector along its only one: see `tensor_split`. Source: torch.hsplit.

    >>> torch.hsplit(torch.tensor([[1, 2], [3, 4]]), 2)[1]
    tensor([[2],
            [4]])
    """
    return _split_along(input, indices_or_sections, 1, min(input.ndim, 2) - 1, "hsplit")


@numpy_spelling
def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Split along the first dimension: see `tensor_split`. Source: torch.vsplit.

    >>> torch.vsplit(torch.tensor([[1, 2], [3, 4]]), 2)[1]
    tensor([[3, 4]])
    """
    return _split_along(input, indices_or_sections, 2, 0, "vsplit")


@numpy_spelling
def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Split along the third dimension: see `tensor_split`. Source: torch.dsplit.

    >>> torch.dsplit(torch.arange(4).reshape(1, 2, 2), 2)[1]
    tensor([[[1],
             [3]]])
    """
    return _split_along(input, indices_or_sections, 3, 2, "dsplit")


@numpy_spelling
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the slices along dim, each without that dim: views.

    Raises IndexError for a dim out of range. Source: torch.unbind.

    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    axis = wrap_dim(dim, input.ndim, "unbind", wrap_scalar=False)
    lead = at_axis(axis)
    indices = tuple([(*lead, i, ...) for i in range(input.array.shape[axis])])
    return Unbind.apply(input, indices=indices, axis=axis) if indices else ()


@numpy_spelling
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """Narrow dim to `length` slices from `start` on; a negative start counts from the end: a view.

    Raises IndexError for a dim or a start out of range, RuntimeError if the slices aren't there. Source: torch.narrow.

    >>> torch.narrow(torch.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    if isinstance(start, function.Tensor):
        if start.ndim or start.array.dtype.kind not in "iu":
            raise ArgumentError(f"narrow: start must be an 0-dim integral Tensor, got {start.dtype} {start.shape}")
        start = int(start)
    start = operator.index(start)
    if input.ndim == 0:
        raise ShapeError("narrow() cannot be applied to a 0-dim tensor")
    axis = wrap_dim(dim, input.ndim, "narrow")
    n = input.shape[axis]
    if length < 0:
        raise ArgumentError(f"narrow(): length must be non-negative, got {length}")
    if not -n <= start <= n:
        raise DimError(f"narrow: start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    first = start + n if start < 0 else start
    if first + length > n:
        raise ShapeError(f"narrow: start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return input[slice_along(axis, first, first + length)]


@numpy_spelling
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Return the slice at index along dim, without that dim: a view.

    Raises IndexError for a dim or an index out of range. Source: torch.select.

    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    shape = input.array.shape
    if not shape:
        raise DimError("select() cannot be applied to a 0-dim tensor")
    axis, index = wrap_dim(dim, len(shape), "select"), int(index)
    n = shape[axis]
    if not -n <= index < n:
        raise DimError(f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {dim}")
    return input[at_axis(axis, index)]


def slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """Return every step-th slice along dim, from start up to but not including end: a view.

    Raises RuntimeError unless step > 0, IndexError for 0-d Tensors and a dim out of range.
    Source: torch.ops.aten.slice.

    >>> torch.slice(torch.arange(5), 0, 1, None, 2)
    tensor([1, 3])
    """
    if input.ndim == 0:
        raise DimError("slice() cannot be applied to a 0-dim tensor")
    if step <= 0:
        raise ArgumentError(f"slice: step must be positive, got {step}")
    axis = wrap_dim(dim, input.ndim, "slice")
    return input[slice_along(axis, start, end, step)]
