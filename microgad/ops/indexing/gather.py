"""gather, take_along_dim, take, put, unravel_index: elements by index along a dimension, or of the flat Tensor."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import backend, function
from ...backend.memory_layout import row_major_strides
from ...errors import ArgumentError, DimError, DtypeError, ShapeError
from ...errors.arguments import check_bool
from ...errors.wording import in_torchs_words
from ...function.linear_map import LinearMap
from ...function.naming import with_torch_name
from ...size import Size
from ...state import observed
from ...type_aliases import Array, Tensor
from .. import creation
from ..movement import unbind
from ..movement.dims import wrap_dim
from ..support import fast_numpy, layouts
from ..support.blocks import BLOCK_SIZE
from ..support.spelling import numpy_spelling, tensors_only
from . import index_kernels, places
from .index_kernels import ALL
from .index_parsing import INT64, checked_index_array, into_separate
from .item import AddItem, GetItem, SetItem, Write, single_write


class Gather(LinearMap):
    """x taken at an array of indices along one axis: out[i][j] = x[i][index[i][j]] for axis 1."""

    symbol, numpy, native_half = "gather", np.take_along_axis, True

    def forward(self, x):
        if len(blocks := self._blocks()) == 1:
            return layouts.contiguous(self._taken(x, ...))
        out = np.empty_like(x, shape=self.index.shape, order="C")
        for rows in blocks:
            out[rows] = self._taken(x[rows], rows)
        return out

    def _taken(self, x: Array, rows: Any) -> Array:
        """Take what the rows of the index select."""
        copied = x.flags.c_contiguous or x.size < index_kernels.SMALL_MASK
        memory, steps = (x, None) if copied else places.flat_memory(x)
        where = index_along(self.axis, self.index[rows], x.shape, steps)
        return index_kernels.take(x if type(where) is tuple else memory, where)

    def adjoint(self, grad):
        out = backend.zeros(self.x_shape, grad)
        for rows in self._blocks():
            index_kernels.add(out[rows], index_along(self.axis, self.index[rows], out[rows].shape), grad[rows], True)
        return out

    def _blocks(self) -> list[Any]:
        """Rows whose flat indices, which take more memory than x, are made at once; along axis 0 all of them."""
        index = self.index
        if self.axis == 0 or index.size <= BLOCK_SIZE or backend.is_gpu(index):
            return [...]
        step = max(1, BLOCK_SIZE * len(index) // index.size)
        return [slice(i, i + step) for i in range(0, len(index), step)]


def _offsets(axis: int, sizes: tuple[int, ...], steps: tuple[int, ...]) -> Array | None:
    """Return what the axes but one add to the places in memory of an index of these sizes; None if nothing."""
    offsets: Any = None
    for i, (n, step) in enumerate(zip(sizes, steps, strict=False)):
        if i != axis and n > 1 and step:
            line = places.multiples(n, step, len(sizes) - 1 - i)
            offsets = line if offsets is None else offsets + line
    return offsets


CACHED = 4096  # up to this number of indices making the offsets takes as long as adding them, so they are cached
FEW = 2048  # up to this number of indices flat ones are made in less time than whole slices save
_cached_offsets = functools.lru_cache(maxsize=64)(_offsets)


def flat_indices(axis: int, index: Array, shape: tuple[int, ...], steps: tuple[int, ...] | None = None) -> Array:
    """Convert indices along one axis of x to indices of x.reshape(-1); along other axes the position itself counts.

    With the steps along the axes of x they are places in its memory.
    """
    steps = row_major_strides(shape) if steps is None else steps
    offsets = (_cached_offsets if index.size <= CACHED else _offsets)(axis, index.shape, steps)
    where = index if steps[axis] == 1 else index * steps[axis]
    if offsets is None:
        return where
    return where + (backend.like(offsets, index) if backend.is_gpu(index) else offsets)


def index_along(axis: int, index: Array, shape: tuple[int, ...], steps: tuple[int, ...] | None = None) -> Any:
    """Convert indices along one axis of x to an index of x: of whole slices where many are expanded, else a flat one.

    For x (N, M, B) and an index (N, K, B) along axis 1 that is expanded along the last one, it is (rows, index, :).
    """
    if 0 not in index.strides or index.size <= FEW:
        return flat_indices(axis, index, shape, steps)
    whole = [i != axis and step == 0 and index.shape[i] == shape[i] > 1 for i, step in enumerate(index.strides)]
    if not whole or not (whole[0] or whole[-1]):
        return flat_indices(axis, index, shape, steps)
    start, stop = whole.index(False), len(whole) - whole[::-1].index(False)
    index = index[tuple([ALL if start <= i < stop else 0 for i in range(len(whole))])]
    arrays = [backend.like(places.multiples(n, 1, stop - 1 - i), index) for i, n in enumerate(index.shape, start)]
    arrays[axis - start] = index
    return (*(ALL,) * start, *arrays, *(ALL,) * (len(whole) - stop))


def checked_index(op: str, input: Tensor, dim: int, index: Tensor, *others: Any) -> tuple[int, Any]:
    """Check dim and an index along it as PyTorch does, and return the axis and the index array."""
    axis = wrap_dim(dim, input.ndim, op)
    if index.array.size == 0:
        return axis, index.array.astype(np.int64)  # of any dtype, as in PyTorch
    array = checked_index_array(op, index, input, *others)
    shape = input.array.shape
    if array.ndim != len(shape) and max(array.ndim, 1) != max(len(shape), 1):
        raise ShapeError(
            f"{op}: Index tensor must have the same number of dimensions as input tensor, got {array.shape} and "
            f"{tuple(input.shape)}"
        )
    if array.shape != shape and any(
        n > m for i, (n, m) in enumerate(zip(array.shape, shape, strict=False)) if i != axis
    ):
        raise ShapeError(
            f"{op}: Size does not match: expected index {array.shape} to be no larger than self {tuple(input.shape)} "
            f"apart from dimension {axis}"
        )
    part = array[index_kernels.unexpanded(array)] if 0 in array.strides else array
    found = index_kernels.wrap_indices(part, shape[axis] if shape else 1, op, ArgumentError, False, axis)
    return axis, array if found is part else np.broadcast_to(found, array.shape)


@numpy_spelling
@observed
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """Gather values of input by index along dim; both have the same number of dimensions. Source: torch.gather.

    Gradients are dense, also with `sparse_grad`. index is int64, and the result has its shape. Raises IndexError for a
    dim out of range, RuntimeError for an index out of range and for other shapes.

    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    axis, array = checked_index("gather", input, dim, index)
    if not array.size or not input.ndim:
        return into_separate("gather", out, with_torch_name("Gather", GetItem.apply(input, index=array)), input, index)
    return into_separate("gather", out, Gather.apply(input, index=array, axis=axis), input, index)


