"""Kernels of normalization and attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...nn import functional as F
from ...ops import creation, elementwise, indexing, linalg, movement, random, reduction, softmax
from ...tensor import Tensor
from ..graphs import Node, operator
from ..tensors import kind_of
from .movement import column


@operator("BatchNormalization")
def batch_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Any:
    eps = node.get("epsilon", 1e-5)
    if not node.get("training_mode"):
        mean, var, scale, bias = (part.to(x.dtype) for part in (mean, var, scale, bias))
        return F.batch_norm(x, mean, var, scale, bias, eps=eps)
    axes = (0, *range(2, x.ndim))
    momentum = node.get("momentum", 0.9)
    now = reduction.mean(x, axes), reduction.var(x, axes, correction=0)
    centered = (x - column(now[0], x.ndim)) / elementwise.sqrt(column(now[1], x.ndim) + eps)
    out = centered * column(scale, x.ndim) + column(bias, x.ndim)
    return out, *(before * momentum + new * (1 - momentum) for before, new in zip((mean, var), now, strict=True))


@operator("InstanceNormalization")
def instance_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Any:
    axes, eps = tuple(range(2, x.ndim)), node.get("epsilon", 1e-5)
    return _normalized(x, axes, eps) * column(scale, x.ndim) + column(bias, x.ndim)


def _normalized(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centered = x - reduction.mean(x, axes, True)
    return centered / elementwise.sqrt(reduction.mean(centered * centered, axes, True) + eps)


@operator("LayerNormalization")
def layer_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Any:
    axis, eps = node.get("axis", -1) % x.ndim, node.get("epsilon", 1e-5)
    sizes = tuple(x.shape[axis:])
    if len(node.outputs) == 1 and tuple(scale.shape) == sizes and (bias is None or tuple(bias.shape) == sizes):
        return F.layer_norm(x, sizes, scale, bias, eps)
    axes = tuple(range(axis, x.ndim))
    mean = reduction.mean(x, axes, True)
    centered = x - mean
    inverse = 1 / elementwise.sqrt(reduction.mean(centered * centered, axes, True) + eps)
    out = centered * inverse * scale
    return out if bias is None else out + bias, mean, inverse


@operator("GroupNormalization")
def group_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Any:
    groups, eps, channels = node.get("num_groups"), node.get("epsilon", 1e-5), x.shape[1]
    if scale.shape[0] != channels:  # before opset 21 there is one number per group
        scale, bias = (movement.repeat_interleave(part, channels // groups) for part in (scale, bias))
    return F.group_norm(x, groups, scale, bias, eps)


@operator("RMSNormalization")
def rms_normalization(node: Node, x: Tensor, scale: Tensor) -> Any:
    axis = node.get("axis", -1) % x.ndim
    square = reduction.mean(x * x, tuple(range(axis, x.ndim)), True)
    return x / elementwise.sqrt(square + node.get("epsilon", 1e-5)) * scale


@operator("MeanVarianceNormalization")
def mean_variance_normalization(node: Node, x: Tensor) -> Any:
    axes = tuple(node.get("axes", (0, 2, 3)))
    centered = x - reduction.mean(x, axes, True)
    return centered / (elementwise.sqrt(reduction.mean(centered * centered, axes, True)) + 1e-9)


@operator("LRN")
def lrn(node: Node, x: Tensor) -> Any:
    size = node.get("size")
    low, high = (size - 1) // 2, size - 1 - (size - 1) // 2
    squares = movement.pad(x * x, [0, 0] * (x.ndim - 2) + [low, high])
    total = sum(movement.narrow(squares, 1, i, x.shape[1]) for i in range(size))
    return x / (node.get("bias", 1.0) + node.get("alpha", 1e-4) / size * total) ** node.get("beta", 0.75)


@operator("Dropout")
def dropout(node: Node, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> Any:
    p = node.get("ratio", 0.5) if ratio is None else ratio.item()
    if training is None or not training.item() or p == 0:
        return x, creation.ones_like(x, dtype=bool)
    kept = random.rand(x.shape) >= p
    return elementwise.where(kept, x, 0) * (1 / (1 - p)), kept


@operator("Attention")
def attention(
    node: Node, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, past_key: Tensor | None = None,
    past_value: Tensor | None = None, lengths: Tensor | None = None,
) -> Any:  # fmt: skip
    flat = query.ndim == 3
    if flat:
        heads, of_keys = node.get("q_num_heads"), node.get("kv_num_heads")
        query, key, value = (_heads(x, n) for x, n in ((query, heads), (key, of_keys), (value, of_keys)))
    if past_key is not None and past_value is not None:
        key, value = movement.cat([past_key, key], 2), movement.cat([past_value, value], 2)
    present = key, value
    past = 0 if past_key is None else past_key.shape[2]
    if query.shape[1] != key.shape[1]:
        times = query.shape[1] // key.shape[1]
        key, value = (movement.repeat_interleave(x, times, 1) for x in (key, value))
    scale = node.get("scale")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    root = math.sqrt(scale)
    products = linalg.matmul(query * root, movement.transpose(key, -1, -2) * root)
    scores, mode = products, node.get("qk_matmul_output_mode", 0)
    added = _added(node, query, key, mask, past, lengths)
    cap = node.get("softcap", 0.0)
    if cap:
        scores = elementwise.tanh(scores / cap) * cap
    capped = scores
    scores = scores if added is None else scores + added
    biased = scores
    empty = (scores.array == -math.inf).all(-1, keepdims=True)
    kind = node.get("softmax_precision")
    wide = scores.to(kind_of(kind, "the softmax")) if kind else scores
    weights = softmax.softmax(wide, -1).to(scores.dtype)
    if empty.any():
        weights = elementwise.where(creation.as_tensor(empty), 0, weights)
    out = linalg.matmul(weights, value)
    if flat:
        out = movement.flatten(movement.transpose(out, 1, 2), 2)
    return out, *present, (products, capped, biased, weights)[mode]


def _heads(x: Tensor, heads: int) -> Tensor:
    n, length, width = x.shape
    return movement.transpose(movement.reshape(x, (n, length, heads, width // heads)), 1, 2)


def _added(node: Node, query: Tensor, key: Tensor, mask: Any, past: int, lengths: Any) -> Any:
    length, keys = query.shape[2], key.shape[2]
    parts: list[Any] = []
    if mask is not None:
        if mask.array.dtype.kind == "b":
            mask = creation.as_tensor(np.where(mask.array, 0, -math.inf).astype(query.array.dtype))
        missing = keys - mask.shape[-1]
        parts.append(movement.pad(mask, (0, missing), value=-math.inf) if missing else mask)
    place = np.arange(keys)
    before = past if lengths is None else lengths.array.reshape(-1, 1, 1, 1) - length
    own = np.arange(length)[:, None] + before
    left, right = node.get("left_window_size", -1), 0 if node.get("is_causal") else node.get("right_window_size", -1)
    allowed = np.ones((), bool)
    if left >= 0:
        allowed = allowed & (place >= own - left)
    if right >= 0:
        allowed = allowed & (place <= own + right)
    if lengths is not None:
        allowed = allowed & (place < lengths.array.reshape(-1, 1, 1, 1))
    if allowed.ndim:
        parts.append(creation.as_tensor(np.where(allowed, 0, -math.inf).astype(query.array.dtype)))
    return sum(parts[1:], parts[0]) if parts else None


@operator("RotaryEmbedding")
def rotary_embedding(node: Node, x: Tensor, cos: Tensor, sin: Tensor, places: Tensor | None = None) -> Any:
    flat = x.ndim == 3
    if flat:
        x = _heads(x, node.get("num_heads"))
    size = node.get("rotary_embedding_dim") or x.shape[-1]
    rotated, rest = movement.narrow(x, -1, 0, size), movement.narrow(x, -1, size, x.shape[-1] - size)
    if places is not None:
        cos, sin = (indexing.getitem(part, places.array) for part in (cos, sin))
    cos, sin = (movement.unsqueeze(movement.narrow(part, -1, 0, size // 2), 1) for part in (cos, sin))
    if node.get("interleaved"):
        a, b = (indexing.getitem(rotated, (..., slice(start, None, 2))) for start in (0, 1))
        made = movement.flatten(movement.stack([cos * a - sin * b, sin * a + cos * b], -1), -2)
    else:
        a, b = movement.chunk(rotated, 2, -1)
        made = movement.cat([cos * a - sin * b, sin * a + cos * b], -1)
    out = movement.cat([made, rest], -1)
    return movement.flatten(movement.transpose(out, 1, 2), 2) if flat else out
