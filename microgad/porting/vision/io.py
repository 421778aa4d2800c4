"""Reading and writing of image files as uint8 Tensors (C, H, W), by Pillow. Source: torchvision.io."""

from __future__ import annotations

import io
import os
import struct
from enum import Enum
from typing import Any

import numpy as np

from ...dtypes import uint8
from ...errors import ArgumentError, DtypeError
from ...ops import creation, movement
from ...tensor import Tensor
from ...transforms.functional import pil_to_tensor, to_pil_image
from ...transforms.images import from_pixels, pillow

Path = str | os.PathLike[str]


class ImageReadMode(Enum):
    """The channels to which a decoded image is converted. Source: torchvision.io.ImageReadMode.

    >>> torch.porting.vision.io.ImageReadMode["GRAY"].value
    1
    """

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_PILLOW_MODES = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}


def read_file(path: Path) -> Tensor:
    """Read a file's bytes, (N,) uint8. Raises RuntimeError if it can't be read. Source: torchvision.io.read_file.

    >>> torch.porting.vision.io.read_file(torch.__file__).dtype
    torch.uint8
    """
    try:
        return creation.from_numpy(np.fromfile(path, np.uint8))
    except OSError as error:
        raise ArgumentError(f"read_file: {error}") from None


def write_file(filename: Path, data: Tensor) -> None:
    """Write bytes (N,) to a file. Source: torchvision.io.write_file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.porting.vision.io.write_file(f"{folder}/a", torch.tensor([65, 66], dtype=torch.uint8))
    ...     torch.porting.vision.io.read_file(f"{folder}/a").tolist()
    [65, 66]
    """
    with open(filename, "wb") as file:
        file.write(data.cpu().numpy().tobytes())


