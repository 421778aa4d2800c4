"""Views of a Tensor's memory with another shape, strides and offset: as_strided, unfold."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from ... import backend
from ...backend.memory_layout import Geometry, address, geometry, memory_of, overlaps
from ...errors import ArgumentError, ShapeError
from ...function.view import View
from ...type_aliases import Array, Tensor
from ..indexing import index_kernels
from ..support import layouts
from ..support.spelling import tensors_only
from .diagonal import diagonal
from .dims import wrap_dim
from .shape import reshape

SHORT_STEP = 8  # elements: shorter runs are added more slowly than single elements of all windows

# For each nested `vmap`, from the outermost on: the mapped inputs, each with its current slice.
vmapped_inputs: ContextVar[tuple[Sequence[tuple[Tensor, Tensor]], ...]] = ContextVar("vmapped_inputs", default=())


def vmap_offset(input: Tensor) -> int:
    """Return the offset, in elements, of the current slice in the mapped Tensor that shares input's memory, else 0."""
    levels = vmapped_inputs.get()
    if not levels:
        return 0
    memory, start = address(memory_of(input.array)), 0
    for level in levels:
        for mapped, current in level:
            if address(memory_of(current.array)) == memory:
                start += geometry(current.array)[2] - geometry(mapped.array)[2]
                break
    return start


class SlidingWindows(View):
    """Sliding windows along an axis, `step` apart, with their elements along a new last axis: a view."""

    symbol, operator = "unfold", "unfold"

    def forward(self, x):
        return _windows(x, self.axis, self.size, self.step)

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape)
        windows = _windows(out, self.axis, self.size, self.step)
        width = self.step if self.step >= SHORT_STEP else 1  # within as many elements the windows don't overlap
        for i in range(0, self.size, width):
            part = windows[..., i : i + width]
            part += grad[..., i : i + width]
        return out


