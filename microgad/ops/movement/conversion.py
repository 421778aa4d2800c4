"""The same values in other memory: a copy, another dtype, another device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ...backend import memory_formats
from ...backend.memory_layout import order_by
from ...dtypes.half_precision import convert
from ...errors.notices import once
from ...function.linear_map import LinearMap
from ...type_aliases import Tensor
from .. import layouts


class Clone(LinearMap):
    """A copy; `order` is NumPy's, or the axes from the outermost in memory to the innermost."""

    symbol, numpy, native_half = "clone", np.copy, True

    def forward(self, x):
        order = order_by(x.strides) if self.order == "K" and 0 in x.strides else self.order
        if type(order) is str:
            return layouts.keep_channels_last_strides(x.copy(order), x) if order == "K" else x.copy(order)
        return x.transpose(order).copy("C").transpose(np.argsort(order).tolist())

    def adjoint(self, grad):
        return grad


class Cast(LinearMap):
    """The same values in another dtype."""

    symbol, numpy, native_half = "cast", np.astype, True

    def forward(self, x):
        if x.dtype.kind == "c" and self.to.kind not in "cb":
            once("Casting complex values to real discards the imaginary part")
        return _cast(x, self.to)

    def adjoint(self, grad):
        return _cast(grad, self.source)


def _cast(x: Any, to: Any) -> Any:
    """An array in another dtype; of complex numbers the real parts, where that isn't complex, nor bool: not 0."""
    x = x.real if x.dtype.kind == "c" and to.kind not in "cb" else x
    return layouts.keep_channels_last_strides(convert(x, to, layouts.copy_order(x)), x)


class Transfer(LinearMap):
    """The same values on another device; the same memory, where they are there already."""

    symbol, may_share, native_half = "transfer", True, True

    def forward(self, x):
        return backend.to_device(x, self.to)

    def adjoint(self, grad):
        return backend.to_device(grad, self.source)


def memory_format_of(x: Any) -> Any:
    """The memory_format of an array, of the two that its strides may allow that which results of it take, too.

    (N, 1, H, W) lies in both; which of them is its own its stride over the channels says, that is never gone over.
    """
    if not layouts.channels_last(x):
        return memory_formats.contiguous_format
    return memory_formats.channels_last if x.ndim == 4 else memory_formats.channels_last_3d


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with the same layout, or in the order of a memory_format. Source: torch.clone.

    Raises RuntimeError where the format is of another number of dimensions.

    >>> x = torch.tensor([1.0])
    >>> y = torch.clone(x).add_(1)
    >>> x
    tensor([1.])
    """
    if memory_format in (None, memory_formats.preserve_format):
        return Clone.apply(input, order="K")
    axes = memory_formats.axes_of("clone", memory_format, input.ndim)
    return Clone.apply(input, order=axes if memory_format in memory_formats.AXES else "C")
