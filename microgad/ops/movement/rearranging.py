"""Permute axes (views), and reorder values along axes: flip, roll, rot90 (copies)."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from ...backend.axes import slice_along
from ...backend.axis_order import inverse
from ...errors import ArgumentError, ShapeError
from ...errors.notices import warn
from ...function.linear_map import LinearMap
from ...function.naming import with_torch_name
from ...function.view import View
from ...type_aliases import Array, Tensor
from ..support import layouts
from ..support.spelling import tensors_only
from .dims import as_tuple, is_number, wrap_dim, wrap_dims

MIN_BYTES = 1 << 12  # NumPy reverses fewer bytes one by one just as fast


class Permute(View):
    """The axes in another order: a view."""

    symbol, numpy, conjugates = "permute", np.transpose, False

    def forward(self, x):
        return x.transpose(self.order)

    def adjoint(self, grad):
        return grad.transpose(inverse(self.order))

    @staticmethod
    def joined(before, after):
        return {"order": tuple(before["order"][axis] for axis in after["order"])}


@tensors_only
def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Permute the dimensions to the order of dims: a view.

    Raises RuntimeError unless each dim is there once, IndexError for one out of range. Source: torch.permute.

    >>> torch.permute(torch.zeros(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    ndim = input.array.ndim
    if len(dims) != ndim:
        raise ShapeError(
            "permute: number of dimensions in the tensor input does not match the length of the desired ordering of "
            f"dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}"
        )
    order = tuple([wrap_dim(d, ndim, "permute") for d in dims])
    if len(set(order)) != ndim:
        raise ShapeError(f"permute(): duplicate dims are not allowed, got {tuple(dims)}")
    return Permute.apply(input, order=order)


@tensors_only
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions: a view. Source: torch.transpose.

    >>> torch.transpose(torch.tensor([[1, 2], [3, 4]]), 0, 1)
    tensor([[1, 3],
            [2, 4]])
    """
    ndim = input.array.ndim
    order, a, b = list(range(ndim)), wrap_dim(dim0, ndim, "transpose"), wrap_dim(dim1, ndim, "transpose")
    if order:
        order[a], order[b] = order[b], order[a]
    return with_torch_name("Transpose", Permute.apply(input, order=tuple(order)))


