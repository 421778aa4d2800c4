"""PixelShuffle, PixelUnshuffle and ChannelShuffle."""

from __future__ import annotations

from ...tensor import Tensor
from .. import functional as F
from .layer_helpers import settings_repr
from .module import Module


class PixelShuffle(Module):
    """Move channels to pixels: (..., C·r², H, W) -> (..., C, H·r, W·r), where r is upscale_factor.

    Takes any dtype. Raises RuntimeError unless r² divides the channels. Source: torch.nn.PixelShuffle; Shi et al.
    (2016).

    >>> nn.PixelShuffle(2)(torch.arange(4.0).reshape(4, 1, 1))
    tensor([[[0., 1.],
             [2., 3.]]])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    extra_repr = settings_repr("upscale_factor")


class PixelUnshuffle(Module):
    """Move pixels to channels: (..., C, H·r, W·r) -> (..., C·r², H, W), where r is downscale_factor.

    Takes any dtype. Raises RuntimeError unless r divides height and width. Source: torch.nn.PixelUnshuffle.

    >>> nn.PixelUnshuffle(2)(torch.arange(4.0).reshape(1, 2, 2)).flatten()
    tensor([0., 1., 2., 3.])
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    extra_repr = settings_repr("downscale_factor")


class ChannelShuffle(Module):
    """Interleave the channels of (N, C, ...) from `groups` groups.

    Takes any dtype. Raises RuntimeError unless `groups` divides C. Source: torch.nn.ChannelShuffle; Zhang et al.
    (2017).

    >>> nn.ChannelShuffle(2)(torch.arange(4.0).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    extra_repr = settings_repr("groups")
