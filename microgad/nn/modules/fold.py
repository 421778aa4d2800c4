"""Unfold (im2col) and Fold (col2im)."""

from __future__ import annotations

from ...tensor import Tensor
from .. import functional as F
from .layer_helpers import Size, settings_repr
from .module import Module


class Unfold(Module):
    """Make each window a column: (N, C, H, W) -> (N, C·KH·KW, number of windows), also without N.

    Raises RuntimeError if the windows are larger than the padded input, and for other dimensions.
    Source: torch.nn.Unfold.

    >>> nn.Unfold(2)(torch.arange(9.0).reshape(1, 3, 3))
    tensor([[0., 1., 3., 4.],
            [1., 2., 4., 5.],
            [3., 4., 6., 7.],
            [4., 5., 7., 8.]])
    """

    def __init__(self, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    extra_repr = settings_repr("kernel_size dilation padding stride")


class Fold(Module):
    """Add up Unfold's columns at their windows: (N, C·KH·KW, number of windows) -> (N, C, *output_size).

    Raises RuntimeError for another number of windows, and if KH·KW doesn't divide dimension 1. Source: torch.nn.Fold.

    >>> nn.Fold((3, 3), 2)(torch.ones(4, 4))
    tensor([[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]])
    """

    def __init__(
        self, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    extra_repr = settings_repr("output_size kernel_size dilation padding stride")
