"""Copies of a Tensor: in other memory, in another dtype, on another device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ...backend import memory_formats
from ...backend.copies import cloned, copied_row_major, in_axis_order
from ...dtypes.conversions import convert
from ...errors.notices import once
from ...function.linear_map import LinearMap
from ...type_aliases import Array, MemoryFormat, Tensor
from ..support import layouts


class Clone(LinearMap):
    """A copy; `order` is one of NumPy's, or lists the axes from the outermost in memory to the innermost."""

    symbol, numpy, native_half, conjugates = "clone", np.copy, True, False

    def forward(self, x):
        if self.order == "K":
            return layouts.keep_strides(cloned(x), x)
        if type(self.order) is str:
            return copied_row_major(x) if self.order == "C" else x.copy(self.order)
        return in_axis_order(copied_row_major, x, self.order)

    def adjoint(self, grad):
        return grad


class Cast(LinearMap):
    """The same values in another dtype."""

    symbol, operator, node_name, numpy, native_half = "cast", "to", "ToCopy", np.astype, True

    def forward(self, x):
        if x.dtype.kind == "c" and self.to.kind not in "cb":
            once("Casting complex values to real discards the imaginary part")
        return _cast(x, self.to)

    def adjoint(self, grad):
        return _cast(grad, self.source)


def _cast(x: Array, to: Any) -> Array:
    """Convert an array to another dtype. Complex numbers become their real parts, unless `to` is complex or bool."""
    x = x.real if x.dtype.kind == "c" and to.kind not in "cb" else x
    return layouts.keep_strides(convert(x, to, layouts.copy_order(x)), x)


class Transfer(LinearMap):
    """The same values on another device: a view if they are there already."""

    symbol, operator, node_name, may_share, native_half = "transfer", "to", "ToCopy", True, True
    moves = True

    def forward(self, x):
        moved = backend.to_device(x, self.to)
        return moved if moved is x else layouts.keep_strides(moved, x)

    def adjoint(self, grad):
        return backend.to_device(grad, self.source)


def memory_format_of(x: Array) -> Any:
    """Return the memory_format of an array, which results computed from it take as well.

    The strides of (N, 1, H, W) allow two formats; the unused stride of the channels decides between them.
    """
    if not layouts.channels_last(x):
        return memory_formats.contiguous_format
    return memory_formats.channels_last if x.ndim == 4 else memory_formats.channels_last_3d


def clone(input: Tensor, *, memory_format: MemoryFormat = None) -> Tensor:
    """Return a copy with the same memory order, or in that of a memory_format. Source: torch.clone.

    Raises RuntimeError where the format needs another number of dimensions.

    >>> x = torch.tensor([1.0])
    >>> y = torch.clone(x).add_(1)
    >>> x
    tensor([1.])
    """
    if memory_format in (None, memory_formats.preserve_format):
        return Clone.apply(input, order="K")
    axes = memory_formats.axes_of_format("clone", memory_format, input.ndim)
    return Clone.apply(input, order=axes if memory_format in memory_formats.AXES else "C")
