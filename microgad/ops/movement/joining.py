"""Join Tensors: cat, stack and their relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ... import dtypes, function
from ...backend.axes import at_axis, slice_along
from ...errors import ArgumentError, DtypeError, GraphError, ShapeError
from ...errors.wording import kind_of
from ...function import Function
from ...function.naming import with_torch_name
from ...state import composite
from ...type_aliases import Array, Tensor
from ...updates import update
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .dims import wrap_dim
from .shape import atleast_1d, atleast_2d, atleast_3d, reshape


def _promoted(arrays: list[Array]) -> list[Array]:
    """Convert arrays to their common dtype."""
    return arrays if _all_equal([x.dtype for x in arrays]) else dtypes.promote(arrays)


def _all_equal(items: list[Any]) -> bool:
    return items.count(items[0]) == len(items)


def concatenated(arrays: tuple[Array, ...], axis: int) -> Array:
    """Concatenate arrays into one in channels-last format if all are, otherwise in C order."""
    first = arrays[0]
    if first.flags.c_contiguous:  # the usual case
        return layouts.contiguous(np.concatenate(arrays, axis))
    shape = (*first.shape[:axis], sum(x.shape[axis] for x in arrays), *first.shape[axis + 1 :])
    last = all(map(layouts.channels_last, arrays))
    out = layouts.empty_in_format(first, shape) if last else np.empty_like(first, shape=shape, order="C")
    return np.concatenate(arrays, axis, out=out)


def stacked(arrays: tuple[Array, ...], axis: int) -> Array:
    """Join arrays along a new axis: channels-last arrays keep their layout, the rest become row-major."""
    before, after = arrays[0].shape[:axis], arrays[0].shape[axis:]
    if not after:
        out = np.empty_like(arrays[0], shape=(*before, len(arrays)), order="C")
        return np.concatenate([x[..., None] for x in arrays], axis, out=out)
    return concatenated(arrays, axis).reshape((*before, len(arrays), *after))


class Cat(Function):
    """Arrays joined along an axis."""

    symbol, numpy, native_half, promote = "cat", np.concatenate, True, staticmethod(_promoted)

    def forward(self, *inputs):
        return concatenated(inputs, self.axis)

    def grad_inputs(self, grad):
        bounds = pairwise([0, *accumulate(self.sizes)])
        return tuple([grad[slice_along(self.axis, start, stop)] for start, stop in bounds])


class Stack(Function):
    """Arrays of one shape joined along a new axis."""

    symbol, numpy, native_half, promote = "stack", np.stack, True, staticmethod(_promoted)

    def forward(self, *inputs):
        return stacked(inputs, self.axis)

    def grad_inputs(self, grad):
        return tuple(grad[at_axis(self.axis, i)] for i in range(grad.shape[self.axis]))


@numpy_spelling
def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Join Tensors along dim; all other sizes must agree. Source: torch.cat.

    Raises RuntimeError where they don't, and for 0-d Tensors.

    >>> torch.cat([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    tensors = _as_list(tensors, "cat")
    if out is not None and any(t is out or np.may_share_memory(t.array, out.array) for t in tensors):
        raise GraphError("cat: out shares memory with one of the tensors")
    shapes = [t.array.shape for t in tensors]
    if () in shapes:
        raise ShapeError(f"cat: zero-dimensional tensor (at position {shapes.index(())}) cannot be concatenated")
    alike = _all_equal(shapes)
    whole = shapes[0] if alike else max(shapes, key=len)
    ndim = len(whole)
    axis = 0 if whole == (0,) else wrap_dim(dim, ndim, "cat")  # a legacy empty Tensor, for which any dim is valid
    before, after = whole[:axis], whole[axis + 1 :]
    for i, shape in enumerate(() if alike else shapes):
        if shape == (0,) and ndim > 1:  # a legacy empty Tensor joins Tensors of any shape
            shapes[i] = (*before, 0, *after)
            tensors[i] = reshape(tensors[i], shapes[i])
        elif len(shape) != ndim:
            raise ShapeError(f"cat: Tensors must have same number of dimensions: got {ndim} and {len(shape)}")
        elif shape[:axis] != before or shape[axis + 1 :] != after:
            n, m = next((n, m) for d, (n, m) in enumerate(zip(whole, shape, strict=True)) if n != m and d != axis)
            raise ShapeError(
                f"cat: Sizes of tensors must match except in dimension {axis}. Expected size {n} but got size {m} for "
                f"tensor number {i} in the list."
            )
    sizes = tuple([shape[axis] for shape in shapes])
    if out is not None and _joined(np.concatenate, tensors, axis, out, (*before, sum(sizes), *after)):
        return out
    return into(out, Cat.apply(*tensors, axis=axis, sizes=sizes))


def _joined(join: Callable[..., Any], tensors: list[Any], axis: int, out: Any, shape: tuple[int, ...]) -> bool:
    """Let NumPy join the tensors in the memory of `out`, or return False if that isn't plain: see `update`."""
    if not isinstance(out, function.Tensor) or out.array.shape != shape or layouts.expanded_axes(out.array):
        return False
    return update("out=", lambda array, _, *parts: join(parts, axis, out=array), out, 1, *tensors, joined=True)


