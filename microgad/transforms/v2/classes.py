"""The transforms of version 2: those of version 1 for samples of any structure, and new ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dtypes import dtype as Dtype
from ...dtypes import float32
from ...errors import ArgumentError, DtypeError, ShapeError
from ...ops.random import rand, randperm
from ...tensor import Tensor
from ...utils._pytree import tree_map_only
from .. import deterministic, random_color, random_crop
from .. import random_geometry as geom
from ..geometry import parse_padding
from ..images import is_pil, parse_size
from . import functional as F
from .base import Transform, is_array, is_tensor, require_fill, require_p, to_v2

CenterCrop = to_v2(deterministic.CenterCrop, "size")
FiveCrop = to_v2(deterministic.FiveCrop, "size")
TenCrop = to_v2(deterministic.TenCrop, "size vertical_flip")
Grayscale = to_v2(deterministic.Grayscale, "num_output_channels")
Grayscale.transform_image = lambda self, image: F.rgb_to_grayscale(image, self.num_output_channels)
Normalize = to_v2(deterministic.Normalize, "mean std inplace", lists="mean std")
LinearTransformation = to_v2(deterministic.LinearTransformation, "")
RandomResizedCrop = to_v2(
    random_crop.RandomResizedCrop, "size scale ratio interpolation antialias", interpolation="bilinear"
)
RandomResizedCrop.cut = staticmethod(F.resized_crop)
RandomHorizontalFlip = to_v2(geom.RandomHorizontalFlip, "p")
RandomVerticalFlip = to_v2(geom.RandomVerticalFlip, "p")
RandomRotation = to_v2(geom.RandomRotation, "degrees interpolation expand fill center", interpolation="nearest")
RandomAffine = to_v2(
    geom.RandomAffine, "degrees translate scale shear interpolation fill center", interpolation="nearest"
)
RandomPerspective = to_v2(geom.RandomPerspective, "p distortion_scale interpolation fill", interpolation="bilinear")
ColorJitter = to_v2(
    random_color.ColorJitter, "brightness contrast saturation hue", brightness=0, contrast=0, saturation=0, hue=0
)
RandomGrayscale = to_v2(random_color.RandomGrayscale, "p")
GaussianBlur = to_v2(random_color.GaussianBlur, "kernel_size sigma", lists="sigma")
RandomInvert = to_v2(random_color.RandomInvert, "p")
RandomPosterize = to_v2(random_color.RandomPosterize, "p bits")
RandomSolarize = to_v2(random_color.RandomSolarize, "p threshold")
RandomAdjustSharpness = to_v2(random_color.RandomAdjustSharpness, "p sharpness_factor")
RandomAutocontrast = to_v2(random_color.RandomAutocontrast, "p")
RandomEqualize = to_v2(random_color.RandomEqualize, "p")
ColorJitter.changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
for _name in ("invert", "posterize", "solarize", "autocontrast", "equalize", "adjust_sharpness"):
    globals()[f"Random{_name.title().replace('_', '')}"].function = staticmethod(getattr(F, _name))


def _transform_linearly(self: Any, image: Any) -> Tensor:
    if is_pil(image):
        raise DtypeError("LinearTransformation() does not support PIL images.")
    return deterministic.LinearTransformation.forward(self, image)


LinearTransformation.transform_image = _transform_linearly


class _ParameterFreeTransform(Transform):
    """Base of transforms without parameters that are drawn by `make_params`."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self.transform_image(inpt)


class Identity(_ParameterFreeTransform):
    """Return the sample unchanged. Source: torchvision.transforms.v2.Identity.

    >>> torch.transforms.v2.Identity()(3)
    3
    """

    def transform_image(self, image: Any) -> Any:
        return image


class ToImage(_ParameterFreeTransform):
    """Convert a PIL image, an array or a Tensor to a Tensor (C, H, W) of the same values.

    Source: torchvision.transforms.v2.ToImage.

    >>> torch.transforms.v2.ToImage()(np.zeros((4, 5, 3), np.uint8)).shape
    torch.Size([3, 4, 5])
    """

    handled_types = (is_pil, is_tensor, is_array)

    def transform_image(self, image: Any) -> Tensor:
        return F.to_image(image)


class ToPureTensor(Identity):
    """Return the sample unchanged: see `nn.Identity`. Source: torchvision.transforms.v2.ToPureTensor."""


class PILToTensor(_ParameterFreeTransform):
    """From PIL to (C, H, W): see `transforms.PILToTensor`. Source: torchvision.transforms.v2.PILToTensor."""

    handled_types = (is_pil,)

    def transform_image(self, image: Any) -> Tensor:
        return F.pil_to_tensor(image)


