"""RoI align over the maps of a feature pyramid. Source: torchvision.ops.poolers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import ArgumentError
from ....nn import Module
from ....nn.modules.layer_helpers import settings_repr, to_tuple
from ....ops import creation, movement
from ....ops.elementwise import where
from ....tensor import Tensor
from .boxes import box_area
from .roi_pooling import number_boxes, roi_align


class MultiScaleRoIAlign(Module):
    """roi_align of each box in the map that fits its size: maps (N, C, H_i, W_i) and K boxes -> (K, C, *output_size).

    featmap_names: the maps to use, the largest first. boxes: a list of (L, 4) in pixels of the images, whose (height,
    width) are image_shapes; the first call finds the maps' scales, powers of 2, from them. A box of canonical_scale ²
    pixels belongs to the map of scale 2 ** -canonical_level, one of twice the side to the next smaller. A box of a
    level between two of the maps takes the map at its distance from the first, and gives zeros if there is none.
    Raises ValueError without image_shapes. Source: torchvision.ops.MultiScaleRoIAlign; Lin et al. (2017), equation 1.

    >>> align = torch.porting.vision.ops.MultiScaleRoIAlign(["large", "small"], 3, 2)
    >>> maps = {"large": torch.ones(1, 5, 16, 16), "small": torch.ones(1, 5, 8, 8)}
    >>> align(maps, [torch.tensor([[0.0, 0, 9, 9], [5, 5, 60, 50]])], [(64, 64)]).shape
    torch.Size([2, 5, 3, 3])
    """

    def __init__(
        self,
        featmap_names: Sequence[str],
        output_size: Any,
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.featmap_names, self.sampling_ratio = featmap_names, sampling_ratio
        self.output_size = to_tuple(output_size, 2)
        self.canonical_scale, self.canonical_level = canonical_scale, canonical_level
        self.scales: list[float] | None = None

    def forward(self, x: Mapping[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Return the regions, in the order of the boxes."""
        maps = [feature for name, feature in x.items() if name in self.featmap_names]
        if self.scales is None:
            if not image_shapes:
                raise ArgumentError("images list should not be empty")
            height = max(shape[0] for shape in image_shapes)
            exponents = creation.tensor([feature.shape[2] / height for feature in maps]).log2().round()
            self.scales = (2.0**exponents).tolist()
        regions = number_boxes(boxes)
        if len(maps) == 1:
            return roi_align(maps[0], regions, self.output_size, self.scales[0], self.sampling_ratio)
        levels = self._levels(boxes, self.scales)
        result = maps[0].new_zeros(len(regions), maps[0].shape[1], *self.output_size)
        for level, (feature, scale) in enumerate(zip(maps, self.scales, strict=False)):
            (index,) = where(levels == level)
            result[index] = roi_align(feature, regions[index], self.output_size, scale, self.sampling_ratio)
        return result

    def _levels(self, boxes: list[Tensor], scales: list[float]) -> Tensor:
        """Return the level (K,) of each box, counted from that of the first map."""
        first, last = (int(-creation.tensor(scale).log2().item()) for scale in (scales[0], scales[-1]))
        sides = movement.cat([box_area(b) for b in boxes]).sqrt()
        # a side that is the canonical one but for rounding belongs to the canonical level
        levels = (self.canonical_level + (sides / self.canonical_scale).log2() + 1e-6).floor()
        return levels.clamp(first, last).long() - first

    extra_repr = settings_repr("featmap_names output_size sampling_ratio")
