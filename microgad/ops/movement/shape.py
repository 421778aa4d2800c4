"""Change the shape, and keep the values in order: views where the memory layout allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from ... import dtypes, function
from ...dtypes.type_names import TYPE_NAMES
from ...errors import ArgumentError, DtypeError, ShapeError, place
from ...errors.arguments import as_sizes
from ...function.naming import with_torch_name
from ...function.view import View
from ...state import current
from ...type_aliases import GivenDims, Tensor
from ..support import layouts
from ..support.spelling import numpy_spelling, tensors_only
from .dims import wrap_dim, wrap_dims


class Reshape(View):
    """The same values in another shape: a view where the layout allows."""

    symbol, numpy, native_half, conjugates = "reshape", np.reshape, True, False
    node_name = "View"

    def forward(self, x):
        return layouts.reshape(x, self.size)

    def adjoint(self, grad):
        return layouts.reshape(grad, self.x_shape)

    @staticmethod
    def joined(before, after):
        return after


@tensors_only
def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the same values in another shape, a view where the layout allows; one size may be -1.

    Raises RuntimeError where the numbers of elements differ. Source: torch.reshape.

    >>> torch.reshape(torch.arange(4), (2, -1))
    tensor([[0, 1],
            [2, 3]])
    """
    size = _size(input.array.size, shape, "reshape")
    if size == input.array.shape and current().deriving:  # nothing for the graph of a derivative
        return input
    return _reshaped(input, size)


def _reshaped(input: Tensor, size: tuple[int, ...]) -> Tensor:
    """Reshape, and name the node as PyTorch does: by whether input is contiguous, and whether the result is a view."""
    result: Tensor = Reshape.apply(input, size=size)
    if input.array.flags.c_contiguous:
        return result
    return with_torch_name("UnsafeView" if result._links.base is None else "ReshapeAlias", result)


