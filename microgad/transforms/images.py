"""What an image is: Pillow's, or a Tensor (..., C, H, W). The only place that imports Pillow."""

from __future__ import annotations

import importlib
import sys
from enum import Enum
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, MicrogadError
from ..tensor import Tensor


class PillowError(MicrogadError, ImportError):
    """What was asked for needs Pillow, which isn't installed."""


class InterpolationMode(Enum):
    """How pixels between pixels are found. Source: torchvision.transforms.InterpolationMode.

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


NUMBERS = (int, float, np.number)
# Pillow's numbers of the modes; the first with a number is what the number stands for.
OF_PILLOW = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}


def pillow(module: str = "Image") -> Any:
    """PIL.Image, or another module of Pillow's, loaded when it is first needed.

    Raises:
        PillowError (an ImportError): Pillow isn't installed.

    >>> torch.transforms.images.pillow("ImageOps").__name__
    'PIL.ImageOps'
    """
    try:
        return importlib.import_module(f"PIL.{module}")
    except ModuleNotFoundError as error:
        raise PillowError("images need the package pillow: pip install 'microgad[images]'") from error


def is_pil(image: Any) -> bool:
    """Whether it is an image of Pillow's.

    >>> torch.transforms.images.is_pil(torch.zeros(1, 2, 2))
    False
    """
    loaded = sys.modules.get("PIL.Image")
    return loaded is not None and isinstance(image, loaded.Image)


def require_pil(image: Any, op: str) -> None:
    """Raise TypeError unless it is an image of Pillow's."""
    if not is_pil(image):
        raise DtypeError(f"{op}: img is {type(image).__name__}, expected a PIL image or a Tensor")


def require_tensor(image: Tensor, op: str, ndim: int = 2, channels: bool = False) -> None:
    """Raise TypeError unless a Tensor has the dimensions of an image, and, if asked for, 1 or 3 channels."""
    if image.ndim < ndim:
        least = "(..., H, W)" if ndim == 2 else "(..., C, H, W)"
        raise DtypeError(f"{op}: img has shape {tuple(image.shape)}, expected {least}")
    if channels and get_dimensions(image)[0] not in (1, 3):
        raise DtypeError(f"{op}: img has {get_dimensions(image)[0]} channels, expected 1 or 3")


def is_tensor_image(image: Any, op: str, ndim: int = 2, channels: bool = False) -> bool:
    """Whether it is a Tensor, as `require_tensor` wants it. TypeError of what is neither that nor Pillow's image."""
    if not isinstance(image, Tensor):
        require_pil(image, op)
        return False
    require_tensor(image, op, ndim, channels)
    return True


def mode_of(interpolation: Any, op: str) -> InterpolationMode:
    """The mode itself, or the one of Pillow's number or of a name."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, str):
        return InterpolationMode(interpolation)
    for mode, number in OF_PILLOW.items():
        if interpolation == number:
            return mode
    raise DtypeError(
        f"{op}: interpolation is {interpolation!r}, expected an InterpolationMode or Pillow's number of one"
    )


def get_dimensions(img: Any) -> list[int]:
    """Channels, height, width. TypeError of what is no image. Source: torchvision.transforms.functional.get_dimensions.

    >>> torch.transforms.functional.get_dimensions(torch.zeros(3, 4, 5))
    [3, 4, 5]
    """
    if is_tensor_image(img, "get_dimensions"):
        return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]
    return [len(img.getbands()), img.height, img.width]


def get_image_size(img: Any) -> list[int]:
    """Width and height. TypeError of what is no image. Source: torchvision.transforms.functional.get_image_size.

    >>> torch.transforms.functional.get_image_size(torch.zeros(3, 4, 5))
    [5, 4]
    """
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """How many channels. TypeError of what is no image.

    Source: torchvision.transforms.functional.get_image_num_channels.

    >>> torch.transforms.functional.get_image_num_channels(torch.zeros(3, 4, 5))
    3
    """
    return get_dimensions(img)[0]


def from_pixels(pixels: Any, mode: str) -> Any:
    """The image of Pillow's that has the values of an array, (H, W) or (H, W, C)."""
    size = pixels.shape[1], pixels.shape[0]
    return pillow().frombuffer(mode, size, pixels.tobytes(), "raw", mode, 0, 1)


def pair(size: Any, said: str = "Please provide only two dimensions (h, w) for size") -> Any:
    """(h, w) of a number, of one in a sequence, or of two. ValueError else."""
    if isinstance(size, NUMBERS):
        return int(size), int(size)
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ArgumentError(f"{said}, not {size!r}")
    return size
