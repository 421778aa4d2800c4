"""Attention and transformer layers without a graph, on bare arrays: few tokens take a fraction of the time."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ops.attention import BLOCK_SCORES, Attention
from ...ops.linalg.products import Linear
from ...ops.normalization.group import LayerNorm
from ...ops.support.bare import unseen
from ...type_aliases import Array, Tensor


def bare(*tensors: Any) -> list[Array] | None:
    """Return the arrays of Tensors of one dtype, float32 or float64; None for others or if operations are observed."""
    arrays = unseen(*tensors)
    if arrays is None or arrays[0].dtype.char not in "fd" or any(x.dtype is not arrays[0].dtype for x in arrays):
        return None
    return arrays


def fitting_arrays(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, padding: Tensor | None,
    parameters: Sequence[Any], heads: int, batch_first: bool,
) -> list[Any] | None:  # fmt: skip
    """Return the arrays of the inputs and parameters of `multi_head_attention`, or None if it isn't for these.

    The shapes of query, key and value, the first of which has three axes, must fit each other and the masks.
    """
    axis, shape, others = 0 if batch_first else 1, query.shape, key.shape
    if len(others) != 3 or others[axis] != shape[axis] or others[2] != shape[2] or value.shape != others:
        return None
    batch, length, keys, (_, b_in, _, b_out) = shape[axis], shape[1 - axis], others[1 - axis], parameters
    if not batch * length * keys or (b_in is None) != (b_out is None):
        return None
    if given := [mask for mask in (attn_mask, padding) if mask is not None]:
        masks = unseen(*given) or []
        kinds = {mask.dtype for mask in masks}
        if len(kinds) != 1 or not kinds <= {np.dtype(bool), query.array.dtype}:
            return None
        if attn_mask is not None and masks[0].shape not in ((length, keys), (batch * heads, length, keys)):
            return None
        if padding is not None and masks[-1].shape != (batch, keys):
            return None
    arrays = bare(query, key, value, *[x for x in parameters if x is not None])
    return arrays if arrays is None or b_in is not None else [*arrays[:4], None, arrays[4], None]


def spread_masks(attn_mask: Tensor | None, padding: Tensor | None, batch: int, heads: int) -> list[Array]:
    """Return the arrays of the masks that aren't None, in shapes that broadcast to (N, heads, L, S).

    The masks are attn_mask, (L, S) or (N · heads, L, S), and padding, (N, S).
    """
    masks = []
    if attn_mask is not None:
        mask = attn_mask.array
        masks.append(mask if mask.ndim == 2 else mask.reshape((batch, heads, *mask.shape[1:])))
    if padding is not None:
        masks.append(padding.array[:, None, None])
    return masks


def ignored_keys(attn_mask: Tensor | None, padding: Tensor | None, batch: int, heads: int) -> Array | None:
    """Return where boolean masks ignore a key, in a shape that broadcasts to (N, heads, L, L), or None."""
    masks = spread_masks(attn_mask, padding, batch, heads)
    return functools.reduce(operator.or_, masks) if masks else None


def added_mask(attn_mask: Tensor | None, padding: Tensor | None, batch: int, heads: int, dtype: Any) -> Array | None:
    """Return what masks, boolean ones or numbers, add to the scores (N, heads, L, S), or None."""
    masks = spread_masks(attn_mask, padding, batch, heads)
    added = [_minus_infinity(mask, dtype) if mask.dtype == bool else mask for mask in masks]
    return functools.reduce(operator.add, added) if added else None


def _minus_infinity(ignored: Array, dtype: Any) -> Array:
    return np.where(ignored, dtype.type(-math.inf), dtype.type(0))


def attend(q: Array, k: Array, v: Array, mask: Array | None, weighted: bool) -> tuple[Array, Array | None]:
    """Apply attention, all (N, heads, length, features), and return the weights or, unless `weighted`, None."""
    scale = math.sqrt(1 / q.shape[-1])
    out = Attention.apply(q, k, v, mask, scale=scale, noise=None, weighted=weighted, keep=False, block=BLOCK_SCORES)
    return out if weighted else (out, None)


def self_attention(
    x: Array, heads: int, parameters: Sequence[Array], ignored: Array | None, weighted: bool = False
) -> tuple[Array, Array | None]:
    """Apply multi-head self-attention, (N, L, E) -> (N, L, E); the weights (N, heads, L, L) are None unless `weighted`.

    The parameters are weight and bias of the packed projection, and of the one of the results. `ignored` is None or as
    `ignored_keys` returns it. A query without keys gives NaN.
    """
    w_in, b_in, w_out, b_out = parameters
    mask = None if ignored is None else _minus_infinity(ignored, x.dtype)
    q, k, v = _project(x, heads, w_in, b_in, True)
    out, weights = attend(q, k, v, mask, weighted)
    if ignored is not None and (without_keys := ignored.all(-1)).any():
        out[np.broadcast_to(without_keys, out.shape[:-1])] = math.nan
    return Linear.apply(out.swapaxes(1, 2).reshape(x.shape), w_out, b_out), weights


def multi_head_attention(
    query: Array, key: Array, value: Array, heads: int, parameters: Sequence[Any], mask: Array | None,
    batch_first: bool, weighted: bool,
) -> tuple[Array, Array | None]:  # fmt: skip
    """Apply multi-head attention as `F.multi_head_attention_forward` does; return (L, N, E), and the weights or None.

    Biases may be None. Inputs that are the same are projected together.
    """
    w_in, b_in, w_out, b_out = parameters
    projected: list[Array] = []
    size, given = query.shape[2], [query, key, value]
    for i, x in enumerate(given):
        if i and x is given[i - 1]:
            continue
        end = next((j for j in range(i + 1, 3) if given[j] is not x), 3)
        part = slice(i * size, end * size)
        projected.extend(_project(x, heads, w_in[part], None if b_in is None else b_in[part], batch_first))
    q, k, v = projected
    out, weights = attend(q, k, v, mask, weighted)
    n, _, length, _ = out.shape
    return Linear.apply(out.transpose(2, 0, 1, 3).reshape(length, n, size), w_out, b_out), weights


def _project(x: Array, heads: int, weight: Array, bias: Array | None, batch_first: bool) -> Array:
    """Apply projections of the same size to x, (N, L, E) or (L, N, E) -> (projections, N, heads, L, E / heads)."""
    a, b, size = x.shape
    packed = Linear.apply(x, weight, bias).reshape((a, b, -1, heads, size // heads))
    return packed.transpose((2, 0, 3, 1, 4) if batch_first else (2, 1, 3, 0, 4))


def encoder_layer(
    x: Array, heads: int, parameters: Sequence[Array], activation: Callable[..., Any], eps: float, norm_first: bool,
    ignored: Array | None,
) -> Array:  # fmt: skip
    """Apply `nn.TransformerEncoderLayer`; its parameters are in the order of registration."""
    attention, (w3, b3, w4, b4, *norms) = parameters[:4], parameters[4:]
    blocks: tuple[Callable[[Array], Array], ...] = (
        lambda x: self_attention(x, heads, attention, ignored)[0],
        lambda x: Linear.apply(activation(Linear.apply(x, w3, b3)), w4, b4),
    )
    rows, size = x.shape[0] * x.shape[1], x.shape[2]
    for block, weight, bias in zip(blocks, norms[::2], norms[1::2], strict=True):
        y = x if norm_first else x + block(x)
        y = LayerNorm.apply(y, weight, bias, rows=rows, view=(rows, size), affine=(size,), eps=eps)
        x = x + block(y) if norm_first else y
    return x
