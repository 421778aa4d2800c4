"""Attention: each query's mean of values, weighted by how well their keys fit it."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend
from ..errors import ArgumentError, CallError, DtypeError, KindError, ShapeError
from ..function import Function
from ..state import composite, current, observed
from .creation import zeros
from .dropout import noise_like
from .elementwise import where
from .linalg import linear
from .movement import broadcast_shapes, cat, pad
from .softmax import Softmax, exponentials
from .spelling import tensors_only

if TYPE_CHECKING:
    from ..tensor import Tensor

BLOCK = 1 << 16  # scores at a time: with what is made of them they stay in the cache
ROWS = 32  # in a block at least: products of fewer are slow
KEPT = 1 << 22  # scores at most that are kept for backward: that is faster, but takes memory


class Attention(Function):
    """softmax(query keyᵀ · scale + mask) value, batch axes broadcast. If `weighted`, the softmax is a result, too.

    `noise`, if any, is a factor of the softmax: dropout. If `safe`, the softmax of a row that is all -∞ is 0. There is
    a score for each query and key: they are made in blocks that stay in the cache, and unless `keep`, backward makes
    them again, by each row's maximum and sum. Dao et al. (2022).
    """

    symbol = "attention"
    broadcasts, materializes = True, False
    constants = ("empty",)

    def forward(self, query, key, value, mask):
        lead = self.check(query, key, value, mask)
        new = functools.partial(np.empty_like, query, order="C")
        out, shape = new(shape=(*lead, value.shape[-1])), (*lead, key.shape[-2])
        self.top, self.total = new(shape=(*lead, 1)), new(shape=(*lead, 1))
        self.exps = new(shape=shape) if self.keep else None
        weights = new(shape=shape) if self.weighted else None
        for _, here, q, k, v, added, noise in self.blocks(lead, query, key, value, mask):
            kept = None if self.exps is None else self.exps[here]
            exps, total, self.top[here] = exponentials(self.scores(q, k, added), -1, kept, self.safe)
            if self.safe:
                total += total == 0
            self.total[here] = total
            dropped = exps if noise is None else exps * noise
            if weights is not None:
                weights[here] = dropped / total
            out[here] = np.matmul(dropped, v) / total
        self.empty = self.top == -math.inf if self.safe and mask is not None else None
        return out if weights is None else (out, weights)

    def backward(self, grad, query, key, value, mask, top, total, exps):
        lead, needs = top.shape[:-1], self.needs
        grad_out, grad_weights = grad if self.weighted else (grad, None)
        if grad_out is None:
            grad_out = np.zeros_like(value, shape=(*lead, value.shape[-1]))
        shapes = [(*lead[:-1], *x.shape[-2:]) for x in (query, key, value)] + [(*lead, key.shape[-2])]
        new = functools.partial(np.empty_like, query, order="C")
        found: list[Any] = [new(shape=shape) if need else None for shape, need in zip(shapes, needs, strict=True)]
        for every, here, q, k, v, added, noise in self.blocks(lead, query, key, value, mask):
            if exps is None:
                e = self.scores(q, k, added)
                e -= np.where(top[here] == -math.inf, 0, top[here]) if self.safe else top[here]
                np.exp(e, out=e)
            else:
                e = exps[here]
            divisor = total[here]  # of e: then it is the softmax
            g = grad_out[here] / divisor
            if needs[2]:
                dropped = e if noise is None else e * noise
                _gather(found[2], every, here, np.matmul(np.swapaxes(dropped, -1, -2), g))
            if not (needs[0] or needs[1] or needs[3]):
                continue
            d = np.matmul(g, np.swapaxes(v, -1, -2))
            if grad_weights is not None:
                d += grad_weights[here] / divisor
            if noise is not None:
                d *= noise
            d -= np.einsum("...s,...s->...", d, e)[..., None] / divisor
            d *= e
            if needs[3]:
                found[3][here] = d
            if needs[0]:
                found[0][here] = np.matmul(d, k) * self.scale
            if needs[1]:
                _gather(found[1], every, here, np.matmul(np.swapaxes(d, -1, -2), q * self.scale))
        return tuple(found)

    def decomposition(self, query, key, value, mask, empty):
        scores = np.matmul(query * self.scale, np.swapaxes(key, -1, -2))
        if mask is not None:
            scores = scores + mask
        if empty is None:
            weights = Softmax.apply(scores, axis=-1)
        else:
            weights = np.where(empty, 0.0, Softmax.apply(np.where(empty, 0.0, scores), axis=-1))
        if self.noise is not None:
            weights = weights * self.noise
        out = np.matmul(weights, value)
        return (out, weights) if self.weighted else out

    def check(self, query: Any, key: Any, value: Any, mask: Any) -> tuple[int, ...]:
        """(..., L): the batch axes and the queries. Raises ShapeError where shapes don't fit."""
        if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
            raise ShapeError(
                "query (..., L, E), key (..., S, E) and value (..., S, D) must have the same E and S, but are "
                f"{query.shape}, {key.shape} and {value.shape}"
            )
        lead = np.broadcast_shapes(*(x.shape[:-2] for x in (query, key, value)))
        scores = (*lead, query.shape[-2], key.shape[-2])
        if mask is not None and np.broadcast_shapes(mask.shape, scores) != scores:
            raise ShapeError(f"attn_mask {mask.shape} doesn't broadcast to (..., L, S) = {scores}")
        return scores[:-1]

    def blocks(self, lead: tuple[int, ...], *operands: Any) -> Iterator[tuple[Any, ...]]:
        """Where a block is in the batch, where its queries are, and what is there of query, key, value, mask, noise."""
        query, key, value, mask = operands
        batch, shape = lead[:-1], (*lead, key.shape[-2])
        q, k, v = (_broadcast(x, (*batch, *x.shape[-2:])) for x in (query, key, value))
        added, noise = (None if x is None else _broadcast(x, shape) for x in (mask, self.noise))
        for every, rows in places(batch, lead[-1], key.shape[-2], math.inf if backend.is_gpu(query) else self.block):
            here = (*every, rows, slice(None))
            yield every, here, q[here], k[every], v[every], *(None if x is None else x[here] for x in (added, noise))

    def scores(self, query: Any, key: Any, added: Any) -> Any:
        """query keyᵀ · scale + mask"""
        scores = np.matmul(query * self.scale, np.swapaxes(key, -1, -2))
        if added is not None:
            scores += added
        return scores