swapdims = transpose


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Exchange two dimensions: see `transpose`. Raises IndexError for a dim out of range. Source: torch.swapaxes.

    >>> torch.swapaxes(torch.zeros(2, 3, 4), 0, 2).shape
    torch.Size([4, 3, 2])
    """
    return transpose(input, axis0, axis1)


@tensors_only
def t(input: Tensor) -> Tensor:
    """Transpose a matrix, and leave a vector or scalar as it is: a view.

    Raises RuntimeError for more dimensions. Source: torch.t.

    >>> torch.t(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
    """
    ndim = input.array.ndim
    if ndim > 2:
        raise ShapeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return with_torch_name("T", Permute.apply(input, order=tuple(range(ndim)[::-1])))


def matrix_transpose(input: Tensor, op: str) -> Tensor:
    """Exchange the last two dimensions, for PyTorch's names that need a matrix (`mT`, `mH`, `adjoint`)."""
    if input.ndim == 1:
        raise ShapeError(f"{op} is only supported on matrices or batches of matrices. Got 1-D tensor.")
    if input.ndim == 0:
        warn(f"{op} is deprecated on 0-D tensors")
        return permute(input, ())
    return transpose(input, -2, -1)


@tensors_only
def adjoint(input: Tensor) -> Tensor:
    """Exchange the last two dimensions and conjugate: a view, but of complex numbers a copy, as for `conj`.

    (..., m, n) -> (..., n, m). Raises RuntimeError for one dimension. Source: torch.adjoint.

    >>> torch.adjoint(torch.tensor([[1, 2j]]))
    tensor([[1.-0.j],
            [0.-2.j]])
    """
    return matrix_transpose(input, "adjoint()").conj()


@tensors_only
def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Move dimensions to other places, and leave the rest in their order: a view.

    Raises RuntimeError for repeated dims, and unless there are as many destinations as sources; IndexError for a dim
    out of range, TypeError for one int and one tuple. Source: torch.movedim.

    >>> torch.movedim(torch.zeros(2, 3, 4), 0, -1).shape
    torch.Size([3, 4, 2])
    """
    if is_number(source) != is_number(destination):
        raise TypeError(f"movedim: source and destination are both ints or both tuples, got {source}, {destination}")
    origins, places = ([wrap_dim(d, input.ndim, "movedim") for d in as_tuple(dims)] for dims in (source, destination))
    if len(origins) != len(places):
        raise ShapeError(
            f"movedim: Invalid source or destination dims: source {origins} should contain the same number of "
            f"dims as destination {places}"
        )
    for name, dims in (("source", origins), ("destination", places)):
        if len(set(dims)) < len(dims):
            raise ShapeError(f"movedim: repeated dim in `{name}` ({dims})")
    if input.ndim == 0:
        return permute(input, ())
    order = [d for d in range(input.ndim) if d not in origins]
    for place, origin in sorted(zip(places, origins, strict=True)):
        order.insert(place, origin)
    return Permute.apply(input, order=tuple(order))


moveaxis = movedim


def _can_flip_by_words(x: Array, axes: Sequence[int]) -> bool:
    """Whether rows of bytes can be reversed in words of eight, in two fifths of the time."""
    if x.itemsize > 1 or x.size < MIN_BYTES or x.ndim - 1 not in axes or x.shape[-1] % 8:
        return False
    return type(x) is np.ndarray and x.flags.c_contiguous


class Flip(LinearMap):
    """The values in reverse order along axes."""

    symbol, numpy, native_half = "flip", np.flip, True

    def forward(self, x):
        index = [slice(None)] * x.ndim  # what np.flip does, with a tenth of its overhead
        for axis in self.axis:
            index[axis] = slice(None, None, -1)
        if _can_flip_by_words(x, self.axis):
            return x.view(np.uint64)[(*index, ...)].byteswap().view(x.dtype)
        return layouts.keep_strides(layouts.copied_dense(x[(*index, ...)]), x)

    adjoint = forward


@tensors_only
def flip(input: Tensor, dims: int | Sequence[int]) -> Tensor:
    """Reverse the order along dims: a copy.

    Raises IndexError for a dim out of range, RuntimeError for a repeated one. Source: torch.flip.

    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    axis = wrap_dims(dims, input.ndim, "flip")
    return Flip.apply(input, axis=axis if input.ndim else ())


@tensors_only
def fliplr(input: Tensor) -> Tensor:
    """Reverse the order along the second dimension: a copy.

    Raises RuntimeError for fewer than two dimensions. Source: torch.fliplr.

    >>> torch.fliplr(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    if input.ndim < 2:
        raise ShapeError(f"fliplr: Input must be >= 2-d, got {input.ndim}-d")
    return flip(input, (1,))


@tensors_only
def flipud(input: Tensor) -> Tensor:
    """Reverse the order along the first dimension: a copy. Raises RuntimeError for a scalar. Source: torch.flipud.

    >>> torch.flipud(torch.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    if input.ndim < 1:
        raise ShapeError("flipud: Input must be >= 1-d, got 0-d")
    return flip(input, (0,))


class Roll(LinearMap):
    """The values shifted along axes; those shifted out at one end come in at the other."""

    symbol, numpy, native_half = "roll", np.roll, True

    def forward(self, x):
        return self._rolled(x, self.shifts)

    def adjoint(self, grad):
        return self._rolled(grad, tuple(-shift for shift in self.shifts))

    def _rolled(self, x: Array, shifts: tuple[int, ...]) -> Array:
        if self.axis and len(self.axis) == 1:  # np.roll takes longer to find out what to copy
            (axis,), n = self.axis, x.shape[self.axis[0]]
            start = n - shifts[0] % (n or 1)
            out = np.concatenate((x[slice_along(axis, start, n)], x[slice_along(axis, 0, start)]), axis)
        else:
            out = np.roll(x, shifts, self.axis)
        # PyTorch concatenates the two parts that it exchanges; where one is empty, its result is contiguous.
        dense = not self.axis or any(s % (x.shape[i] or 1) == 0 for s, i in zip(shifts, self.axis, strict=True))
        return layouts.contiguous(out) if dense else layouts.match_memory_format(out, x)


@tensors_only
def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Shift the values along dims, cyclically; without dims along the flattened input.

    Raises IndexError for a dim out of range, RuntimeError unless there are as many shifts as dims. Source: torch.roll.

    >>> torch.roll(torch.tensor([[1, 2, 3], [4, 5, 6]]), 1, 1)
    tensor([[3, 1, 2],
            [6, 4, 5]])
    """
    steps, axes = tuple(map(operator.index, as_tuple(shifts))), () if dims is None else as_tuple(dims)
    if not steps:
        raise ShapeError("roll: `shifts` required")
    if len(axes) != len(steps) and not (len(steps) == 1 and not axes):
        raise ShapeError(f"roll: shifts and dimensions must align. shifts: {len(steps)}, dims: {len(axes)}")
    axes = tuple(wrap_dim(d, input.ndim, "roll", wrap_scalar=False) for d in axes)
    return Roll.apply(input, shifts=steps, axis=axes or None)


class Rot90(LinearMap):
    """A rotation by a number of quarter turns, from the first of `axes` towards the second."""

    symbol, native_half = "rot90", True

    def forward(self, x):
        return _rotated(x, self.turns, *self.axes)

    def adjoint(self, grad):
        return _rotated(grad, -self.turns % 4, *self.axes)


def _rotated(x: Array, turns: int, a: int, b: int) -> Array:
    index = [slice(None)] * x.ndim
    for axis in ((), (b,), (a, b), (a,))[turns]:
        index[axis] = slice(None, None, -1)
    out = layouts.copied_dense(x[tuple(index)]) if turns else layouts.contiguous(x).copy()
    return out.swapaxes(a, b) if turns % 2 else out


@tensors_only
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Rotate by k quarter turns, from the first of dims towards the second: a copy.

    Raises IndexError for a dim out of range, RuntimeError for equal ones. Source: torch.rot90.

    >>> torch.rot90(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    if len(dims) != 2:
        raise ShapeError(f"rot90: expected total rotation dims == 2, but got dims = {len(dims)}")
    ndim = input.array.ndim
    if ndim < 2:
        raise ShapeError(f"rot90: expected total dims >= 2, but got total dims = {ndim}")
    a, b = wrap_dim(dims[0], ndim, "rot90"), wrap_dim(dims[1], ndim, "rot90")
    if a == b:
        raise ArgumentError(
            f"rot90: expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    return Rot90.apply(input, turns=k % 4, axes=(a, b))