class ToTensor(_ParameterFreeTransform):
    """Convert a PIL image or an array to a Tensor (C, H, W), uint8 scaled to [0, 1]; ToImage and ToDtype replace it.

    Source: torchvision.transforms.v2.ToTensor.

    >>> torch.transforms.v2.ToTensor()(np.full((1, 1), 255, np.uint8)).item()
    1.0
    """

    handled_types = (is_pil, is_array)

    def __init__(self) -> None:
        warnings.warn(
            "The transform `ToTensor()` is deprecated and will be removed in a future release. Instead, please use "
            "`v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])`.",
            stacklevel=2,
        )
        super().__init__()

    def transform_image(self, image: Any) -> Tensor:
        return F.to_tensor(image)


class ToPILImage(_ParameterFreeTransform):
    """Convert a Tensor (C, H, W) or an array (H, W, C) to a PIL image. Source: torchvision.transforms.v2.ToPILImage.

    >>> torch.transforms.v2.ToPILImage()(torch.zeros(3, 4, 5)).size
    (5, 4)
    """

    handled_types = (is_tensor, is_array)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform_image(self, image: Any) -> Any:
        return F.to_pil_image(image, self.mode)


class ToDtype(_ParameterFreeTransform):
    """Convert a Tensor to another dtype and, with scale, to its range.

    Raises ValueError unless dtype is a torch.dtype or a dict. Source: torchvision.transforms.v2.ToDtype.

    >>> torch.transforms.v2.ToDtype(torch.float32, scale=True)(torch.full((1, 1, 1), 255, dtype=torch.uint8)).item()
    1.0
    """

    handled_types = (is_tensor,)

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (Dtype, dict)):
            raise ArgumentError(f"ToDtype: dtype is {type(dtype).__name__}, expected a torch.dtype or a dict")
        self.dtype, self.scale = dtype, scale

    def transform_image(self, image: Tensor) -> Tensor:
        wanted: Any = self.dtype
        if isinstance(wanted, dict):
            if Tensor not in wanted and "others" not in wanted:
                raise ArgumentError("ToDtype: no dtype was specified for Tensors; 'others' stands for all")
            wanted = wanted.get(Tensor, wanted.get("others"))
        return image if wanted is None else F.to_dtype(image, wanted, self.scale)


class ConvertImageDtype(ToDtype):
    """ToDtype with scale. Source: torchvision.transforms.v2.ConvertImageDtype.

    >>> torch.transforms.v2.ConvertImageDtype()(torch.full((1, 1, 1), 255, dtype=torch.uint8)).item()
    1.0
    """

    repr_names = ""

    def __init__(self, dtype: Dtype = float32) -> None:
        super().__init__(dtype, scale=True)


class Lambda(_ParameterFreeTransform):
    """Apply a function to the objects of given types in a sample, or to all. Source: torchvision.transforms.v2.Lambda.

    >>> torch.transforms.v2.Lambda(lambda x: x + 1, int)(1, "a")
    (2, 'a')
    """

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or (object,)

    def forward(self, *inputs: Any) -> Any:
        return tree_map_only(self.types, self.lambd, inputs if len(inputs) > 1 else inputs[0])

    def extra_repr(self) -> str:
        """Show the name of the function and the types."""
        name = getattr(self.lambd, "__name__", None)
        return ", ".join([*([name] if name else []), f"types={[kind.__name__ for kind in self.types]}"])


class RGB(_ParameterFreeTransform):
    """Convert an image to three channels. Source: torchvision.transforms.v2.RGB.

    >>> torch.transforms.v2.RGB()(torch.zeros(1, 2, 2)).shape
    torch.Size([3, 2, 2])
    """

    def transform_image(self, image: Any) -> Any:
        return F.grayscale_to_rgb(image)


