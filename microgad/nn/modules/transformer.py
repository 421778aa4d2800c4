"""Transformer, its encoder and decoder, and their layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ... import state
from ...errors.notices import warn
from ...ops.activation import Gelu
from ...ops.creation import full
from ...ops.elementwise import Relu
from ...ops.support.bare import is_recorded
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .. import init
from ..attention import MultiheadAttention, evaluation
from ..utils import parametrize
from .activation import GELU, ReLU
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .module.hooks import global_hooks
from .normalization import LayerNorm

Activation = str | Callable[[Tensor], Tensor]


class _TransformerLayer(Module):
    """Base class of the encoder and decoder layers: residual blocks of attention and a feedforward network."""

    _attentions: tuple[str, ...]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        for name in self._attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        numbers = range(1, len(self._attentions) + 2)
        for i in numbers:
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype))
        for i in numbers:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _get_activation_fn(activation) if isinstance(activation, str) else activation
        fused = {1: (F.relu, ReLU), 2: (F.gelu, GELU)}
        self.activation_relu_or_gelu = next(
            (i for i, (f, cls) in fused.items() if self.activation is f or isinstance(self.activation, cls)), 0
        )

    # The blocks have PyTorch's names and arguments: subclasses override them, or call them from their own forward.

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        """Apply self-attention and dropout."""
        out = self.self_attn(
            x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask, is_causal=is_causal, need_weights=False
        )[0]
        return self.dropout1(out)

    def _ff_block(self, x: Tensor) -> Tensor:
        """Apply the feedforward network and dropout."""
        out = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return getattr(self, f"dropout{len(self._attentions) + 1}")(out)


class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention and a two-layer feedforward network per position, each with a residual connection and a norm.

    (S, N, E), with batch_first (N, S, E), or (S, E) -> the same. src_mask, src_key_padding_mask and is_causal are
    MultiheadAttention's masks. `activation` is "relu", "gelu" or a callable. With norm_first the norms come before the
    blocks. Raises AssertionError unless nhead divides d_model, RuntimeError for other sizes or dtypes and for another
    activation. Source: torch.nn.TransformerEncoderLayer; Vaswani et al. (2017).

    As in PyTorch, in evaluation without gradients a key is ignored wherever a mask isn't 0, and a query without keys
    gives NaN, if MultiheadAttention's conditions hold for all parameters, the activation is relu or gelu, and there are
    no forward hooks.

    >>> nn.TransformerEncoderLayer(d_model=4, nhead=2, dim_feedforward=8)(torch.ones(3, 1, 4)).shape
    torch.Size([3, 1, 4])
    """

    _attentions = ("self_attn",)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        src_key_padding_mask = F._canonical_mask(
            src_key_padding_mask, "src_key_padding_mask", F._none_or_dtype(src_mask), "src_mask", src.dtype
        )
        src_mask = F._canonical_mask(src_mask, "src_mask", None, "", src.dtype, check_other=False)
        if self._takes_fast_path(src):
            masks = src_mask, src_key_padding_mask
            src_mask, src_key_padding_mask = (None if mask is None else mask.bool() for mask in masks)
            if (out := self._on_arrays(src, src_mask, src_key_padding_mask)) is not None:
                return out
            if _is_parametrized(self):  # PyTorch's kernel takes all weights, each read once
                with parametrize.cached():
                    self._weights()
                    return self._blocks(src, src_mask, src_key_padding_mask, is_causal)
        return self._blocks(src, src_mask, src_key_padding_mask, is_causal)

    def _blocks(self, src: Tensor, src_mask: Tensor | None, padding: Tensor | None, is_causal: bool) -> Tensor:
        if self.norm_first:
            x = src + self._sa_block(self.norm1(src), src_mask, padding, is_causal=is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(src + self._sa_block(src, src_mask, padding, is_causal=is_causal))
        return self.norm2(x + self._ff_block(x))

    def _weights(self) -> list[Any]:
        """Return all weights, in the order in which PyTorch reads them: to read parametrized ones is work."""
        parts = self.norm1, self.norm2, self.linear1, self.linear2
        return [*self.self_attn._projections(), *[x for m in parts for x in (m.weight, m.bias)]]

    def _takes_fast_path(self, src: Tensor) -> bool:
        """Whether PyTorch calls a kernel of its own in evaluation, which masks where a mask isn't 0."""
        if src.ndim != 3 or self.training:
            return False
        parametrized = _is_parametrized(self)
        if (
            (not parametrized and _makes_graph(self, src))
            or _why_not_fused(self)
            or any(map(_have_hooks, self.modules()))
        ):
            return False
        return not parametrized or not (self._weights() and _makes_graph(self, src))  # PyTorch reads them to know

    def _on_arrays(self, src: Tensor, src_mask: Tensor | None, padding: Tensor | None) -> Tensor | None:
        """Compute `forward` on bare arrays. Return None if a part isn't as `__init__` made it, or a size is wrong."""
        attention, norm = self.self_attn, self.norm1
        parts = self.linear1, self.linear2, norm, self.norm2
        function = _FUNCTIONS.get(self.activation)
        if function is None or tuple(map(type, (self, attention, *parts))) != _PARTS or _have_hooks(global_hooks):
            return None
        if attention.out_proj._modules:  # a parametrization
            return None
        if not norm.normalized_shape == self.norm2.normalized_shape == src.shape[2:]:
            return None
        arrays = attention._fitting_arrays(src, src, src, src_mask, padding, attention._projections())
        own = evaluation.bare(src, *[x for m in parts for x in (m.weight, m.bias)])
        if arrays is None or own is None:
            return None
        ignored = evaluation.ignored_keys(src_mask, padding, len(src), attention.num_heads)
        out = evaluation.encoder_layer(
            own[0], attention.num_heads, arrays[3:] + own[1:], function, norm.eps, self.norm_first, ignored
        )
        return Tensor._wrap(out)


_FUNCTIONS: dict[Any, Any] = {F.relu: Relu.apply, F.gelu: Gelu.apply}
_PARTS = TransformerEncoderLayer, MultiheadAttention, Linear, Linear, LayerNorm, LayerNorm  # exactly these


class TransformerDecoderLayer(_TransformerLayer):
    """Self-attention, attention to the encoder's output, and a two-layer feedforward network per position.

    (T, N, E) and memory (S, N, E) -> (T, N, E). N comes first with batch_first, and may be missing. Masks, activation
    and norm_first are the encoder layer's, but a copy uses relu for an activation that is a module. Raises as
    TransformerEncoderLayer does. Source: torch.nn.TransformerDecoderLayer; Vaswani et al. (2017).

    >>> layer = nn.TransformerDecoderLayer(d_model=4, nhead=2, dim_feedforward=8)
    >>> layer(torch.ones(3, 1, 4), torch.ones(5, 1, 4)).shape
    torch.Size([3, 1, 4])
    """

    _attentions = ("self_attn", "multihead_attn")

    def __setstate__(self, state: dict[str, Any]) -> None:
        # As in PyTorch: a copy's attribute hides an activation among the child modules. TransformerDecoder copies.
        super().__setstate__({"activation": F.relu, **state})

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        self_masks = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        memory_args = memory, memory_mask, memory_key_padding_mask, memory_is_causal
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *self_masks)
            x = x + self._mha_block(self.norm2(x), *memory_args)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *self_masks))
        x = self.norm2(x + self._mha_block(x, *memory_args))
        return self.norm3(x + self._ff_block(x))

    def _mha_block(
        self, x: Tensor, mem: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        """Apply attention to the encoder's output, and dropout."""
        out = self.multihead_attn(
            x, mem, mem, attn_mask=attn_mask, key_padding_mask=key_padding_mask, is_causal=is_causal, need_weights=False
        )[0]
        return self.dropout2(out)


class TransformerEncoder(Module):
    """A stack of num_layers copies of an encoder layer, then `norm`.

    (S, N, E) -> the same. Raises as the layers do. Source: torch.nn.TransformerEncoder.

    mask, src_key_padding_mask and is_causal are those of the layers; with is_causal=None, `mask` is compared with the
    causal mask. In evaluation without gradients, PyTorch may skip padded positions by means of nested Tensors. Their
    outputs are 0 then, here too, and enable_nested_tensor and mask_check control when.

    >>> layer = nn.TransformerEncoderLayer(d_model=4, nhead=2, dim_feedforward=8, batch_first=True)
    >>> nn.TransformerEncoder(layer, num_layers=2)(torch.ones(1, 3, 4)).shape
    torch.Size([1, 3, 4])
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        why_not = _why_not_nested_tensor(encoder_layer)
        if enable_nested_tensor and why_not:
            warn(f"enable_nested_tensor is True, but self.use_nested_tensor is False because encoder_layer{why_not}")
        self.use_nested_tensor = enable_nested_tensor and not why_not
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        src_key_padding_mask = F._canonical_mask(
            src_key_padding_mask, "src_key_padding_mask", F._none_or_dtype(mask), "mask", src.dtype
        )
        mask = F._canonical_mask(mask, "mask", None, "", src.dtype, check_other=False)
        causal = _is_causal(mask, is_causal, src, self.layers[0])
        out = src
        for layer in self.layers:
            out = layer(out, src_mask=mask, is_causal=causal, src_key_padding_mask=src_key_padding_mask)
        if src_key_padding_mask is not None and mask is None and self._zeroes_padding(src, src_key_padding_mask):
            out = out.masked_fill(_is_padding(src_key_padding_mask).unsqueeze(-1), 0.0)
        return out if self.norm is None else self.norm(out)

    def _zeroes_padding(self, src: Tensor, padding: Tensor) -> bool:
        """Whether PyTorch would take the nested Tensor path, whose outputs at padded positions are 0."""
        first = self.layers[0]
        if not self.use_nested_tensor or first.training or src.ndim != 3 or _makes_graph(first, src):
            return False
        valid = ~_is_padding(padding).array
        return not self.mask_check or bool((valid[:, 1:] <= valid[:, :-1]).all())  # padding only at the end


class TransformerDecoder(Module):
    """A stack of num_layers copies of a decoder layer, then `norm`.

    (T, N, E) and memory (S, N, E) -> (T, N, E). Raises as the layers do. Source: torch.nn.TransformerDecoder.

    Masks are those of the layers; with tgt_is_causal=None, tgt_mask is compared with the causal mask.

    >>> layer = nn.TransformerDecoderLayer(d_model=4, nhead=2, dim_feedforward=8)
    >>> nn.TransformerDecoder(layer, num_layers=2)(torch.ones(3, 1, 4), torch.ones(5, 1, 4)).shape
    torch.Size([3, 1, 4])
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        causal = _is_causal(tgt_mask, tgt_is_causal, tgt, self.layers[0])
        out = tgt
        for layer in self.layers:
            out = layer(
                out, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return out if self.norm is None else self.norm(out)


class Transformer(Module):
    """An encoder of src, and a decoder of tgt that attends to the encoder's output. Source: torch.nn.Transformer.

    src (S, N, E) and tgt (T, N, E) -> (T, N, E). N comes first with batch_first, and may be missing. Matrices are
    initialized by `init.xavier_uniform_`. Raises RuntimeError if sizes don't fit. Vaswani et al. (2017).

    >>> net = nn.Transformer(4, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=8, batch_first=True)
    >>> mask = nn.Transformer.generate_square_subsequent_mask(3)
    >>> mask, net(torch.ones(1, 5, 4), torch.ones(1, 3, 4), tgt_mask=mask).shape
    (tensor([[0., -inf, -inf],
            [0., 0., -inf],
            [0., 0., 0.]]), torch.Size([1, 3, 4]))
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        settings = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device,
            dtype,
        )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder
        if custom_encoder is None:
            self.encoder = TransformerEncoder(TransformerEncoderLayer(*settings), num_encoder_layers, norm())
        self.decoder = custom_decoder
        if custom_decoder is None:
            self.decoder = TransformerDecoder(TransformerDecoderLayer(*settings), num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch] != tgt.shape[batch]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Device = None, dtype: Dtype = None) -> Tensor:
        """Return the causal mask (sz, sz) to add to the scores: -∞ where a key comes after the query, else 0."""
        return _generate_square_subsequent_mask(sz, device, dtype)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)


# Programs import these by PyTorch's names.
def _generate_square_subsequent_mask(sz: int, device: Device = None, dtype: Dtype = None) -> Tensor:
    return full((sz, sz), -float("inf"), device=device, dtype=dtype).triu(1)


def _get_activation_fn(name: str) -> Callable[[Tensor], Tensor]:
    if name not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {name}")
    return F.relu if name == "relu" else F.gelu


def _get_clones(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _get_seq_len(src: Tensor, batch_first: bool) -> int:
    return src.shape[1 if src.ndim == 3 and batch_first else 0]


def _detect_is_causal_mask(mask: Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Whether a mask is the causal one: `is_causal` unless that is None, else by comparing values."""
    if is_causal is not None or mask is None:
        return is_causal is True
    causal = _generate_square_subsequent_mask(mask.shape[-2] if size is None else size, mask.device)
    return mask.shape == causal.shape and bool((mask == (causal.bool() if mask.array.dtype == bool else causal)).all())


def _is_causal(mask: Tensor | None, is_causal: bool | None, x: Tensor, layer: Any) -> bool:
    known = is_causal is not None or mask is None  # then a program's layer may lack self_attn
    return _detect_is_causal_mask(mask, is_causal, None if known else _get_seq_len(x, layer.self_attn.batch_first))


def _is_parametrized(layer: Module) -> bool:
    attention: Any = layer._modules.get("self_attn", layer)
    parts = *layer._modules.values(), *attention._modules.values()
    return any(part is not None and "parametrizations" in part._modules for part in parts)


def _have_hooks(module: Any) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _makes_graph(layer: Module, x: Tensor) -> bool:
    """Whether a call of the layer makes a graph."""
    return state.current().grad_enabled and is_recorded(x, *layer.parameters())  # to list parameters takes time


def _is_padding(mask: Tensor) -> Tensor:
    return mask if mask.array.dtype == bool else mask != 0


def _why_not_nested_tensor(layer: Module) -> str:
    """Return the reason why PyTorch couldn't use nested Tensors with this layer, or "" if it could."""
    if not isinstance(layer, TransformerEncoderLayer):
        return " was not TransformerEncoderLayer"
    return ".norm_first was True" if layer.norm_first else _why_not_fused(layer)


def _why_not_fused(layer: TransformerEncoderLayer) -> str:
    """Return the reason why PyTorch has no kernel for an encoder layer with these settings, or "" if it has one."""
    attention = layer.self_attn
    reasons = {
        ".self_attn.batch_first was not True(use batch_first for better inference performance)": (
            not attention.batch_first
        ),
        ".self_attn._qkv_same_embed_dim was not True": not attention._qkv_same_embed_dim,
        ".self_attn was passed bias=False": attention.in_proj_bias is None,
        ".activation_relu_or_gelu was not True": not layer.activation_relu_or_gelu,
        ".norm1.eps was not equal to encoder_layer.norm2.eps": layer.norm1.eps != layer.norm2.eps,
        ".self_attn.num_heads is odd": attention.num_heads % 2,
    }
    return next((why for why, holds in reasons.items() if holds), "")
