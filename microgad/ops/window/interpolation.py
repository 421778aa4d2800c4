"""Resizing of 1-D, 2-D and 3-D inputs: `interpolate`, one dimension after the other, and its older names."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import function
from ...errors import DtypeError, KindError, ShapeError, UnsupportedError
from ...errors.notices import warn
from ...function.naming import with_torch_name
from ...state import composite
from ...type_aliases import Tensor
from .adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .geometry import invalid
from .resample import KERNELS, Resample, ResampleMatrix

Scale = float | Sequence[float] | None
PLAIN = ("nearest", "nearest-exact", "area")  # the modes that take no align_corners


@composite
def interpolate(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: Scale = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """Resize the spatial dimensions of (N, C, L), (N, C, H, W) or (N, C, D, H, W) to `size` or by `scale_factor`.

    The modes are "nearest", "nearest-exact" and "area"; "linear" in 1-D; "bilinear", "bicubic" and, with antialias,
    "lanczos" in 2-D; "trilinear" in 3-D. With align_corners, the centers of the corner cells stay in place. Raises
    ValueError for arguments that contradict each other, NotImplementedError for a mode of other dimensions.
    Source: torch.nn.functional.interpolate.

    >>> F.interpolate(torch.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    op, dims = "interpolate", input.ndim - 2
    plain = mode in PLAIN
    if plain and align_corners is not None:
        raise invalid(op, f"align_corners can be set for the modes that interpolate, not for {mode}")
    if recompute_scale_factor and isinstance(scale_factor, function.Tensor):
        scale_factor = scale_factor.item()
    out, scales = _output_sizes(op, input, size, scale_factor, dims)
    if recompute_scale_factor and size is not None:
        raise invalid(op, "recompute_scale_factor is not meaningful with an explicit size")
    if recompute_scale_factor:
        scales = [None] * dims
    _check(op, input, mode, align_corners, antialias, out)
    dtype, sizes = input.array.dtype, input.array.shape[2:]
    if mode == "nearest" and dims == 2:  # if a side stays or doubles, PyTorch ignores the exact scale_factor
        scales = [None if steps in (n, 2 * n) else scale for n, steps, scale in zip(sizes, out, scales, strict=True)]
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[dims - 1](input, out)
    changed = [i for i in range(dims) if not _is_identity(mode, antialias, sizes[i], out[i], scales[i])] or [0]
    kind = "float64" if dtype in (np.float64, np.uint8) else "float32"
    align = bool(align_corners)
    matrices = [ResampleMatrix.resizing(mode, sizes[i], out[i], align, scales[i], antialias, kind) for i in range(dims)]
    if dtype == np.uint8 and not plain:
        result = input.double()
        for i in reversed(changed):  # the width first, rounded to uint8 after each dimension
            result = (Resample.apply(result, axis=i + 2, matrix=matrices[i].rounded) + 0.5).floor().clamp(0, 255)
        return result.to(input.dtype)
    result = input
    for i in reversed(changed) if antialias else sorted(changed, key=lambda i: out[i] / sizes[i]):
        result = Resample.apply(result, axis=i + 2, matrix=matrices[i])
    kind = {"nearest": "Nearest", "nearest-exact": "NearestExact"}.get(mode, mode.capitalize())
    return with_torch_name(f"Upsample{kind}{dims}D{'Aa' * antialias}", result)


def _check(op: str, input: Tensor, mode: str, align_corners: bool | None, antialias: bool, out: list[int]) -> None:
    """Raise an error for a mode that does not take this input, and for sizes of 0."""
    dims = input.ndim - 2
    if antialias and (mode not in KERNELS or dims != 2):
        raise invalid(op, f"antialias is for bilinear, bicubic and lanczos of 4-D input, got {mode} and {dims + 2}-D")
    if dims not in (1, 2, 3):
        raise invalid(op, f"input must have 3 to 5 dimensions, got {input.ndim}", UnsupportedError)
    wanted = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}.get(mode)
    if wanted is None and mode not in PLAIN:
        raise invalid(op, f"mode {mode!r} of {dims + 2}-D input is not supported", UnsupportedError)
    if wanted not in (None, dims):
        raise invalid(op, f"Got {dims + 2}D input, but {mode} mode needs {wanted + 2}D input", UnsupportedError)
    if mode == "lanczos" and (align_corners or not antialias):
        raise invalid(op, "mode 'lanczos' needs antialias=True, and takes no align_corners")
    if min(out) < (mode != "area") or 0 in input.array.shape[1:]:
        raise invalid(op, f"input and output sizes should be greater than 0, got {tuple(input.shape)} and {out}")
    dtype = input.array.dtype
    if dtype.kind != "f" and (dtype != np.uint8 or mode in ("linear", "trilinear", "area")):
        rule = "it takes floating-point numbers, or bytes of planes"
        raise invalid(op, f"mode {mode!r} is not implemented for {input.dtype}: {rule}", KindError)


def upsample(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: Scale = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """Call `interpolate`; this is its deprecated name. Source: torch.nn.functional.upsample.

    >>> F.upsample(torch.tensor([[[1.0, 3.0]]]), 4)
    tensor([[[1., 1., 3., 3.]]])
    """
    _warn_deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: int | Sequence[int] | None = None, scale_factor: Scale = None) -> Tensor:
    """Call `interpolate` with mode="nearest". Source: torch.nn.functional.upsample_nearest.

    >>> F.upsample_nearest(torch.tensor([[[1.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    """
    _warn_deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: int | Sequence[int] | None = None, scale_factor: Scale = None) -> Tensor:
    """Call `interpolate` with mode="bilinear" and align_corners. Source: torch.nn.functional.upsample_bilinear.

    >>> F.upsample_bilinear(torch.tensor([[[[1.0, 3.0]]]]), (1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    _warn_deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _warn_deprecated(name: str) -> None:
    message = f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead."
    warn(message)


def _output_sizes(op: str, input: Tensor, size: Any, scale_factor: Any, dims: int) -> tuple[list[int], list[Any]]:
    """Return the output's sizes, and the scale of each dimension, None if sizes were given."""
    if (size is None) == (scale_factor is None):
        rule = "either size or scale_factor" if size is None else "only one of size or scale_factor"
        raise invalid(op, f"{rule} should be defined")
    name, given = ("size", size) if scale_factor is None else ("scale_factor", scale_factor)
    if not isinstance(given, Sequence):
        given = [given] * dims
    elif len(given) != dims:
        other, found = ("output", "output size of") if name == "size" else (name, f"{name} of shape")
        rule = f"Input and {other} must have the same number of spatial dimensions, but got input with"
        sizes = [*input.array.shape[2:]]
        raise invalid(op, f"{rule} spatial dimensions of {sizes} and {found} {given}.", ShapeError)
    if scale_factor is not None:
        if any(isinstance(scale, function.Tensor) for scale in given):
            raise invalid(op, "scale_factor must be of numbers, not Tensors", DtypeError)
        scaled = [int(n * scale) for n, scale in zip(input.array.shape[2:], given, strict=True)]
        if max(scaled, default=0) >= 2**63:
            raise invalid(op, f"scale_factor {scale_factor} gives more places than int64 counts")
        return scaled, [*map(float, given)]
    try:
        return [*map(operator.index, given)], [None] * dims
    except TypeError:
        expected = "size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int]"
        raise invalid(op, f"expected {expected}, but got size {size!r}", DtypeError) from None


def _is_identity(mode: str, antialias: bool, size: int, steps: int, scale: float | None) -> bool:
    """Whether resizing along an axis changes nothing."""
    return size == steps and (scale in (None, 1) or antialias or mode.endswith("linear"))
