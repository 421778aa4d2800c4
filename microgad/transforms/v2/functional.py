"""The transforms as functions, under the names of version 2. Source: torchvision.transforms.v2.functional."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dtypes import bool_, float32, float64, int16, int32, uint8
from ...dtypes import dtype as Dtype
from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.notices import warn
from ...ops import creation, movement
from ...ops.elementwise import where
from ...ops.random import randn_like
from ...tensor import Tensor
from .. import color, conversion, filters, geometry, warps
from ..conversion import max_value
from ..functional import *  # noqa: F403
from ..functional import (
    InterpolationMode,
    convert_image_dtype,
    crop,
    get_dimensions,
    hflip,
    pil_to_tensor,
    to_pil_image,
    vflip,
)
from ..images import is_pil, pillow, require_tensor
from .images import as_image as _as_image
from .images import is_pure_tensor as is_pure_tensor
from .images import like as _like


def _with_tensor_version(v1: Callable[..., Any], tensor_version: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that calls `tensor_version` for Tensors and version 1 for PIL images."""

    @functools.wraps(v1)
    def function(inpt: Any, *args: Any, **options: Any) -> Any:
        return (tensor_version if isinstance(inpt, Tensor) else v1)(inpt, *args, **options)

    function.__module__ = __name__  # pickle must find this function here, not that of version 1
    return function


