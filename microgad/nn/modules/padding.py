"""Padding layers, which add a border to the last dimensions.

Inputs may have any dtype, and negative widths crop. Raise RuntimeError for fewer dimensions, if more is cropped than
there is, and where a border is wider than the values that it is made of: reflection needs more values than the width,
circular padding at least as many.
"""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .layer_helpers import Size, check_ndim, settings_repr, to_tuple
from .module import Module


class _Pad(Module):
    """Base class of padding layers. Like PyTorch's, it takes no padding: a program's subclass sets its own."""

    _mode = "constant"
    padding: Any

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _Sides(_Pad):
    """Takes the padding: one width for all sides, or one per side: (left, right, top, bottom, front, back)."""

    _sides: int

    def __init__(self, padding: Size) -> None:
        super().__init__()
        self.padding = to_tuple(padding, self._sides)


class _ConstantPadNd(_Pad):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    extra_repr = settings_repr("padding value")


class _ConstantPad(_ConstantPadNd):
    _sides: int

    def __init__(self, padding: Size, value: float) -> None:
        super().__init__(value)
        self.padding = to_tuple(padding, self._sides)


class ConstantPad1d(_ConstantPad):
    """Pad (..., L) with `value`; padding is (left, right) or one width.

    Raises RuntimeError if a negative width crops more than there is. Source: torch.nn.ConstantPad1d.

    >>> nn.ConstantPad1d((1, 2), 9.0)(torch.zeros(2))
    tensor([9., 0., 0., 9., 9.])
    """

    _sides = 2


class ConstantPad2d(_ConstantPad):
    """Pad (..., H, W) with `value`; padding is (left, right, top, bottom) or one width. Source: torch.nn.ConstantPad2d.

    >>> nn.ConstantPad2d(1, 9.0)(torch.zeros(1, 1))
    tensor([[9., 9., 9.],
            [9., 0., 9.],
            [9., 9., 9.]])
    """

    _sides = 4


class ConstantPad3d(_ConstantPad):
    """Pad (..., D, H, W) with `value`; padding has six widths, or is one width. Source: torch.nn.ConstantPad3d.

    >>> nn.ConstantPad3d(1, 9.0)(torch.zeros(2, 2, 2)).shape
    torch.Size([4, 4, 4])
    """

    _sides = 6


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Size) -> None:
        super().__init__(padding, 0.0)

    extra_repr = _Pad.extra_repr


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pad (..., L) with zeros. Source: torch.nn.ZeroPad1d.

    >>> nn.ZeroPad1d(1)(torch.ones(2))
    tensor([0., 1., 1., 0.])
    """


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pad (..., H, W) with zeros. Source: torch.nn.ZeroPad2d.

    >>> nn.ZeroPad2d((1, 0, 0, 1))(torch.ones(1, 1))
    tensor([[0., 1.],
            [0., 0.]])
    """


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pad (..., D, H, W) with zeros. Source: torch.nn.ZeroPad3d.

    >>> nn.ZeroPad3d(1)(torch.ones(1, 1, 1)).sum()
    tensor(1.)
    """


class _ReflectionPadNd(_Pad):
    _mode = "reflect"


class ReflectionPad1d(_Sides, _ReflectionPadNd):
    """Pad (..., C, L) by reflection at the first and last value.

    Raises RuntimeError unless each width is less than L. Source: torch.nn.ReflectionPad1d.

    >>> nn.ReflectionPad1d(2)(torch.tensor([[0.0, 1.0, 2.0]]))
    tensor([[2., 1., 0., 1., 2., 1., 0.]])
    """

    _sides = 2


class ReflectionPad2d(_Sides, _ReflectionPadNd):
    """Pad (..., C, H, W) by reflection at the borders.

    Raises RuntimeError unless each width is less than the size. Source: torch.nn.ReflectionPad2d.

    >>> nn.ReflectionPad2d(1)(torch.arange(4.0).reshape(1, 2, 2))[0, 0]
    tensor([3., 2., 3., 2.])
    """

    _sides = 4


class ReflectionPad3d(_Sides, _ReflectionPadNd):
    """Pad (..., C, D, H, W) by reflection at the borders. Source: torch.nn.ReflectionPad3d.

    >>> nn.ReflectionPad3d(1)(torch.zeros(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _sides = 6


class _ReplicationPadNd(_Pad):
    _mode = "replicate"


class ReplicationPad1d(_Sides, _ReplicationPadNd):
    """Pad (..., C, L) by repeating the first and last value.

    Raises RuntimeError for other dimensions. Source: torch.nn.ReplicationPad1d.

    >>> nn.ReplicationPad1d(2)(torch.tensor([[0.0, 1.0]]))
    tensor([[0., 0., 0., 1., 1., 1.]])
    """

    _sides = 2


class ReplicationPad2d(_Sides, _ReplicationPadNd):
    """Pad (..., C, H, W) by repeating the values at the borders. Source: torch.nn.ReplicationPad2d.

    >>> nn.ReplicationPad2d(1)(torch.arange(4.0).reshape(1, 2, 2))[0, 0]
    tensor([0., 0., 1., 1.])
    """

    _sides = 4


class ReplicationPad3d(_Sides, _ReplicationPadNd):
    """Pad (..., C, D, H, W) by repeating the values at the borders. Source: torch.nn.ReplicationPad3d.

    >>> nn.ReplicationPad3d(1)(torch.zeros(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _sides = 6


class _CircularPadNd(_Pad):
    _mode = "circular"

    def forward(self, input: Tensor) -> Any:
        check_ndim(self, input, (len(self.padding) // 2 + 1, len(self.padding) // 2 + 2))
        return super().forward(input)


class CircularPad1d(_Sides, _CircularPadNd):
    """Pad (..., C, L) with values from the opposite side.

    Raises RuntimeError for a width of more than L, ValueError for other dimensions. Source: torch.nn.CircularPad1d.

    >>> nn.CircularPad1d(2)(torch.tensor([[0.0, 1.0, 2.0]]))
    tensor([[1., 2., 0., 1., 2., 0., 1.]])
    """

    _sides = 2


class CircularPad2d(_Sides, _CircularPadNd):
    """Pad (..., C, H, W) with values from the opposite sides. Source: torch.nn.CircularPad2d.

    >>> nn.CircularPad2d(1)(torch.arange(4.0).reshape(1, 2, 2))[0, 0]
    tensor([3., 2., 3., 2.])
    """

    _sides = 4


class CircularPad3d(_Sides, _CircularPadNd):
    """Pad (..., C, D, H, W) with values from the opposite sides. Source: torch.nn.CircularPad3d.

    >>> nn.CircularPad3d(1)(torch.zeros(1, 2, 2, 2)).shape
    torch.Size([1, 4, 4, 4])
    """

    _sides = 6
