"""RandomPhotometricDistort, which distorts colors in several optional steps."""

from __future__ import annotations

from typing import Any

from ...ops.random import rand, randperm
from ..base import uniform
from . import functional as F
from .base import Transform
from .images import query_chw

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

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        ranges = {"brightness": self.brightness, "contrast": self.contrast, "saturation": self.saturation}
        channels, *_ = query_chw(flat_inputs)
        params: dict[str, Any] = {
            f"{name}_factor": uniform(*x) if self._is_chosen() else None
            for name, x in (ranges | {"hue": self.hue}).items()
        }
        params["contrast_before"] = bool((rand(()) < 0.5).item())
        params["channel_permutation"] = randperm(channels) if self._is_chosen() else None
        return params

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        colors = ["brightness", "saturation", "hue"]
        colors.insert(1 if params["contrast_before"] else 3, "contrast")
        for name in colors:
            if params[f"{name}_factor"] is not None:
                inpt = getattr(F, f"adjust_{name}")(inpt, params[f"{name}_factor"])
        order = params["channel_permutation"]
        return inpt if order is None else F.permute_channels(inpt, order)

    def _is_chosen(self) -> bool:
        return bool((rand(1) < self.p).item())
