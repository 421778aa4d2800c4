"""Deformable convolution, whose kernel positions are shifted by given offsets. Source: torchvision.ops."""

from __future__ import annotations

import math
from typing import Any

from ....dtypes import int64
from ....errors import ArgumentError, ShapeError
from ....nn import Module, init
from ....nn.functional import pad
from ....nn.modules.layer_helpers import add_parameters, to_tuple
from ....ops import creation
from ....tensor import Tensor


def _coordinates(offset: Tensor, axis: int, count: int, size: int, step: int, padding: int, dilation: int) -> Tensor:
    """Return the coordinate (N, G, KH, KW, OH, OW) that each kernel position reads along an axis (0: y, 1: x)."""
    kernel = creation.arange(count, dtype=offset.dtype, device=offset.device) * dilation - padding
    output = creation.arange(size, dtype=offset.dtype, device=offset.device) * step
    here = kernel.reshape(-1, *(1,) * 3) + output.reshape(-1, 1)  # (KH, 1, OH, 1) for rows
    return offset.select(4, axis) + (here if axis == 0 else here.transpose(0, 1).transpose(2, 3))


def _sample_bilinear(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Sample images (N, G, C, H, W) at points (N, G, P) bilinearly, with zeros outside -> (N, G, C, P)."""
    channels, height, width = images.shape[2:]
    flat = pad(images, (1, 1, 1, 1)).flatten(3)
    top, left = y.detach().floor(), x.detach().floor()
    inside = ((y > -1) & (y < height) & (x > -1) & (x < width)).to(images.dtype)
    down, right = y - top, x - left
    corners = []
    for row, high in ((top, 1 - down), (top + 1, down)):
        for column, wide in ((left, 1 - right), (left + 1, right)):
            at = (row + 1).clamp(0, height + 1) * (width + 2) + (column + 1).clamp(0, width + 1)
            found = flat.gather(3, at.to(int64).unsqueeze(2).expand(-1, -1, channels, -1))
            corners.append(found * (high * wide * inside).unsqueeze(2))
    return (corners[0] + corners[1]) + (corners[2] + corners[3])


def deform_conv2d(
    input: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = (1, 1),
    padding: Any = (0, 0), dilation: Any = (1, 1), mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Deformable convolution: (N, C, H, W), (N, 2·G·KH·KW, OH, OW), (O, C/groups, KH, KW) -> (N, O, OH, OW).

    offset: the shifts down and to the right of each kernel position, for G groups of channels.
    mask: factors (N, G·KH·KW, OH, OW) of the sampled values. Raises RuntimeError for other shapes.
    Source: torchvision.ops.deform_conv2d; Dai et al. (2017), Zhu et al. (2018).

    >>> x, weight, offset = torch.arange(9.0).reshape(1, 1, 3, 3), torch.ones(1, 1, 1, 1), torch.zeros(1, 2, 3, 3)
    >>> torch.porting.vision.ops.deform_conv2d(x, offset + 0.5, weight)[0, 0, 0]
    tensor([2.0000, 3.0000, 1.7500])
    """
    strides, pads, dilations = (to_tuple(x, 2) for x in (stride, padding, dilation))
    kernel = tuple(weight.shape[2:])
    (count, channels), taps, outputs = input.shape[:2], math.prod(kernel), len(weight)
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(input.shape[2:], kernel, strides, pads, dilations, strict=True)
    ]
    offset_groups, groups = offset.shape[1] // (2 * taps), channels // weight.shape[1]
    wanted = (count, 2 * offset_groups * taps, *size)
    if offset_groups == 0 or offset.shape != wanted or channels % offset_groups:
        raise ShapeError(
            f"deform_conv2d: offset has shape {tuple(offset.shape)}, expected {wanted}, a multiple of {2 * taps} in "
            f"axis 1 that divides {channels} channels"
        )
    if weight.shape[1] * groups != channels or outputs % groups or 0 in size:
        raise ShapeError(f"deform_conv2d: weight has shape {tuple(weight.shape)}, but input {tuple(input.shape)}")
    wanted = (count, offset_groups * taps, *size)
    if mask is not None and mask.shape != wanted:
        raise ShapeError(f"deform_conv2d: mask has shape {tuple(mask.shape)}, expected {wanted}")
    moved = offset.reshape(count, offset_groups, *kernel, 2, *size)
    y, x = (_coordinates(moved, i, kernel[i], size[i], strides[i], pads[i], dilations[i]).flatten(2) for i in (0, 1))
    found = _sample_bilinear(input.reshape(count, offset_groups, channels // offset_groups, *input.shape[2:]), y, x)
    if mask is not None:
        found = found * mask.reshape(count, offset_groups, 1, taps * math.prod(size))
    columns = found.reshape(count, groups, weight.shape[1] * taps, math.prod(size))
    result = (weight.reshape(groups, outputs // groups, -1) @ columns).reshape(count, outputs, *size)
    return result if bias is None else result + bias.reshape(-1, 1, 1)


class DeformConv2d(Module):
    """deform_conv2d as a layer, initialized as Conv2d. Raises ValueError if groups don't divide the channels.

    Source: torchvision.ops.DeformConv2d.

    >>> torch.porting.vision.ops.DeformConv2d(2, 4, 3, padding=1)
    DeformConv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(f"DeformConv2d: {groups} groups of {in_channels} and {out_channels} channels")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = to_tuple(kernel_size, 2), to_tuple(stride, 2)
        self.padding, self.dilation = to_tuple(padding, 2), to_tuple(dilation, 2)
        shape = out_channels, in_channels // groups, *self.kernel_size
        add_parameters(self, None, None, weight=shape, bias=out_channels if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.fan_in_uniform_(self.weight, self.bias)

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        how = self.stride, self.padding, self.dilation
        return deform_conv2d(input, offset, self.weight, self.bias, *how, mask)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            text += f", {name}={getattr(self, name)}" if getattr(self, name) != usual else ""
        return text + ", bias=False" * (self.bias is None)
