"""Shapes, views and copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import backend, errors
from ..ops import movement
from .forms import shape_of

if TYPE_CHECKING:
    from ..tensor import Tensor


class Movement:
    """Methods that put the same values in another place or shape."""

    __slots__ = ()

    narrow, transpose, swapaxes = movement.narrow, movement.transpose, movement.transpose
    squeeze, unsqueeze, flatten = movement.squeeze, movement.unsqueeze, movement.flatten
    split, chunk, unbind, clone = movement.split, movement.chunk, movement.unbind, movement.clone

    def reshape(self: Tensor, *shape: Any) -> Tensor:
        """The same values in another shape: see `reshape`."""
        return movement.reshape(self, shape_of(shape))

    def view(self: Tensor, *shape: Any) -> Tensor:
        """The same memory in another shape. Raises RuntimeError where the layout doesn't allow it: `reshape` copies."""
        result = movement.reshape(self, shape_of(shape))
        if result.numel() and backend.owner(result.array) is not backend.owner(self.array):
            raise errors.ShapeError(
                f"view: size {tuple(result.shape)} is not compatible with input tensor's size {tuple(self.shape)} "
                f"and stride {self.stride()}. Use .reshape(...) instead"
            )
        return result

    def view_as(self: Tensor, other: Tensor) -> Tensor:
        """`view` in the shape of other."""
        return self.view(other.shape)

    def permute(self: Tensor, *dims: Any) -> Tensor:
        """The dimensions in another order: see `permute`."""
        return movement.permute(self, shape_of(dims))

    def expand(self: Tensor, *size: Any) -> Tensor:
        """Dimensions of size 1 repeated without a copy: see `expand`."""
        return movement.expand(self, shape_of(size))

    def expand_as(self: Tensor, other: Tensor) -> Tensor:
        """`expand` to the shape of other."""
        return movement.expand(self, other.shape)

    def flip(self: Tensor, *dims: Any) -> Tensor:
        """The order along dims reversed: see `flip`."""
        return movement.flip(self, shape_of(dims))

    def t(self: Tensor) -> Tensor:
        """The transpose of a matrix; vectors and scalars as they are."""
        if self.ndim > 2:
            raise errors.ShapeError(f"t: expects a tensor with <= 2 dimensions, but self is {self.ndim}D")
        return self if self.ndim < 2 else movement.transpose(self, 0, 1)

    @property
    def T(self: Tensor) -> Tensor:
        """All dimensions in reverse order."""
        return movement.permute(self, range(self.ndim)[::-1])

    @property
    def mT(self: Tensor) -> Tensor:
        """The last two dimensions exchanged."""
        return movement.transpose(self, -2, -1)

    def contiguous(self: Tensor) -> Tensor:
        """This Tensor if its values lie in row-major order, else a copy where they do."""
        if self.is_contiguous():
            return self
        result: Tensor = movement.Clone.apply(self, order="C")
        return result
