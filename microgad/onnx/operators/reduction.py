"""Kernels of reductions, scans, softmax, matrix products and Fourier transforms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import fft
from ...dtypes import limits
from ...ops import creation, elementwise, linalg, movement, reduction, softmax
from ...tensor import Tensor
from ..graphs import Node, inputs_only, operator
from .movement import axes_of, column, pad_last_axes


def _over_axes(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """Make the kernel of a reduction over axes, by default all."""

    def run(node: Node, x: Tensor, axes: Tensor | None = None) -> Any:
        dims = axes_of(node, axes) or (() if node.get("noop_with_empty_axes") else range(x.ndim))
        return reduce(x, tuple(dims), bool(node.get("keepdims", 1))).to(x.dtype)

    return run


def _sum(x: Tensor, dims: Any, keep: bool) -> Tensor:
    return reduction.sum(x, dims, keep) if dims else x


def _prod(x: Tensor, dims: Any, keep: bool) -> Tensor:
    for dim in sorted((dim % x.ndim for dim in dims), reverse=True):
        x = reduction.prod(x, dim, keep)
    return x


def _mean(x: Tensor, dims: Any, keep: bool) -> Tensor:
    count = math.prod(x.shape[dim] for dim in dims)
    total = _sum(x, dims, keep)
    return total / count if x.dtype.is_floating_point else elementwise.div(total, count, rounding_mode="trunc")


def _extreme(largest: bool) -> Callable[..., Any]:
    def reduce(x: Tensor, dims: Any, keep: bool) -> Tensor:
        if not dims:
            return x
        if 0 in (x.shape[dim] for dim in dims):
            kind = x.array.dtype
            worst = not largest if kind.kind == "b" else (limits.lowest if largest else limits.highest)(kind)
            return creation.full(_sum(x, dims, keep).shape, worst, dtype=kind)
        if x.array.dtype.kind == "b":
            return reduction.any(x, dims, keep) if largest else reduction.all(x, dims, keep)
        return reduction.amax(x, dims, keep) if largest else reduction.amin(x, dims, keep)

    return reduce


def _log_sum_exp(x: Tensor, dims: Any, keep: bool) -> Tensor:
    if 0 in (x.shape[dim] for dim in dims):
        return elementwise.log(_sum(elementwise.exp(x), dims, keep))
    x = x if x.dtype.is_floating_point else x.double()
    return softmax.logsumexp(x, dims, keep) if dims else x


for _name, _reduce in {
    "ReduceSum": _sum,
    "ReduceProd": _prod,
    "ReduceMean": _mean,
    "ReduceMax": _extreme(True),
    "ReduceMin": _extreme(False),
    "ReduceL1": lambda x, dims, keep: _sum(elementwise.abs(x), dims, keep),
    "ReduceL2": lambda x, dims, keep: elementwise.sqrt(_sum((x * x).double(), dims, keep)),
    "ReduceLogSum": lambda x, dims, keep: elementwise.log(_sum(x, dims, keep)),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceSumSquare": lambda x, dims, keep: _sum(x * x, dims, keep),
}.items():
    operator(_name)(_over_axes(_reduce))


@operator("ArgMax", "ArgMin")
def arg_extremum(node: Node, x: Tensor) -> Any:
    axis, keep = node.get("axis", 0) % max(x.ndim, 1), bool(node.get("keepdims", 1))
    find = reduction.argmax if node.op_type == "ArgMax" else reduction.argmin
    if node.get("select_last_index"):
        return x.shape[axis] - 1 - find(movement.flip(x, [axis]), axis, keep)
    return find(x, axis, keep)


@operator("CumSum")
def cumsum(node: Node, x: Tensor, axis: Tensor) -> Any:
    return _scan(node, x, axis, reduction.cumsum, 0)


@operator("CumProd")
def cumprod(node: Node, x: Tensor, axis: Tensor) -> Any:
    return _scan(node, x, axis, reduction.cumprod, 1)


def _scan(node: Node, x: Tensor, axis: Tensor, scan: Any, start: int) -> Any:
    dim = axis.item() % x.ndim
    if node.get("reverse"):
        x = movement.flip(x, [dim])
    if node.get("exclusive"):
        edges = [(int(i == dim), 0) for i in range(x.ndim)]
        x = movement.narrow(pad_last_axes(x, edges, start), dim, 0, x.shape[dim])
    made = scan(x, dim).to(x.dtype)
    return movement.flip(made, [dim]) if node.get("reverse") else made


def _along_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the kernel of a function along an axis. Before opset 13 the axes from there on are flattened."""

    def run(node: Node, x: Tensor) -> Any:
        if node.opset >= 13:
            return function(x, node.get("axis", -1))
        axis = node.get("axis", 1) % x.ndim
        flat = movement.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))
        return movement.reshape(function(flat, 1), tuple(x.shape))

    return run


