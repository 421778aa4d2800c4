"""Fake quantization, for quantization-aware training: round to the grid of a quantized dtype, but keep floats.

The gradient passes straight through, except where a value was clipped to the range (Bengio et al. 2013).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .autograd.function import Function
from .dtypes import float16, float32
from .errors import ArgumentError, DimError, DtypeError, KindError, ShapeError
from .function.naming import with_torch_name
from .ops.creation import as_tensor
from .ops.support.spelling import tensors_only
from .tensor import Tensor

ZERO_POINT_DTYPES = (np.dtype(np.int32), np.dtype(np.float32), np.dtype(np.float16))


class FakeQuantize(Function):
    """Round to the nearest point of the grid."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
        q = (x.float() if x.dtype == float16 else x) * (1 / scale)
        if isinstance(zero_point, Tensor) and zero_point.is_floating_point():  # zero may lie between two grid points
            q = (q + zero_point).round()
        else:
            q = q.round() + zero_point
        ctx.save_for_backward((q >= quant_min) & (q <= quant_max))
        q = q.nan_to_num(nan=quant_min).clamp(quant_min, quant_max)
        q = q - zero_point
        return ((q if scale.ndim else q.float()) * scale).to(x.dtype)  # per channel the result is rounded once

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (in_range,) = ctx.saved_tensors
        return grad * in_range, None, None, None, None


def _check(op: str, x: Tensor, scale: Any, quant_min: int, quant_max: int) -> None:
    if x.array.dtype.kind != "f":
        raise KindError(f"{op}: not implemented for {x.dtype}")
    if quant_min > quant_max:
        raise ArgumentError(f"{op}: `quant_min` should be less than or equal to `quant_max`: {quant_min}, {quant_max}")
    if isinstance(scale, Tensor) and scale.node is not None:
        raise ArgumentError(f"{op}: is not differentiable with respect to 'scale', which requires grad")


def _check_range(op: str, zero_point: Tensor, quant_min: int, quant_max: int) -> None:
    if not bool(((zero_point >= quant_min) & (zero_point <= quant_max)).all()):
        raise ArgumentError(f"{op}: `zero_point` must be between `quant_min` and `quant_max`: {quant_min}, {quant_max}")


@tensors_only
def fake_quantize_per_tensor_affine(
    input: Tensor, scale: float | Tensor, zero_point: int | Tensor, quant_min: int, quant_max: int
) -> Tensor:
    """Round input to the nearest (q - zero_point) · scale with an integer q from quant_min to quant_max.

    The result has input's shape and dtype. NaN becomes the smallest value. The gradient passes through where input is
    in range, else it is 0. Raises RuntimeError for an empty range, for a number zero_point outside of it, and for a
    scale that requires grad. Source: torch.fake_quantize_per_tensor_affine.

    >>> torch.fake_quantize_per_tensor_affine(torch.tensor([0.0552, 0.973, -1.078]), 0.1, 0, 0, 255)
    tensor([0.1000, 1.0000, 0.0000])
    """
    op = "fake_quantize_per_tensor_affine"
    _check(op, input, scale, quant_min, quant_max)
    name = "FakeQuantizePerTensorAffineCachemask"
    if isinstance(zero_point, Tensor):
        name += "TensorQparams"
        zero_point = zero_point.long().reshape(())
    else:
        _check_range(op, as_tensor(zero_point), quant_min, quant_max)
    scale = as_tensor(scale, dtype=float32, device=input.device).reshape(())
    return with_torch_name(f"{name}Backward0", FakeQuantize.apply(input, scale, zero_point, quant_min, quant_max))


@tensors_only
def fake_quantize_per_channel_affine(
    input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    """Fake-quantize each of the C channels along axis with a scale (C,), float32, and a zero_point (C,) of its own.

    See `fake_quantize_per_tensor_affine`. Raises RuntimeError where scale and zero_point don't fit input, IndexError
    for an axis out of range. Source: torch.fake_quantize_per_channel_affine.

    >>> scale, zero_point = torch.tensor([0.5, 0.25]), torch.zeros(2, dtype=torch.int32)
    >>> torch.fake_quantize_per_channel_affine(torch.full((2, 2), 0.3), scale, zero_point, 0, 0, 255)
    tensor([[0.5000, 0.5000],
            [0.2500, 0.2500]])
    """
    op = "fake_quantize_per_channel_affine"
    if scale.dtype != float32:
        raise DtypeError(f"{op}: scale must be Float, found {scale.dtype}")
    if zero_point.array.dtype not in ZERO_POINT_DTYPES:
        raise DtypeError(f"{op}: zero_point must be Int32, Float or Half, found {zero_point.dtype}")
    if scale.shape != zero_point.shape or scale.ndim != 1:
        raise ShapeError(
            f"{op}: scale {tuple(scale.shape)} and zero_point {tuple(zero_point.shape)} must be alike, 1-D"
        )
    if not -input.ndim <= axis < input.ndim:
        raise DimError(f"{op}: axis {axis} is out of range for input of {input.ndim} dimensions")
    if axis < 0 or len(scale) != input.shape[axis]:
        raise ShapeError(f"{op}: {len(scale)} scales don't fit axis {axis} of input {tuple(input.shape)}")
    if zero_point.array.dtype.kind == "i":
        _check_range(op, zero_point, quant_min, quant_max)
    _check(op, input, scale, quant_min, quant_max)
    shape = [-1 if i == axis else 1 for i in range(input.ndim)]
    parts = scale.view(shape), zero_point.view(shape)
    found = FakeQuantize.apply(input, *parts, quant_min, quant_max)
    return with_torch_name("FakeQuantizePerChannelAffineCachemaskBackward0", found)
