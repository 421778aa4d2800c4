"""torch.nn.attention: MultiheadAttention, and `sdpa_kernel`, which has no effect here."""

from __future__ import annotations

import contextlib
import enum
import math
from collections.abc import Callable, Iterator
from typing import Any

from ...ops.attention import causal_mask
from ...ops.support.bare import is_recorded
from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .. import init
from ..modules.layer_helpers import add_parameters
from ..modules.linear import NonDynamicallyQuantizableLinear
from ..modules.module import Module
from . import evaluation

__all__ = ["SDPBackend", "sdpa_kernel"]


_FUNCTION, _LINEAR, _ATTENTION = F.multi_head_attention_forward, F.linear, F.scaled_dot_product_attention


class SDPBackend(enum.IntEnum):
    """PyTorch's implementations of attention. Source: torch.nn.attention.SDPBackend.

    >>> nn.attention.SDPBackend.MATH.value
    0
    """

    ERROR, MATH, FLASH_ATTENTION, EFFICIENT_ATTENTION, CUDNN_ATTENTION, OVERRIDEABLE = range(-1, 5)


@contextlib.contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """Context manager without effect: there is one implementation. Source: torch.nn.attention.sdpa_kernel.

    >>> from microgad.nn.attention import SDPBackend, sdpa_kernel
    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     F.scaled_dot_product_attention(*[torch.ones(1, 2, 2)] * 3).sum()
    tensor(4.)
    """
    yield


