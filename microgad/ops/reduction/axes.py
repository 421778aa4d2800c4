"""Convert PyTorch's `dim` arguments to NumPy's axes, and check the inputs of reductions."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from ...backend.axes import Axis, reduction_size
from ...errors import DimError, KindError, ShapeError
from ...function import Function
from ...function.naming import node_name, with_torch_name
from ...type_aliases import Tensor
from ..movement import clone
from ..movement.dims import wrap_dim, wrap_dims

Dim = int | Sequence[int] | None


def axes(dim: Dim, ndim: int, op: str) -> Axis:
    """Convert a dim argument to NumPy's axis: None for all dims. Raises RuntimeError where a dim is named twice."""
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        found = wrap_dims(dim, ndim, op)
        return found if found and ndim else None
    if type(dim) is not int and hasattr(dim, "ndim") and dim.ndim:  # in PyTorch a Tensor (1) is a sequence of dims
        dim = operator.index(dim)  # type: ignore[arg-type]
    one = wrap_dim(dim, ndim, op)  # type: ignore[arg-type]
    return one if ndim else None


def check_not_empty(input: Tensor, axis: Axis, op: str) -> None:
    """Refuse to pick an element from an empty reduction: RuntimeError over all dims, IndexError over some."""
    shape = input.array.shape
    if not reduction_size(shape, axis):
        if axis is None:
            raise ShapeError(
                f"{op}: Expected reduction dim to be specified for input of shape {shape} without elements"
            )
        raise DimError(f"{op}: Expected reduction dim {axis} to have non-zero size, got input of shape {shape}")


def check_ordered(input: Tensor, op: str, kinds: str = "biuf") -> None:
    """Refuse complex numbers, which have no order, and booleans unless `kinds` (of NumPy's dtypes) includes them."""
    if input.array.dtype.kind not in kinds:
        numbers = "complex numbers" if input.is_complex() else "booleans"
        raise KindError(f"{op}: is not implemented for {numbers}, got {input.dtype}")


def check_floating(input: Tensor, op: str) -> None:
    """Raise unless the input is floating-point or complex."""
    if input.array.dtype.kind not in "fc":
        raise KindError(f"{op}(): expected input to have floating point or complex dtype but got {input.dtype}")


def apply_along(cls: type[Function], input: Tensor, axis: int) -> Tensor:
    """Apply a shape-preserving Function along an axis; treat a 0-d input as a vector of one element."""
    if input.array.ndim:
        return cls.apply(input, axis=axis)
    return without_dimension(cls.apply(input.reshape(1), axis=axis))


def without_dimension(result: Tensor) -> Tensor:
    """Copy the result for a 0-d input, (1), to (). PyTorch has no such step: the node keeps the result's name."""
    return with_torch_name(node_name(result.node) if result.node else "", clone(result.reshape(())))


def at_least_1d(input: Tensor) -> Any:
    """Return the input, reshaped to one dimension if it has none."""
    return input if input.array.ndim else input.reshape(1)
