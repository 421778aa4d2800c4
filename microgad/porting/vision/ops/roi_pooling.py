"""RoI align and RoI pooling: regions of feature maps, resampled or pooled to one size. Source: torchvision.ops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import CallError, DtypeError
from ....nn import Module
from ....nn.modules.layer_helpers import settings_repr, to_tuple
from ....ops import creation, movement
from ....ops.linalg import einsum
from ....tensor import Tensor


def _weights(start: float, size: float, bins: int, samples: int, length: int) -> Any:
    """Return the weights (bins, length) of positions in the mean of each bin's linearly interpolated samples."""
    count = samples if samples > 0 else math.ceil(size / bins)
    weights = np.zeros((bins, length))
    if count <= 0:
        return weights
    step = size / bins
    at = start + (np.arange(bins)[:, None] + (np.arange(count) + 0.5) / count) * step
    inside = (at >= -1.0) & (at <= length)
    at = np.clip(at, 0, length - 1)
    low = np.minimum(at.astype(int), length - 1)
    high = np.minimum(low + 1, length - 1)
    row = np.broadcast_to(np.arange(bins)[:, None], at.shape)
    np.add.at(weights, (row, low), inside * (1.0 - (at - low)))
    np.add.at(weights, (row, high), inside * (at - low))
    return weights / count


def number_boxes(boxes: Sequence[Tensor]) -> Tensor:
    """Return the boxes (L, 4) of each image as (K, 5), with the index of the image first."""
    return movement.cat([movement.cat((b.new_full((len(b), 1), float(i)), b), 1) for i, b in enumerate(boxes)])


def _parse_arguments(input: Tensor, output_size: Any, boxes: Any) -> tuple[tuple[int, ...], Any]:
    """Return the output size as a pair, and the boxes as (K, 5) on the CPU, each with the index of its image first."""
    by_image = isinstance(boxes, (list, tuple))
    listed, width = (boxes, 4) if by_image else ([boxes], 5)
    if not all(isinstance(b, Tensor) and b.ndim == 2 and b.shape[1] == width for b in listed):
        raise CallError("boxes are expected to be a Tensor (K, 5), or a list of Tensors (L, 4)")
    if by_image:
        boxes = number_boxes(boxes)
    if boxes.dtype != input.dtype:
        raise DtypeError(f"Expected input and boxes to have the same type, but got {input.dtype} and {boxes.dtype}")
    return to_tuple(output_size, 2), boxes.detach().cpu().numpy().astype(np.float64)


def roi_align(
    input: Tensor,
    boxes: Any,
    output_size: Any,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Average bilinear samples in the bins of each box: (N, C, H, W) and K boxes -> (K, C, *output_size).

    boxes: (K, 5) with the index of the image first, or a list of (L, 4) for each image. Only the input has a gradient.
    Source: torchvision.ops.roi_align; He et al. (2017).

    >>> torch.porting.vision.ops.roi_align(torch.ones(1, 2, 8, 8), [torch.tensor([[0.0, 0, 4, 4]])], 2).shape
    torch.Size([1, 2, 2, 2])
    """
    bins, rows = _parse_arguments(input, output_size, boxes)
    corners = rows[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    parts = []
    for image, (x0, y0, x1, y1) in zip(rows[:, 0].astype(int), corners, strict=True):
        width, height = x1 - x0, y1 - y0
        if not aligned:  # boxes are at least one pixel large
            width, height = max(width, 1.0), max(height, 1.0)
        down = _weights(y0, height, bins[0], sampling_ratio, input.shape[2])
        across = _weights(x0, width, bins[1], sampling_ratio, input.shape[3])
        down, across = (creation.tensor(w, dtype=input.dtype, device=input.device) for w in (down, across))
        parts.append(einsum("ph,chw,qw->cpq", down, input[int(image)], across))
    return movement.stack(parts) if parts else _of_no_boxes(input, bins)


def _of_no_boxes(input: Tensor, bins: tuple[int, ...]) -> Tensor:
    """Return the result (0, C, *bins) of no boxes, which is a function of the input: its gradient is zero."""
    return input[:0].sum((2, 3), keepdim=True).expand(0, input.shape[1], *bins)


def _bin_slices(start: float, stop: float, bins: int, length: int) -> list[slice]:
    """Return the positions of each bin between two corners, which are rounded and inclusive."""
    first, last = (int(math.copysign(math.floor(abs(x) + 0.5), x)) for x in (start, stop))
    step = np.float32(max(last - first + 1, 1)) / np.float32(bins)  # in float32, as torchvision, for the same floors
    ends = [(first + math.floor(i * step), first + math.ceil((i + 1) * step)) for i in range(bins)]
    return [slice(*(min(max(end, 0), length) for end in pair)) for pair in ends]


def roi_pool(input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Tensor:
    """Take the maximum in the bins of each box, 0 in empty bins: (N, C, H, W) and K boxes -> (K, C, *output_size).

    boxes: as in roi_align. Source: torchvision.ops.roi_pool; Girshick (2015).

    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> torch.porting.vision.ops.roi_pool(x, torch.tensor([[0.0, 0, 0, 2, 2]]), 2)
    tensor([[[[ 5.,  6.],
              [ 9., 10.]]]])
    """
    bins, rows = _parse_arguments(input, output_size, boxes)
    channels, height, width = input.shape[1:]
    nothing = input.new_zeros(channels)
    parts = []
    for image, (x0, y0, x1, y1) in zip(rows[:, 0].astype(int), rows[:, 1:] * spatial_scale, strict=True):
        down, across = _bin_slices(y0, y1, bins[0], height), _bin_slices(x0, x1, bins[1], width)
        found = [input[int(image), :, y, x].flatten(1) for y in down for x in across]
        parts += [values.max(1).values if values.shape[1] else nothing for values in found]
    if not parts:
        return _of_no_boxes(input, bins)
    pooled: Tensor = movement.stack(parts, 1).reshape(channels, len(rows), *bins)
    return pooled.transpose(0, 1).contiguous()


class RoIAlign(Module):
    """roi_align as a layer. Source: torchvision.ops.RoIAlign.

    >>> torch.porting.vision.ops.RoIAlign(2, 1.0, -1)
    RoIAlign(output_size=2, spatial_scale=1.0, sampling_ratio=-1, aligned=False)
    """

    def __init__(self, output_size: Any, spatial_scale: float, sampling_ratio: int, aligned: bool = False) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        how = self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned
        return roi_align(input, rois, *how)

    extra_repr = settings_repr("output_size spatial_scale sampling_ratio aligned")


class RoIPool(Module):
    """roi_pool as a layer. Source: torchvision.ops.RoIPool.

    >>> torch.porting.vision.ops.RoIPool((2, 3), 0.5)
    RoIPool(output_size=(2, 3), spatial_scale=0.5)
    """

    def __init__(self, output_size: Any, spatial_scale: float) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    extra_repr = settings_repr("output_size spatial_scale")
