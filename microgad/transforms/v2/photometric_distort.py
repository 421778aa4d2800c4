"""RandomPhotometricDistort, which distorts colors in several optional steps."""

from __future__ import annotations

from typing import Any

from ...ops.random import rand, randperm
from ..base import uniform
from . import functional as F
from .base import Transform

Factors = tuple[float, float]


class RandomPhotometricDistort(Transform):
    """Change brightness, contrast, saturation, hue and the order of channels, each with probability p.

    From Liu et al. (2016), "SSD: Single Shot MultiBox Detector".
    Each factor is drawn from (low, high). The contrast changes before or after saturation and hue.
    Source: torchvision.transforms.v2.RandomPhotometricDistort.

    >>> torch.transforms.v2.RandomPhotometricDistort(p=0.0)(torch.ones(3, 2, 2)).sum().item()
    12.0
    """

    def __init__(
        self,
        brightness: Factors = (0.875, 1.125),
        contrast: Factors = (0.5, 1.5),
        saturation: Factors = (0.5, 1.5),
        hue: Factors = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness, self.contrast, self.hue, self.saturation = brightness, contrast, hue, saturation
        self.p = p

    def transform_image(self, image: Any) -> Any:
        ranges = self.brightness, self.contrast, self.saturation, self.hue
        brightness, contrast, saturation, hue = (uniform(*x) if self._is_chosen() else None for x in ranges)
        steps: list[tuple[Any, Any]] = [(F.adjust_brightness, brightness)]
        steps += [(F.adjust_saturation, saturation), (F.adjust_hue, hue)]
        first = (rand(()) < 0.5).item()
        steps.insert(1 if first else 3, (F.adjust_contrast, contrast))
        order = randperm(F.get_num_channels(image)) if self._is_chosen() else None
        for change, factor in [*steps, (F.permute_channels, order)]:
            image = image if factor is None else change(image, factor)
        return image

    def _is_chosen(self) -> bool:
        return bool((rand(1) < self.p).item())