def _hardmax(x: Tensor, axis: int) -> Tensor:
    n, best = x.shape[axis], reduction.argmax(x, axis, True)
    line = creation.as_tensor(column(np.arange(n), x.ndim, axis % x.ndim))
    return elementwise.eq(best, line).to(x.dtype)


operator("Softmax")(_along_axis(softmax.softmax))
operator("LogSoftmax")(_along_axis(softmax.log_softmax))
operator("Hardmax")(_along_axis(_hardmax))


operator("MatMul")(inputs_only(linalg.matmul))
operator("Det")(inputs_only(linalg.det))


@operator("Gemm")
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Any:
    a = movement.permute(a, (1, 0)) if node.get("transA") else a
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if (
        node.get("transB")
        and alpha == beta == 1
        and a.dtype.is_floating_point
        and (c is None or c.ndim == 1 == a.ndim - 1)
    ):
        return linalg.linear(a, b, c)
    made = linalg.matmul(a, movement.permute(b, (1, 0)) if node.get("transB") else b)
    made = made if alpha == 1 else made * alpha
    return made if c is None else made + (c if beta == 1 else c * beta)


@operator("Einsum")
def einsum(node: Node, *inputs: Tensor) -> Any:
    return linalg.einsum(node.get("equation"), *inputs)


@operator("LpNormalization")
def lp_normalization(node: Node, x: Tensor) -> Any:
    axis, p = node.get("axis", -1), node.get("p", 2)
    size = linalg.norm(x, p, axis, True)
    return x / elementwise.where(size == 0, size + 1, size)


@operator("DFT")
def dft(node: Node, x: Tensor, length: Tensor | None = None, axis: Tensor | None = None) -> Any:
    along = node.get("axis", 1) if axis is None else axis.item()
    if axis is None and node.opset >= 20:
        along = -2
    along = along % x.ndim if along >= 0 else along + x.ndim
    n = None if length is None else length.item()
    back, half = node.get("inverse", 0), node.get("onesided", 0)
    real = x.shape[-1] == 1
    z = movement.reshape(x, tuple(x.shape[:-1])) if real else elementwise.view_as_complex(x.contiguous())
    if half and not back:
        made = fft.rfft(z, n, along)
    elif half:
        return movement.unsqueeze(fft.irfft(z, n, along), -1)
    else:
        made = fft.ifft(z, n, along) if back else fft.fft(z, n, along)
    return elementwise.view_as_real(made)


@operator("STFT")
def stft(node: Node, x: Tensor, step: Tensor, window: Tensor | None = None, length: Tensor | None = None) -> Any:
    signal = movement.reshape(x, tuple(x.shape[:2]))
    size = length.item() if length is not None else window.shape[0]  # type: ignore[union-attr]
    frames = movement.unfold_copy(signal, 1, size, step.item())
    frames = frames if window is None else frames * window
    made = fft.rfft(frames) if node.get("onesided", 1) else fft.fft(frames)
    return elementwise.view_as_real(made)
