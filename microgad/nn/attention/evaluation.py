"""A transformer's encoder layer in evaluation, on bare arrays: for few tokens that takes a fraction of the time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ops.attention import BLOCK_SCORES, Attention
from ...ops.linalg.products import Linear
from ...ops.normalization.group import LayerNorm
from ...ops.support.bare import unseen
from ...parameter import Parameter
from ...tensor import Tensor


def bare(*tensors: Any) -> list[Any] | None:
    """Return the arrays of Tensors of one dtype, float32 or float64; None for others or if operations are observed."""
    arrays = unseen((Tensor, Parameter), *tensors)
    if arrays is None or arrays[0].dtype.char not in "fd" or any(x.dtype is not arrays[0].dtype for x in arrays):
        return None
    return arrays


def ignored_keys(attn_mask: Any, padding: Any, batch: int, heads: int) -> Any:
    """Return where the boolean masks ignore a key, in a shape that broadcasts to (N, heads, L, L).

    The masks are attn_mask, (L, L) or (N · heads, L, L), and padding, (N, L).
    """
    if attn_mask is None and padding is None:
        return None
    masks = []
    if attn_mask is not None:
        groups = (1, 1) if attn_mask.ndim == 2 else (batch, heads)
        masks.append(attn_mask.array.reshape((*groups, *attn_mask.array.shape[-2:])))
    if padding is not None:
        masks.append(padding.array[:, None, None])
    return masks[0] if len(masks) == 1 else masks[0] | masks[1]


def self_attention(
    x: Any, heads: int, parameters: Sequence[Any], ignored: Any, weighted: bool = False
) -> tuple[Any, Any]:
    """Apply multi-head self-attention, (N, L, E) -> (N, L, E); the weights (N, heads, L, L) are None unless `weighted`.

    The parameters are weight and bias of the packed projection, and of the one of the results. `ignored` is None or as
    `ignored_keys` returns it. A query without keys gives NaN.
    """
    w_in, b_in, w_out, b_out = parameters
    n, length, size = x.shape
    packed = Linear.apply(x, w_in, b_in).reshape((n, length, 3, heads, size // heads))
    q, k, v = packed.transpose(2, 0, 3, 1, 4)
    mask = None if ignored is None else np.where(ignored, x.dtype.type(-math.inf), x.dtype.type(0))
    out = Attention.apply(
        q, k, v, mask, scale=math.sqrt(heads / size), noise=None, weighted=weighted, keep=False, block=BLOCK_SCORES
    )
    out, weights = out if weighted else (out, None)
    if ignored is not None and (without_keys := ignored.all(-1)).any():
        out[np.broadcast_to(without_keys, out.shape[:-1])] = math.nan
    return Linear.apply(out.swapaxes(1, 2).reshape(x.shape), w_out, b_out), weights


def encoder_layer(
    x: Any, heads: int, parameters: Sequence[Any], activation: Callable[..., Any], eps: float, norm_first: bool,
    ignored: Any,
) -> Any:  # fmt: skip
    """Apply `nn.TransformerEncoderLayer`; its parameters are in the order of registration."""
    attention, first, second, norms = parameters[:4], parameters[4:6], parameters[6:8], parameters[8:]
    rows, size = x.shape[0] * x.shape[1], x.shape[2]

    def norm(x: Any, weight: Any, bias: Any) -> Any:
        return LayerNorm.apply(x, weight, bias, rows=rows, view=(rows, size), affine=(size,), eps=eps)

    def feed(x: Any) -> Any:
        return Linear.apply(activation(Linear.apply(x, *first)), *second)

    if norm_first:
        x = x + self_attention(norm(x, *norms[:2]), heads, attention, ignored)[0]
        return x + feed(norm(x, *norms[2:]))
    x = norm(x + self_attention(x, heads, attention, ignored)[0], *norms[:2])
    return norm(x + feed(x), *norms[2:])
