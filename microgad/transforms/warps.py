"""Functions that warp images: rotation, affine, perspective and elastic maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import float32
from ..errors import ArgumentError, DtypeError, ShapeError
from ..nn import functional as nn
from ..ops import creation, movement
from ..tensor import Tensor
from .conversion import pil_to_tensor, to_pil_image
from .geometry import pil_fill, to_batch
from .images import PIL_MODES, InterpolationMode, get_dimensions, is_tensor_image, parse_interpolation, pillow

Fill = Any


def _sample(img: Tensor, grid: Any, mode: InterpolationMode, fill: Fill, op: str) -> Tensor:
    """Sample an image at the points (x, y) of a grid (1, H, W, 2), with edges at -1 and 1, and `fill` outside."""
    if mode.value not in ("nearest", "bilinear", *(["bicubic"] if op == "elastic_transform" else [])):
        raise ArgumentError(f"{op}: Interpolation mode '{mode.value}' is unsupported with Tensor input")
    if isinstance(fill, (tuple, list)) and len(fill) not in (1, get_dimensions(img)[0]):
        raise ArgumentError(f"{op}: fill has {len(fill)} numbers, but the image {get_dimensions(img)[0]} channels")
    batch, from_batch = to_batch(img, grid.dtype)
    grid = grid.expand(len(batch), *grid.shape[1:])
    if fill is None:
        return from_batch(nn.grid_sample(batch, grid, mode.value, "zeros", align_corners=False))
    mask = creation.ones_like(batch[:, :1])
    found = nn.grid_sample(movement.cat((batch, mask), 1), grid, mode.value, "zeros", align_corners=False)
    found, mask = found[:, :-1], found[:, -1:]
    outside = creation.tensor(fill, dtype=batch.dtype, device=batch.device).reshape(1, -1, 1, 1)
    if mode is InterpolationMode.NEAREST:
        return from_batch(found.where(mask >= 0.5, outside))
    return from_batch(found * mask + (1.0 - mask) * outside)


def _pixel_coordinates(height: int, width: int, x: float, y: float, like: Tensor) -> Tensor:
    """Return the homogeneous coordinates (x, y, 1) of all pixels, (1, height · width, 3), starting at x and y."""
    rows = creation.linspace(y, y + height - 1, height, device=like.device)
    columns = creation.linspace(x, x + width - 1, width, device=like.device)
    points = [columns.expand(height, width), rows.unsqueeze(-1).expand(height, width), columns.new_ones(height, width)]
    return movement.stack([p.to(like.dtype) for p in points], -1).reshape(1, height * width, 3)


def _affine_grid(img: Tensor, matrix: Sequence[float], height: int, width: int) -> Tensor:
    """Return the source of each pixel of (height, width) for an affine map with the image's center as origin."""
    theta = creation.tensor(matrix, dtype=img.dtype if img.is_floating_point() else float32, device=img.device)
    half = creation.tensor([0.5 * img.shape[-1], 0.5 * img.shape[-2]], dtype=theta.dtype, device=img.device)
    plane = _pixel_coordinates(height, width, -width * 0.5 + 0.5, -height * 0.5 + 0.5, theta)
    return plane.bmm(theta.reshape(1, 2, 3).transpose(1, 2) / half).reshape(1, height, width, 2)


def _inverse_matrix(
    center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float]
) -> list[float]:
    """Return the 2 × 3 matrix that maps pixels of a sheared, rotated, scaled and translated image to their sources."""
    turn, sx, sy = (math.radians(a) for a in (angle, *shear))
    cx, cy = center
    tx, ty = translate
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    m = [x / scale for x in (d, -b, 0.0, -c, a, 0.0)]
    m[2] += m[0] * (-cx - tx) + m[1] * (-cy - ty)
    m[5] += m[3] * (-cx - tx) + m[4] * (-cy - ty)
    return [m[0], m[1], m[2] + cx, m[3], m[4], m[5] + cy]


