"""Softmax, Softmin, LogSoftmax and Softmax2d.

Results have the shape and the floating-point dtype of the input. Raises RuntimeError for integers, IndexError for a
dimension out of range.
"""

from __future__ import annotations

from ...errors import ShapeError
from ...tensor import Tensor
from .. import functional as F
from .layer_helpers import layer_name, settings_repr
from .module import Module


class _SoftmaxBase(Module):
    """Base class of activations along the dimension `dim`."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    extra_repr = settings_repr("dim")


class Softmax(_SoftmaxBase):
    """eˣ divided by its sum along dim, of any shape.

    Raises RuntimeError for integers, IndexError for a dimension out of range. Source: torch.nn.Softmax.

    >>> nn.Softmax(dim=0)(torch.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class Softmin(_SoftmaxBase):
    """Softmax of -x. Of any shape; raises as Softmax does. Source: torch.nn.Softmin.

    >>> nn.Softmin(dim=0)(torch.tensor([0.0, 1.0]))
    tensor([0.7311, 0.2689])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)


class LogSoftmax(_SoftmaxBase):
    """The logarithm of Softmax, without overflow. Of any shape; raises as Softmax does. Source: torch.nn.LogSoftmax.

    >>> nn.LogSoftmax(dim=0)(torch.tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class Softmax2d(Module):
    """Softmax over the channels at each position of (N, C, H, W) or (C, H, W).

    Raises RuntimeError for other numbers of dimensions. Source: torch.nn.Softmax2d.

    >>> nn.Softmax2d()(torch.zeros(4, 1, 1)).flatten()
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ShapeError(f"{layer_name(self)}: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)