class GaussianNoise(_ParameterFreeTransform):
    """Add normal noise to a floating-point or uint8 image. Source: torchvision.transforms.v2.GaussianNoise.

    >>> torch.transforms.v2.GaussianNoise(sigma=0.0)(torch.ones(1, 1, 1)).item()
    1.0
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def transform_image(self, image: Tensor) -> Tensor:
        return F.gaussian_noise(image, self.mean, self.sigma, self.clip)


class RandomChannelPermutation(Transform):
    """Permute the channels randomly. Source: torchvision.transforms.v2.RandomChannelPermutation.

    >>> torch.transforms.v2.RandomChannelPermutation()(torch.zeros(3, 2, 2)).shape
    torch.Size([3, 2, 2])
    """

    def transform_image(self, image: Any) -> Any:
        return F.permute_channels(image, randperm(F.get_num_channels(image)))


class Resize(_ParameterFreeTransform):
    """Resize to an int for the shorter edge, to (h, w), or, for None, to max_size for the longer edge.

    Raises ValueError for anything else. Source: torchvision.transforms.v2.Resize.

    >>> torch.transforms.v2.Resize(8)(torch.zeros(3, 16, 20)).shape
    torch.Size([3, 8, 10])
    """

    def __init__(
        self, size: Any, interpolation: Any = "bilinear", max_size: int | None = None, antialias: bool | None = True
    ) -> None:
        super().__init__()
        listed = [size] if isinstance(size, int) else size if size is None else list(size)
        if listed is None and not isinstance(max_size, int):
            raise ArgumentError(f"Resize: size is None, so max_size is expected to be an int, not {max_size}")
        if listed is not None and len(listed) not in (1, 2):
            raise ArgumentError(f"Resize: size is {size}, expected an int, one or two in a sequence, or None")
        self.size, self.interpolation, self.max_size, self.antialias = listed, interpolation, max_size, antialias

    def transform_image(self, image: Any) -> Any:
        return F.resize(image, self.size, self.interpolation, self.max_size, self.antialias)


class _RandomSizeTransform(Transform):
    """Base of transforms that resize to a random size."""

    interpolation: Any
    antialias: bool | None

    def size_for(self, height: int, width: int) -> Any:
        """Draw the size for an image."""
        raise NotImplementedError

    def transform_image(self, image: Any) -> Any:
        return F.resize(image, self.size_for(*F.get_size(image)), self.interpolation, antialias=self.antialias)


class RandomResize(_RandomSizeTransform):
    """Resize the shorter edge to a random size from min_size to max_size - 1.

    Source: torchvision.transforms.v2.RandomResize.

    >>> torch.transforms.v2.RandomResize(4, 5)(torch.zeros(3, 8, 8)).shape
    torch.Size([3, 4, 4])
    """

    def __init__(
        self, min_size: int, max_size: int, interpolation: Any = "bilinear", antialias: bool | None = True
    ) -> None:
        super().__init__()
        self.min_size, self.max_size, self.interpolation, self.antialias = min_size, max_size, interpolation, antialias

    def size_for(self, height: int, width: int) -> Any:
        return [random_crop.random_int(self.min_size, self.max_size)]


class RandomShortestSize(_RandomSizeTransform):
    """Resize the shorter edge to a random one of min_size, with the longer edge at most max_size.

    Source: torchvision.transforms.v2.RandomShortestSize.

    >>> torch.transforms.v2.RandomShortestSize([4], 6)(torch.zeros(3, 8, 16)).shape
    torch.Size([3, 3, 6])
    """

    def __init__(
        self, min_size: Any, max_size: int | None = None, interpolation: Any = "bilinear", antialias: bool | None = True
    ) -> None:
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size, self.interpolation, self.antialias = max_size, interpolation, antialias

    def size_for(self, height: int, width: int) -> Any:
        r = self.min_size[random_crop.random_int(0, len(self.min_size))] / min(height, width)
        if self.max_size is not None:
            r = min(r, self.max_size / max(height, width))
        return int(height * r), int(width * r)


class ScaleJitter(_RandomSizeTransform):
    """Resize to fit into target_size, (width, height) as in torchvision, times a random scale.

    Source: torchvision.transforms.v2.ScaleJitter.

    >>> torch.transforms.v2.ScaleJitter((4, 4), (1.0, 1.0))(torch.zeros(3, 8, 8)).shape
    torch.Size([3, 4, 4])
    """

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.target_size, self.scale_range = target_size, scale_range
        self.interpolation, self.antialias = interpolation, antialias

    def size_for(self, height: int, width: int) -> Any:
        low, high = self.scale_range
        r = min(self.target_size[1] / height, self.target_size[0] / width) * (low + rand(1) * (high - low))
        return int((height * r).item()), int((width * r).item())


class Pad(_ParameterFreeTransform):
    """Pad an image. Raises ValueError for other paddings and modes. Source: torchvision.transforms.v2.Pad.

    >>> torch.transforms.v2.Pad(1)
    Pad(padding=1, fill=0, padding_mode=constant)
    """

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        if not isinstance(padding, (int, list, tuple)):
            raise ArgumentError(f"Pad: padding is {padding!r}, expected an int or a sequence of 1, 2 or 4")
        deterministic.Pad(padding, 0 if fill is None else fill, padding_mode)
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill, self.padding_mode = fill, padding_mode

    def transform_image(self, image: Any) -> Any:
        return F.pad(image, self.padding, self.fill, self.padding_mode)


class RandomZoomOut(Transform):
    """Place an image, with probability p, at a random position on a canvas of `fill` that is side_range times as large.

    Raises ValueError for ranges below 1. Source: torchvision.transforms.v2.RandomZoomOut.

    >>> torch.transforms.v2.RandomZoomOut(side_range=(2.0, 2.0), p=1.0)(torch.zeros(3, 4, 4)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__()
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ArgumentError(f"RandomZoomOut: side_range is {side_range}, expected 1 or more, and to increase")
        require_fill("RandomZoomOut", fill)
        require_p("RandomZoomOut", p)
        self.p, self.fill, self.side_range = p, fill, side_range

    def transform_image(self, image: Any) -> Any:
        if (rand(1) >= self.p).item():
            return image
        height, width = F.get_size(image)
        low, high = self.side_range
        larger = low + rand(1) * (high - low)
        x, y = (int((n * larger).item()) - n for n in (width, height))
        at = rand(2)
        left, top = int((x * at[0]).item()), int((y * at[1]).item())
        return F.pad(image, [left, top, x - left, y - top], self.fill)


class RandomCrop(Transform):
    """Crop a random region of size (h, w), given by an int or two, after padding as functional.pad does.

    pad_if_needed: pad a smaller image, which otherwise raises ValueError.
    Source: torchvision.transforms.v2.RandomCrop.

    >>> torch.transforms.v2.RandomCrop(4, padding=1)(torch.zeros(3, 4, 4)).shape
    torch.Size([3, 4, 4])
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = parse_size(size)
        self.padding = None
        if padding:
            left, top, right, bottom = parse_padding(padding, "RandomCrop")
            self.padding = [left, right, top, bottom]
        require_fill("RandomCrop", fill)
        self.pad_if_needed, self.fill, self.padding_mode = pad_if_needed, fill, padding_mode

    def transform_image(self, image: Any) -> Any:
        height, width = F.get_size(image)
        left, right, top, bottom = self.padding or (0, 0, 0, 0)
        height, width = height + top + bottom, width + left + right
        if self.pad_if_needed:
            y, x = max(self.size[0] - height, 0), max(self.size[1] - width, 0)
            left, right, top, bottom = left + x, right + x, top + y, bottom + y
            height, width = height + 2 * y, width + 2 * x
        if height < self.size[0] or width < self.size[1]:
            raise ShapeError(f"Required crop size {tuple(self.size)} is larger than the image size {(height, width)}")
        if any((left, top, right, bottom)):
            image = F.pad(image, [left, top, right, bottom], self.fill, self.padding_mode)
        y, x = (random_crop.random_int(0, n - wanted + 1) if n > wanted else 0
                for n, wanted in zip((height, width), self.size, strict=True))  # fmt: skip
        return image if (height, width) == tuple(self.size) else F.crop(image, y, x, *self.size)


class ElasticTransform(Transform):
    """Shift pixels by a smooth random field of amplitude alpha and smoothness sigma, each a number or (x, y).

    Source: torchvision.transforms.v2.ElasticTransform.

    >>> torch.transforms.v2.ElasticTransform(alpha=20)(torch.zeros(1, 32, 32)).shape
    torch.Size([1, 32, 32])
    """

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = "bilinear", fill: Any = 0) -> None:
        super().__init__()
        self.alpha, self.sigma = (
            [float(x)] * 2 if isinstance(x, (int, float)) else [float(v) for v in x] for x in (alpha, sigma)
        )
        require_fill("ElasticTransform", fill)
        self.interpolation, self.fill = interpolation, fill

    def transform_image(self, image: Any) -> Any:
        moves = geom.ElasticTransform.get_params(self.alpha, self.sigma, F.get_size(image))
        return F.elastic_transform(image, moves, self.interpolation, self.fill)


class RandomErasing(Transform):
    """Erase a random region with probability p: see version 1.

    Source: torchvision.transforms.v2.RandomErasing.

    >>> torch.transforms.v2.RandomErasing(p=0.0)(torch.ones(1, 1, 2)).tolist()
    [[[1.0, 1.0]]]
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0.0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        self._first = random_crop.RandomErasing(p, scale, ratio, value, inplace)
        self.p, self.scale, self.ratio, self.inplace = p, scale, ratio, inplace
        self.value = None if isinstance(value, str) else [float(v) for v in np.ravel(value)]

    def transform_image(self, image: Any) -> Any:
        if is_pil(image):
            return F.to_pil_image(self._first(F.pil_to_tensor(image)), image.mode)
        return self._first(image)

    repr_names = "p scale ratio value inplace"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"