def _rotated_size(matrix: Sequence[float], height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) that contains the whole rotated image."""
    x, y = 0.5 * width, 0.5 * height
    corners = np.array([[-x, -y, 1.0], [-x, y, 1.0], [x, y, 1.0], [x, -y, 1.0]], np.float32)
    half = np.array([x, y], np.float32)
    turned = corners @ np.reshape(matrix, (2, 3)).astype(np.float32).T
    # Truncated, so that a corner within an ulp of a pixel's edge doesn't add a pixel.
    low, high = (
        np.trunc((bound + half) / np.float32(1e-4)) * np.float32(1e-4) for bound in (turned.min(0), turned.max(0))
    )
    columns, rows = np.ceil(high) - np.floor(low)
    return int(rows), int(columns)


def _checked(op: str, angle: Any, center: Any) -> None:
    if not isinstance(angle, (int, float)):
        raise DtypeError(f"{op}: angle is {type(angle).__name__}, expected a number")
    if center is not None and not isinstance(center, (list, tuple)):
        raise DtypeError(f"{op}: center is {type(center).__name__}, expected (x, y)")


def _relative_to_center(center: Sequence[float] | None, img: Any) -> list[float]:
    """Return a point relative to the center of an image."""
    _, height, width = get_dimensions(img)
    return [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[int] | None = None,
    fill: Fill = None,
) -> Any:
    """Rotate by degrees, counterclockwise, around (x, y) or the center; `expand` enlarges the result to fit.

    Raises TypeError for arguments of other types. Source: torchvision.transforms.functional.rotate.

    >>> torch.transforms.functional.rotate(torch.arange(4.0).reshape(1, 2, 2), 90).tolist()
    [[[1.0, 3.0], [0.0, 2.0]]]
    """
    mode = parse_interpolation(interpolation, "rotate")
    _checked("rotate", angle, center)
    if not is_tensor_image(img, "rotate"):
        return img.rotate(angle, PIL_MODES[mode], expand, center, fillcolor=pil_fill(fill, img))
    matrix = _inverse_matrix(_relative_to_center(center, img), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    _, height, width = get_dimensions(img)
    if expand:
        height, width = _rotated_size(matrix, height, width)
    return _sample(img, _affine_grid(img, matrix, height, width), mode, fill, "rotate")


def affine(
    img: Any,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Fill = None,
    center: Sequence[int] | None = None,
) -> Any:
    """Shear, rotate (by degrees, clockwise), scale and translate by (x, y).

    Raises TypeError for arguments of other types, ValueError for other lengths and a scale <= 0.
    Source: torchvision.transforms.functional.affine.

    >>> torch.transforms.functional.affine(torch.ones(1, 1, 3), 0, [1, 0], 1.0, 0.0).tolist()
    [[[0.0, 1.0, 1.0]]]
    """
    mode = parse_interpolation(interpolation, "affine")
    _checked("affine", angle, center)
    if not isinstance(translate, (list, tuple)):
        raise DtypeError(f"affine: translate is {type(translate).__name__}, expected (x, y)")
    if len(translate) != 2:
        raise ArgumentError(f"affine: translate has {len(translate)} numbers, expected 2")
    if scale <= 0.0:
        raise ArgumentError(f"affine: scale is {scale}, expected more than 0")
    if not isinstance(shear, (int, float, list, tuple)):
        raise DtypeError(f"affine: shear is {type(shear).__name__}, expected a number, or one for x and one for y")
    shear = [shear, 0.0] if isinstance(shear, (int, float)) else [*shear] * (2 if len(shear) == 1 else 1)
    if len(shear) != 2:
        raise ArgumentError(f"affine: shear has {len(shear)} numbers, expected 2")
    if not is_tensor_image(img, "affine"):
        at = center or [img.width * 0.5, img.height * 0.5]
        matrix = _inverse_matrix(at, angle, translate, scale, shear)
        return _transformed(img, "AFFINE", matrix, mode, fill)
    matrix = _inverse_matrix(_relative_to_center(center, img), angle, translate, scale, shear)
    return _sample(img, _affine_grid(img, matrix, *img.shape[-2:]), mode, fill, "affine")


def _transformed(img: Any, method: str, numbers: Sequence[float], mode: InterpolationMode, fill: Fill) -> Any:
    transform = getattr(pillow().Transform, method)
    return img.transform(img.size, transform, numbers, PIL_MODES[mode], fillcolor=pil_fill(fill, img))


def perspective_coefficients(startpoints: Any, endpoints: Any) -> list[float]:
    """Return a … h of (x, y) -> ((ax + by + c)/(gx + hy + 1), (dx + ey + f)/(gx + hy + 1)) from end to start points."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ArgumentError(
            f"perspective: {len(startpoints)} start and {len(endpoints)} end points, expected 4 of each"
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    wanted = np.array(startpoints, np.float64).reshape(8)
    solution = np.linalg.lstsq(np.array(rows, np.float64), wanted, rcond=None)[0]
    return [float(x) for x in solution.astype(np.float32)]


