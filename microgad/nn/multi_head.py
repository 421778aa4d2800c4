"""Multi-head attention: projections of query, key and value, attention for each head, and an output projection."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError, CallError
from ..errors.notices import warn
from ..ops.attention import attention_with_dropout, causal_mask, scaled_dot_product_attention
from ..ops.creation import zeros
from ..ops.elementwise import where
from ..ops.movement import cat, pad
from ..state import composite
from ..tensor import Tensor
from ..type_aliases import Truth
from . import functional as F  # programs replace F.linear and F.scaled_dot_product_attention by their own


@composite
def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: Truth, dropout_p: float,
    out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: Truth = True,
    key_padding_mask: Tensor | None = None, need_weights: Truth = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: Truth = False, q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None, static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: Truth = True, is_causal: Truth = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Apply multi-head attention; return its output and its weights. Vaswani et al. (2017).

    query is (L, N, E), key and value are (S, N, E); all three may lack N. The weights are (N, L, S), the mean over the
    heads, or (N, heads, L, S); None without need_weights. in_proj_weight (3 E, E) projects query, key and value, or
    each has a weight of its own. The masks, key_padding_mask (N, S) and attn_mask (L, S) or (N · heads, L, S), are True
    where a key is ignored, or are added to the scores. bias_k and bias_v add a key and a value, and add_zero_attn adds
    a key and a value of zeros.

    Raises AssertionError or RuntimeError if shapes do not fit.
    Source: torch.nn.functional.multi_head_attention_forward.

    >>> x, eye = torch.ones(2, 1, 2), torch.eye(2)
    >>> projections = torch.cat([eye] * 3), None, None, None, False, 0.0, eye, None
    >>> out, weights = F.multi_head_attention_forward(x, x, x, 2, 1, *projections)
    >>> out.shape, weights
    (torch.Size([2, 1, 2]), tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]]))
    """
    batched = _mha_shape_check(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    _check_heads(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    queries, batch, embed_dim = query.shape
    batch_heads, head_dim = batch * num_heads, embed_dim // num_heads
    if is_causal and attn_mask is None:
        raise ArgumentError("multi_head_attention_forward: Need attn_mask if specifying the is_causal hint")
    only_causal = is_causal and key_padding_mask is None and not need_weights
    mask = None if only_causal else _attention_mask(attn_mask, (queries, key.shape[0]), batch_heads, query)
    padding = _padding_mask(key_padding_mask, (batch, key.shape[0]), attn_mask, query)
    weights_in = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else (in_proj_weight,)
    if any(weight is None for weight in weights_in):
        raise CallError(f"use_separate_proj_weight is {use_separate_proj_weight}, but a weight for that is None")
    if use_separate_proj_weight:
        q, k, v = _in_projection(query, key, value, *weights_in, *_split_bias(in_proj_bias))
    else:
        q, k, v = _in_projection_packed(query, key, value, in_proj_weight, in_proj_bias)
    if (bias_k is None) != (bias_v is None):
        raise CallError("of bias_k and bias_v, only one is set")
    if bias_k is not None and (static_k is not None or static_v is not None):
        raise CallError("bias cannot be added to static key or value")
    heads, zero = (batch_heads, head_dim), bool(add_zero_attn)
    q = _split_heads(q, heads)
    k, v = _keys("static_k", k, bias_k, static_k, zero, heads), _keys("static_v", v, bias_v, static_v, zero, heads)
    added = None if only_causal else _combine_masks(mask, padding, (bias_k is not None) + zero, num_heads)
    dropout_p = dropout_p if training else 0.0
    out: Any
    if need_weights or F.scaled_dot_product_attention is scaled_dot_product_attention:
        added = causal_mask(q.shape[1], k.shape[1], q.array) if only_causal else added
        out = attention_with_dropout(q, k, v, added, dropout_p, math.sqrt(num_heads / embed_dim), need_weights)
    else:
        q, k, v = (x.reshape(batch, num_heads, *x.shape[1:]) for x in (q, k, v))
        if added is not None:
            added = added.unsqueeze(0) if len(added) == 1 else added.reshape(batch, num_heads, *added.shape[1:])
        out = F.scaled_dot_product_attention(q, k, v, added, dropout_p, only_causal).flatten(0, 1)
    weights = None
    if need_weights:
        out, weights = out
        weights = weights.reshape(batch, num_heads, *weights.shape[1:])
        weights = weights.mean(1) if average_attn_weights else weights
    out = F.linear(out.transpose(0, 1).reshape(queries, batch, embed_dim), out_proj_weight, out_proj_bias)
    if batched:
        return out, weights
    return out.squeeze(1), None if weights is None else weights.squeeze(0)


def _mha_shape_check(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, attn_mask: Tensor | None, num_heads: int
) -> bool:
    """Whether query, key and value are batched. Raise if the dimensions of the others don't fit query's."""
    ndim = query.ndim
    if ndim not in (2, 3):
        raise CallError(f"query should be unbatched 2D or batched 3D tensor but received {ndim}-D query tensor")
    given = f"For {'batched' if ndim == 3 else 'unbatched'} ({ndim}-D) `query`, expected "
    if not ndim == key.ndim == value.ndim:
        found = f"{key.ndim}-D and {value.ndim}-D tensors respectively"
        raise CallError(f"{given}`key` and `value` to be {ndim}-D but found {found}")
    if key_padding_mask is not None and key_padding_mask.ndim != ndim - 1:
        found = f"{key_padding_mask.ndim}-D tensor instead"
        raise CallError(f"{given}`key_padding_mask` to be `None` or {ndim - 1}-D but found {found}")
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise CallError(f"{given}`attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.ndim}-D tensor instead")
    if ndim == 2 and attn_mask is not None and attn_mask.ndim == 3:
        shape = num_heads, query.shape[0], key.shape[0]
        if attn_mask.shape != shape:
            raise CallError(f"Expected `attn_mask` shape to be {shape} but got {attn_mask.shape}")
    return ndim == 3


def _check_heads(query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_heads: int, separate: bool) -> None:
    if query.shape[-1] != embed_dim:
        raise CallError(f"was expecting embedding dimension of {embed_dim}, but got {query.shape[-1]}")
    if embed_dim % num_heads:
        raise CallError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        dims = key.shape[:2], value.shape[:2]
        raise CallError(f"key's sequence and batch dims {dims[0]} do not match value's {dims[1]}")
    if not separate and key.shape != value.shape:
        raise CallError(f"key shape {key.shape} does not match value shape {value.shape}")


def _split_heads(x: Tensor, heads: tuple[int, int]) -> Tensor:
    """(L, N, E) -> (N · heads, L, E / heads), of which `heads` are the first and the last size."""
    return x.reshape(x.shape[0], *heads).transpose(0, 1)


def _keys(
    name: str, x: Tensor, bias: Tensor | None, static: Tensor | None, zero: bool, heads: tuple[int, int]
) -> Tensor:
    """Return the keys, or values, of all heads: those projected and `bias`, or else static ones, then perhaps zeros."""
    if static is None:
        if bias is not None:
            x = cat([x, bias.expand(1, x.shape[1], bias.shape[-1])])
        x = _split_heads(x, heads)
    elif (static.shape[0], static.shape[2]) == heads:
        x = static
    else:
        raise CallError(f"{name} must be ({heads[0]}, S, {heads[1]}), but is {tuple(static.shape)}")
    return cat([x, zeros(heads[0], 1, heads[1], dtype=x.dtype, device=x.device)], 1) if zero else x


def _attention_mask(mask: Tensor | None, sizes: tuple[int, int], batch_heads: int, query: Tensor) -> Tensor | None:
    """Return attn_mask in the form that is added to the scores, (1 or N · heads, L, S), or None."""
    if mask is None:
        return None
    wanted = sizes if mask.ndim == 2 else (batch_heads, *sizes)
    if tuple(mask.shape) != wanted:
        raise CallError(f"The shape of the {mask.ndim}D attn_mask is {tuple(mask.shape)}, but should be {wanted}.")
    added: Any = _canonical_mask(mask, "attn_mask", None, "", query.dtype)
    return added.unsqueeze(0) if mask.ndim == 2 else added


def _padding_mask(
    mask: Tensor | None, sizes: tuple[int, int], attn_mask: Tensor | None, query: Tensor
) -> Tensor | None:
    """Return key_padding_mask in the form that is added to the scores, (N, S), or None."""
    if mask is None:
        return None
    for axis, (n, wanted) in enumerate(zip(mask.shape, sizes, strict=True)):
        if n != wanted:
            raise CallError(f"Expected key_padded_mask.shape[{axis}] to be {wanted}, but got {n}")
    return _canonical_mask(mask, "key_padding_mask", _none_or_dtype(attn_mask), "attn_mask", query.dtype)


def _combine_masks(mask: Tensor | None, padding: Tensor | None, extra_keys: int, num_heads: int) -> Tensor | None:
    """Return the sum of both masks, with zeros for `extra_keys` at the end."""
    mask, padding = (pad(x, (0, extra_keys)) if extra_keys and x is not None else x for x in (mask, padding))
    if padding is None:
        return mask
    batch, keys = padding.shape
    each = padding.reshape(batch, 1, 1, keys).expand(batch, num_heads, 1, keys).reshape(batch * num_heads, 1, keys)
    return each if mask is None else mask + each


def _split_bias(bias: Tensor | None) -> Any:
    return [None] * 3 if bias is None else bias.chunk(3)


def _in_projection_packed(q: Tensor, k: Tensor, v: Tensor, w: Any, b: Tensor | None = None) -> list[Tensor]:
    """Project query, key and value, each by its third of the weight (3 E, E) and of the bias."""
    if q is k is v:
        return list(F.linear(q, w, b).chunk(3, -1))
    return _in_projection(q, k, v, *w.chunk(3), *_split_bias(b))


def _in_projection(
    q: Tensor, k: Tensor, v: Tensor, w_q: Any, w_k: Any, w_v: Any, b_q: Any = None, b_k: Any = None, b_v: Any = None
) -> list[Tensor]:
    """Project query, key and value, each by its own weight and bias."""
    return [F.linear(q, w_q, b_q), F.linear(k, w_k, b_k), F.linear(v, w_v, b_v)]


def _none_or_dtype(input: Tensor | None) -> Any:
    return None if input is None else input.dtype


def _canonical_mask(
    mask: Tensor | None, mask_name: str, other_type: Any, other_name: str, target_type: Any, check_other: bool = True
) -> Tensor | None:
    """Return a mask to add to the scores: a boolean one becomes -∞ where it is True. Warns of masks of two dtypes."""
    if mask is None:
        return None
    floating = mask.dtype.is_floating_point
    if not floating and mask.array.dtype != bool:
        raise CallError(f"only bool and floating types of {mask_name} are supported, got {mask.dtype}")
    if check_other and other_type is not None and mask.dtype != other_type:
        message = f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both instead."
        warn(message)
    return mask if floating else where(mask, -math.inf, zeros(1, dtype=target_type, device=mask.device))