def _gather(out: Any, every: Any, here: Any, part: Any) -> None:
    """Add what the queries of a block give to their keys or values; the first ones begin."""
    if here[-2].start:
        out[every] += part
    else:
        out[every] = part


def _broadcast(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x.shape == shape else np.broadcast_to(x, shape)


def places(batch: tuple[int, ...], length: int, keys: int, block: float) -> Iterator[tuple[tuple[Any, ...], slice]]:
    """An index of batch axes, and rows of queries, for about `block` scores at a time.

    >>> [place for place in places((2, 3), 100, 200, 65536)][0]
    ((slice(0, 1, None), Ellipsis), slice(0, 100, None))
    """
    size, axis = length * keys, len(batch)
    while axis and size * batch[axis - 1] <= block:
        axis -= 1
        size *= batch[axis]
    outer: list[tuple[Any, ...]] = [(...,)]
    if axis:
        step = int(max(1, block // size))
        parts = [slice(start, start + step) for start in range(0, batch[axis - 1], step)]
        outer = [(*index, part, ...) for index in np.ndindex(batch[: axis - 1]) for part in parts]
    rows = length if size <= block else int(block // min(keys, max(1, block // ROWS)))
    for every in outer:
        for first in range(0, max(length, 1), max(rows, 1)):
            yield every, slice(first, first + rows)


@tensors_only
@observed
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(query keyᵀ · scale + mask) value, scale being 1/√E. Source: torch.nn.functional; Vaswani et al. (2017).

    query is (..., L, E), key (..., S, E), value (..., S, D); the result is (..., L, D). attn_mask broadcasts to
    (..., L, S): booleans say which keys count, numbers are added. With is_causal the first i keys count for query i. A
    query for which no key counts gives 0. dropout_p, of the weights, takes effect whatever the mode. With enable_gqa
    key and value may have fewer heads (the third last dimension) than query. Raises RuntimeError where shapes or dtypes
    don't fit, and where there is a mask as well as is_causal, but for what PyTorch's fused kernel takes: four
    dimensions, no dropout, and a mask that wants no gradient.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> F.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    _check(query, key, value, attn_mask)
    if is_causal and attn_mask is not None and (query.ndim != 4 or dropout_p or attn_mask.node is not None):
        raise ArgumentError(
            "scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True; put both into one "
            "mask"
        )
    if enable_gqa:
        key, value = (_for_each_query_head(x, query) for x in (key, value))
    mask: Any = attn_mask
    if attn_mask is not None and attn_mask.array.dtype == bool:
        mask = where(attn_mask, zeros(1, dtype=query.dtype, device=query.device), -math.inf)
    if is_causal:
        mask = _causal(query, key) if mask is None else _causal(query, key) + mask.array
    return _attended(
        query, key, value, mask, dropout_p, 1 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    )


def _attended(
    query: Tensor, key: Tensor, value: Tensor, mask: Any, dropout_p: float, scale: float, weighted: bool = False
) -> Any:
    """Attention with dropout, drawn as for a contiguous array of weights. With its weights it isn't safe."""
    lead = broadcast_shapes(query.shape[:-2], key.shape[:-2])
    shape = (*lead, query.shape[-2], key.shape[-2])
    noise = None
    if dropout_p and 0 not in shape:
        noise = noise_like(np.empty(shape, query.array.dtype), dropout_p, query.device)
    keep = math.prod(shape) <= KEPT and current().grad_enabled
    return Attention.apply(
        query, key, value, mask, scale=float(scale), noise=noise, weighted=weighted, safe=not weighted, keep=keep,
        block=BLOCK,
    )  # fmt: skip


def _causal(query: Tensor, key: Tensor) -> Any:
    """(L, S), to be added: -∞ for keys after the query."""
    counts = backend.like(np.tri(query.shape[-2], key.shape[-2], dtype=bool), query.array)
    return np.where(counts, np.zeros_like(query.array, shape=()), -math.inf)


def _check(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> None:
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ShapeError(
            "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but got "
            f"{query.ndim}, {key.ndim} and {value.ndim}"
        )
    if not query.dtype == key.dtype == value.dtype or query.array.dtype.kind != "f":
        raise KindError(
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
        if attn_mask is not None and attn_mask.dtype != key_padding_mask.dtype:
            said = (
                "Support for mismatched key_padding_mask and attn_mask is deprecated. Use same type for both instead."
            )
            warnings.warn(said, stacklevel=3)
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

    added: Any = _causal(q, k) if hint else mask
    out = _attended(q, k, v, added, dropout_p if training else 0.0, math.sqrt(num_heads / size), need_weights)
    found = None
    if need_weights:
        out, found = out
        found = found.reshape(count, num_heads, length, -1)
        found = found.mean(1) if average_attn_weights else found
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
        raise CallError(f"The shape of the {mask.ndim}D attn_mask is {tuple(mask.shape)}, but should be {wanted}.")
    added = _added("attn_mask", mask, query)
    return added.unsqueeze(0) if mask.ndim == 2 else added


def _added(name: str, mask: Tensor, query: Tensor) -> Any:
    """A mask to be added: -∞ where a boolean one is True."""
    if mask.dtype.is_floating_point:
        return mask
    if mask.array.dtype != bool:
        raise CallError(f"only bool and floating types of {name} are supported, got {mask.dtype}")
    return where(mask, -math.inf, zeros(1, dtype=query.dtype, device=query.device))
