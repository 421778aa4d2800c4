"""The transforms of version 2 that are written anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dtypes import dtype as Dtype
from ...dtypes import float32
from ...errors import ArgumentError, ShapeError
from ...errors.notices import warn
from ...ops import creation
from ...ops.random import rand, randperm
from ...tensor import Tensor
from .. import conversion, deterministic, random_crop
from .. import random_geometry as geom
from ..base import random_int
from ..geometry import parse_padding
from ..images import is_pil, parse_size
from . import functional as F
from .base import FunctionTransform, RandomApplyTransform, Transform, parse_two, require_fill, require_p
from .images import Image, is_pure_tensor, query_chw, query_size


class Identity(Transform):
    """Return the sample unchanged. Source: torchvision.transforms.v2.Identity.

    >>> torch.transforms.v2.Identity()(3)
    3
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt


class ToImage(Transform):
    """Convert a PIL image, an array or a Tensor to a Tensor (C, H, W) of the same values, known as an image from then.

    Source: torchvision.transforms.v2.ToImage.

    >>> torch.transforms.v2.ToImage()(np.zeros((4, 5, 3), np.uint8)).shape
    torch.Size([3, 4, 5])
    """

    _transformed_types = (is_pure_tensor, is_pil, np.ndarray)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return F.to_image(inpt)


class ToPureTensor(Transform):
    """Return what ToImage made as plain Tensors, that are no longer known as images.

    Source: torchvision.transforms.v2.ToPureTensor.

    >>> type(torch.transforms.v2.ToPureTensor()(torch.transforms.v2.ToImage()(torch.zeros(1, 2, 2)))).__name__
    'Tensor'
    """

    _transformed_types = (Image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return inpt.as_subclass(Tensor)


class PILToTensor(Transform):
    """From PIL to (C, H, W): see `transforms.PILToTensor`. Source: torchvision.transforms.v2.PILToTensor."""

    _transformed_types = (is_pil,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return F.pil_to_tensor(inpt)


class ToTensor(Transform):
    """Convert a PIL image or an array to a Tensor (C, H, W), uint8 scaled to [0, 1]; ToImage and ToDtype replace it.

    Source: torchvision.transforms.v2.ToTensor.

    >>> torch.transforms.v2.ToTensor()(np.full((1, 1), 255, np.uint8)).item()
    1.0
    """

    _transformed_types = (is_pil, np.ndarray)

    def __init__(self) -> None:
        warn(
            "The transform `ToTensor()` is deprecated and will be removed in a future release. Instead, please use "
            "`v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])`."
        )
        super().__init__()

    def transform(self, inpt: Any, params: dict[str, Any]) -> Tensor:
        return conversion.to_tensor(inpt)


class ToPILImage(Transform):
    """Convert a Tensor (C, H, W) or an array (H, W, C) to a PIL image. Source: torchvision.transforms.v2.ToPILImage.

    >>> torch.transforms.v2.ToPILImage()(torch.zeros(3, 4, 5)).size
    (5, 4)
    """

    _transformed_types = (Tensor, np.ndarray)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_pil_image(inpt, self.mode)


class ToDtype(Transform):
    """Convert a Tensor to another dtype and, with scale, to its range.

    Raises ValueError unless dtype is a torch.dtype or a dict. Source: torchvision.transforms.v2.ToDtype.

    >>> torch.transforms.v2.ToDtype(torch.float32, scale=True)(torch.full((1, 1, 1), 255, dtype=torch.uint8)).item()
    1.0
    """

    _transformed_types = (Tensor,)

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (Dtype, dict)):
            raise ArgumentError(f"ToDtype: dtype is {type(dtype).__name__}, expected a torch.dtype or a dict")
        self.dtype, self.scale = dtype, scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        wanted: Any = self.dtype
        if isinstance(wanted, dict):
            if type(inpt) not in wanted and "others" not in wanted:
                raise ArgumentError(f"ToDtype: no dtype for {type(inpt).__name__}s; 'others' stands for all types")
            wanted = wanted.get(type(inpt), wanted.get("others"))
        return inpt if wanted is None else F.to_dtype(inpt, wanted, self.scale)


class ConvertImageDtype(ToDtype):
    """ToDtype with scale. Source: torchvision.transforms.v2.ConvertImageDtype.

    >>> torch.transforms.v2.ConvertImageDtype()(torch.full((1, 1, 1), 255, dtype=torch.uint8)).item()
    1.0
    """

    repr_names = ""

    def __init__(self, dtype: Dtype = float32) -> None:
        super().__init__(dtype, scale=True)


class Lambda(Transform):
    """Apply a function to the objects of given types in a sample, or to all. Source: torchvision.transforms.v2.Lambda.

    Of plain Tensors, only the first is an object of the sample, and only without images.

    >>> torch.transforms.v2.Lambda(lambda x: x + 1, int)(1, "a")
    (2, 'a')
    """

    _transformed_types = (object,)

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or self._transformed_types

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self.lambd(inpt) if isinstance(inpt, self.types) else inpt

    def extra_repr(self) -> str:
        """Show the name of the function and the types."""
        name = getattr(self.lambd, "__name__", None)
        return ", ".join([*([name] if name else []), f"types={[kind.__name__ for kind in self.types]}"])


class RGB(Transform):
    """Convert an image to three channels. Source: torchvision.transforms.v2.RGB.

    >>> torch.transforms.v2.RGB()(torch.zeros(1, 2, 2)).shape
    torch.Size([3, 2, 2])
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.grayscale_to_rgb(inpt)


class GaussianNoise(FunctionTransform):
    """Add normal noise to a floating-point or uint8 image. Source: torchvision.transforms.v2.GaussianNoise.

    >>> torch.transforms.v2.GaussianNoise(sigma=0.0)(torch.ones(1, 1, 1)).item()
    1.0
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    function, arguments = staticmethod(F.gaussian_noise), "mean sigma clip"


class UniformTemporalSubsample(FunctionTransform):
    """Choose frames at equal distances from videos (..., T, C, H, W).

    Source: torchvision.transforms.v2.UniformTemporalSubsample.

    >>> torch.transforms.v2.UniformTemporalSubsample(3)(torch.arange(5).reshape(5, 1, 1, 1)).flatten()
    tensor([0, 2, 4])
    """

    _transformed_types = (Tensor,)
    function, arguments = staticmethod(F.uniform_temporal_subsample), "num_samples"

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples


class RandomChannelPermutation(FunctionTransform):
    """Permute the channels randomly. Source: torchvision.transforms.v2.RandomChannelPermutation.

    >>> torch.transforms.v2.RandomChannelPermutation()(torch.zeros(3, 2, 2)).shape
    torch.Size([3, 2, 2])
    """

    function = staticmethod(F.permute_channels)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"permutation": randperm(query_chw(flat_inputs)[0])}


