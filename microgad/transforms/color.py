"""Functions that change pixel values: brightness, contrast, saturation, hue, gamma, and histogram operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import float32, int32, int64, uint8
from ..errors import ArgumentError, DtypeError
from ..ops import creation, movement
from ..ops.elementwise import where
from ..ops.reduction import bincount
from ..tensor import Tensor
from .conversion import convert_image_dtype, max_value
from .images import from_pixels, get_dimensions, is_tensor_image, pillow, require_pil


def require_not_negative(op: str, name: str, value: float) -> None:
    """Raise ValueError for a negative value."""
    if value < 0:
        raise ArgumentError(f"{op}: {name} is {value}, expected at least 0")


def blend(img: Tensor, other: Tensor, ratio: float) -> Tensor:
    """Return ratio · img + (1 - ratio) · other, clamped to the range of the image's dtype."""
    ratio = float(ratio)
    return (ratio * img + (1.0 - ratio) * other).clamp(0, max_value(img.dtype)).to(img.dtype)


def enhance_pil(img: Any, how: str, factor: float) -> Any:
    """Change a PIL image by an enhancer of Pillow's: "Brightness", "Color", "Contrast" or "Sharpness"."""
    return getattr(pillow("ImageEnhance"), how)(img).enhance(factor)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return the luminance of ITU-R 601 in 1 channel, or repeated in 3.

    Raises TypeError unless img is an image of 1 or 3 channels, ValueError for other num_output_channels.
    Source: torchvision.transforms.functional.rgb_to_grayscale.

    >>> torch.transforms.functional.rgb_to_grayscale(torch.ones(3, 1, 2)).shape
    torch.Size([1, 1, 2])
    """
    if not is_tensor_image(img, "rgb_to_grayscale", 3, channels=True):
        return to_grayscale(img, num_output_channels)
    _require_1_or_3_channels(num_output_channels)
    if img.shape[-3] == 3:
        r, g, b = img.unbind(-3)
        gray = (0.2989 * r + 0.587 * g + 0.114 * b).to(img.dtype).unsqueeze(-3)
    else:
        gray = img.clone()
    return gray.expand(img.shape) if num_output_channels == 3 else gray


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return rgb_to_grayscale of a PIL image. Raises TypeError for anything else.

    Source: torchvision.transforms.functional.to_grayscale.

    >>> from PIL import Image
    >>> torch.transforms.functional.to_grayscale(Image.new("RGB", (2, 2), "white")).getpixel((0, 0))
    255
    """
    require_pil(img, "to_grayscale")
    _require_1_or_3_channels(num_output_channels)
    gray = img.convert("L")
    return gray if num_output_channels == 1 else pillow().merge("RGB", [gray] * 3)