def _rounding_masks(v1: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that also rounds what becomes of a mask of bools, where version 1 has True for all but 0."""

    def tensor_version(img: Tensor, *args: Any, **options: Any) -> Tensor:
        is_mask = img.dtype == bool_
        result: Tensor = v1(img.to(int32) if is_mask else img, *args, **options)
        return result.to(bool_) if is_mask else result

    return _with_tensor_version(v1, tensor_version)


def _grayscale_tensor(img: Tensor, num_output_channels: int = 1) -> Tensor:
    gray = color.rgb_to_grayscale(img, num_output_channels)
    wide = gray.expand(*img.shape[:-3], num_output_channels, *img.shape[-2:])
    return wide.contiguous() if img.shape[-3] < num_output_channels else wide  # torchvision repeats one channel


def _add(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """Return a + alpha · b, rounded once as by PyTorch's `add`: where digits are cut off then, the last one counts."""
    if a.dtype != float32:
        return a.add(b, alpha=alpha)
    return (a.to(float64) + b.to(float64) * float(np.float32(alpha))).to(float32)


def _blend(img: Tensor, other: Tensor, ratio: float) -> Tensor:
    return _add(img * float(ratio), other, 1.0 - ratio).clamp(0, max_value(img.dtype)).to(img.dtype)


def _luminance(img: Tensor) -> Tensor:
    r, g, b = img.unbind(-3)
    gray = _add(_add(r * 0.2989, g, 0.587), b, 0.114).unsqueeze(-3)
    return gray if img.is_floating_point() else gray.floor()


def _adjust_contrast_tensor(img: Tensor, contrast_factor: float) -> Tensor:
    color.require_not_negative("adjust_contrast", "contrast_factor", contrast_factor)
    require_tensor(img, "adjust_contrast", 3, channels=True)
    gray = _luminance(img) if img.shape[-3] == 3 else img if img.is_floating_point() else img.to(float32)
    return _blend(img, gray.mean((-3, -2, -1), keepdim=True), contrast_factor)


def _adjust_saturation_tensor(img: Tensor, saturation_factor: float) -> Tensor:
    color.require_not_negative("adjust_saturation", "saturation_factor", saturation_factor)
    require_tensor(img, "adjust_saturation", 3, channels=True)
    return img if img.shape[-3] == 1 else _blend(img, _luminance(img), saturation_factor)


def _adjust_sharpness_tensor(img: Tensor, sharpness_factor: float) -> Tensor:
    color.require_not_negative("adjust_sharpness", "sharpness_factor", sharpness_factor)
    require_tensor(img, "adjust_sharpness", 3, channels=True)
    if not img.numel() or min(img.shape[-2:]) <= 2:
        return img
    values = img.clone() if img.is_floating_point() else img.to(float32)
    inside, smooth = values[..., 1:-1, 1:-1], filters.smoothed(values)
    smooth = smooth if img.is_floating_point() else smooth.round()
    values[..., 1:-1, 1:-1] = _add(inside, smooth - inside, 1.0 - sharpness_factor)
    return values.clamp(0, max_value(img.dtype)).to(img.dtype)


def _adjust_gamma_tensor(img: Tensor, gamma: float, gain: float = 1) -> Tensor:
    color.require_not_negative("adjust_gamma", "gamma", gamma)
    powers = convert_image_dtype(img, img.dtype if img.is_floating_point() else float32).pow(gamma)
    return convert_image_dtype(powers if gain == 1 else (gain * powers).clamp(0, 1), img.dtype)


def _refuse_masks(img: Tensor, op: str) -> None:
    if img.dtype == bool_:
        raise DtypeError(f"{op}: Number of value bits is only defined for integer dtypes, but got {img.dtype}.")


def _posterize_tensor(img: Tensor, bits: int) -> Tensor:
    if not isinstance(bits, int) or not 0 <= bits <= 8:
        raise DtypeError(f"posterize: bits is {bits}, expected an int of 0 to 8")
    _refuse_masks(img, "posterize")
    return color.posterize_tensor(img, bits)


def _autocontrast_tensor(img: Tensor) -> Tensor:
    require_tensor(img, "autocontrast", 3, channels=True)
    if not img.numel():
        return img
    values, most = img if img.is_floating_point() else img.to(float32), max_value(img.dtype)
    low, high = values.amin((-2, -1), keepdim=True), values.amax((-2, -1), keepdim=True)
    flat, step = low == high, (high - low) * (1.0 / most)
    return ((values - low.masked_fill(flat, 0)) / step.masked_fill(flat, 1)).clamp(0, most).to(img.dtype)


def _equalize_tensor(img: Tensor) -> Tensor:
    _refuse_masks(img, "equalize")
    return convert_image_dtype(color.equalize_tensor(convert_image_dtype(img, uint8)), img.dtype)


def _pad_tensor(img: Tensor, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Tensor:
    if not isinstance(fill, (tuple, list)) or len(fill) == 1:
        return geometry.pad(img, padding, fill[0] if isinstance(fill, (tuple, list)) else fill, padding_mode)
    if padding_mode != "constant":
        raise ArgumentError(f"pad: padding_mode is {padding_mode!r}, but fill {fill}: it can only fill with constants")
    if max(geometry.parse_padding(padding)) <= 0:
        return geometry.pad(img, padding)  # nothing to fill
    if len(fill) != img.shape[-3]:
        raise ShapeError(f"pad: fill has {len(fill)} numbers, but the image {img.shape[-3]} channels")
    inside = geometry.pad(creation.ones_like(img[..., :1, :, :], dtype=bool_), padding)
    colors = creation.tensor(fill, device=img.device).to(img.dtype).reshape(-1, 1, 1)
    return where(inside, geometry.pad(img, padding), colors)


def _normalize_tensor(img: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    wide = max(len(mean), len(std)) if isinstance(mean, Sequence) and isinstance(std, Sequence) else 1
    if img.ndim > 2 and img.shape[-3] == 1 and wide > 1:
        img = img.expand(*img.shape[:-3], wide, *img.shape[-2:])  # one channel stands for all
    return conversion.normalize(img, mean, std, inplace)


def _rotate_tensor(
    img: Tensor,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Tensor:
    turns, rest = divmod(angle % 360, 90) if isinstance(angle, (int, float)) and center is None else (0, 1)
    if not rest and (turns % 2 == 0 or expand or img.shape[-1] == img.shape[-2]):
        return movement.rot90(img, int(turns), (-2, -1))  # exact: no pixel is sampled, nor left out
    return _rounding_masks(warps.rotate)(img, angle, interpolation, expand, center, fill)


normalize = _with_tensor_version(conversion.normalize, _normalize_tensor)
rgb_to_grayscale = _with_tensor_version(color.rgb_to_grayscale, _grayscale_tensor)
adjust_contrast = _with_tensor_version(color.adjust_contrast, _adjust_contrast_tensor)
adjust_saturation = _with_tensor_version(color.adjust_saturation, _adjust_saturation_tensor)
adjust_sharpness = _with_tensor_version(filters.adjust_sharpness, _adjust_sharpness_tensor)
adjust_gamma = _with_tensor_version(color.adjust_gamma, _adjust_gamma_tensor)
invert = _with_tensor_version(color.invert, lambda img: max_value(img.dtype) - img)
posterize = _with_tensor_version(color.posterize, _posterize_tensor)
solarize = _with_tensor_version(color.solarize, color.solarize_tensor)
autocontrast = _with_tensor_version(color.autocontrast, _autocontrast_tensor)
equalize = _with_tensor_version(color.equalize, _equalize_tensor)
pad = _with_tensor_version(geometry.pad, _pad_tensor)
gaussian_blur, affine = _rounding_masks(filters.gaussian_blur), _rounding_masks(warps.affine)
perspective, elastic_transform = _rounding_masks(warps.perspective), _rounding_masks(warps.elastic_transform)
rotate = _with_tensor_version(warps.rotate, _rotate_tensor)


def erase(inpt: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:  # type: ignore[no-redef]
    """Replace h × w pixels from row i and column j on by `v`; a PIL image is copied.

    Source: torchvision.transforms.v2.functional.erase.
    """
    if is_pil(inpt):
        return to_pil_image(conversion.erase(pil_to_tensor(inpt), i, j, h, w, v, True), inpt.mode)
    return conversion.erase(inpt, i, j, h, w, v, inplace)


def to_tensor(inpt: Any) -> Tensor:  # type: ignore[no-redef]
    """Convert as version 1 does; to_image and to_dtype replace it.

    Source: torchvision.transforms.v2.functional.to_tensor.
    """
    warn(
        "The function `to_tensor(...)` is deprecated and will be removed in a future release. "
        "Instead, please use `to_image(...)` followed by `to_dtype(..., dtype=torch.float32, scale=True)`."
    )
    return conversion.to_tensor(inpt)


def get_image_size(inpt: Any) -> list[int]:  # type: ignore[no-redef]
    """Return [width, height]; get_size replaces it. Source: torchvision.transforms.v2.functional.get_image_size."""
    warn(
        "The function `get_image_size(...)` is deprecated and will be removed in a future release. "
        "Instead, please use `get_size(...)` which returns `[h, w]` instead of `[w, h]`."
    )
    return get_size(inpt)[::-1]


def get_size(inpt: Any) -> list[int]:
    """Return [height, width]. Raises TypeError unless it is an image.

    Source: torchvision.transforms.v2.functional.get_size.

    >>> torch.transforms.v2.functional.get_size(torch.zeros(3, 4, 5))
    [4, 5]
    """
    return get_dimensions(inpt)[1:]


def get_num_channels(inpt: Any) -> int:
    """Return the number of channels. Raises TypeError unless it is an image.

    Source: torchvision.transforms.v2.functional.get_num_channels.

    >>> torch.transforms.v2.functional.get_num_channels(torch.zeros(3, 4, 5))
    3
    """
    return get_dimensions(inpt)[0]


def to_image(inpt: Any) -> Tensor:
    """Convert a PIL image, an array (H, W) or (H, W, C), or a Tensor to a Tensor (C, H, W) of the same values.

    The transforms know it as an image. Raises TypeError for anything else, ValueError for fewer than two dimensions.
    Source: torchvision.transforms.v2.functional.to_image.

    >>> torch.transforms.v2.functional.to_image(np.zeros((4, 5, 3), np.uint8)).shape
    torch.Size([3, 4, 5])
    """
    if isinstance(inpt, np.ndarray):
        pixels = inpt if inpt.ndim > 2 else inpt[:, :, None]
        found = creation.from_numpy(pixels).permute(2, 0, 1).contiguous()
    elif is_pil(inpt):
        found = pil_to_tensor(inpt)
    elif isinstance(inpt, Tensor):
        if inpt.ndim < 2:
            raise ShapeError(f"to_image: inpt has shape {tuple(inpt.shape)}, expected (H, W) or (..., C, H, W)")
        found = inpt.unsqueeze(0) if inpt.ndim == 2 else movement.alias(inpt)
    else:
        raise DtypeError(f"to_image: inpt is {type(inpt).__name__}, expected a PIL image, an array or a Tensor")
    return _as_image(found)


def to_dtype(inpt: Tensor, dtype: Dtype = float32, scale: bool = False) -> Tensor:
    """Convert a Tensor to another dtype and, with scale, to its range.

    Source: torchvision.transforms.v2.functional.to_dtype.

    >>> torch.transforms.v2.functional.to_dtype(torch.tensor([255], dtype=torch.uint8), scale=True)
    tensor([1.])
    """
    return convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype)


def grayscale_to_rgb(inpt: Any) -> Any:
    """Convert one channel to three; return three channels unchanged.

    Source: torchvision.transforms.v2.functional.grayscale_to_rgb.

    >>> torch.transforms.v2.functional.grayscale_to_rgb(torch.zeros(1, 2, 2)).shape
    torch.Size([3, 2, 2])
    """
    if isinstance(inpt, Tensor):
        return inpt if inpt.shape[-3] >= 3 else rgb_to_grayscale(inpt, 3)
    return inpt.convert("RGB")


def resize(  # type: ignore[no-redef]
    inpt: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Resize an image. uint8 is computed in integers, which may differ from v1's `resize` by 1.

    Source: torchvision.transforms.v2.functional.resize.

    >>> torch.transforms.v2.functional.resize(torch.tensor([[[0, 255, 0, 0]]], dtype=torch.uint8), [1, 3]).tolist()
    [[[76, 128, 0]]]
    """
    if antialias is False and not isinstance(inpt, Tensor):
        warn(geometry.PIL_IS_ANTIALIASED)  # also where the size stays, unlike version 1
        antialias = None
    return geometry.resize_as(inpt, size, interpolation, max_size, antialias, float32, float64, uint8)


def resized_crop(  # type: ignore[no-redef]
    inpt: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Crop a part of an image and resize it. Source: torchvision.transforms.v2.functional.resized_crop."""
    return resize(crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


def permute_channels(inpt: Any, permutation: Sequence[int] | Tensor) -> Any:
    """Permute the channels of an image. Source: torchvision.transforms.v2.functional.permute_channels.

    >>> torch.transforms.v2.functional.permute_channels(torch.arange(3).reshape(3, 1, 1), [2, 0, 1]).flatten()
    tensor([2, 0, 1])
    """
    if not isinstance(inpt, Tensor):
        return to_pil_image(permute_channels(pil_to_tensor(inpt), permutation))
    return inpt[..., creation.as_tensor(permutation, device=inpt.device), :, :]


def gaussian_noise(inpt: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    """Add normal noise to a floating-point or uint8 image; sigma is relative to the range, to which `clip` clamps.

    Raises ValueError for anything else. Source: torchvision.transforms.v2.functional.gaussian_noise.

    >>> torch.transforms.v2.functional.gaussian_noise(torch.zeros(1, 1, 1), mean=2.0, sigma=0.0).item()
    1.0
    """
    color.require_not_negative("gaussian_noise", "sigma", sigma)
    if not isinstance(inpt, Tensor) or not (inpt.is_floating_point() or inpt.dtype == uint8):
        raise ArgumentError("gaussian_noise: inpt is expected to be a Tensor of floating point or of torch.uint8")
    if inpt.dtype == uint8:
        noisy = inpt + (mean * 255 + randn_like(inpt, dtype=float32) * (sigma * 255)).to(int16)
        return (noisy.clamp(0, 255) if clip else noisy).to(uint8)
    noisy = inpt + (mean + randn_like(inpt) * sigma)
    return noisy.clamp(0, 1) if clip else noisy


def jpeg(image: Any, quality: int) -> Any:
    """Compress an image by JPEG and decompress it, by Pillow: a PIL image or uint8 Tensor (..., 1 or 3, H, W).

    The quality is 1 to 100. Raises RuntimeError for other Tensors. Source: torchvision.transforms.v2.functional.jpeg.

    >>> torch.transforms.v2.functional.jpeg(torch.zeros(3, 4, 5, dtype=torch.uint8), 50).shape
    torch.Size([3, 4, 5])
    """
    if not isinstance(image, Tensor):
        file = io.BytesIO()
        image.save(file, format="JPEG", quality=quality)
        return pillow().open(file).copy()
    if image.dtype != uint8 or image.ndim < 3 or image.shape[-3] not in (1, 3):
        raise DtypeError(f"jpeg: image is {image.dtype} {tuple(image.shape)}, expected torch.uint8 (..., 1 or 3, H, W)")
    images = image.reshape(-1, *image.shape[-3:])
    found = [pil_to_tensor(jpeg(to_pil_image(each), quality)) for each in images]
    return movement.stack(found).reshape(image.shape) if found else image.clone()


def uniform_temporal_subsample(inpt: Tensor, num_samples: int) -> Tensor:
    """Choose `num_samples` frames at equal distances from videos (..., T, C, H, W). Raises TypeError for an image.

    Source: torchvision.transforms.v2.functional.uniform_temporal_subsample.

    >>> torch.transforms.v2.functional.uniform_temporal_subsample(torch.arange(5).reshape(5, 1, 1, 1), 3).flatten()
    tensor([0, 2, 4])
    """
    if not isinstance(inpt, Tensor):
        raise DtypeError(f"uniform_temporal_subsample: inpt is {type(inpt).__name__}, expected a Tensor")
    times = creation.linspace(0, inpt.shape[-4] - 1, num_samples, device=inpt.device).long()
    return inpt.index_select(-4, times)


def _keeping_images(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that returns Images for an Image."""

    @functools.wraps(function)
    def of_image(inpt: Any, *args: Any, **options: Any) -> Any:
        return _like(function(inpt, *args, **options), inpt)

    of_image.__module__ = __name__
    return of_image


_OF_IMAGES = """adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation adjust_sharpness affine
    autocontrast center_crop crop elastic_transform equalize erase five_crop gaussian_blur gaussian_noise
    grayscale_to_rgb hflip invert jpeg normalize pad permute_channels perspective posterize resize resized_crop
    rgb_to_grayscale rotate solarize ten_crop to_dtype vflip"""
for _name in _OF_IMAGES.split():
    globals()[_name] = _keeping_images(globals()[_name])
horizontal_flip, vertical_flip, elastic, to_grayscale = hflip, vflip, elastic_transform, rgb_to_grayscale
