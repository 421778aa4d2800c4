"""Conversion of convolution weights to a memory format."""

from __future__ import annotations

from typing import Any, TypeVar

from ..modules.conv import _ConvNd
from ..modules.module import Module

M = TypeVar("M", bound=Module)


def convert_conv2d_weight_memory_format(module: M, memory_format: Any) -> M:
    """Convert the memory format of all four-dimensional convolution weights. Values and results stay the same.

    Source: torch.nn.utils.convert_conv2d_weight_memory_format.

    >>> layer = nn.utils.convert_conv2d_weight_memory_format(nn.Conv2d(2, 3, 2), torch.channels_last)
    >>> layer.weight.stride()
    (8, 1, 4, 2)
    """
    return _convert(module, memory_format, 4)


def convert_conv3d_weight_memory_format(module: M, memory_format: Any) -> M:
    """Convert the memory format of all five-dimensional convolution weights.

    Source: torch.nn.utils.convert_conv3d_weight_memory_format.

    >>> layer = nn.utils.convert_conv3d_weight_memory_format(nn.Conv3d(2, 3, 2), torch.channels_last_3d)
    >>> layer.weight.stride()
    (16, 1, 8, 4, 2)
    """
    return _convert(module, memory_format, 5)


def _convert(module: M, memory_format: Any, ndim: int) -> M:
    for layer in module.modules():
        if isinstance(layer, _ConvNd) and layer.weight.ndim == ndim:
            layer.weight.data = layer.weight.detach().clone(memory_format=memory_format)
    return module
