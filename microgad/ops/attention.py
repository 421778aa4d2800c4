"""Scaled dot-product attention: for each query, a mean of the values, weighted by the softmax of query · key."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import backend
from ..backend.meta import new_empty
from ..errors import ArgumentError, DtypeError, KindError, ShapeError
from ..function import Function
from ..state import current, observed
from ..type_aliases import Array, Tensor
from .creation import zeros
from .dropout import noise_like
from .elementwise import where
from .linalg.product_kernels import product
from .movement import broadcast_shapes
from .softmax import Softmax, exponentials
from .support import fast_numpy, layouts
from .support.blocks import UFUNC_BUFFER
from .support.spelling import tensors_only

BLOCK_SCORES = 1 << 16  # scores in a block: these, and the arrays computed from them, stay in the cache
MIN_BLOCK_ROWS = 32  # rows of a block, at least: matrix products with fewer rows are slow
MAX_KEPT_SCORES = 1 << 22  # scores kept for backward, at most: keeping them is faster, but takes memory


class Attention(Function):
    """softmax(query keyᵀ · scale + mask) value, with broadcast batch axes.

    If `weighted`, the softmax is a result, too; otherwise that of a row that is all -∞ is 0. `noise`, if any,
    multiplies the softmax: dropout. If `fused`, the result has the shape and the strides of query, and gradients
    lie in memory as (batch, length, heads, features). There is a score for each pair of query and key. The scores are
    computed in blocks that stay in the cache. Unless `keep` is set, backward computes them again, with each row's
    maximum (or 0) and sum, as in FlashAttention. Dao et al. (2022).
    """

    symbol, operator = "attention", "scaled_dot_product_attention"
    node_name = "ScaledDotProductFlashAttentionForCpu"
    broadcasts, materializes = True, False
    constants = ("empty",)
    fused = False

    def forward(self, query, key, value, mask):
        lead = self.check(query, key, value, mask)
        batch, scores = query.shape[:-2], math.prod(lead) * key.shape[-2]
        if 0 < scores < UFUNC_BUFFER and type(query) is np.ndarray and batch == key.shape[:-2] == value.shape[:-2]:
            return self._at_once(query, key, value, mask)
        new = functools.partial(np.empty_like, query, order="C")
        out = layouts.empty_like(query) if self.fused else new(shape=(*lead, value.shape[-1]))
        shape = (*lead, key.shape[-2])
        self.top = new(shape=(*lead, 1))
        self.total = np.empty_like(self.top)
        self.exps = new(shape=shape) if self.keep else None
        weights = new(shape=shape) if self.weighted else None
        for _, index, q, k, v, added, noise in self.blocks(lead, query, key, value, mask):
            kept = None if self.exps is None else self.exps[index]
            exps, total, self.top[index] = exponentials(self.scores(q, k, added), -1, kept, not self.weighted)
            total += total == 0  # 1 if there is no key or all are masked: the exponentials are 0 then
            self.total[index] = total
            dropped = exps if noise is None else exps * noise
            if weights is not None:
                weights[index] = dropped / total
            np.divide(np.matmul(dropped, v), total, out=out[index])
        self.empty = None if self.weighted or mask is None else self.top == -math.inf
        return out if weights is None else (out, weights)

    def _at_once(self, query: Any, key: Any, value: Any, mask: Any) -> Any:
        """`forward` for so few scores of equal batches that preparing blocks would take as long as computing them."""
        scores = self.scores(query, key, mask)
        exps, self.total, self.top = exponentials(scores, -1, scores, not self.weighted)
        np.maximum(self.total, 1, out=self.total)  # it is at least 1, or 0 if there is no key or all are masked
        self.exps = exps if self.keep else None
        self.empty = None if self.weighted or mask is None else self.top == -math.inf
        dropped = exps if self.noise is None else exps * self.noise
        sums = np.matmul(dropped, value)
        out = np.divide(sums, self.total, out=layouts.empty_like(query) if self.fused else sums)
        return (out, dropped / self.total) if self.weighted else out

    def backward(self, grad, query, key, value, mask, top, total, exps):
        lead = top.shape[:-1]
        grad_out, grad_weights = grad if self.weighted else (grad, None)
        if grad_out is None:
            grad_out = np.zeros_like(value, shape=(*lead, value.shape[-1]))
        shapes = [(*lead[:-1], *x.shape[-2:]) for x in (query, key, value)] + [(*lead, key.shape[-2])]
        new = functools.partial(np.empty_like, query, order="C")
        if self.fused:  # the mask has no gradient then
            shapes = [(batch, length, heads, size) for batch, heads, length, size in shapes]
        grads: list[Any] = [new(shape=shape) if need else None for shape, need in zip(shapes, self.needs, strict=True)]
        if self.fused:
            grads = [None if x is None else x.swapaxes(1, 2) for x in grads]
        grad_query, grad_key, grad_value, grad_mask = grads
        for batch_index, index, q, k, v, added, noise in self.blocks(lead, query, key, value, mask):
            if exps is None:
                part_exps = self.scores(q, k, added)
                part_exps -= top[index] if self.weighted else np.where(top[index] == -math.inf, 0, top[index])
                np.exp(part_exps, out=part_exps)
            else:
                part_exps = exps[index]
            divisor = total[index]  # part_exps / divisor is the softmax
            grad_part = grad_out[index] / divisor
            rows = index[-2]
            if grad_value is not None:
                dropped = part_exps if noise is None else part_exps * noise
                _add_product(grad_value[batch_index], rows, dropped.swapaxes(-1, -2), grad_part)
            if grad_query is grad_key is grad_mask is None:
                continue
            grad_scores = np.matmul(grad_part, v.swapaxes(-1, -2))
            if grad_weights is not None:
                grad_scores += grad_weights[index] / divisor
            if noise is not None:
                grad_scores *= noise
            grad_scores -= np.einsum("...s,...s->...", grad_scores, part_exps)[..., None] / divisor
            grad_scores *= part_exps
            if grad_mask is not None:
                grad_mask[index] = grad_scores
            if grad_query is not None:
                grad_query[index] = np.matmul(grad_scores, k) * self.scale
            if grad_key is not None:
                _add_product(grad_key[batch_index], rows, grad_scores.swapaxes(-1, -2), q * self.scale)
        return grad_query, grad_key, grad_value, grad_mask

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

    def check(self, query: Array, key: Array, value: Array, mask: Array | None) -> tuple[int, ...]:
        """Return the shape of the batch axes and the queries, (..., L). Raise ShapeError if shapes do not fit."""
        if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
            raise ShapeError(
                "query (..., L, E), key (..., S, E) and value (..., S, D) must have the same E and S, but are "
                f"{query.shape}, {key.shape} and {value.shape}"
            )
        lead = fast_numpy.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
        scores = (*lead, query.shape[-2], key.shape[-2])
        if mask is not None and fast_numpy.broadcast_shapes(mask.shape, scores) != scores:
            raise ShapeError(f"attn_mask {mask.shape} doesn't broadcast to (..., L, S) = {scores}")
        return scores[:-1]

    def blocks(
        self, lead: Any, query: Array, key: Array, value: Array, mask: Array | None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield for each block: its index in the batch, the index of its scores, and its part of each array.

        The arrays are query, key, value, mask and noise.
        """
        batch, shape = lead[:-1], (*lead, key.shape[-2])
        q, k, v = [
            x if x.shape[:-2] == batch else layouts.expand(x, (*batch, *x.shape[-2:])) for x in (query, key, value)
        ]
        whole = mask is None or mask.shape == shape[-2:]
        added = mask if whole else layouts.expand(mask, shape)  # `check` has made sure that it broadcasts
        noise = None if self.noise is None else np.broadcast_to(self.noise, shape)
        block = math.inf if backend.is_gpu(query) else self.block
        for batch_index, rows in score_blocks(batch, lead[-1], key.shape[-2], block):
            index = (*batch_index, rows, slice(None))
            parts = (None if x is None else x[index[-2:] if x.ndim == 2 else index] for x in (added, noise))
            yield batch_index, index, q[index], k[batch_index], v[batch_index], *parts

    def scores(self, query: Array, key: Array, added: Array | None) -> Array:
        """Return query keyᵀ · scale + mask."""
        scores = np.matmul(query * self.scale, key.swapaxes(-1, -2))
        if added is not None:
            scores += added
        return scores


