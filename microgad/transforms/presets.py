"""The preprocessing of images for pretrained networks. Source: torchvision.transforms._presets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..nn import Module
from ..tensor import Tensor
from . import functional as F
from .images import InterpolationMode


class ImageClassification(Module):
    """Resize a PIL image or a Tensor (..., C, H, W), crop its center, scale it to [0, 1] and normalize it.

    Source: torchvision.transforms._presets.ImageClassification.

    >>> torch.transforms.presets.ImageClassification(crop_size=8, resize_size=12)(torch.zeros(3, 20, 30)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size, self.resize_size = [crop_size], [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def forward(self, img: Any) -> Tensor:
        img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        img = F.center_crop(img, self.crop_size)
        if not isinstance(img, Tensor):
            img = F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(img), self.mean, self.std)

    def __repr__(self) -> str:
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        return "\n".join([f"{type(self).__name__}(", *(f"    {name}={getattr(self, name)}" for name in names), ")"])