def perspective(
    img: Any,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: Any = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> Any:
    """Change the perspective so that four startpoints (x, y) move to the endpoints.

    Raises TypeError for arguments of other types, ValueError for other numbers of points.
    Source: torchvision.transforms.functional.perspective.

    >>> square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    >>> torch.transforms.functional.perspective(torch.ones(1, 2, 2), square, square).round().tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    numbers, mode = perspective_coefficients(startpoints, endpoints), parse_interpolation(interpolation, "perspective")
    if not is_tensor_image(img, "perspective"):
        return _transformed(img, "PERSPECTIVE", numbers, mode, fill)
    height, width = img.shape[-2:]
    dtype = img.dtype if img.is_floating_point() else float32
    theta = creation.tensor([*numbers, 1.0], dtype=dtype, device=img.device).reshape(3, 3)
    half = creation.tensor([0.5 * width, 0.5 * height], dtype=dtype, device=img.device)
    plane = _pixel_coordinates(height, width, 0.5, 0.5, theta)
    above = plane.bmm((theta[:2].T / half).unsqueeze(0))
    below = plane.bmm(theta[[2, 2]].T.unsqueeze(0))
    grid = (above / below - 1.0).reshape(1, height, width, 2)
    return _sample(img, grid, mode, fill, "perspective")


def elastic_transform(
    img: Any, displacement: Tensor, interpolation: Any = InterpolationMode.BILINEAR, fill: Fill = None
) -> Any:
    """Shift the source of each pixel by a displacement (1, H, W, 2), x and y in halves of the width and height.

    Raises TypeError for arguments of other types, ValueError for another shape.
    Source: torchvision.transforms.functional.elastic_transform.

    >>> torch.transforms.functional.elastic_transform(torch.ones(1, 2, 2), torch.zeros(1, 2, 2, 2)).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """
    mode = parse_interpolation(interpolation, "elastic_transform")
    if not isinstance(displacement, Tensor):
        raise DtypeError(f"elastic_transform: displacement is {type(displacement).__name__}, expected a Tensor")
    image = img if is_tensor_image(img, "elastic_transform") else pil_to_tensor(img)
    wanted = (1, *image.shape[-2:], 2)
    if tuple(displacement.shape) != wanted:
        raise ShapeError(f"elastic_transform: displacement has shape {tuple(displacement.shape)}, expected {wanted}")
    rows, columns = (creation.linspace((1 - n) / n, (n - 1) / n, n, device=image.device) for n in image.shape[-2:])
    points = [columns.expand(image.shape[-2:]), rows.unsqueeze(-1).expand(image.shape[-2:])]
    grid = movement.stack(points, -1).unsqueeze(0) + displacement.to(image.device)
    result = _sample(image, grid, mode, fill, "elastic_transform")
    return result if isinstance(img, Tensor) else to_pil_image(result, img.mode)
