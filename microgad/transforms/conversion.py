"""Conversion between images and Tensors, and between dtypes and ranges of values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import dtype as Dtype
from ..dtypes import float32, get_default_dtype, int32, int64
from ..errors import ArgumentError, DtypeError, ShapeError
from ..ops import creation
from ..tensor import Tensor
from .images import from_pixels, is_pil, require_pil, require_tensor

_INT16_MODE = "I;16" if sys.byteorder == "little" else "I;16B"
# The dtypes of Pillow's modes other than uint8.
_PIL_MODE_DTYPES = {"I": np.int32, _INT16_MODE: np.int16, "F": np.float32}
# Pillow's modes by number of uint8 channels; the first is the default.
_CHANNEL_MODES = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}
_SINGLE_CHANNEL_MODES = {np.dtype(t): m for t, m in {"u1": "L", "i2": _INT16_MODE, "i4": "I", "f4": "F"}.items()}


def max_value(dtype: Dtype) -> int:
    """Return the value of white: the largest integer of a dtype of integers, else 1, also for uint32 and uint64."""
    kind = np.dtype(dtype)
    return int(np.iinfo(kind).max) if kind.kind in "iu" and kind.itemsize * (kind.kind == "u") < 4 else 1


def to_tensor(pic: Any) -> Tensor:
    """Convert a PIL image or an array (H, W) or (H, W, C) to a Tensor (C, H, W). uint8 is scaled to [0, 1].

    Raises TypeError for anything else, ValueError for an array of other dimensions.
    Source: torchvision.transforms.functional.to_tensor.

    >>> image = torch.transforms.functional.to_tensor(np.array([[0, 51, 255]], np.uint8))
    >>> image.shape, round(image[0, 0, 1].item(), 6)
    (torch.Size([1, 1, 3]), 0.2)
    """
    if is_pil(pic):
        pixels = np.array(pic, _PIL_MODE_DTYPES.get(pic.mode, np.uint8))
        pixels = pixels.reshape(pic.height, pic.width, len(pic.getbands()))
        if pic.mode == "1":
            pixels = 255 * pixels
    elif isinstance(pic, np.ndarray):
        pixels = pic
    else:
        raise DtypeError(
            f"ToTensor: pic is {type(pic).__name__}, expected a PIL image or a NumPy array: np.asarray(pic)"
        )
    if pixels.ndim not in (2, 3):
        raise ShapeError(f"ToTensor: pic has {pixels.ndim} dimensions {pixels.shape}, expected (H, W) or (H, W, C)")
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if planes.dtype == np.uint8:
        return creation.from_numpy(np.divide(planes, 255, dtype=np.dtype(get_default_dtype()), order="C"))
    return creation.from_numpy(planes.copy())


def pil_to_tensor(pic: Any) -> Tensor:
    """Convert a PIL image to a Tensor (C, H, W) of the same values. Raises TypeError for anything else.

    Source: torchvision.transforms.functional.pil_to_tensor.

    >>> from PIL import Image
    >>> torch.transforms.functional.pil_to_tensor(Image.new("L", (3, 1), 7))
    tensor([[[7, 7, 7]]], dtype=torch.uint8)
    """
    require_pil(pic, "pil_to_tensor")
    pixels = np.array(pic)
    return creation.from_numpy(pixels.reshape(pic.height, pic.width, len(pic.getbands()))).permute(2, 0, 1)


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """Convert a Tensor (C, H, W), an array (H, W, C), or either of shape (H, W) to a PIL image.

    Floating-point values are in [0, 1]. `mode` is Pillow's; by default it follows from channels and dtype. Raises
    TypeError for other types and dtypes, ValueError for other dimensions, channels, or a mode that doesn't match.
    Source: torchvision.transforms.functional.to_pil_image.

    >>> torch.transforms.functional.to_pil_image(torch.ones(3, 4, 5)).size
    (5, 4)
    """
    if isinstance(pic, Tensor):
        pixels = pic.detach().cpu().numpy()
        pixels = pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels
    elif isinstance(pic, np.ndarray):
        pixels = pic
    else:
        raise DtypeError(f"to_pil_image: pic is {type(pic).__name__}, expected a Tensor or a NumPy array")
    if pixels.ndim not in (2, 3):
        raise ShapeError(f"to_pil_image: pic has {pixels.ndim} dimensions {pic.shape}, expected 2 or 3")
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    channels = pixels.shape[2]
    if channels > 4:
        raise ShapeError(f"to_pil_image: pic has {channels} channels {tuple(pic.shape)}, expected 1 to 4")
    if np.issubdtype(pixels.dtype, np.floating) and mode != "F":
        pixels = (pixels * 255).astype(np.uint8)
    if channels == 1:
        pixels, allowed = pixels[:, :, 0], [_SINGLE_CHANNEL_MODES.get(pixels.dtype)]
        found = allowed[0]
    else:
        allowed = [*_CHANNEL_MODES[channels]]
        found = mode or (allowed[0] if pixels.dtype == np.uint8 else None)
    if mode is not None and mode not in allowed:
        raise ArgumentError(
            f"to_pil_image: mode is {mode!r}, but {channels} channels of {pixels.dtype} are "
            f"{', '.join(map(str, allowed))}"
        )
    if found is None:
        raise DtypeError(f"to_pil_image: pic is {pixels.dtype} with {channels} channels, for which Pillow has no mode")
    return from_pixels(pixels, found)


def convert_image_dtype(image: Tensor, dtype: Dtype = float32) -> Tensor:
    """Convert to another dtype and scale to its range: up to the largest integer, or 0 to 1.

    Raises TypeError unless image is a Tensor, RuntimeError if floating point can't represent the integers.
    Source: torchvision.transforms.functional.convert_image_dtype.

    >>> torch.transforms.functional.convert_image_dtype(torch.tensor([0, 51, 255], dtype=torch.uint8))
    tensor([0.0000, 0.2000, 1.0000])
    """
    if not isinstance(image, Tensor):
        raise DtypeError(f"convert_image_dtype: image is {type(image).__name__}, expected a Tensor")
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        if (image.dtype, dtype) in ((float32, int32), (float32, int64)) or (image.element_size(), dtype) == (8, int64):
            raise DtypeError(f"convert_image_dtype: The cast from {image.dtype} to {dtype} cannot be performed safely.")
        # The factor maps equally long intervals to each integer, the largest included.
        return image.mul(float(max_value(dtype)) + 1.0 - 1e-3).to(dtype)
    largest = float(max_value(image.dtype))
    if dtype.is_floating_point:
        return image.to(dtype) / largest
    wanted = float(max_value(dtype))
    if largest > wanted:
        return image.div(int((largest + 1) // (wanted + 1)), rounding_mode="floor").to(dtype)
    return image.to(dtype) * int((wanted + 1) // (largest + 1))


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """Return (tensor - mean) / std for each channel of a floating-point Tensor (..., C, H, W).

    Raises TypeError for anything else, ValueError for other shapes or a zero in `std`.
    Source: torchvision.transforms.functional.normalize.

    >>> torch.transforms.functional.normalize(torch.ones(2, 1, 1), [0.5, 1.0], [0.5, 2.0]).tolist()
    [[[1.0]], [[0.0]]]
    """
    if not isinstance(tensor, Tensor):
        raise DtypeError(f"Normalize: image is {type(tensor).__name__}, expected a Tensor: ToTensor() makes one")
    if not tensor.is_floating_point():
        raise DtypeError(f"Normalize: image is {tensor.dtype}, expected floating point: ToTensor() makes float32")
    if tensor.ndim < 3:
        raise ShapeError(f"Normalize: image has shape {tuple(tensor.shape)}, expected (..., C, H, W)")
    columns = [_column(tensor, name, values) for name, values in (("mean", mean), ("std", std))]
    if (columns[1] == 0).any():
        raise ArgumentError(f"Normalize: std is {std}, expected no zero: the image is divided by it")
    if inplace:
        return tensor.sub_(columns[0]).div_(columns[1])
    return (tensor - columns[0]) / columns[1]


def _column(image: Tensor, name: str, values: Any) -> Tensor:
    """Reshape mean or std (C,) to (C, 1, 1), with the dtype and device of the image."""
    column = creation.as_tensor(values, dtype=image.dtype, device=image.device)
    column = column.reshape(-1, 1, 1) if column.ndim < 2 else column
    if column.ndim == 3 and len(column) not in (1, image.shape[-3]):
        raise ShapeError(
            f"Normalize: {name} has {len(column)} numbers, but the image {image.shape[-3]} channels "
            f"(shape {tuple(image.shape)})"
        )
    return column


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """Replace h × w pixels from row i and column j on by `v`. Raises TypeError unless img is a Tensor.

    Source: torchvision.transforms.functional.erase.

    >>> torch.transforms.functional.erase(torch.ones(1, 2, 3), 0, 1, 2, 1, torch.zeros(1, 1, 1)).tolist()
    [[[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]]
    """
    if not isinstance(img, Tensor):
        raise DtypeError(f"erase: img is {type(img).__name__}, expected a Tensor")
    require_tensor(img, "erase")
    img = img if inplace else img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
