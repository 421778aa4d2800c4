"""torch.nn.attention.bias: causal masks whose diagonal starts at the upper left or ends at the lower right."""

from __future__ import annotations

import enum
from typing import Any

from ...errors import CallError, notices
from ...ops.creation import ones
from ...ops.movement import tril
from ...tensor import Tensor
from ...type_aliases import Device

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(enum.IntEnum):
    """The corner that the diagonal of a causal mask passes through. Source: torch.nn.attention.bias.CausalVariant.

    >>> nn.attention.bias.CausalVariant(2).name
    'LOWER_RIGHT'
    """

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """A causal `attn_mask` (L, S), True where a query may attend to a key. It is a boolean Tensor.

    With UPPER_LEFT the first query sees only the first key. With LOWER_RIGHT the last query sees all keys, which suits
    cached keys of earlier steps. Raises AssertionError unless `variant` is a CausalVariant.
    Source: torch.nn.attention.bias.CausalBias, which holds no values.

    >>> from microgad.nn.attention.bias import CausalBias, CausalVariant
    >>> CausalBias(CausalVariant.LOWER_RIGHT, 2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """

    _keeps_class = False  # results computed from it are plain Tensors
    variant: CausalVariant
    seq_len_q: int
    seq_len_kv: int

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> CausalBias:
        if not isinstance(variant, CausalVariant):
            raise CallError(f"CausalBias: variant must be a CausalVariant, got {type(variant).__name__}")
        lower = variant is CausalVariant.LOWER_RIGHT
        if lower and seq_len_q > seq_len_kv:
            message = f"the first queries of a lower right causal mask of {seq_len_q} for {seq_len_kv} keys see no key"
            notices.warn(message)
        visible = tril(ones(seq_len_q, seq_len_kv, dtype=bool), seq_len_kv - seq_len_q if lower else 0)
        mask: CausalBias = visible.as_subclass(cls)
        mask.variant, mask.seq_len_q, mask.seq_len_kv = variant, seq_len_q, seq_len_kv
        return mask

    def _materialize(self, device: Device = None) -> Tensor:
        """Return the mask as a plain Tensor."""
        plain: Tensor = self.as_subclass(Tensor)
        return plain if device is None else plain.to(device)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return repr(self._materialize())


def causal_upper_left(*size: int) -> CausalBias:
    """Return the causal mask (L, S) in which query i sees the keys up to i.

    Raises AssertionError unless given two sizes. Source: torch.nn.attention.bias.causal_upper_left.

    >>> from microgad.nn.attention.bias import causal_upper_left
    >>> causal_upper_left(2, 3)
    tensor([[ True, False, False],
            [ True,  True, False]])
    """
    return _make_bias(CausalVariant.UPPER_LEFT, size)


def causal_lower_right(*size: int) -> CausalBias:
    """Return the causal mask (L, S) in which the last query sees every key, the one before it all but the last.

    Raises AssertionError unless given two sizes. Source: torch.nn.attention.bias.causal_lower_right.

    >>> from microgad.nn.attention.bias import causal_lower_right
    >>> query, key, value = torch.ones(1, 1, 2), torch.zeros(1, 3, 2), torch.arange(6.0).reshape(1, 3, 2)
    >>> F.scaled_dot_product_attention(query, key, value, causal_lower_right(1, 3))
    tensor([[[2., 3.]]])
    """
    return _make_bias(CausalVariant.LOWER_RIGHT, size)


def _make_bias(corner: CausalVariant, size: tuple[int, ...]) -> CausalBias:
    if len(size) != 2:
        raise CallError(f"a causal mask has two sizes, of queries and of keys, got {len(size)}")
    return CausalBias(corner, *size)
