"""Repeat values: expand and broadcast (views), repeat, tile, repeat_interleave and kron (copies)."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import backend, function
from ...backend import memory_formats
from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.arguments import as_sizes
from ...errors.wording import in_torchs_words
from ...fast_reductions import fast_sum, sum_to
from ...function.linear_map import LinearMap
from ...function.view import View
from ...size import Size
from ...state import composite
from ...type_aliases import Array, Tensor
from ..support import fast_numpy, layouts
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .conversion import clone
from .dims import wrap_dim
from .shape import Reshape, flatten, reshape


class Expand(View):
    """Axes of size 1, and new axes in front, expanded without a copy: a view."""

    symbol, numpy, conjugates = "expand", np.broadcast_to, False

    def forward(self, x):
        return layouts.expand(x, self.size)

    def adjoint(self, grad):
        return sum_to(grad, self.x_shape)


def expand(input: Tensor, size: Sequence[int], *, implicit: bool = False) -> Tensor:
    """Expand dimensions of size 1 without a copy: a view; -1 keeps a size.

    Raises RuntimeError for other sizes. Source: torch.Tensor.expand.

    >>> torch.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    shape, sizes = input.array.shape, as_sizes("expand", "size", size)
    lead = len(sizes) - len(shape)
    if lead < 0:
        raise ShapeError(
            f"expand: the number of sizes provided ({len(sizes)}) must be greater or equal to the number of dimensions "
            f"in the tensor ({len(shape)})"
        )
    for i, n in enumerate(sizes[:lead]):
        if n < 0:
            raise ShapeError(
                f"expand: The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}"
            )
    wanted = list(sizes)
    for i, n in enumerate(shape, lead):
        s = wanted[i]
        if s == -1:
            wanted[i] = n
        elif n not in (1, s) or s < 0:
            raise ShapeError(
                f"expand: The expanded size of the tensor ({s}) must match the existing size ({n}) at non-singleton "
                f"dimension {i}.  Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
            )
    return Expand.apply(input, size=tuple(wanted))


@tensors_only
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expand input to the shape of other. Source: torch.Tensor.expand_as."""
    return expand(input, other.shape)


@composite
def sum_to_size(input: Tensor, size: Sequence[int]) -> Tensor:
    """Sum over the dimensions along which `size` would broadcast to input's shape. Source: torch.Tensor.sum_to_size.

    >>> torch.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])
    """
    shape = as_sizes("sum_to_size", "size", size)
    lead = input.ndim - len(shape)
    if lead < 0 or any(n not in (1, whole) for n, whole in zip(shape, input.shape[lead:], strict=True)):
        raise ShapeError(f"sum_to_size: size {list(shape)} is not expandable to size {list(input.shape)}")
    stretched = (i for i, n in enumerate(shape, lead) if n != input.shape[i])
    dims = (*range(lead), *stretched)
    if not dims and shape:  # () of booleans is summed, too
        return input
    return reshape(input.sum(dims), shape) if lead else input.sum(dims, keepdim=True)


@tensors_only
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Expand dimensions of size 1 without a copy: see `Tensor.expand`.

    Raises RuntimeError for other sizes. Source: torch.broadcast_to.

    >>> torch.broadcast_to(torch.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, as_sizes("broadcast_to", "size", size))


def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """Return the shape to which shapes broadcast.

    Raises RuntimeError if they don't broadcast. Source: torch.broadcast_shapes.

    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    for s in shapes:
        if not isinstance(s, (int, tuple, list, Sequence)):  # Sequence takes ten times as long
            raise ArgumentError(f"broadcast_shapes: expected sizes, or sequences of them, got {s!r}")
    sizes = [(int(s),) if isinstance(s, int) else as_sizes("broadcast_shapes", "shapes", s) for s in shapes]
    if any(n < 0 for size in sizes for n in size):
        raise ArgumentError(f"broadcast_shapes: a dimension can't be of negative length, got {sizes}")
    common: tuple[int, ...] = ()
    for i, size in enumerate(sizes):
        try:
            common = fast_numpy.broadcast_shapes(common, size)
        except ValueError as error:
            whole = [*(1,) * (max(map(len, sizes)) - len(common)), *common]
            raise ShapeError(f"{_mismatch(whole, size, i)}: {in_torchs_words(str(error))}") from None
    return Size(common)


def _mismatch(common: list[int], size: Sequence[int], i: int) -> str:
    """Say where a shape doesn't broadcast to the sizes that those before it have in common."""
    for k in range(-1, -1 - len(size), -1):
        if common[k] == 1:
            common[k] = size[k]
        elif size[k] not in (1, common[k]):
            break
    return (
        f"broadcast_shapes: Attempting to broadcast a dimension of length {size[k]} at {k}! Mismatching argument at "
        f"index {i} had {tuple(size)}; but expected shape should be broadcastable to {common}"
    )


