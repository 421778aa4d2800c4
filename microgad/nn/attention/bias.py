"""Causal masks of attention by the corner they go through: torch.nn.attention.bias's names."""

from __future__ import annotations

import enum
import warnings
from typing import Any

from ...errors import CallError
from ...ops.creation import ones
from ...ops.movement import tril
from ...tensor import Tensor
from ...type_aliases import Device


class CausalVariant(enum.IntEnum):
    """Which corner the diagonal of a causal mask goes through. Source: torch.nn.attention.bias.CausalVariant."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """(L, S), True where a query may look at a key: an `attn_mask` of attention, and a Tensor like any other.

    The first query sees the first key alone, or with LOWER_RIGHT the last query sees the last key, as where keys of
    earlier steps are kept. Raises AssertionError for what is no CausalVariant. Source: torch.nn.attention.bias.
    CausalBias, which holds no values.

    >>> from microgad.nn.attention.bias import CausalBias, CausalVariant
    >>> CausalBias(CausalVariant.LOWER_RIGHT, 2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """

    _keeps_class = False  # what is computed from it is no mask
    variant: CausalVariant
    seq_len_q: int
    seq_len_kv: int

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> CausalBias:
        if not isinstance(variant, CausalVariant):
            raise CallError(f"CausalBias: variant must be a CausalVariant, got {type(variant).__name__}")
        lower = variant is CausalVariant.LOWER_RIGHT
        if lower and seq_len_q > seq_len_kv:
            said = f"the first queries of a lower right causal mask of {seq_len_q} for {seq_len_kv} keys see no key"
            warnings.warn(said, stacklevel=3)
        seen = tril(ones(seq_len_q, seq_len_kv, dtype=bool), seq_len_kv - seq_len_q if lower else 0)
        mask: CausalBias = seen.as_subclass(cls)
        mask.variant, mask.seq_len_q, mask.seq_len_kv = variant, seq_len_q, seq_len_kv
        return mask

    def _materialize(self, device: Device = None) -> Tensor:
        """The mask as a plain Tensor."""
        plain: Tensor = self.as_subclass(Tensor)
        return plain if device is None else plain.to(device)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return repr(self._materialize())


def causal_upper_left(*size: int) -> CausalBias:
    """(L, S): query i sees the keys up to i. Source: torch.nn.attention.bias.causal_upper_left.

    >>> from microgad.nn.attention.bias import causal_upper_left
    >>> causal_upper_left(2, 3)
    tensor([[ True, False, False],
            [ True,  True, False]])
    """
    return _make_bias(CausalVariant.UPPER_LEFT, size)


def causal_lower_right(*size: int) -> CausalBias:
    """(L, S): the last query sees every key, the one before it all but the last.

    Source: torch.nn.attention.bias.causal_lower_right.

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
