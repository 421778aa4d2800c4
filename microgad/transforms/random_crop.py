"""Transforms that crop or erase a random region."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..dtypes import float32
from ..errors import ArgumentError, DtypeError, ShapeError
from ..ops import creation
from ..ops.random import rand
from ..tensor import Tensor
from . import functional as F
from .base import ReprTransform, random_int, require_scale_and_ratio, uniform
from .images import InterpolationMode, parse_interpolation, parse_size


def random_areas(total: int, scale: Sequence[float], ratio: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Yield ten draws of an area, a fraction in `scale` of the total, and of a ratio, uniform in its logarithm."""
    low, high = creation.tensor(ratio).log().tolist()
    for _ in range(10):
        area = total * uniform(*scale)
        yield area, float(creation.empty(1).uniform_(low, high).exp().item())


class RandomCrop(ReprTransform):
    """Crop a random region of size (h, w), given by an int or two, after padding as functional.pad does.

    pad_if_needed: pad a smaller image, which otherwise raises ValueError.
    Source: torchvision.transforms.RandomCrop.

    >>> torch.transforms.RandomCrop(4, padding=1)(torch.zeros(3, 4, 4)).shape
    torch.Size([3, 4, 4])
    """

    repr_names = "size padding"

    def __init__(
        self, size: Any, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0, padding_mode: str = "constant"
    ) -> None:
        super().__init__()
        self.size = tuple(parse_size(size))
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Sequence[int]) -> tuple[int, int, int, int]:
        """Draw top, left, height and width for `crop`."""
        _, h, w = F.get_dimensions(img)
        th, tw = output_size
        if h < th or w < tw:
            raise ShapeError(f"Required crop size {(th, tw)} is larger than input image size {(h, w)}")
        if (h, w) == (th, tw):
            return 0, 0, h, w
        return random_int(0, h - th + 1), random_int(0, w - tw + 1), th, tw

    def forward(self, img: Any) -> Any:
        how = self.fill, self.padding_mode
        if self.padding is not None:
            img = F.pad(img, self.padding, *how)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], *how)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], *how)
        return F.crop(img, *self.get_params(img, self.size))


class RandomResizedCrop(ReprTransform):
    """Crop a region with a random fraction `scale` of the area and aspect ratio, and resize it to (h, w).

    Raises TypeError unless the ranges are sequences, ValueError for a size of more than two numbers.
    Source: torchvision.transforms.RandomResizedCrop.

    >>> torch.transforms.RandomResizedCrop(8)(torch.zeros(3, 16, 20)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = parse_size(size)
        require_scale_and_ratio(scale, ratio)
        self.interpolation = parse_interpolation(interpolation, "RandomResizedCrop")
        self.antialias, self.scale, self.ratio = antialias, scale, ratio

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """Draw top, left, height and width for `resized_crop`."""
        _, height, width = F.get_dimensions(img)
        for area, aspect in random_areas(height * width, scale, ratio):
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                return random_int(0, height - h + 1), random_int(0, width - w + 1), h, w
        # None of the ten regions fits: take the largest central region with a ratio in the range.
        w, h = width, height
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    cut = staticmethod(F.resized_crop)  # version 2 replaces it

    def forward(self, img: Any) -> Any:
        part = self.get_params(img, self.scale, self.ratio)
        return self.cut(img, *part, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(x, 4) for x in values) for values in (self.scale, self.ratio))
        rest = f"interpolation={self.interpolation.value}, antialias={self.antialias}"
        return f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, {rest})"


class RandomErasing(ReprTransform):
    """Erase, with probability p, a region of random area (a fraction in `scale`) and ratio of a Tensor (..., C, H, W).

    value: the new value for all channels, one for each, or "random" for normal noise.
    Raises TypeError or ValueError for arguments of other types or out of range.
    Source: torchvision.transforms.RandomErasing.

    >>> torch.transforms.RandomErasing(p=0.0)(torch.ones(1, 1, 2)).tolist()
    [[[1.0, 1.0]]]
    """

    repr_names = "p scale ratio value inplace"

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, (int, float, str, tuple, list)):
            raise DtypeError(f"RandomErasing: value is {type(value).__name__}, expected a number, str or sequence")
        if isinstance(value, str) and value != "random":
            raise ArgumentError(f"RandomErasing: value is {value!r}, expected 'random' for a str")
        require_scale_and_ratio(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ArgumentError(f"RandomErasing: scale is {scale}, expected between 0 and 1")
        if not 0 <= p <= 1:
            raise ArgumentError(f"RandomErasing: p is {p}, expected 0 to 1")
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None = None
    ) -> tuple[int, int, int, int, Tensor]:
        """Draw row, column, height, width and values for `erase`. If no region fits, it is the whole image as it is."""
        channels, height, width = img.shape[-3:]
        for area, aspect in random_areas(height * width, scale, ratio):
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < height and w < width:
                if value is None:
                    new = creation.empty(channels, h, w, dtype=float32).normal_()
                else:
                    new = creation.tensor(value)[:, None, None]
                return random_int(0, height - h + 1), random_int(0, width - w + 1), h, w, new
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        if not (rand(1) < self.p).item():
            return img
        value: Any = self.value
        if isinstance(value, (int, float)):
            value = [float(value)]
        elif isinstance(value, str):
            value = None
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ShapeError(f"RandomErasing: value has {len(value)} numbers, but the image {img.shape[-3]} channels")
        return F.erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)
