"""Functions that flip, pad, crop and resize images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import bool_, float32, float64, uint8
from ..errors import ArgumentError, DimError, DtypeError, ShapeError, UnsupportedError
from ..errors.notices import warn
from ..nn import functional as nn
from ..ops import creation
from ..tensor import Tensor
from .images import (
    NUMERIC_TYPES,
    PIL_MODES,
    InterpolationMode,
    get_dimensions,
    get_image_num_channels,
    is_tensor_image,
    parse_interpolation,
    parse_size,
    pillow,
)

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")

PIL_IS_ANTIALIASED = "Anti-alias option is always applied for PIL Image input. Argument antialias is ignored."


def to_batch(img: Tensor, *dtypes: Any) -> tuple[Tensor, Any]:
    """Return images (..., C, H, W) as a batch (N, C, H, W) in one of `dtypes`, and the function that reverts this."""
    dtype, batches = img.dtype, img.shape[:-3]
    batch = img.unsqueeze(0) if img.ndim < 4 else img.flatten(0, -4)

    def from_batch(result: Tensor, rounded: bool = True) -> Tensor:
        result = result.squeeze(0) if img.ndim < 4 else result.reshape(*batches, *result.shape[1:])
        if rounded and not (dtype.is_floating_point or dtype in (result.dtype, bool_)):
            result = result.round()
        return result.to(dtype)

    return (batch if dtype in dtypes else batch.to(dtypes[0])), from_batch


def hflip(img: Any) -> Any:
    """Flip left and right. Raises TypeError unless img is an image. Source: torchvision.transforms.functional.hflip.

    >>> torch.transforms.functional.hflip(torch.tensor([[1, 2, 3]])).tolist()
    [[3, 2, 1]]
    """
    if is_tensor_image(img, "hflip"):
        return img.flip(-1)
    return img.transpose(pillow().Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Any) -> Any:
    """Flip top and bottom. Raises TypeError unless img is an image. Source: torchvision.transforms.functional.vflip.

    >>> torch.transforms.functional.vflip(torch.tensor([[1], [2]])).tolist()
    [[2], [1]]
    """
    if is_tensor_image(img, "vflip"):
        return img.flip(-2)
    return img.transpose(pillow().Transpose.FLIP_TOP_BOTTOM)


def parse_padding(padding: Any, op: str = "pad") -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) for one number, (left and right, top and bottom), or four numbers."""
    if isinstance(padding, NUMERIC_TYPES):
        padding = (padding,)
    if not isinstance(padding, (tuple, list)):
        raise DtypeError(f"{op}: padding is {type(padding).__name__}, expected a number or a tuple of 1, 2 or 4")
    if len(padding) not in (1, 2, 4):
        raise ArgumentError(f"{op}: padding has {len(padding)} numbers, expected 1, 2 or 4")
    left, top, right, bottom = (*padding,) * (4 // len(padding))
    return left, top, right, bottom


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Pad an image with `fill`, with its edge, or by reflection (mode "symmetric" repeats the edge).

    `padding`: one number, (left and right, top and bottom), or (left, top, right, bottom). Negative padding crops.
    Raises TypeError unless img is an image, ValueError for other modes and numbers of sides.
    Source: torchvision.transforms.functional.pad.

    >>> torch.transforms.functional.pad(torch.tensor([[[1, 2]]]), (1, 0), padding_mode="symmetric").tolist()
    [[[1, 1, 2, 2]]]
    """
    left, top, right, bottom = parse_padding(padding)
    if not (fill is None or isinstance(fill, (*NUMERIC_TYPES, tuple, list))):
        raise DtypeError(f"pad: fill is {type(fill).__name__}, expected a number or a tuple")
    if padding_mode not in PADDING_MODES:
        raise ArgumentError(f"pad: padding_mode is {padding_mode!r}, expected one of {', '.join(PADDING_MODES)}")
    if not is_tensor_image(img, "pad"):
        return _pad_pil(img, (left, top, right, bottom), fill, padding_mode)
    if isinstance(fill, (tuple, list)):
        raise DtypeError("pad: fill is a sequence, expected a number for a Tensor")
    if padding_mode == "symmetric":
        return _pad_reflected(img, left, top, right, bottom)
    if padding_mode == "constant":
        batch, from_batch = to_batch(img, img.dtype)
        return from_batch(nn.pad(batch, [left, right, top, bottom], value=float(fill or 0)))
    batch, from_batch = to_batch(img, float32, float64)
    mode = "replicate" if padding_mode == "edge" else padding_mode
    return from_batch(nn.pad(batch, [left, right, top, bottom], mode=mode), rounded=False)


def _pad_reflected(img: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    if not 3 <= img.ndim <= 4:
        raise UnsupportedError("pad: Symmetric padding of N-D tensors are not supported yet")
    for dim, before, after in ((-2, top, bottom), (-1, left, right)):
        img = img.narrow(dim, max(-before, 0), img.shape[dim] + min(before, 0) + min(after, 0))
        n = img.shape[dim]
        if max(before, after) > n:
            raise DimError(f"pad: {max(before, after)} pixels of padding are more than the image's {n}")
        order = [*range(before - 1, -1, -1), *range(n), *range(n - 1, n - 1 - after, -1)]
        img = img.index_select(dim, creation.tensor(order, device=img.device))
    return img


def _pad_pil(img: Any, around: tuple[int, int, int, int], fill: Any, mode: str) -> Any:
    palette = img.getpalette() if img.mode == "P" else None
    if mode == "constant":
        img = pillow("ImageOps").expand(img, border=around, fill=pil_fill(fill, img))
    else:
        left, top, right, bottom = around
        img = img.crop((-min(left, 0), -min(top, 0), img.width + min(right, 0), img.height + min(bottom, 0)))
        widths = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0)]
        pixels = np.asarray(img)
        img = pillow().fromarray(np.pad(pixels, widths[: pixels.ndim], mode=mode))  # type: ignore[call-overload]
    if palette is not None:
        img.putpalette(palette)
    return img


def pil_fill(fill: Any, img: Any) -> Any:
    """Return the fill of a PIL image, with one number per channel. Raises ValueError for another count."""
    channels = get_image_num_channels(img)
    fill = 0 if fill is None else fill
    kind = float if img.mode == "F" else int
    if not isinstance(fill, (tuple, list)):
        return (kind(fill),) * channels if channels > 1 else kind(fill)
    if len(fill) not in (1, channels):
        raise ArgumentError(f"fill has {len(fill)} numbers, but the image {channels} channels")
    return tuple(kind(x) for x in (*fill,) * (channels // len(fill)))


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """Crop an image from a row and a column on; pixels outside are 0. Raises TypeError unless img is an image.

    Source: torchvision.transforms.functional.crop.

    >>> torch.transforms.functional.crop(torch.arange(6).reshape(1, 2, 3), 1, 2, 1, 2).tolist()
    [[[5, 0]]]
    """
    if not is_tensor_image(img, "crop"):
        return img.crop((left, top, left + width, top + height))
    _, h, w = get_dimensions(img)
    right, bottom = left + width, top + height
    inside = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if left >= 0 and top >= 0 and right <= w and bottom <= h:
        return inside
    before = max(min(0, right) - left, 0), max(min(0, bottom) - top, 0)
    return pad(inside, [*before, max(right - max(w, left), 0), max(bottom - max(h, top), 0)])


def center_crop(img: Any, output_size: Any) -> Any:
    """Crop the center to (h, w), given by one number or two. A smaller image is padded with zeros.

    Source: torchvision.transforms.functional.center_crop.

    >>> torch.transforms.functional.center_crop(torch.arange(9).reshape(1, 3, 3), [1, 5]).tolist()
    [[[0, 3, 4, 5, 0]]]
    """
    height, width = parse_size(output_size, "center_crop: output_size has two numbers")
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        dx, dy = max(width - w, 0), max(height - h, 0)
        img = pad(img, [dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2])
        _, h, w = get_dimensions(img)
        if (height, width) == (h, w):
            return img
    return crop(img, round((h - height) / 2.0), round((w - width) / 2.0), height, width)


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """Crop the four corners (top left, top right, bottom left, bottom right) and the center to (h, w).

    Raises ValueError if the image is smaller. Source: torchvision.transforms.functional.five_crop.

    >>> [x.item() for x in torch.transforms.functional.five_crop(torch.arange(9).reshape(1, 3, 3), 1)]
    [0, 2, 6, 8, 4]
    """
    height, width = parse_size(size, "five_crop: size has two numbers")
    _, h, w = get_dimensions(img)
    if height > h or width > w:
        raise ShapeError(f"five_crop: size is {(height, width)}, larger than the image's {(h, w)}")
    corners = [(top, left) for top in (0, h - height) for left in (0, w - width)]
    return (*(crop(img, *corner, height, width) for corner in corners), center_crop(img, [height, width]))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """five_crop of an image and of its flipped image. Source: torchvision.transforms.functional.ten_crop.

    >>> len(torch.transforms.functional.ten_crop(torch.zeros(3, 4, 4), 2))
    10
    """
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def resized_output_size(h: int, w: int, size: Sequence[int] | None, max_size: int | None) -> list[int]:
    """Return height and width after `resize`. A single number in `size` is for the shorter edge."""
    if size is not None and len(size) == 2:
        return [size[0], size[1]]
    short, long = min(h, w), max(h, w)
    if size is None:
        new_short, new_long = int(max_size * short / long), max_size  # type: ignore[operator]
    else:
        new_short, new_long = size[0], int(size[0] * long / short)
        if max_size is not None and max_size <= size[0]:
            raise ArgumentError(
                f"resize: max_size is {max_size}, expected more than the size {size[0]} of the shorter edge"
            )
        if max_size is not None and new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if w <= h else [new_short, new_long]  # type: ignore[list-item]


def resize(
    img: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Resize an image to (h, w), or to one number for the shorter edge, with the longer one at most max_size.

    PIL images are always antialiased, Tensors if `antialias` is true and the mode is bilinear, bicubic or lanczos.
    Raises TypeError for other types of image or mode, ValueError for invalid sizes.
    Source: torchvision.transforms.functional.resize.

    >>> torch.transforms.functional.resize(torch.zeros(3, 4, 8), 2).shape
    torch.Size([3, 2, 4])
    """
    return resize_as(img, size, interpolation, max_size, antialias, float32, float64)


def resize_as(img: Any, size: Any, mode: Any, max_size: int | None, antialias: bool | None, *dtypes: Any) -> Any:
    """`resize` with pixels of other dtypes than `dtypes` computed in the first of these and rounded."""
    mode = parse_interpolation(mode, "resize")
    if isinstance(size, int):
        size = [size]
    if size is not None and len(size) not in (1, 2):
        raise ArgumentError(f"resize: size has {len(size)} numbers, expected 1 or 2")
    if max_size is not None and size is not None and len(size) != 1:
        raise ArgumentError(f"resize: max_size is {max_size}, but size {size} says both edges")
    _, h, w = get_dimensions(img)
    new = resized_output_size(h, w, size, max_size)
    if new == [h, w]:
        return img
    if not isinstance(img, Tensor):
        if antialias is False:
            warn(PIL_IS_ANTIALIASED)
        return img.resize((new[1], new[0]), PIL_MODES[mode])
    smooth = mode.value in ("bilinear", "bicubic", "lanczos")
    batch, from_batch = to_batch(img, *dtypes)
    settings = {"align_corners": False, "antialias": bool(antialias)} if smooth else {}
    batch = nn.interpolate(batch, size=new, mode=mode.value, **settings)
    if mode is not InterpolationMode.BILINEAR and img.dtype == uint8 != batch.dtype:
        batch = batch.clamp(0, 255)
    return from_batch(batch)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Crop a part of an image and resize it. Source: torchvision.transforms.functional.resized_crop.

    >>> torch.transforms.functional.resized_crop(torch.zeros(3, 4, 8), 0, 0, 3, 3, [2, 2]).shape
    torch.Size([3, 2, 2])
    """
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)