@numpy_spelling
@observed
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Take values of input by indices along dim; other dims broadcast. Without dim, both are flattened.

    As in PyTorch, an index outside of dim wraps around: -1 is the last one, but the size of dim counts as 0, too.
    Without dim it raises RuntimeError. Source: torch.take_along_dim.

    >>> x = torch.tensor([[10, 30, 20], [60, 40, 50]])
    >>> torch.take_along_dim(x, torch.tensor([[2], [0]]), dim=1)
    tensor([[20],
            [60]])
    """
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1), out=out)
    if indices.array.dtype != np.int64:
        raise DtypeError(f"take_along_dim(): dtype of indices should be Long but got {indices.dtype}")
    axis = wrap_dim(dim, input.ndim, "take_along_dim")
    if input.ndim != indices.ndim:
        raise ShapeError(
            "take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    a, b = (list(x.shape) for x in (input, indices))
    length = a[axis] if input.ndim else 1
    if input.ndim:
        a[axis] = b[axis] = 1
    try:
        shape = [*fast_numpy.broadcast_shapes(tuple(a), tuple(b))]
    except ValueError as error:
        raise ShapeError(f"take_along_dim: {in_torchs_words(str(error))}") from None
    wide, narrow = shape.copy(), shape.copy()
    if input.ndim:
        wide[axis], narrow[axis] = length, indices.array.shape[axis]
    array = indices.array
    if not length or backend.is_gpu(array):
        array = index_kernels.wrap_indices(array, length, "take_along_dim", DimError, axis=axis)
    elif not index_kernels.all_in_range(array, length):
        array = array % length
    index: Tensor = creation.from_array(fast_numpy.broadcast_to(array, tuple(narrow)))
    return gather(input if [*input.array.shape] == wide else input.expand(wide), axis, index, out=out)


def _flat_index(op: str, input: Tensor, index: Tensor, *others: Any) -> Array:
    """Check an index into the flattened Tensor."""
    array = checked_index_array(op, index, input, *others, dtypes=(INT64,))
    if array.size and not input.array.size:
        raise DimError(f"{op}(): tried to {op} from an empty tensor")
    return index_kernels.wrap_indices(array, input.array.size, op, DimError)


@tensors_only
@observed
def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Take values of the flattened input, in the shape of index. Source: torch.take.

    Negative indices count from the end. Raises IndexError for an index out of range, RuntimeError unless index is
    int64.

    >>> torch.take(torch.tensor([[4, 3], [2, 1]]), torch.tensor([0, -1]))
    tensor([4, 1])
    """
    taken = GetItem.apply(input, index=_flat_index("take", input, index))
    return into_separate("take", out, with_torch_name("Take", taken), input, index)


