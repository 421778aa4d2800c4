"""Integers that stand for (x − zero point) · scale: what makes them, what reads them, and what multiplies them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops import creation, elementwise, linalg, movement
from ...tensor import Tensor
from ..graphs import Node, operator
from ..tensors import kind_of
from .movement import column
from .window import conv


def _spread(x: Tensor, like: Tensor, node: Node) -> Tensor:
    """A scale or a zero point in the shape of what it is for: one for all, one for each place of an axis, or blocks."""
    if x.ndim == 0 or x.array.size == 1:
        return movement.reshape(x, ())
    axis = node.get("axis", 1) % like.ndim
    if x.ndim == 1:
        return column(x, like.ndim, axis)
    block = node.get("block_size", 0) or -(-like.shape[axis] // x.shape[axis])
    return movement.narrow(movement.repeat_interleave(x, block, axis), axis, 0, like.shape[axis])


@operator("QuantizeLinear")
def quantize_linear(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Any:
    kind = node.get("output_dtype")
    dtype = zero.array.dtype if zero is not None else kind_of(kind, "the result") if kind else np.dtype(np.uint8)
    info = np.iinfo(dtype)
    scaled = elementwise.round(x / _spread(scale.to(x.dtype), x, node))
    shift = 0 if zero is None else _spread(zero.to(np.int32), x, node)
    return elementwise.clamp(scaled + shift, info.min, info.max).to(dtype)


@operator("DequantizeLinear")
def dequantize_linear(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Any:
    wide = x.to(np.int32)
    centred = wide if zero is None else wide - _spread(zero.to(np.int32), x, node)
    kind = node.get("output_dtype")
    made = centred.to(scale.dtype) * _spread(scale, x, node)
    return made.to(kind_of(kind, "the result")) if kind else made


@operator("DynamicQuantizeLinear")
def dynamic_quantize_linear(node: Node, x: Tensor) -> Any:
    low, high = (np.minimum(x.array.min(), 0), np.maximum(x.array.max(), 0))
    scale = np.float32((high - low) / 255)
    zero = np.clip(np.rint(-low / scale), 0, 255).astype(np.uint8)
    made = np.clip(np.rint(x.array / scale) + zero, 0, 255).astype(np.uint8)
    return tuple(creation.as_tensor(np.asarray(part)) for part in (made, scale, zero))


def _per(part: Tensor, x: Tensor, axis: int) -> Tensor:
    """A scale or a zero point of x: one for all, or one for each place along an axis."""
    return column(part, x.ndim, axis % x.ndim) if part.ndim == 1 else part


def _centred(x: Tensor, zero: Tensor | None, axis: int, dtype: Any = np.float64) -> Tensor:
    """x − zero point, in a dtype that has room for it."""
    return x.to(dtype) if zero is None else x.to(dtype) - _per(zero, x, axis).to(dtype)


def _real(x: Tensor, scale: Tensor, zero: Tensor, axis: int) -> Tensor:
    """The numbers that integers stand for."""
    return _centred(x, zero, axis) * _per(scale, x, axis).double()


def _stored(x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """The integers, of the zero point's dtype, that stand for numbers."""
    info = np.iinfo(zero.array.dtype)
    return elementwise.clamp(elementwise.round(x / scale.double()) + zero.double(), info.min, info.max).to(zero.dtype)


@operator("MatMulInteger")
def matmul_integer(node: Node, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None) -> Any:
    return linalg.matmul(_centred(a, a_zero, -2, np.int32), _centred(b, b_zero, -1, np.int32))


@operator("QLinearMatMul")
def qlinear_matmul(node: Node, *inputs: Tensor) -> Any:
    a, a_scale, a_zero, b, b_scale, b_zero, *stored = inputs
    return _stored(linalg.matmul(_real(a, a_scale, a_zero, -2), _real(b, b_scale, b_zero, -1)), *stored)


@operator("ConvInteger")
def conv_integer(node: Node, x: Tensor, weight: Tensor, x_zero: Any = None, w_zero: Any = None) -> Any:
    return conv(node, _centred(x, x_zero, 1), _centred(weight, w_zero, 0)).to(np.int32)


@operator("QLinearConv")
def qlinear_conv(node: Node, *inputs: Any) -> Any:
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = inputs
    made = conv(node, _real(x, x_scale, x_zero, 1), _real(w, w_scale, w_zero, 0))
    if bias and bias[0] is not None:
        made = made + column(bias[0].double() * x_scale.double() * w_scale.double(), made.ndim)
    return _stored(made, y_scale, y_zero)