def _as_list(tensors: Any, op: str) -> list[Any]:
    """Check a sequence of Tensors: RuntimeError if it is empty, TypeError if it holds anything else."""
    if isinstance(tensors, function.Tensor):
        raise DtypeError(f"{op}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
    items = list(tensors)
    if not items:
        said = "(): expected a non-empty list of Tensors" if op == "cat" else " expects a non-empty TensorList"
        raise ArgumentError(f"{op}{said}")
    for i, t in enumerate(items):
        if not isinstance(t, function.Tensor):
            raise DtypeError(f"{op}: expected Tensor as element {i} in argument 'tensors', but got {kind_of(t)}")
    return items


concat = concatenate = cat


@numpy_spelling
def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Join Tensors of one shape along a new dimension.

    (...) and (...) -> (2, ...) by default. Raises RuntimeError for different shapes and for none, IndexError for a dim
    out of range. Source: torch.stack.

    >>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    tensors = _as_list(tensors, "stack")
    shapes = [t.array.shape for t in tensors]
    if not _all_equal(shapes):
        i, other = next((i, shape) for i, shape in enumerate(shapes) if shape != shapes[0])
        raise ShapeError(
            f"stack expects each tensor to be equal size, but got {list(shapes[0])} at entry 0 and {list(other)} at "
            f"entry {i}"
        )
    axis = wrap_dim(dim, tensors[0].ndim + 1, "stack")
    shape = (*shapes[0][:axis], len(shapes), *shapes[0][axis:])
    if out is not None and _joined(np.stack, tensors, axis, out, shape):
        return out
    return into(out, Stack.apply(*tensors, axis=axis))


def _cat_reshaped(tensors: Any, reshaped: Callable[[Tensor], Tensor], dim: int, op: str, out: Tensor | None) -> Tensor:
    """Reshape each Tensor, and join the results along dim, or along the last dimension if there are fewer."""
    parts = [reshaped(t) for t in _as_list(tensors, op)]
    return cat(parts, min(dim, parts[0].ndim - 1), out=out)


@composite
def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Join Tensors side by side: along the second dimension, vectors along their only one.

    Raises RuntimeError if the other sizes differ, and for none. Source: torch.hstack.

    >>> torch.hstack([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    return _cat_reshaped(tensors, atleast_1d, 1, "hstack", out)


@composite
def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Join Tensors one below the other: along the first dimension, vectors as rows.

    Raises RuntimeError if the other sizes differ, and for none, TypeError for what is no Tensor. Source: torch.vstack.

    >>> torch.vstack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    tensors = _as_list(tensors, "vstack")
    shapes = [t.array.shape for t in tensors]
    if out is None and len(shapes[0]) == 1 and _all_equal(shapes):
        return with_torch_name("Cat", Stack.apply(*tensors, axis=0))
    return _cat_reshaped(tensors, atleast_2d, 0, "vstack", out)


row_stack = vstack


@composite
def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Join Tensors along the third dimension. Raises RuntimeError if the other sizes differ. Source: torch.dstack.

    >>> torch.dstack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return _cat_reshaped(tensors, atleast_3d, 2, "dstack", out)


@composite
def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Join Tensors along the second dimension, vectors as columns.

    Raises RuntimeError if the other sizes differ. Source: torch.column_stack.

    >>> torch.column_stack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return _cat_reshaped(tensors, lambda x: reshape(x, (x.numel(), 1)) if x.ndim < 2 else x, 1, "column_stack", out)
