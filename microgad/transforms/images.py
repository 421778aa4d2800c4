"""The two kinds of images, PIL images and Tensors (..., C, H, W). Only this module imports Pillow."""

from __future__ import annotations

import importlib
import sys
from enum import Enum
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, MicrogadError
from ..tensor import Tensor
from ..type_aliases import Array


class PillowError(MicrogadError, ImportError):
    """Pillow is needed but isn't installed."""


class InterpolationMode(Enum):
    """How values between pixels are computed. Source: torchvision.transforms.InterpolationMode.

    >>> torch.transforms.InterpolationMode("bilinear")
    <InterpolationMode.BILINEAR: 'bilinear'>
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


NUMERIC_TYPES = (int, float, np.number)
# Pillow's numbers of the modes. A number denotes the first mode that has it.
PIL_MODES = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}


def pillow(module: str = "Image") -> Any:
    """Import PIL.Image or another module of Pillow's. Raises ImportError if Pillow isn't installed.

    >>> torch.transforms.images.pillow("ImageOps").__name__
    'PIL.ImageOps'
    """
    try:
        return importlib.import_module(f"PIL.{module}")
    except ModuleNotFoundError as error:
        raise PillowError("images need the package pillow: pip install 'microgad[images]'") from error


def is_pil(image: Any) -> bool:
    """Whether it is a PIL image.

    >>> torch.transforms.images.is_pil(torch.zeros(1, 2, 2))
    False
    """
    loaded = sys.modules.get("PIL.Image")
    return loaded is not None and isinstance(image, loaded.Image)


def require_pil(image: Any, op: str) -> None:
    """Raise TypeError unless it is a PIL image."""
    if not is_pil(image):
        raise DtypeError(f"{op}: img is {type(image).__name__}, expected a PIL image or a Tensor")


def require_tensor(image: Tensor, op: str, ndim: int = 2, channels: bool = False) -> None:
    """Raise TypeError unless a Tensor has the dimensions of an image and, for `channels`, 1 or 3 channels."""
    if image.ndim < ndim:
        least = "(..., H, W)" if ndim == 2 else "(..., C, H, W)"
        raise DtypeError(f"{op}: img has shape {tuple(image.shape)}, expected {least}")
    if channels and get_dimensions(image)[0] not in (1, 3):
        raise DtypeError(f"{op}: img has {get_dimensions(image)[0]} channels, expected 1 or 3")


def is_tensor_image(image: Any, op: str, ndim: int = 2, channels: bool = False) -> bool:
    """Return True for a Tensor that passes `require_tensor` and False for a PIL image; raise TypeError for others."""
    if not isinstance(image, Tensor):
        require_pil(image, op)
        return False
    require_tensor(image, op, ndim, channels)
    return True


def parse_interpolation(interpolation: Any, op: str) -> InterpolationMode:
    """Return the mode for a mode, a name or Pillow's number."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, str):
        return InterpolationMode(interpolation)
    for mode, number in PIL_MODES.items():
        if interpolation == number:
            return mode
    raise DtypeError(
        f"{op}: interpolation is {interpolation!r}, expected an InterpolationMode or Pillow's number of one"
    )


def get_dimensions(img: Any) -> list[int]:
    """Return [channels, height, width]. Raises TypeError unless img is an image.

    Source: torchvision.transforms.functional.get_dimensions.

    >>> torch.transforms.functional.get_dimensions(torch.zeros(3, 4, 5))
    [3, 4, 5]
    """
    if is_tensor_image(img, "get_dimensions"):
        return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]
    return [len(img.getbands()), img.height, img.width]


def get_image_size(img: Any) -> list[int]:
    """Return [width, height]. Raises TypeError unless img is an image.

    Source: torchvision.transforms.functional.get_image_size.

    >>> torch.transforms.functional.get_image_size(torch.zeros(3, 4, 5))
    [5, 4]
    """
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """Return the number of channels. Raises TypeError unless img is an image.

    Source: torchvision.transforms.functional.get_image_num_channels.

    >>> torch.transforms.functional.get_image_num_channels(torch.zeros(3, 4, 5))
    3
    """
    return get_dimensions(img)[0]


def from_pixels(pixels: Array, mode: str) -> Any:
    """Make a PIL image of an array (H, W) or (H, W, C)."""
    size = pixels.shape[1], pixels.shape[0]
    return pillow().frombuffer(mode, size, pixels.tobytes(), "raw", mode, 0, 1)


def parse_size(size: Any, message: str = "Please provide only two dimensions (h, w) for size") -> Any:
    """Return (h, w) for a number or a sequence of one or two. Raises ValueError otherwise."""
    if isinstance(size, NUMERIC_TYPES):
        return int(size), int(size)
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ArgumentError(f"{message}, not {size!r}")
    return size