def _require_1_or_3_channels(channels: int) -> None:
    if channels not in (1, 3):
        raise ArgumentError(f"rgb_to_grayscale: num_output_channels is {channels}, expected 1 or 3")


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Change the brightness. Factor 0 gives black, 1 the image, 2 doubles its brightness.

    Raises TypeError unless img is an image, ValueError for a factor < 0 if it is a Tensor.
    Source: torchvision.transforms.functional.adjust_brightness.

    >>> torch.transforms.functional.adjust_brightness(torch.tensor([[[0.25, 0.75]]]), 2).tolist()
    [[[0.5, 1.0]]]
    """
    if not is_tensor_image(img, "adjust_brightness", channels=True):
        return enhance_pil(img, "Brightness", brightness_factor)
    require_not_negative("adjust_brightness", "brightness_factor", brightness_factor)
    return blend(img, creation.zeros_like(img), brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Change the contrast. Factor 0 gives uniform gray of the mean brightness, 1 the image.

    Raises TypeError unless img is an image, ValueError for a factor < 0 if it is a Tensor.
    Source: torchvision.transforms.functional.adjust_contrast.

    >>> torch.transforms.functional.adjust_contrast(torch.tensor([[[0.25, 0.75]]]), 0).tolist()
    [[[0.5, 0.5]]]
    """
    if not is_tensor_image(img, "adjust_contrast", channels=True):
        return enhance_pil(img, "Contrast", contrast_factor)
    require_not_negative("adjust_contrast", "contrast_factor", contrast_factor)
    gray = rgb_to_grayscale(img) if get_dimensions(img)[0] == 3 else img
    gray = gray if gray.is_floating_point() else gray.to(float32)
    return blend(img, gray.mean(tuple(range(-min(3, img.ndim), 0)), keepdim=True), contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Change the saturation. Factor 0 gives gray, 1 the image, 2 doubles the saturation.

    Raises TypeError unless img is an image, ValueError for a factor < 0 if it is a Tensor.
    Source: torchvision.transforms.functional.adjust_saturation.

    >>> torch.transforms.functional.adjust_saturation(torch.ones(3, 1, 1), 0).round(decimals=2).flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    if not is_tensor_image(img, "adjust_saturation", channels=True):
        return enhance_pil(img, "Color", saturation_factor)
    require_not_negative("adjust_saturation", "saturation_factor", saturation_factor)
    return img if get_dimensions(img)[0] == 1 else blend(img, rgb_to_grayscale(img), saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Shift the hue by a factor from -0.5 to 0.5 of the color circle.

    Raises TypeError unless img is an image, ValueError for other factors.
    Source: torchvision.transforms.functional.adjust_hue.

    >>> torch.transforms.functional.adjust_hue(torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1), 0.5).flatten().tolist()
    [0.0, 1.0, 1.0]
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ArgumentError(f"adjust_hue: hue_factor is {hue_factor}, expected -0.5 to 0.5")
    if not is_tensor_image(img, "adjust_hue", channels=True):
        if img.mode in ("L", "1", "I", "F"):
            return img
        hue, *rest = img.convert("HSV").split()
        shifted = np.array(hue, np.uint8) + np.int32(hue_factor * 255).astype(np.uint8)  # uint8 wraps around
        return pillow().merge("HSV", (from_pixels(shifted, "L"), *rest)).convert(img.mode)
    if get_dimensions(img)[0] == 1:
        return img
    hue, saturation, value = _rgb_to_hsv(convert_image_dtype(img, float32))
    return convert_image_dtype(_hsv_to_rgb((hue + hue_factor) % 1.0, saturation, value), img.dtype)


def _rgb_to_hsv(img: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r, g, b = img.unbind(-3)
    high, low = img.amax(-3), img.amin(-3)
    gray, span = high == low, high - low
    one = creation.ones_like(high)
    saturation = span / where(gray, one, high)
    divisor = where(gray, one, span)
    rc, gc, bc = ((high - x) / divisor for x in (r, g, b))
    reddest, greenest = high == r, (high == g) & (high != r)
    hue = reddest * (bc - gc) + greenest * (2.0 + rc - bc) + ((high != g) & (high != r)) * (4.0 + gc - rc)
    return (hue / 6.0 + 1.0).fmod(1.0), saturation, high


def _hsv_to_rgb(h: Tensor, s: Tensor, v: Tensor) -> Tensor:
    sixth = (h * 6.0).floor()
    f = h * 6.0 - sixth
    p, q, t = ((v * (1.0 - x)).clamp(0.0, 1.0) for x in (s, s * f, s * (1.0 - f)))
    which = (sixth.to(int32) % 6).unsqueeze(-3) == creation.arange(6, device=h.device).reshape(-1, 1, 1)
    colors = ((v, q, p, p, t, v), (t, v, v, q, p, p), (p, p, t, v, v, q))  # r, g, b in each sixth of the circle
    return movement.stack([(which * movement.stack(c, -3)).sum(-3) for c in colors], -3)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """Return gain · img ** gamma for values scaled to [0, 1].

    Raises TypeError unless img is an image, ValueError for a gamma < 0.
    Source: torchvision.transforms.functional.adjust_gamma.

    >>> torch.transforms.functional.adjust_gamma(torch.tensor([[[0.5, 1.0]]]), 2).tolist()
    [[[0.25, 1.0]]]
    """
    require_not_negative("adjust_gamma", "gamma", gamma)
    if not is_tensor_image(img, "adjust_gamma", channels=True):
        table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, gamma)) for value in range(256)] * 3
        return img.convert("RGB").point(table).convert(img.mode)
    values = img if img.is_floating_point() else convert_image_dtype(img, float32)
    return convert_image_dtype((gain * values.pow(gamma)).clamp(0, 1), img.dtype)


def invert(img: Any) -> Any:
    """Return the negative. Raises TypeError unless img is an image. Source: torchvision.transforms.functional.invert.

    >>> torch.transforms.functional.invert(torch.tensor([[[0.25, 1.0]]])).tolist()
    [[[0.75, 0.0]]]
    """
    if not is_tensor_image(img, "invert", 3, channels=True):
        return pillow("ImageOps").invert(img)
    return max_value(img.dtype) - img