class Resize(FunctionTransform):
    """Resize to an int for the shorter edge, to (h, w), or, for None, to max_size for the longer edge.

    Raises ValueError for anything else. Source: torchvision.transforms.v2.Resize.

    >>> torch.transforms.v2.Resize(8)(torch.zeros(3, 16, 20)).shape
    torch.Size([3, 8, 10])
    """

    def __init__(
        self, size: Any, interpolation: Any = "bilinear", max_size: int | None = None, antialias: bool | None = True
    ) -> None:
        super().__init__()
        listed = [size] if isinstance(size, int) else size
        if listed is None and not isinstance(max_size, int):
            raise ArgumentError(f"Resize: size is None, so max_size is expected to be an int, not {max_size}")
        if listed is not None and not (isinstance(listed, Sequence) and len(listed) in (1, 2)):
            raise ArgumentError(f"Resize: size is {size}, expected an int, one or two in a sequence, or None")
        self.size, self.interpolation = listed and list(listed), interpolation
        self.max_size, self.antialias = max_size, antialias

    function, arguments = staticmethod(F.resize), "size interpolation max_size antialias"


class _RandomSizeTransform(FunctionTransform):
    """Base of transforms that resize to a random size."""

    function, arguments = staticmethod(F.resize), "interpolation antialias"


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

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"size": [random_int(self.min_size, self.max_size)]}


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

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        r = self.min_size[random_int(0, len(self.min_size))] / min(height, width)
        if self.max_size is not None:
            r = min(r, self.max_size / max(height, width))
        return {"size": (int(height * r), int(width * r))}


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

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        low, high = self.scale_range
        r = min(self.target_size[1] / height, self.target_size[0] / width) * (low + rand(1) * (high - low))
        return {"size": (int((height * r).item()), int((width * r).item()))}


class Pad(FunctionTransform):
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

    function, arguments = staticmethod(F.pad), "padding fill padding_mode"