def _size(n: int, shape: Sequence[int], op: str) -> tuple[int, ...]:
    """Check the shape of n elements, and infer the size given as -1."""
    size = as_sizes(op, "size" if op == "view" else "shape", shape)
    product, least = math.prod(size), min(size) if size else 0
    if product == n and least >= 0:
        return size
    if product < 0 and least == -1 and size.count(-1) == 1 and n % product == 0:
        at = size.index(-1)
        return (*size[:at], n // -product, *size[at + 1 :])
    if size.count(-1) > 1:
        raise ArgumentError(f"{op}: only one dimension can be inferred, got {size}")
    if least < -1:
        raise ArgumentError(f"{op}: invalid shape dimension {least} at index {size.index(least)} of shape {[*size]}")
    if n == product == 0:
        raise ShapeError(
            f"cannot reshape tensor of 0 elements into shape {[*size]} because the unspecified dimension size -1 can "
            "be any value and is ambiguous"
        )
    raise ShapeError(f"shape '{list(shape)}' is invalid for input of size {n}")


def view(input: Tensor, size: Any) -> Tensor:
    """View the same memory in another shape; or as another dtype (Python's `float`, too), and then detached.

    Raises RuntimeError where the layout doesn't allow a view; `reshape` copies there. Source: torch.Tensor.view.

    >>> torch.arange(4).view(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    if isinstance(size, (dtypes.dtype, type)):
        return _view_as_dtype(input, dtypes.of(size))
    shape = _size(input.array.size, size, "view")
    result: Tensor = Reshape.apply(input, size=shape)
    if result._links.base is None and result.array.size:
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            f"contiguous subspaces). Use .reshape(...) instead. Size {shape}, input {tuple(input.shape)} with stride "
            f"{input.stride()}"
        )
    return result


def _view_as_dtype(input: Tensor, dtype: dtypes.dtype) -> Tensor:
    """Read the same memory as another dtype, where PyTorch's rules allow it."""
    x, ratio = input.array, dtype.itemsize / input.element_size()
    if ratio != 1:
        said = f"to view {TYPE_NAMES[input.dtype]} as {TYPE_NAMES[dtype]} (different element sizes)"
        if x.ndim == 0:
            raise ShapeError(f"self.dim() cannot be 0 {said}")
        if x.size and x.strides[-1] != x.itemsize:
            raise ShapeError(f"self.stride(-1) must be 1 {said}, but got {input.stride(-1)}")
        counts = {"size(-1)": x.shape[-1], "storage_offset()": input.storage_offset()}
        counts |= {f"stride({i})": n for i, n in enumerate(input.stride()[:-1])}
        for name, n in counts.items():
            if ratio > 1 and n % ratio:
                raise ShapeError(f"self.{name} must be divisible by {int(ratio)} {said}, but got {n}")
    result = input.detach()  # the same memory and version counter; PyTorch stops the gradient here, too
    result.array = x.view(dtype.dtype)
    return result


@tensors_only
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """View input in the shape of other. Source: torch.Tensor.view_as."""
    return view(input, other.shape)


@tensors_only
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """Reshape input to the shape of other. Source: torch.Tensor.reshape_as."""
    return reshape(input, other.shape)


@numpy_spelling
def squeeze(input: Tensor, dim: GivenDims = None) -> Tensor:
    """Remove dimensions of size 1, all of them or those named: a view.

    Raises IndexError for a dim out of range. Source: torch.squeeze.

    >>> torch.squeeze(torch.zeros(1, 2, 1), 0).shape
    torch.Size([2, 1])
    """
    shape = input.array.shape
    removable = range(len(shape)) if dim is None else wrap_dims(dim, len(shape), "squeeze")
    squeezed = Reshape.apply(input, size=tuple([n for i, n in enumerate(shape) if n != 1 or i not in removable]))
    return with_torch_name(f"SqueezeBackward{0 if dim is None else 1 if isinstance(dim, int) else 2}", squeezed)


@numpy_spelling
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Insert a dimension of size 1 at dim: a view. Raises IndexError for a dim out of range. Source: torch.unsqueeze.

    >>> torch.unsqueeze(torch.tensor([1, 2]), 1)
    tensor([[1],
            [2]])
    """
    shape = input.array.shape
    at = wrap_dim(dim, len(shape) + 1, "unsqueeze")
    return with_torch_name("Unsqueeze", Reshape.apply(input, size=(*shape[:at], 1, *shape[at:])))


@tensors_only
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the dimensions from start_dim to end_dim: a view where the layout allows.

    Raises IndexError for a dim out of range, RuntimeError if start_dim comes after end_dim. Source: torch.flatten.

    >>> torch.flatten(torch.zeros(2, 3, 4), 1).shape
    torch.Size([2, 12])
    """
    shape = input.array.shape or (1,)
    start, end = wrap_dim(start_dim, len(shape), "flatten"), wrap_dim(end_dim, len(shape), "flatten")
    if start > end:
        raise ShapeError(
            f"flatten() has invalid args: start_dim cannot come after end_dim, got {start_dim} and {end_dim}"
        )
    if start == end and input.array.ndim:
        return input
    return _reshaped(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@numpy_spelling
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split a dimension into several, one of whose sizes may be -1: a view.

    Raises IndexError for a dim out of range, RuntimeError if the sizes don't multiply up to its size.
    Source: torch.unflatten.

    >>> torch.unflatten(torch.zeros(2, 12), 1, (3, -1)).shape
    torch.Size([2, 3, 4])
    """
    at, shape = wrap_dim(dim, input.ndim, "unflatten"), input.array.shape
    if not sizes:
        raise ShapeError("unflatten: sizes must be non-empty")
    if not shape:
        raise ShapeError("unflatten: input has no dimensions")
    try:
        sizes = _size(shape[at], sizes, "unflatten")
    except ShapeError:
        raise ShapeError(
            f"{place('unflatten', current().path)}: Provided sizes {list(sizes)} don't multiply up to the size of dim "
            f"{dim} ({shape[at]}) in the input tensor"
        ) from None
    return Reshape.apply(input, size=(*shape[:at], *sizes, *shape[at + 1 :]))


@tensors_only
def ravel(input: Tensor) -> Tensor:
    """Flatten to one dimension: a view if input is contiguous, else a copy. Source: torch.ravel.

    >>> torch.ravel(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return Reshape.apply(input.contiguous(), size=(input.array.size,))


@overload
def atleast_1d(tensors: Tensor, /) -> Tensor: ...
@overload
def atleast_1d(*tensors: Any) -> tuple[Tensor, ...]: ...
def atleast_1d(*tensors: Any) -> Any:
    """View one or several Tensors with at least one dimension.

    Raises TypeError for what is no Tensor. Source: torch.atleast_1d.

    >>> torch.atleast_1d(torch.tensor(1.0))
    tensor([1.])
    """
    return _each(lambda x: reshape(x, (1,)) if x.ndim == 0 else x, tensors, "atleast_1d")


@overload
def atleast_2d(tensors: Tensor, /) -> Tensor: ...
@overload
def atleast_2d(*tensors: Any) -> tuple[Tensor, ...]: ...
def atleast_2d(*tensors: Any) -> Any:
    """View Tensors with at least two dimensions: vectors become rows.

    Raises TypeError for what is no Tensor. Source: torch.atleast_2d.

    >>> torch.atleast_2d(torch.tensor([1.0, 2.0]))
    tensor([[1., 2.]])
    """
    return _each(
        lambda x: x if x.ndim > 1 else unsqueeze(x, 0) if x.ndim else reshape(x, (1, 1)), tensors, "atleast_2d"
    )


@overload
def atleast_3d(tensors: Tensor, /) -> Tensor: ...
@overload
def atleast_3d(*tensors: Any) -> tuple[Tensor, ...]: ...
def atleast_3d(*tensors: Any) -> Any:
    """View Tensors with at least three dimensions: (n) becomes (1, n, 1), (m, n) becomes (m, n, 1).

    Raises TypeError for what is no Tensor. Source: torch.atleast_3d.

    >>> torch.atleast_3d(torch.tensor([1.0, 2.0])).shape
    torch.Size([1, 2, 1])
    """
    return _each(
        lambda x: x if x.ndim > 2 else unsqueeze(atleast_2d(x), -1) if x.ndim else reshape(x, (1, 1, 1)),
        tensors,
        "atleast_3d",
    )


def _each(op: Any, tensors: tuple[Any, ...], name: str) -> Any:
    """Apply op to one Tensor, or to each of several."""
    several = tensors[0] if len(tensors) == 1 else tensors
    if isinstance(several, function.Tensor):
        return op(several)
    if not hasattr(several, "__iter__"):
        kind = type(several).__name__
        raise DtypeError(f"{name}(): argument 'tensors' (position 1) must be Tensor or tuple of Tensors, not {kind}")
    for x in several:
        if not isinstance(x, function.Tensor):
            raise DtypeError(f"{name}: expected Tensors, got {type(x).__name__}")
    return tuple(op(x) for x in several)
