"""Attention: each query's mean of values, weighted by how well their keys fit it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..errors import ArgumentError, CallError, DtypeError, ShapeError
from ..state import composite
from .creation import zeros
from .dropout import dropout
from .elementwise import where
from .linalg import linear, matmul
from .movement import cat, pad
from .softmax import softmax

if TYPE_CHECKING:
    from ..tensor import Tensor


@composite
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(query keyᵀ · scale + mask) value, scale being 1/√E. Source: torch.nn.functional; Vaswani et al. (2017).

    query is (..., L, E), key (..., S, E), value (..., S, D); the result is (..., L, D). attn_mask broadcasts to
    (..., L, S): booleans say which keys count, numbers are added. With is_causal the first i keys count for query i. A
    query for which no key counts gives 0. dropout_p, of the weights, takes effect whatever the mode. With enable_gqa
    key and value may have fewer heads (the third last dimension) than query. Raises RuntimeError where shapes or dtypes
    don't fit.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> F.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    _check(query, key, value, attn_mask)
    if enable_gqa:
        key, value = (_for_each_query_head(x, query) for x in (key, value))
    scores = matmul(query * (1 / math.sqrt(query.shape[-1] or 1) if scale is None else scale), key.transpose(-2, -1))
    allowed = None
    if is_causal:
        allowed = backend.like(np.tri(*scores.shape[-2:], dtype=bool), scores.array)
    if attn_mask is not None and attn_mask.array.dtype == bool:
        allowed = attn_mask.array if allowed is None else allowed & attn_mask.array
    elif attn_mask is not None:
        scores = scores + attn_mask
    if allowed is not None:
        scores = where(allowed, scores, -math.inf)
    weights = _softmax_of_masked(scores) if attn_mask is not None else softmax(scores, -1)
    return matmul(dropout(weights, dropout_p) if dropout_p else weights, value)


def _check(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> None:
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ShapeError(
            "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but got "
            f"{query.ndim}, {key.ndim} and {value.ndim}"
        )
    if not query.dtype == key.dtype == value.dtype or query.array.dtype.kind not in "fc":
        raise DtypeError(
            "scaled_dot_product_attention: Expected query, key, and value to have the same floating-point dtype, but "
            f"got {query.dtype}, {key.dtype} and {value.dtype}"
        )
    if attn_mask is not None and attn_mask.dtype != query.dtype and attn_mask.array.dtype != bool:
        raise DtypeError(
            "scaled_dot_product_attention: Expected attn_mask dtype to be bool or to match query dtype, but got "
            f"{attn_mask.dtype} and query {query.dtype}"
        )


def _for_each_query_head(x: Tensor, query: Tensor) -> Tensor:
    """(..., heads, S, E) with each head repeated, as many times as query has more of them."""
    heads, wanted = (y.shape[-3] if y.ndim > 2 else 1 for y in (x, query))
    if heads == wanted:
        return x
    if not heads or wanted % heads:
        raise ShapeError(
            "scaled_dot_product_attention: Number of heads in key and value must divide the number of heads in query, "
            f"but they are {heads} and {wanted}"
        )
    spread = x.unsqueeze(-3).expand(*x.shape[:-2], wanted // heads, *x.shape[-2:])
    return spread.reshape(*x.shape[:-3], wanted, *x.shape[-2:])


def _softmax_of_masked(scores: Tensor) -> Tensor:
    """The softmax along the last dimension; 0 where all of it is -∞."""
    empty = (scores.array == -math.inf).all(-1, keepdims=True)
    if not empty.any():
        return softmax(scores, -1)
    return where(empty, 0.0, softmax(where(empty, 0.0, scores), -1))


@composite
def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True,
    key_padding_mask: Tensor | None = None, need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None, static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Attention of num_heads heads between projections, projected back; and its weights. Source: torch.nn.functional.

    query is (L, N, E), key and value (S, N, E), or all of them without N; the weights are (N, L, S), the mean over
    heads, or (N, heads, L, S). in_proj_weight (3 E, E) is that of query, key and value, or each has its own. Masks
    (key_padding_mask (N, S), attn_mask (L, S) or (N · heads, L, S)) are True where a key doesn't count, or are added.
    bias_k, bias_v and zeros (add_zero_attn) are one more key and value. Vaswani et al. (2017).

    Raises AssertionError and RuntimeError where shapes don't fit.

    >>> x, eye = torch.ones(2, 1, 2), torch.eye(2)
    >>> projections = torch.cat([eye] * 3), None, None, None, False, 0.0, eye, None
    >>> out, weights = F.multi_head_attention_forward(x, x, x, 2, 1, *projections)
    >>> out.shape, weights
    (torch.Size([2, 1, 2]), tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]]))
    """
    batched = query.ndim == 3
    _check_heads(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, count, size = query.shape
    heads = count * num_heads
    if is_causal and attn_mask is None:
        raise ArgumentError("multi_head_attention_forward: Need attn_mask if specifying the is_causal hint")
    hint = is_causal and key_padding_mask is None and not need_weights
    mask = None if hint else _attention_mask(attn_mask, (length, key.shape[0]), heads, query)
    padding = None
    if key_padding_mask is not None:
        if tuple(key_padding_mask.shape) != (count, key.shape[0]):
            raise CallError(
                f"key_padding_mask must be (N, S), {(count, key.shape[0])}, but is {tuple(key_padding_mask.shape)}"
            )
        padding = _added("key_padding_mask", key_padding_mask, query)

    separate = q_proj_weight, k_proj_weight, v_proj_weight
    packed = None if in_proj_weight is None else in_proj_weight.chunk(3)
    weights: Any = separate if use_separate_proj_weight else packed
    biases: Any = [None] * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    if weights is None or any(w is None for w in weights):
        raise CallError(f"use_separate_proj_weight is {use_separate_proj_weight}, but a weight for that is None")
    q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))

    more = 0  # keys that the masks don't know
    if (bias_k is None) != (bias_v is None):
        raise CallError("of bias_k and bias_v, only one is set")
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise CallError("bias cannot be added to static key or value")
        k, v = (cat([x, b.expand(1, count, b.shape[-1])]) for x, b in ((k, bias_k), (v, bias_v)))
        more += 1
    q, k, v = (x.reshape(x.shape[0], heads, size // num_heads).transpose(0, 1) for x in (q, k, v))
    for name, static in (("static_k", static_k), ("static_v", static_v)):
        if static is not None and (static.shape[0], static.shape[2]) != (heads, size // num_heads):
            raise CallError(f"{name} must be ({heads}, S, {size // num_heads}), but is {tuple(static.shape)}")
    k, v = k if static_k is None else static_k, v if static_v is None else static_v
    if add_zero_attn:
        nothing = zeros(heads, 1, size // num_heads, dtype=k.dtype, device=k.device)
        k, v = cat([k, nothing], 1), cat([v, nothing], 1)
        more += 1
    mask, padding = (pad(x, (0, more)) if more and x is not None else x for x in (mask, padding))
    if padding is not None:
        each = padding.reshape(count, 1, 1, -1).expand(count, num_heads, 1, padding.shape[-1]).reshape(heads, 1, -1)
        mask = each if mask is None else mask + each

    dropout_p = dropout_p if training else 0.0
    found = None
    if need_weights:
        scores = matmul(q * math.sqrt(1 / (size // num_heads)), k.transpose(1, 2))
        found = softmax(scores if mask is None else scores + mask, -1)
        if dropout_p:
            found = dropout(found, dropout_p)
        out = matmul(found, v)
        found = found.reshape(count, num_heads, length, -1)
        found = found.mean(1) if average_attn_weights else found
    else:
        split = [x.reshape(count, num_heads, -1, size // num_heads) for x in (q, k, v)]
        if mask is not None:
            mask = mask.unsqueeze(0) if mask.shape[0] == 1 else mask.reshape(count, num_heads, -1, mask.shape[-1])
        out = scaled_dot_product_attention(split[0], split[1], split[2], mask, dropout_p, hint).reshape(
            heads, length, -1
        )
    out = linear(out.transpose(0, 1).reshape(length, count, size), out_proj_weight, out_proj_bias)
    if batched:
        return out, found
    return out.squeeze(1), None if found is None else found.squeeze(0)


def _check_heads(query: Tensor, key: Tensor, value: Tensor, size: int, num_heads: int, separate: bool) -> None:
    shapes = [tuple(x.shape) for x in (query, key, value)]
    said = f"query {shapes[0]}, key {shapes[1]}, value {shapes[2]}"
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise CallError(f"query should be unbatched 2D or batched 3D, key and value as it is, but they are {said}")
    if query.shape[-1] != size:
        raise CallError(f"was expecting embedding dimension of {size}, but got {query.shape[-1]}")
    if size % num_heads:
        raise CallError(f"embed_dim {size} not divisible by num_heads {num_heads}")
    if (shapes[1][:-1] != shapes[2][:-1]) if separate else (shapes[1] != shapes[2]):
        raise CallError(f"key and value must fit each other, but they are {said}")


def _attention_mask(mask: Tensor | None, sizes: tuple[int, int], heads: int, query: Tensor) -> Tensor | None:
    """(1 or N · heads, L, S), to be added."""
    if mask is None:
        return None
    if mask.ndim not in (2, 3):
        raise CallError(f"expected attn_mask to be None, 2-D or 3-D but found {mask.ndim}-D tensor instead")
    wanted = sizes if mask.ndim == 2 else (heads, *sizes)
    if tuple(mask.shape) != wanted:
        raise ShapeError(f"The shape of the {mask.ndim}D attn_mask is {tuple(mask.shape)}, but should be {wanted}.")
    added = _added("attn_mask", mask, query)
    return added.unsqueeze(0) if mask.ndim == 2 else added


def _added(name: str, mask: Tensor, query: Tensor) -> Any:
    """A mask to be added: -∞ where a boolean one is True."""
    if mask.dtype.is_floating_point:
        return mask
    if mask.array.dtype != bool:
        raise CallError(f"only bool and floating types of {name} are supported, got {mask.dtype}")
    return where(mask, -math.inf, zeros(1, dtype=query.dtype, device=query.device))