class RandomZoomOut(RandomApplyTransform, FunctionTransform):
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

    function, arguments = staticmethod(F.pad), "fill"

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        low, high = self.side_range
        larger = low + rand(1) * (high - low)
        x, y = (int((n * larger).item()) - n for n in (width, height))
        at = rand(2)
        left, top = int((x * at[0]).item()), int((y * at[1]).item())
        return {"padding": [left, top, x - left, y - top]}


class RandomCrop(Transform):
    """Crop a random region of size (h, w), given by an int or two, after padding as functional.pad does.

    pad_if_needed: pad a smaller image, which otherwise raises ValueError.
    Source: torchvision.transforms.v2.RandomCrop.

    >>> torch.transforms.v2.RandomCrop(4, padding=1)(torch.zeros(3, 4, 4)).shape
    torch.Size([3, 4, 4])
    """

    def __init__(
        self, size: Any, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0, padding_mode: str = "constant"
    ) -> None:
        super().__init__()
        self.size = parse_size(size)
        self.padding = None
        if padding:
            left, top, right, bottom = parse_padding(padding, "RandomCrop")
            self.padding = [left, right, top, bottom]
        require_fill("RandomCrop", fill)
        self.pad_if_needed, self.fill, self.padding_mode = pad_if_needed, fill, padding_mode

    get_params = staticmethod(random_crop.RandomCrop.get_params)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        left, right, top, bottom = self.padding or (0, 0, 0, 0)
        height, width = height + top + bottom, width + left + right
        if self.pad_if_needed:
            y, x = max(self.size[0] - height, 0), max(self.size[1] - width, 0)
            left, right, top, bottom = left + x, right + x, top + y, bottom + y
            height, width = height + 2 * y, width + 2 * x
        if height < self.size[0] or width < self.size[1]:
            raise ShapeError(f"Required crop size {tuple(self.size)} is larger than the image size {(height, width)}")
        y, x = (random_int(0, n - wanted + 1) if n > wanted else 0
                for n, wanted in zip((height, width), self.size, strict=True))  # fmt: skip
        crop = {"top": y, "left": x, "height": self.size[0], "width": self.size[1]}
        padding = [left, top, right, bottom]
        needs_crop = (height, width) != tuple(self.size)
        return {"needs_crop": needs_crop, "needs_pad": any(padding), "padding": padding, **crop}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if params["needs_pad"]:
            inpt = F.pad(inpt, params["padding"], self.fill, self.padding_mode)
        if params["needs_crop"]:
            inpt = F.crop(inpt, *(params[name] for name in ("top", "left", "height", "width")))
        return inpt


class ElasticTransform(FunctionTransform):
    """Shift pixels by a smooth random field of amplitude alpha and smoothness sigma, each a number or (x, y).

    Raises TypeError for no number, ValueError for other lengths. Source: torchvision.transforms.v2.ElasticTransform.

    >>> torch.transforms.v2.ElasticTransform(alpha=20)(torch.zeros(1, 32, 32)).shape
    torch.Size([1, 32, 32])
    """

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = "bilinear", fill: Any = 0) -> None:
        super().__init__()
        self.alpha, self.sigma = parse_two(alpha, "alpha"), parse_two(sigma, "sigma")
        require_fill("ElasticTransform", fill)
        self.interpolation, self.fill = interpolation, fill

    get_params = staticmethod(geom.ElasticTransform.get_params)
    function, arguments = staticmethod(F.elastic), "interpolation fill"

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"displacement": self.get_params(self.alpha, self.sigma, query_size(flat_inputs))}


class RandomErasing(RandomApplyTransform):
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
        random_crop.RandomErasing(p, scale, ratio, value, inplace)  # which checks them
        self.p, self.scale, self.ratio, self.inplace = p, scale, ratio, inplace
        self.value = None if isinstance(value, str) else [float(v) for v in np.ravel(value)]

    get_params = staticmethod(random_crop.RandomErasing.get_params)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        image = creation.empty(1).expand(query_chw(flat_inputs))
        if self.value is not None and len(self.value) not in (1, len(image)):
            raise ShapeError(f"RandomErasing: value has {len(self.value)} numbers, but the image {len(image)} channels")
        i, j, h, w, v = self.get_params(image, self.scale, self.ratio, self.value)
        return {"i": i, "j": j, "h": h, "w": w, "v": None if v is image else v}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt if params["v"] is None else F.erase(inpt, **params, inplace=self.inplace)

    repr_names = "p scale ratio value inplace"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"