def decode_image(
    input: Any, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Tensor:
    """Decode the bytes of an image file, or the file at a path, to (C, H, W) uint8.

    UNCHANGED, a PNG file with a palette gives the indices of its colors, as masks of segmentations need them. Gray of
    16 bits is uint16; other images of 16 bits are reduced to 8. A GIF is RGB in every mode, (N, C, H, W) for N frames.
    Raises RuntimeError if it isn't an image, ImportError without Pillow. Source: torchvision.io.decode_image.

    >>> image = torch.arange(12, dtype=torch.uint8).reshape(3, 2, 2)
    >>> torch.porting.vision.io.decode_image(torch.porting.vision.io.encode_png(image)).equal(image)
    True
    """
    data = input if isinstance(input, Tensor) else read_file(input)
    wanted = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    try:
        image = pillow().open(io.BytesIO(data.numpy().tobytes()))
        kind = image.format
        if kind == "GIF":
            frames = [pil_to_tensor(frame.convert("RGB")) for frame in pillow("ImageSequence").Iterator(image)]
            return movement.stack(frames) if len(frames) > 1 else frames[0].contiguous()
        if wanted is ImageReadMode.GRAY:
            image.draft("L", image.size)  # has JPEG's luminance decoded alone
        image.load()
    except (OSError, IndexError, struct.error) as error:  # the last two from a GIF that ends between its frames
        raise ArgumentError(f"decode_image: {error}") from None
    if apply_exif_orientation:
        image = pillow("ImageOps").exif_transpose(image)
    if image.mode.startswith("I"):
        return creation.from_numpy(_gray_of_16_bits(image, wanted.name))
    if kind == "PNG" and wanted.name.startswith("GRAY") and image.mode in ("RGB", "RGBA", "P"):
        image = _to_gray_as_libpng(image)
    if wanted is not ImageReadMode.UNCHANGED:
        image = image.convert(_PILLOW_MODES[wanted.name])
    elif image.mode == "1" or (image.mode == "P" and kind != "PNG"):
        image = image.convert("L" if image.mode == "1" else "RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "CMYK" and "adobe" in image.info:
        image = pillow("ImageChops").invert(image)  # which Pillow inverts, and torchvision doesn't
    return pil_to_tensor(image).contiguous()


def _gray_of_16_bits(image: Any, mode: str) -> Any:
    gray = np.array(image).astype(np.uint16)[None]
    alpha = [np.full_like(gray, 65535)] if mode.endswith("ALPHA") else []
    return np.concatenate([gray] * (3 if mode.startswith("RGB") else 1) + alpha)


def _to_gray_as_libpng(image: Any) -> Any:
    """Convert to mode LA with libpng's weights, which torchvision sets to 0.2989 and 0.587, and its truncation."""
    colors = image.convert("RGBA")
    gray = np.asarray(colors, np.uint32)[..., :3] @ np.array([9794, 19234, 3740], np.uint32) >> 15
    return pillow().merge("LA", (from_pixels(gray.astype(np.uint8), "L"), colors.getchannel("A")))


def read_image(
    path: Path, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Tensor:
    """Read an image file to (C, H, W) uint8. Raises as decode_image does. Source: torchvision.io.read_image.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.porting.vision.io.write_png(torch.ones(1, 2, 3, dtype=torch.uint8), f"{folder}/a.png")
    ...     torch.porting.vision.io.read_image(f"{folder}/a.png", "RGB").shape
    torch.Size([3, 2, 3])
    """
    return decode_image(read_file(path), mode, apply_exif_orientation)


decode_png = decode_webp = decode_image


def decode_gif(input: Tensor) -> Tensor:
    """Decode the bytes of a GIF file: see decode_image. Source: torchvision.io.decode_gif."""
    return decode_image(input)


def decode_jpeg(
    input: Any,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    device: Any = "cpu",
    apply_exif_orientation: bool = False,
) -> Any:
    """Decode the bytes of a JPEG file, or of each in a list, to (C, H, W) uint8 on a device.

    Raises ValueError for an empty list, otherwise as decode_image does. Source: torchvision.io.decode_jpeg.

    >>> data = torch.porting.vision.io.encode_jpeg(torch.zeros(1, 2, 2, dtype=torch.uint8))
    >>> [tuple(image.shape) for image in torch.porting.vision.io.decode_jpeg([data, data], "RGB")]
    [(3, 2, 2), (3, 2, 2)]
    """
    if isinstance(input, list):
        return [decode_jpeg(x, mode, device, apply_exif_orientation) for x in _not_empty(input, "decode_jpeg")]
    return decode_image(input, mode, apply_exif_orientation).to(device)


def _not_empty(listed: list[Any], op: str) -> list[Any]:
    if not listed:
        raise ArgumentError(f"{op}: the list is empty")
    return listed


def _encoded(input: Tensor, op: str, **options: Any) -> Tensor:
    if input.dtype != uint8 or input.ndim != 3 or input.shape[0] not in (1, 3):
        raise DtypeError(f"{op}: input is {input.dtype} {tuple(input.shape)}, expected torch.uint8 (1 or 3, H, W)")
    file = io.BytesIO()
    to_pil_image(input).save(file, **options)
    return creation.from_numpy(np.frombuffer(file.getvalue(), np.uint8).copy())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """Encode an image (1 or 3, H, W) uint8 to the bytes of a PNG file, compressed by a level from 0 to 9.

    Raises RuntimeError for anything else. Source: torchvision.io.encode_png.

    >>> torch.porting.vision.io.encode_png(torch.zeros(1, 2, 2, dtype=torch.uint8))[1:4].tolist()
    [80, 78, 71]
    """
    if not 0 <= compression_level <= 9:
        raise ArgumentError(f"encode_png: compression_level is {compression_level}, expected 0 to 9")
    return _encoded(input, "encode_png", format="png", compress_level=compression_level)


def write_png(input: Tensor, filename: Path, compression_level: int = 6) -> None:
    """Write an image to a PNG file: see encode_png. Source: torchvision.io.write_png."""
    write_file(filename, encode_png(input, compression_level))


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """Encode an image (1 or 3, H, W) uint8, or each in a list, to the bytes of a JPEG file.

    Raises RuntimeError or ValueError for anything else. Source: torchvision.io.encode_jpeg.

    >>> torch.porting.vision.io.encode_jpeg(torch.zeros(1, 2, 2, dtype=torch.uint8))[:2].tolist()
    [255, 216]
    """
    if not 1 <= quality <= 100:
        raise ArgumentError(f"encode_jpeg: quality is {quality}, expected 1 to 100")
    if isinstance(input, list):
        return [encode_jpeg(x, quality) for x in _not_empty(input, "encode_jpeg")]
    return _encoded(input, "encode_jpeg", format="jpeg", quality=quality)


def write_jpeg(input: Tensor, filename: Path, quality: int = 75) -> None:
    """Write an image to a JPEG file: see encode_jpeg. Source: torchvision.io.write_jpeg."""
    write_file(filename, encode_jpeg(input, quality))
