"""The transforms of version 2 that are derived from those of version 1."""

from __future__ import annotations

from typing import Any

from ...errors import DtypeError
from ...ops import creation
from .. import deterministic, random_color, random_crop
from .. import random_geometry as geom
from ..images import is_pil
from . import functional as F
from .base import parse_two, to_v2
from .images import Image, is_pure_tensor, like, query_chw, query_size


def _refuse_pil(self: Any, flat_inputs: list[Any]) -> None:
    if any(map(is_pil, flat_inputs)):
        raise DtypeError(f"{type(self).__name__}() does not support PIL images.")


def _transform_linearly(self: Any, inpt: Any, params: dict[str, Any]) -> Any:
    return like(deterministic.LinearTransformation.forward(self, inpt), inpt)


def _center_crop(self: Any, inpt: Any, params: dict[str, Any]) -> Any:
    return F.center_crop(inpt, self.size)


CenterCrop = to_v2(deterministic.CenterCrop, "size", body={"transform": _center_crop})
FiveCrop = to_v2(deterministic.FiveCrop, "size", F.five_crop)
TenCrop = to_v2(deterministic.TenCrop, "size vertical_flip", F.ten_crop)
Grayscale = to_v2(deterministic.Grayscale, "num_output_channels", F.rgb_to_grayscale)
Normalize = to_v2(
    deterministic.Normalize, "mean std inplace", F.normalize, lists="mean std", body={"check_inputs": _refuse_pil}
)
LinearTransformation = to_v2(
    deterministic.LinearTransformation,
    "",
    body={
        "check_inputs": _refuse_pil,
        "transform": _transform_linearly,
        "_transformed_types": (is_pure_tensor, Image),
    },
)


def _draw_crop(self: Any, flat_inputs: list[Any]) -> dict[str, Any]:
    image = creation.empty(1).expand(1, *query_size(flat_inputs))
    drawn = self.get_params(image, self.scale, self.ratio)
    return dict(zip(("top", "left", "height", "width"), drawn, strict=True))


def _draw_angle(self: Any, flat_inputs: list[Any]) -> dict[str, Any]:
    return {"angle": self.get_params(self.degrees)}


def _draw_affine_map(self: Any, flat_inputs: list[Any]) -> dict[str, Any]:
    size = query_size(flat_inputs)[::-1]
    drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, size)
    return dict(zip(("angle", "translate", "scale", "shear"), drawn, strict=True))


def _draw_corners(self: Any, flat_inputs: list[Any]) -> dict[str, Any]:
    height, width = query_size(flat_inputs)
    start, end = self.get_params(width, height, self.distortion_scale)
    return {"startpoints": start, "endpoints": end}


def _set_blur(self: Any, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
    random_color.GaussianBlur.__init__(self, kernel_size, parse_two(sigma, "sigma"))


def _draw_sigma(self: Any, flat_inputs: list[Any]) -> dict[str, Any]:
    return {"sigma": [self.get_params(*self.sigma)] * 2}


def _count_channels(self: Any, flat_inputs: list[Any]) -> dict[str, Any]:
    return {"num_output_channels": query_chw(flat_inputs)[0]}


RandomResizedCrop = to_v2(
    random_crop.RandomResizedCrop,
    "size scale ratio interpolation antialias",
    F.resized_crop,
    "size interpolation antialias",
    body={"make_params": _draw_crop},
    interpolation="bilinear",
)
RandomHorizontalFlip = to_v2(geom.RandomHorizontalFlip, "p", F.horizontal_flip)
RandomVerticalFlip = to_v2(geom.RandomVerticalFlip, "p", F.vertical_flip)
RandomRotation = to_v2(
    geom.RandomRotation,
    "degrees interpolation expand fill center",
    F.rotate,
    "interpolation expand fill center",
    body={"make_params": _draw_angle},
    interpolation="nearest",
)
RandomAffine = to_v2(
    geom.RandomAffine,
    "degrees translate scale shear interpolation fill center",
    F.affine,
    "interpolation fill center",
    body={"make_params": _draw_affine_map},
    interpolation="nearest",
)
RandomPerspective = to_v2(
    geom.RandomPerspective,
    "p distortion_scale interpolation fill",
    F.perspective,
    "interpolation fill",
    body={"make_params": _draw_corners},
    interpolation="bilinear",
)
RandomGrayscale = to_v2(random_color.RandomGrayscale, "p", F.rgb_to_grayscale, body={"make_params": _count_channels})
GaussianBlur = to_v2(
    random_color.GaussianBlur,
    "kernel_size sigma",
    F.gaussian_blur,
    "kernel_size",
    body={"__init__": _set_blur, "make_params": _draw_sigma},
)
RandomInvert = to_v2(random_color.RandomInvert, "p", F.invert)
RandomPosterize = to_v2(random_color.RandomPosterize, "p bits", F.posterize)
RandomSolarize = to_v2(random_color.RandomSolarize, "p threshold", F.solarize)
RandomAdjustSharpness = to_v2(random_color.RandomAdjustSharpness, "p sharpness_factor", F.adjust_sharpness)
RandomAutocontrast = to_v2(random_color.RandomAutocontrast, "p", F.autocontrast)
RandomEqualize = to_v2(random_color.RandomEqualize, "p", F.equalize)

_COLORS = ("brightness", "contrast", "saturation", "hue")


def _set_colors(
    self: Any, brightness: Any = None, contrast: Any = None, saturation: Any = None, hue: Any = None
) -> None:
    given = (brightness, contrast, saturation, hue)
    random_color.ColorJitter.__init__(self, *(0 if x is None else x for x in given))


def _draw_colors(self: Any, flat_inputs: list[Any]) -> dict[str, Any]:
    order, *factors = self.get_params(*(getattr(self, name) for name in _COLORS))
    return {"fn_idx": order} | {f"{name}_factor": x for name, x in zip(_COLORS, factors, strict=True)}


def _change_colors(self: Any, inpt: Any, params: dict[str, Any]) -> Any:
    for i in params["fn_idx"].tolist():
        factor = params[f"{_COLORS[i]}_factor"]
        if factor is not None:
            inpt = getattr(F, f"adjust_{_COLORS[i]}")(inpt, factor)
    return inpt


ColorJitter = to_v2(
    random_color.ColorJitter,
    " ".join(_COLORS),
    body={"__init__": _set_colors, "make_params": _draw_colors, "transform": _change_colors},
)