def _add_product(out: Array, rows: slice, a: Array, b: Array) -> None:
    """Add a b, a block's part of the gradient of keys or values, to `out`. The first rows of queries initialize it."""
    if rows.start:
        out += product(a, b)
    elif a.shape[-1] == 1 and type(out) is np.ndarray:  # one query: NumPy multiplies rows of features slowly
        np.einsum("...sl,...le->...se", a, b, out=out)
    else:
        out[...] = product(a, b)


def score_blocks(
    batch: tuple[int, ...], length: int, keys: int, block: float
) -> Iterator[tuple[tuple[Any, ...], slice]]:
    """Yield blocks of about `block` scores: an index of the batch axes, and a slice of the queries.

    >>> [block for block in score_blocks((2, 3), 100, 200, 65536)][0]
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
    rows = length if size <= block else int(block // min(keys, max(1, block // MIN_BLOCK_ROWS)))
    for batch_index in outer:
        for first in range(0, max(length, 1), max(rows, 1)):
            yield batch_index, slice(first, first + rows)


@tensors_only
@observed
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """Return softmax(query keyᵀ · scale + mask) value; scale is 1/√E by default. Vaswani et al. (2017).

    query is (..., L, E), key (..., S, E), value (..., S, D); the result is (..., L, D). attn_mask broadcasts to (...,
    L, S). A boolean mask is True where a key takes part; other masks are added to the scores. With is_causal, the keys
    0 to i take part for query i. A query without keys gives 0. dropout_p applies to the weights, in evaluation mode
    too. With enable_gqa, key and value may have fewer heads (the third dimension from the end) than query.

    Raises RuntimeError if shapes or dtypes do not fit, and for a mask together with is_causal where PyTorch doesn't
    call its fused kernel: unless query, key and value have four dimensions, and the same batch, heads and E = D, and
    for dropout, a CausalBias, or a mask that needs a gradient or hasn't two or four dimensions.
    Source: torch.nn.functional.scaled_dot_product_attention.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> F.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    _check_inputs(query, key, value, attn_mask)
    if is_causal and hasattr(attn_mask, "variant"):
        raise ArgumentError("scaled_dot_product_attention: CausalBias should not be used with causal=True")
    if enable_gqa:
        key, value = (_repeat_heads(x, query) for x in (key, value))
    if is_causal and attn_mask is not None and (dropout_p or not _has_fused_layout(query, key, value, attn_mask)):
        raise ArgumentError(
            "scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True; put both into one "
            "mask"
        )
    mask = attn_mask
    if attn_mask is not None and attn_mask.array.dtype == bool:
        mask = where(attn_mask, zeros(1, dtype=query.dtype, device=query.device), -math.inf)
    elif attn_mask is not None:
        mask = attn_mask.to(query.dtype)
    if is_causal:
        causal = causal_mask(query.array.shape[-2], key.array.shape[-2], query.array)
        mask = causal if mask is None else causal + mask.array
    scale = 1 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    # Without gradients, the kernel's layout of a contiguous query's result is the usual one.
    usual = query.array.flags.c_contiguous and not current().grad_enabled
    fused = not (dropout_p or usual) and _has_fused_layout(query, key, value, attn_mask)
    return attention_with_dropout(query, key, value, mask, dropout_p, scale, fused=fused)


