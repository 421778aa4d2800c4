"""Kernels of quantized operators, whose integers x stand for (x − zero point) · scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops import creation, elementwise, linalg, movement
from ...tensor import Tensor
from ..graphs import Node, operator
from ..tensors import kind_of
from .movement import column
from .window import conv


def _align(part: Tensor, x: Tensor, axis: int, block: int = 0) -> Tensor:
    """Expand a scale or zero point, per tensor, per axis or per block, to broadcast with x."""
    if part.array.size == 1:
        return movement.reshape(part, ())
    axis %= x.ndim
    if part.ndim == 1:
        return column(part, x.ndim, axis)
    block = block or -(-x.shape[axis] // part.shape[axis])
    return movement.narrow(movement.repeat_interleave(part, block, axis), axis, 0, x.shape[axis])


def _align_blocks(part: Tensor, x: Tensor, node: Node) -> Tensor:
    return _align(part, x, node.get("axis", 1), node.get("block_size", 0))


@operator("QuantizeLinear")
def quantize_linear(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Any:
    kind = node.get("output_dtype")
    dtype = zero.array.dtype if zero is not None else kind_of(kind, "the result") if kind else np.dtype(np.uint8)
    info = np.iinfo(dtype)
    scaled = elementwise.round(x / _align_blocks(scale.to(x.dtype), x, node))
    shift = 0 if zero is None else _align_blocks(zero.to(np.int32), x, node)
    return elementwise.clamp(scaled + shift, info.min, info.max).to(dtype)


@operator("DequantizeLinear")
def dequantize_linear(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Any:
    wide = x.to(np.int32)
    centered = wide if zero is None else wide - _align_blocks(zero.to(np.int32), x, node)
    kind = node.get("output_dtype")
    made = centered.to(scale.dtype) * _align_blocks(scale, x, node)
    return made.to(kind_of(kind, "the result")) if kind else made


@operator("DynamicQuantizeLinear")
def dynamic_quantize_linear(node: Node, x: Tensor) -> Any:
    low, high = np.minimum(x.array.min(), 0), np.maximum(x.array.max(), 0)
    scale = np.float32((high - low) / 255) or np.float32(1)
    zero = np.clip(np.rint(-low / scale), 0, 255).astype(np.uint8)
    made = np.clip(np.rint(x.array / scale) + zero, 0, 255).astype(np.uint8)
    return tuple(creation.as_tensor(np.asarray(part)) for part in (made, scale, zero))


def _subtract_zero_point(x: Tensor, zero: Tensor | None, axis: int, dtype: Any = np.float64) -> Tensor:
    """Return x − zero point, in a dtype that can hold it."""
    return x.to(dtype) if zero is None else x.to(dtype) - _align(zero, x, axis).to(dtype)


def _dequantize(x: Tensor, scale: Tensor, zero: Tensor, axis: int) -> Tensor:
    """Convert integers to the numbers that they stand for."""
    return _subtract_zero_point(x, zero, axis) * _align(scale, x, axis).double()


def _quantize(x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Convert numbers to integers of the zero point's dtype."""
    info = np.iinfo(zero.array.dtype)
    return elementwise.clamp(elementwise.round(x / scale.double()) + zero.double(), info.min, info.max).to(zero.dtype)


@operator("MatMulInteger")
def matmul_integer(node: Node, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None) -> Any:
    return linalg.matmul(_subtract_zero_point(a, a_zero, -2, np.int32), _subtract_zero_point(b, b_zero, -1, np.int32))


@operator("QLinearMatMul")
def qlinear_matmul(node: Node, *inputs: Tensor) -> Any:
    a, a_scale, a_zero, b, b_scale, b_zero, *stored = inputs
    return _quantize(linalg.matmul(_dequantize(a, a_scale, a_zero, -2), _dequantize(b, b_scale, b_zero, -1)), *stored)


@operator("ConvInteger")
def conv_integer(node: Node, x: Tensor, weight: Tensor, x_zero: Any = None, w_zero: Any = None) -> Any:
    return conv(node, _subtract_zero_point(x, x_zero, 1), _subtract_zero_point(weight, w_zero, 0)).to(np.int32)


@operator("QLinearConv")
def qlinear_conv(node: Node, *inputs: Any) -> Any:
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = inputs
    made = conv(node, _dequantize(x, x_scale, x_zero, 1), _dequantize(w, w_scale, w_zero, 0))
    if bias and bias[0] is not None:
        made = made + column(bias[0].double() * x_scale.double() * w_scale.double(), made.ndim)
    return _quantize(made, y_scale, y_zero)
