"""The kernels that copies of PyTorch's attention and encoder layers call in evaluation, by its private names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import state
from ...errors import UnsupportedError
from ...ops.activation import Gelu
from ...ops.elementwise import Relu
from ...tensor import Tensor
from . import evaluation


def _arrays(name: str, tensors: Sequence[Tensor]) -> list[Any]:
    """Return the arrays of Tensors. Raises RuntimeError if a gradient would be lost."""
    if state.current().grad_enabled and any(x.requires_grad for x in tensors):
        raise UnsupportedError(f"the derivative for '{name}' is not implemented; call it under no_grad")
    return [x.array for x in tensors]


def _ignored(mask: Tensor | None, kind: int | None) -> Any:
    """Return where a mask ignores a key, for `evaluation`: of kind 1 it is (N, L), of the others (L, L) or spread."""
    if mask is None:
        return None
    return (mask.array if kind != 1 else mask.array[:, None, None]) != 0


def _native_multi_head_attention(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_head: int, qkv_weight: Tensor, qkv_bias: Tensor,
    proj_weight: Tensor, proj_bias: Tensor, mask: Tensor | None = None, need_weights: bool = True,
    average_attn_weights: bool = True, mask_type: int | None = None,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Apply self-attention, (N, L, E) -> (N, L, E), and return the weights, too.

    Raises RuntimeError if key or value isn't query.
    """
    if not query.array is key.array is value.array:
        raise UnsupportedError("_native_multi_head_attention: key and value must be query")
    given = query, qkv_weight, qkv_bias, proj_weight, proj_bias
    x, *parameters = _arrays("_native_multi_head_attention", given)
    out, each = evaluation.self_attention(x, num_head, parameters, _ignored(mask, mask_type), need_weights)
    weights = Tensor._wrap(each) if need_weights else None
    return Tensor._wrap(out), weights.mean(1) if weights is not None and average_attn_weights else weights


def _transformer_encoder_layer_fwd(
    src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor,
    proj_bias: Tensor, use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Tensor, norm_bias_1: Tensor,
    norm_weight_2: Tensor, norm_bias_2: Tensor, ffn_weight_1: Tensor, ffn_bias_1: Tensor, ffn_weight_2: Tensor,
    ffn_bias_2: Tensor, mask: Tensor | None = None, mask_type: int | None = None,
) -> Tensor:  # fmt: skip
    """Apply an encoder layer, (N, L, E) -> (N, L, E)."""
    given = [
        src, qkv_weight, qkv_bias, proj_weight, proj_bias, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2,
        norm_weight_1, norm_bias_1, norm_weight_2, norm_bias_2,
    ]  # fmt: skip
    x, *parameters = _arrays("_transformer_encoder_layer_fwd", given)
    function, ignored = Gelu.apply if use_gelu else Relu.apply, _ignored(mask, mask_type)
    return Tensor._wrap(evaluation.encoder_layer(x, num_heads, parameters, function, eps, norm_first, ignored))