@tensors_only
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Expand Tensors to their common shape: views, or the Tensors themselves where they have that shape.

    Raises RuntimeError if they don't broadcast. Source: torch.broadcast_tensors.

    >>> a, b = torch.broadcast_tensors(torch.zeros(2, 1), torch.zeros(3))
    >>> a.shape == b.shape == (2, 3)
    True
    """
    several = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], function.Tensor) else tensors
    shapes = [t.shape for t in several]
    if len(set(shapes)) == 1:
        return tuple(several)
    shape = broadcast_shapes(*shapes)
    return tuple(t if t.shape == shape else expand(t, shape) for t in several)


@composite
def repeat(input: Tensor, repeats: Sequence[int]) -> Tensor:
    """Repeat input along each dimension, and along new ones in front: a copy. Source: torch.Tensor.repeat.

    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    times = as_sizes("repeat", "repeats", repeats)
    lead = len(times) - input.ndim
    if lead < 0:
        raise ShapeError(
            f"repeat: Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor, got "
            f"{times} for input {tuple(input.shape)}"
        )
    if any(r < 0 for r in times):
        raise ArgumentError(f"repeat: Trying to create tensor with negative dimension, got repeats {times}")
    shape = (*(1,) * lead, *input.shape)
    spaced = reshape(input, [m for n in shape for m in (1, n)])
    wide = Expand.apply(spaced, size=tuple(m for pair in zip(times, shape, strict=True) for m in pair))
    return _copy_reshaped(wide, [r * n for r, n in zip(times, shape, strict=True)])


def _copy_reshaped(wide: Tensor, shape: Sequence[int]) -> Tensor:
    """Copy to another shape in row-major order, even where a view would do."""
    result = reshape(wide, shape)
    if backend.owner(result.array) is not backend.owner(wide.array):
        return result
    return clone(result, memory_format=memory_formats.contiguous_format)


@composite
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Like `repeat`, with 1 for the leading dims that aren't given. Source: torch.tile.

    >>> torch.tile(torch.tensor([[1, 2]]), (2,))
    tensor([[1, 2, 1, 2]])
    """
    dims = as_sizes("tile", "dims", dims)
    return repeat(input, (*(1,) * (input.ndim - len(dims)), *dims))


class RepeatInterleave(LinearMap):
    """Each slice along an axis, `repeats` times in a row."""

    symbol, native_half = "repeat", True

    def forward(self, x):
        return x.repeat(self.repeats, self.axis)

    def adjoint(self, grad):
        at = self.axis + 1
        return fast_sum(grad.reshape((*self.x_shape[:at], self.repeats, *self.x_shape[at:])), at, False)


@numpy_spelling
@composite
def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Repeat each slice along dim, as often as `repeats` says for all or for each; without dim, flatten input first.

    Given a Tensor of repeats alone, return the repeated indices. Raises RuntimeError for negative repeats or another
    number of them, IndexError for a dim out of range, TypeError for repeats that aren't integers.
    Source: torch.repeat_interleave.

    >>> torch.repeat_interleave(torch.tensor([1, 2]), torch.tensor([2, 1]))
    tensor([1, 1, 2])
    """
    if repeats is None:
        counts = _counts(input, 1, output_size)
        if input.ndim == 0:
            raise ShapeError("repeat_interleave: only accepts 1D vectors of repeats alone")
        kind = np.int32 if input.array.dtype == np.int32 else np.int64
        index = np.repeat(np.arange(len(counts), dtype=kind), counts)
        return function.Tensor._wrap(backend.like(index, input.array))
    if dim is None:
        input, dim = flatten(input), 0
    axis = wrap_dim(dim, input.ndim, "repeat_interleave", wrap_scalar=False)
    n = input.shape[axis]
    if output_size is not None and isinstance(repeats, function.Tensor) and repeats.is_meta:
        return input.index_select(axis, repeats.new_zeros(output_size))
    counts = _counts(repeats, n, output_size)
    if len(counts) not in (1, n):
        raise ShapeError(
            f"repeat_interleave: repeats must have the same size as input along dim, but got {len(counts)} repeats "
            f"and size {n}"
        )
    if len(counts) == 1:
        return RepeatInterleave.apply(input, repeats=int(counts[0]), axis=axis)
    index = np.repeat(np.arange(n), counts)
    return input.index_select(axis, function.Tensor._wrap(backend.like(index, input.array)))


def _counts(repeats: Any, n: int, output_size: int | None) -> Array:
    """Check repeats, and return them as a vector on the CPU. A single one is for all of n slices."""
    if not isinstance(repeats, (bool, function.Tensor)):
        repeats = operator.index(repeats)
    counts = np.asarray(backend.to_numpy(getattr(repeats, "array", repeats)))
    if counts.dtype.kind not in "iu":
        raise DtypeError(f"repeat_interleave: repeats must be an int or an integer Tensor, got {counts.dtype}")
    if counts.ndim > 1:
        raise ShapeError(f"repeat_interleave: only accepts 0-d or 1-d repeats, got {counts.ndim}-d")
    counts = counts.reshape(-1)
    if counts.size and counts.min() < 0:
        raise ArgumentError("repeat_interleave: repeats can not be negative")
    total = int(counts.sum()) * (n if len(counts) == 1 else 1)
    if output_size not in (None, total):
        raise ArgumentError(f"repeat_interleave: output_size is {output_size}, but repeats make {total}")
    return counts


@composite
def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the Kronecker product: a block of other, scaled, for each element of input.

    (m, n), (p, q) -> (m·p, n·q). Source: torch.kron.

    >>> torch.kron(torch.tensor([1, 2]), torch.tensor([1, 10]))
    tensor([ 1, 10,  2, 20])
    """
    a, b = input.array.shape, other.array.shape
    a, b = (1,) * (len(b) - len(a)) + a, (1,) * (len(a) - len(b)) + b
    wide = Reshape.apply(input, size=tuple([m for n in a for m in (n, 1)]))
    product = wide * Reshape.apply(other, size=tuple([m for n in b for m in (1, n)]))
    return into(out, Reshape.apply(product, size=tuple([m * n for m, n in zip(a, b, strict=True)])))