def put_call(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Write:
    """Check the arguments of `put`, and return its Write."""
    check_bool("put", accumulate=accumulate)
    if source.array.dtype != input.array.dtype:
        raise DtypeError(
            f"put(): self and source expected to have the same dtype, but got self.dtype = {input.dtype} and "
            f"source.dtype = {source.dtype}"
        )
    if source.numel() != index.numel():
        raise DimError(
            "put(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel()}, index.numel() = {index.numel()}"
        )
    array = _flat_index("put", input, index, source).reshape(-1)
    cls = AddItem if accumulate else SetItem
    return single_write("Put", cls, source.reshape(-1), array, order=layouts.copy_order(input.array))


@tensors_only
@observed
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Return input with the values of source put at indices into the flattened input, or added if `accumulate`.

    Raises IndexError for an index out of range, and unless there are as many values as indices. Source: torch.put.

    >>> torch.put(torch.zeros(2, 2), torch.tensor([0, 3]), torch.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    return put_call(input, index, source, accumulate).out_of_place(input)


@observed
def unravel_index(indices: Tensor, shape: int | Sequence[int] | Size) -> tuple[Tensor, ...]:
    """Convert flat indices to one Tensor of indices for each dimension of shape. Source: torch.unravel_index.

    Raises TypeError where the indices aren't integers, ValueError for negative sizes.

    >>> torch.unravel_index(torch.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    if indices.array.dtype.kind not in "iu":
        raise DtypeError(f"unravel_index: expected 'indices' to be integer dtype, but got {indices.dtype}")
    if isinstance(shape, function.Tensor) or not isinstance(shape, (int, Sequence)):
        raise TypeError(f"unravel_index: expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    sizes = [shape] if isinstance(shape, int) else [*shape]
    for size in sizes:
        if not isinstance(size, int):
            raise TypeError(f"unravel_index: expected 'shape' sequence to only contain ints, but got {type(size)}")
    if any(size < 0 for size in sizes):
        raise ArgumentError(f"unravel_index: 'shape' cannot have negative values, but got {tuple(sizes)}")
    flat = indices.array.astype(np.int64)
    found = [flat // max(step, 1) % max(n, 1) for n, step in zip(sizes, row_major_strides(tuple(sizes)), strict=True)]
    return unbind(creation.from_array(np.stack(found, -1)), -1) if found else ()