def _windows(x: Array, axis: int, size: int, step: int) -> Array:
    width = x.strides[axis]
    shape = (*x.shape[:axis], (x.shape[axis] - size) // step + 1, *x.shape[axis + 1 :], size)
    return layouts.strided_view(x, shape, (*x.strides[:axis], width * step, *x.strides[axis + 1 :], width))


class AsStrided(View):
    """A view of the memory behind x with another geometry (shape, strides, offset).

    `shown` is the geometry of the result, `held` that of x when the operation was recorded, and `extent` the size of
    the memory, in elements. If x has another geometry now (in a replay, say), it is first copied into zeros of size
    `extent` with the geometry `held`.
    """

    symbol = "as_strided"

    @classmethod
    def apply(cls, x: Any, **settings: Any) -> Any:
        """Apply, and if x is a view restart the chain of views at its base: a write may reach elements outside of x."""
        result = super().apply(x, **settings)
        links = getattr(result, "_links", None)  # of a Tensor
        if links is not None and links.chain and (base := x._links.base) is not None and base.dtype == x.dtype:
            of_base = {"held": geometry(base.array), "x_shape": base.array.shape}
            links.chain = None, cls, settings | of_base
        return result

    def forward(self, x):
        memory = memory_of(x) if geometry(x) == self.held else None
        if memory is None or memory.size != self.extent:
            memory = self._scattered(x / self._multiplicity(x), self.held)
        return _view_of(memory, self.shown)

    def adjoint(self, grad):
        return _view_of(self._scattered(grad, self.shown), self.held) / self._multiplicity(grad)

    def _scattered(self, x: Array, place: Geometry) -> Array:
        """Return a memory of zeros with the elements of x at their places; those that share a place are added."""
        memory = np.zeros_like(x, shape=(self.extent,))
        if overlaps(*place[:2]):
            index_kernels.add(memory, backend.like(_view_of(np.arange(self.extent), place), x), x)
        else:
            _view_of(memory, place)[...] = x
        return memory

    def _multiplicity(self, x: Array) -> Array | int:
        """Return how many elements of x share each place in memory: they share its gradient equally, as in PyTorch."""
        if not overlaps(*self.held[:2]):
            return 1
        addresses = _view_of(np.arange(self.extent), self.held)
        return backend.like(np.bincount(addresses.reshape(-1), minlength=self.extent)[addresses], x, x.real.dtype)


def _view_of(memory: Array, place: Geometry) -> Array:
    shape, strides, offset = place
    size = memory.itemsize
    return layouts.strided_view(memory[offset:], shape, tuple([s * size for s in strides]))


@tensors_only
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """View the memory behind input with another shape and other strides. Source: torch.as_strided.

    Inside `vmap`, the offset of the current slice within the mapped Tensor is added to storage_offset, as in PyTorch.
    Raises RuntimeError where the view would reach beyond the memory.

    >>> torch.as_strided(torch.arange(4), (3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    offset = None if storage_offset is None else int(storage_offset) + vmap_offset(input)
    return storage_view(input, size, stride, offset)


def storage_view(input: Tensor, size: Sequence[int], stride: Sequence[int], offset: int | None) -> Tensor:
    """Like `as_strided`, but the offset always counts from the beginning of the memory, also inside `vmap`."""
    shape, strides = tuple(map(operator.index, size)), tuple(map(operator.index, stride))
    x = input.array
    held, extent = geometry(x), memory_of(x).size
    offset = held[2] if offset is None else offset
    if len(shape) != len(strides):
        raise ShapeError(f"as_strided: mismatch in length of strides and shape: {shape}, {strides}")
    if min(strides, default=0) < 0:
        raise ArgumentError(
            f"as_strided: Negative strides are not supported at the moment, got strides: {list(strides)}"
        )
    if min((*shape, offset)) < 0:
        raise ArgumentError(f"as_strided: invalid storage offset {offset} or negative size in {list(shape)}")
    needed = offset + 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if math.prod(shape) else 0
    if needed > extent:
        raise ShapeError(
            f"as_strided: sizes {list(shape)}, strides {list(strides)}, storage offset {offset} requiring a storage of "
            f"{needed} elements are out of bounds for storage of {extent}"
        )
    shown = shape, strides, offset if needed else 0
    return AsStrided.apply(input, shown=shown, held=held, extent=extent)


@tensors_only
def fill_diagonal_(input: Tensor, fill_value: complex, wrap: bool = False) -> Tensor:
    """Fill the main diagonal, where all indices are equal; with `wrap` it restarts two rows after it ends.

    Raises RuntimeError for fewer than two dimensions, and for more than two of different lengths.
    Source: torch.Tensor.fill_diagonal_.

    >>> torch.zeros(3, 2).fill_diagonal_(5)
    tensor([[5., 0.],
            [0., 5.],
            [0., 0.]])
    """
    if input.ndim < 2:
        raise ShapeError(f"fill_diagonal_: dimensions must be larger than 1, but input has {input.ndim}")
    if input.ndim > 2 and len(set(input.shape)) > 1:
        raise ShapeError(f"fill_diagonal_: all dimensions of input must be of equal length, got {tuple(input.shape)}")
    rows, columns = input.shape[0], input.shape[-1]
    start, step = geometry(input.array)[2], sum(input.stride())
    shown = diagonal(input) if input.ndim == 2 else as_strided(input, (min(input.shape),), (step,))
    shown[...] = fill_value
    if wrap and input.ndim == 2 and rows > columns + 1:
        below = -(-input.numel() // (columns + 1)) - columns
        storage_view(input, (below,), (step,), start + input.stride(0) * (columns + 1))[...] = fill_value
    return input


@tensors_only
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Return sliding windows of `size` elements along a dimension, `step` apart, as a new last dimension: a view.

    (..., n, ...) -> (..., (n - size) // step + 1, ..., size). Raises RuntimeError unless 0 <= size <= n and step > 0,
    IndexError for a dimension out of range. Source: torch.Tensor.unfold.

    >>> torch.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    axis = wrap_dim(dimension, input.ndim, "unfold")
    if size < 0:
        raise ArgumentError(f"unfold: size is {size} but must be >= 0")
    if step <= 0:
        raise ArgumentError(f"unfold: step is {step} but must be > 0")
    n = input.shape[axis] if input.ndim else 1
    if size > n:
        raise ShapeError(f"unfold: maximum size for tensor at dimension {dimension} is {n} but size is {size}")
    if input.ndim == 0:
        return reshape(input, (1,))[:size]
    return SlidingWindows.apply(input, axis=axis, size=int(size), step=int(step))