def _has_fused_layout(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> bool:
    """Whether PyTorch calls its fused kernel for these, which determines strides."""
    if attn_mask is not None and (attn_mask.node is not None or attn_mask.ndim not in (2, 4)):
        return False
    q, k, v = (x.array for x in (query, key, value))
    same = q.ndim == k.ndim == v.ndim == 4 and q.shape[:2] == k.shape[:2] == v.shape[:2]
    same = same and q.shape[-1] == k.shape[-1] == v.shape[-1] and k.shape[2] > 0
    return same and q.strides[-1] == k.strides[-1] == v.strides[-1] == q.itemsize


def attention_with_dropout(
    query: Tensor, key: Tensor, value: Tensor, mask: Any, dropout_p: float, scale: float, weighted: bool = False,
    fused: bool = False,
) -> Any:  # fmt: skip
    """Apply `Attention`, and draw its dropout noise as for a contiguous array of weights.

    If `weighted`, the weights are a result, too, and rows that are all -∞ give NaN.
    """
    if query.array.dtype.kind == "c":
        raise KindError(f"attention: softmax is not implemented for {query.dtype}")
    q, k = query.array.shape, key.array.shape
    batch = q[:-2] if q[:-2] == k[:-2] else broadcast_shapes(q[:-2], k[:-2])
    shape = (*batch, q[-2], k[-2])
    noise = None
    if dropout_p and 0 not in (*shape, value.array.shape[-1]):  # PyTorch draws for no empty result
        if (q[-1], k[-2]) != (k[-1], value.array.shape[-2]):  # said before anything is drawn
            given = f"{q}, {k} and {value.array.shape}"
            raise ShapeError(f"attention: query (..., L, E), key (..., S, E) and value (..., S, D) don't fit: {given}")
        noise = noise_like(new_empty(shape, query.array.dtype, query.device), dropout_p, query.device)
    keep = math.prod(shape) <= MAX_KEPT_SCORES and current().grad_enabled
    return Attention.apply(
        query, key, value, mask, scale=float(scale), noise=noise, weighted=weighted, fused=fused, keep=keep,
        block=math.prod(shape) if query.is_meta else BLOCK_SCORES,
    )  # fmt: skip


def causal_mask(queries: int, keys: int, like: Any) -> Array:
    """Return a mask (L, S) to add to the scores: -∞ for keys after the query, otherwise 0. `like` is an array.

    Each row is the one above, moved by one, so that the mask is a view of L + S numbers.
    """
    line = backend.like(_causal_line(queries, keys, like.dtype), like)
    return layouts.strided_view(line, (queries, keys), (line.itemsize, line.itemsize))[::-1]


@functools.lru_cache(maxsize=16)
def _causal_line(queries: int, keys: int, dtype: np.dtype[Any]) -> Array:
    """Return the last row of `causal_mask` with all that comes in from its right, on the CPU."""
    line = np.zeros(queries + keys, dtype)
    line[queries:] = -math.inf
    return line


def _check_inputs(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> None:
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ShapeError(
            "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but got "
            f"{query.ndim}, {key.ndim} and {value.ndim}"
        )
    if not query.array.dtype == key.array.dtype == value.array.dtype or query.array.dtype.kind != "f":
        raise KindError(
            "scaled_dot_product_attention: Expected query, key, and value to have the same floating-point dtype, but "
            f"got {query.dtype}, {key.dtype} and {value.dtype}"
        )
    if attn_mask is not None and attn_mask.array.dtype not in (bool, np.float32, query.array.dtype):
        raise DtypeError(
            "scaled_dot_product_attention: Expected attn_mask dtype to be bool or float or to match query dtype, but "
            f"got {attn_mask.dtype} and query {query.dtype}"
        )


def _repeat_heads(x: Tensor, query: Tensor) -> Tensor:
    """Repeat each head of x (..., heads, S, E) until there are as many as query has."""
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