def posterize(img: Any, bits: int) -> Any:
    """Keep the highest bits of each uint8 value. Raises TypeError unless uint8, ValueError for bits outside of 0 to 8.

    Source: torchvision.transforms.functional.posterize.

    >>> torch.transforms.functional.posterize(torch.tensor([[[255, 100]]], dtype=torch.uint8), 1).tolist()
    [[[128, 0]]]
    """
    if not 0 <= bits <= 8:
        raise ArgumentError(f"posterize: bits is {bits}, expected 0 to 8")
    if not is_tensor_image(img, "posterize", 3, channels=True):
        return pillow("ImageOps").posterize(img, bits)
    _require_uint8(img, "posterize")
    return posterize_tensor(img, bits)


def posterize_tensor(img: Tensor, bits: int) -> Tensor:
    """Keep the highest bits of integers; round floating-point numbers down to 2**bits levels."""
    if img.is_floating_point():
        levels = 1 << bits
        return (img * levels).floor().clamp(0, levels - 1) * (1.0 / levels)
    lower = max(max_value(img.dtype).bit_length() - bits, 0)
    return img & (max_value(img.dtype) >> lower << lower)


def _require_uint8(img: Tensor, op: str) -> None:
    if img.dtype != uint8:
        raise DtypeError(f"{op}: img is {img.dtype}, expected torch.uint8")


def solarize(img: Any, threshold: float) -> Any:
    """Invert values that are at least the threshold.

    Raises TypeError unless img is an image and the threshold is in range.
    Source: torchvision.transforms.functional.solarize.

    >>> torch.transforms.functional.solarize(torch.tensor([[[0.25, 1.0]]]), 0.5).tolist()
    [[[0.25, 0.0]]]
    """
    if not is_tensor_image(img, "solarize", 3, channels=True):
        return pillow("ImageOps").solarize(img, threshold)
    return solarize_tensor(img, threshold)


def solarize_tensor(img: Tensor, threshold: float) -> Tensor:
    """`solarize` for any number of channels."""
    if threshold > max_value(img.dtype):
        raise DtypeError(f"solarize: threshold is {threshold}, expected at most {max_value(img.dtype)} for {img.dtype}")
    return where(img >= threshold, max_value(img.dtype) - img, img)


def autocontrast(img: Any) -> Any:
    """Stretch the values of each channel to the whole range. Raises TypeError unless img is an image.

    Source: torchvision.transforms.functional.autocontrast.

    >>> torch.transforms.functional.autocontrast(torch.tensor([[[0.25, 0.75]]])).tolist()
    [[[0.0, 1.0]]]
    """
    if not is_tensor_image(img, "autocontrast", 3, channels=True):
        return pillow("ImageOps").autocontrast(img)
    dtype = img.dtype if img.is_floating_point() else float32
    low, high = (bound((-2, -1), keepdim=True).to(dtype) for bound in (img.amin, img.amax))
    flat = high == low
    scale = where(flat, creation.ones_like(low), max_value(img.dtype) / where(flat, 1.0, high - low))
    spread = (img - where(flat, creation.zeros_like(low), low)) * scale
    return spread.clamp(0, max_value(img.dtype)).to(img.dtype)


def equalize(img: Any) -> Any:
    """Equalize the histogram of each channel. Raises TypeError unless img is an image of uint8.

    Source: torchvision.transforms.functional.equalize.

    >>> torch.transforms.functional.equalize(torch.tensor([[[3, 3, 4, 9]]], dtype=torch.uint8)).tolist()
    [[[3, 3, 4, 9]]]
    """
    if not is_tensor_image(img, "equalize", channels=True):
        return pillow("ImageOps").equalize(img)
    if not 3 <= img.ndim <= 4:
        raise DtypeError(f"equalize: img has shape {tuple(img.shape)}, expected (C, H, W) or (N, C, H, W)")
    _require_uint8(img, "equalize")
    return equalize_tensor(img)


def equalize_tensor(img: Tensor) -> Tensor:
    """`equalize` for uint8 (..., H, W)."""
    if not img.numel():
        return img
    planes = img.reshape(-1, *img.shape[-2:])
    return movement.stack([_equalize_channel(plane) for plane in planes]).reshape(img.shape)


def _equalize_channel(channel: Tensor) -> Tensor:
    counts = bincount(channel.reshape(-1), minlength=256)
    step = int(counts[counts != 0][:-1].sum().item()) // 255
    if step == 0:
        return channel
    table = (counts.cumsum(0) + step // 2).div(step, rounding_mode="floor")
    table = movement.cat((creation.zeros_like(table[:1]), table[:-1])).clamp(0, 255)
    return table[channel.to(int64)].to(uint8)
