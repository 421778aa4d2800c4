"""Rules of normalization, attention and operations that only occur in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops import attention, dropout
from ...ops.normalization import batch, group
from ..dynamic_axes import at_size_one
from ..recording import Step
from ..writer import Symbol, Writer, rule
from .elementwise import operand, operands
from .reduction import reduced


@rule(dropout.Dropout)
def drawn(w: Writer, step: Step) -> Any:
    raise w.unsupported("it drops values at random: export the model in evaluation mode, which omits it")


@rule(attention.Attention)
def attended(w: Writer, step: Step) -> Any:
    query, key, value, mask = operands(w, step)
    if step.settings["noise"] is not None:
        return drawn(w, step)
    n = len(w.shape_of(step.inputs[1]))
    turned = w.op("Transpose", key, perm=[*range(n - 2), n - 1, n - 2])
    scores = w.op("MatMul", query * step.settings["scale"], turned)
    scores = scores if mask is None else scores + mask
    weights = w.op("Softmax", scores, axis=-1)
    if mask is not None and not step.settings["weighted"]:  # 0 for queries without any allowed key
        nothing = w.op("IsNaN", weights)
        weights = w.op("Where", nothing, w.constant(0, weights.dtype), weights)
    out = w.op("MatMul", weights, value)
    return [out, weights] if step.settings["weighted"] else out


def column(w: Writer, x: Any, ndim: int, dtype: Any) -> Symbol:
    """Reshape (C) to (C, 1, ...), which broadcasts over (N, C, ...)."""
    return w.op("Reshape", w.of(x, dtype), w.ints([-1] + [1] * (ndim - 2)))


def scaled(w: Writer, x: Symbol, weight: Any, bias: Any, ndim: int) -> Symbol:
    """Multiply (N, C, ...) by a weight and add a bias for each channel, if they aren't None."""
    if weight is not None:
        x = x * column(w, weight, ndim, x.dtype)
    return x if bias is None else x + column(w, bias, ndim, x.dtype)


@rule(batch.FixedBatchNorm)
def fixed_batch_norm(w: Writer, step: Step) -> Any:
    input, mean, var, weight, bias = step.inputs
    kind, size = step.kinds[0], w.shape_of(mean)
    scale, shift = (
        w.op("Expand", w.constant([value], kind), w.ints(size)) if x is None else w.of(x, kind)
        for x, value in ((weight, 1), (bias, 0))
    )
    return w.op(
        "BatchNormalization", w.of(input), scale, shift, w.of(mean, kind), w.of(var, kind), epsilon=step.settings["eps"]
    )


@rule(batch.BatchNorm)
def batch_norm(w: Writer, step: Step) -> Any:
    input, weight, bias = step.inputs
    x, ndim = w.of(input), len(w.shape_of(input))
    axes = [0, *range(2, ndim)]
    mean = reduced(w, "ReduceMean", x, axes)
    centered = x - mean
    var = reduced(w, "ReduceMean", centered * centered, axes)
    out = scaled(w, centered / w.op("Sqrt", var + step.settings["eps"]), weight, bias, ndim)
    return [out, *(w.op("Reshape", part, w.ints([-1])) for part in (mean, var))]


@rule(group.LayerNorm)
def layer_norm(w: Writer, step: Step) -> Any:
    input, weight, bias = step.inputs
    kind, sizes = step.kinds[0], w.static(step.settings["affine"])
    scale = w.constant(np.ones(sizes), kind) if weight is None else w.of(weight, kind)
    shift = None if bias is None else w.of(bias, kind)
    return w.op("LayerNormalization", w.of(input), scale, shift, axis=-len(sizes), epsilon=step.settings["eps"])


@rule(group.RmsNorm)
def rms_norm(w: Writer, step: Step) -> Any:
    input, weight, _ = step.inputs
    x, sizes = w.of(input), w.static(step.settings["affine"])
    square = reduced(w, "ReduceMean", x * x, list(range(-len(sizes), 0)))
    out = x / w.op("Sqrt", square + step.settings["eps"])
    return out if weight is None else out * w.of(weight, x.dtype)


@rule(group.GroupNorm)
def group_norm(w: Writer, step: Step) -> Any:
    input, weight, bias = step.inputs
    x, sizes = operand(w, step), w.shape_of(input)
    groups = int(at_size_one(step.settings["rows"]) / at_size_one(sizes[0]))
    ones, zeros = (w.constant(np.full(groups, value), x.dtype) for value in (1, 0))
    apart = w.op("Reshape", x, w.ints([0, groups, -1]))
    out = w.op("InstanceNormalization", apart, ones, zeros, epsilon=step.settings["eps"])
    out = w.op("Reshape", out, w.op("Shape", x))
    return scaled(w, out, weight, bias, len(sizes))