class MultiheadAttention(Module):
    """Scaled dot-product attention with several heads, between linear projections of its inputs and outputs.

    query (L, N, E), key (S, N, kdim) and value (S, N, vdim) -> (L, N, E). N comes first with batch_first, and may be
    missing in all. With need_weights, the attention weights are returned, too: (N, L, S) averaged over the heads, or
    (N, num_heads, L, S) with average_attn_weights=False. key_padding_mask (N, S) and attn_mask (L, S) or
    (N · num_heads, L, S) are either boolean, True where a key is ignored, or added to the scores. is_causal states
    that attn_mask is the causal mask. add_bias_kv adds a learned key and value, bias_k and bias_v; add_zero_attn adds a
    key and value of zeros. `dropout` applies to the weights. As in PyTorch, self-attention in evaluation ignores
    is_causal and gives NaN for a query without keys, if nothing requires grad or gradients are disabled, and if it is
    batched with batch_first, an even number of heads, biases, no additional keys, and no mask of numbers.

    Raises ValueError and AssertionError for sizes that don't fit, RuntimeError for other dtypes.
    Source: torch.nn.MultiheadAttention; Vaswani et al. (2017).

    >>> x = torch.ones(2, 1, 4)
    >>> out, weights = nn.MultiheadAttention(4, num_heads=2)(x, x, x)
    >>> out.shape, weights.detach()
    (torch.Size([2, 1, 4]), tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]]))
    """

    __call__: Callable[..., tuple[Tensor, Tensor | Any]]  # None for the weights without need_weights
    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        joint = self._qkv_same_embed_dim  # one matrix projects query, key and value
        bias_kv = (1, 1, embed_dim) if add_bias_kv else None
        add_parameters(
            self, device, dtype,
            q_proj_weight=None if joint else (embed_dim, embed_dim),
            k_proj_weight=None if joint else (embed_dim, self.kdim),
            v_proj_weight=None if joint else (embed_dim, self.vdim),
            in_proj_weight=(3 * embed_dim, embed_dim) if joint else None,
            in_proj_bias=3 * embed_dim if bias else None,
            bias_k=bias_kv, bias_v=bias_kv,
        )  # fmt: skip
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if (weight := getattr(self, name)) is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        same = query is key is value
        if same and query.ndim == 3 and (self.out_proj._modules or "parametrizations" in self._modules):
            self._read_as_pytorch(query, attn_mask, key_padding_mask)
        masks, parameters = (attn_mask, key_padding_mask), self._projections()
        w_in, b_in, w_out, b_out = parameters
        fast = same and self._takes_fast_path(query, *masks, parameters)
        arrays = None
        if fast or self._makes_no_graph(query, (key, value, *masks, *parameters), is_causal and attn_mask is None):
            arrays = self._fitting_arrays(query, key, value, *masks, parameters)
        if arrays is not None:
            array, each = self._attend(fast, arrays, *masks, is_causal, need_weights)
            out, weights = Tensor._wrap(array), Tensor._wrap(each) if need_weights else None
            out = out.transpose(0, 1) if self.batch_first and not fast else out
            return out, weights.mean(1) if weights is not None and average_attn_weights else weights
        transpose = self.batch_first and query.ndim == 3
        if transpose and same:
            query = key = value = query.transpose(0, 1)
        elif transpose:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        out, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, w_in, b_in, self.bias_k, self.bias_v,
            self.add_zero_attn, self.dropout, w_out, b_out, self.training, key_padding_mask, need_weights, attn_mask,
            not self._qkv_same_embed_dim, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal and not fast,
        )  # fmt: skip
        out = out.transpose(0, 1) if transpose else out
        if fast:
            out = out.contiguous()
            if attn_mask is not None or key_padding_mask is not None:
                out.masked_fill_(_has_no_key(attn_mask, key_padding_mask, len(out), self.num_heads), math.nan)
        return out, weights

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Return the sum of the masks and its kind: 2 for one of shape (N, num_heads, L, L), which has attn_mask in it.

        key_padding_mask alone is returned as it is, kind 1; without masks both are None. Source:
        torch.nn.MultiheadAttention.merge_masks.
        """
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length, _ = query.shape
        if attn_mask.ndim == 3:
            merged = attn_mask.view(batch, -1, length, length)
        else:
            merged = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            merged = merged + key_padding_mask.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
        return merged, 2

    def _projections(self) -> tuple[Any, Any, Any, Any]:
        """Return weight and bias of the projections of the inputs and the output. To read parametrized ones is work."""
        return self.in_proj_weight, self.in_proj_bias, self.out_proj.weight, self.out_proj.bias

    def _read_as_pytorch(self, query: Tensor, *masks: Tensor | None) -> None:
        """Read parametrized weights as PyTorch does before it uses them: at each read they may draw random numbers."""
        for name in ("in_proj_bias", "in_proj_weight"):
            if getattr(self, name) is not None:
                getattr(self, name)  # its dtype
        if self._may_take_fast_path(query, *masks) and not is_recorded(query, *self._projections()):
            _ = self.in_proj_bias is not None and self.in_proj_weight

    def _takes_fast_path(self, query: Tensor, attn_mask: Any, key_padding_mask: Any, parameters: Any) -> bool:
        """Whether PyTorch calls a kernel of its own for self-attention in evaluation.

        Its output is contiguous, NaN for queries without keys, and independent of is_causal.
        """
        if not self._may_take_fast_path(query, attn_mask, key_padding_mask):
            return False
        return parameters[0] is not None and parameters[1] is not None and not is_recorded(query, *parameters)

    def _may_take_fast_path(self, query: Tensor, *masks: Tensor | None) -> bool:
        if self.training or not self.batch_first or query.ndim != 3 or self.num_heads % 2 or query.is_meta:
            return False
        if self.bias_k is not None or self.add_zero_attn:
            return False
        return not any(mask is not None and mask.is_floating_point() for mask in masks)

    def _makes_no_graph(self, query: Tensor, others: Any, lacks_mask: bool) -> bool:
        """Whether nothing is recorded or dropped out, the inputs are batched, and is_causal comes with a mask."""
        if query.ndim != 3 or (self.training and self.dropout) or lacks_mask:
            return False
        if F.linear is not _LINEAR or F.scaled_dot_product_attention is not _ATTENTION:  # a program's own
            return False
        return not is_recorded(query, *others)

    def _fitting_arrays(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, padding: Tensor | None,
        parameters: Any,
    ) -> list[Any] | None:  # fmt: skip
        """Return the arrays of the inputs and of `_projections`, or None if `evaluation` isn't for them."""
        further = parameters[0] is None or self.bias_k is not None or self.add_zero_attn
        own = F.multi_head_attention_forward is not _FUNCTION  # the program's
        if further or own or query.shape[2] != self.embed_dim:
            return None
        heads, batch_first = self.num_heads, self.batch_first
        return evaluation.fitting_arrays(query, key, value, attn_mask, padding, parameters, heads, batch_first)

    def _attend(
        self, fast: bool, arrays: list[Any], attn_mask: Tensor | None, padding: Tensor | None, causal: bool,
        weighted: bool,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Apply `evaluation`'s attention to `_fitting_arrays`; `fast` is what `_takes_fast_path` says."""
        query, key, value, *parameters = arrays
        axis, heads = 0 if self.batch_first else 1, self.num_heads
        if fast:
            ignored = evaluation.ignored_keys(attn_mask, padding, len(query), heads)
            return evaluation.self_attention(query, heads, parameters, ignored, weighted)
        if causal and padding is None and not weighted:
            mask = causal_mask(query.shape[1 - axis], key.shape[1 - axis], query)
        else:
            mask = evaluation.added_mask(attn_mask, padding, query.shape[axis], heads, query.dtype)
        return evaluation.multi_head_attention(query, key, value, heads, parameters, mask, self.batch_first, weighted)


def _has_no_key(attn_mask: Tensor | None, key_padding_mask: Tensor | None, batch: int, heads: int) -> Tensor:
    """Return where all keys of a query are masked in some head, as an array that broadcasts to (N, L, 1)."""
    masks = []
    if attn_mask is not None:
        groups = (1, 1) if attn_mask.ndim == 2 else (batch, heads)
        masks.append(attn_mask.reshape(*groups, *attn_mask.shape[-2:]))
    if key_padding_mask is not None:
        masks.append(key_padding_mask.unsqueeze(1).unsqueeze(1))
    masked = masks[0] if len(masks) == 1 else masks[0] | masks[1]  # (N or 1, heads or 1, L or 1, S)
    return masked.all(-1).any(1).unsqueeze(-1)
