"""Vision Transformer: Dosovitskiy et al. (2020)."""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from typing import Any

from .. import nn
from ..errors import CallError
from ..nn import Module, Sequential, init
from ..ops import creation
from ..ops.movement import cat
from ..parameter import Parameter
from ..tensor import Tensor
from .blocks import MLP, Layer
from .builders import Builder, init_transformer_mlp, variant
from .weights import WeightsEnum

_NORM = functools.partial(nn.LayerNorm, eps=1e-6)


class MLPBlock(MLP):
    """Two linear layers with GELU in between. Source: torchvision.models.vision_transformer.MLPBlock."""

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        init_transformer_mlp(self)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for before, now in (("linear_1", "0"), ("linear_2", "3")):  # the old names in torchvision's files
            for name in ("weight", "bias"):
                if f"{prefix}{before}.{name}" in state_dict:
                    state_dict[f"{prefix}{now}.{name}"] = state_dict.pop(f"{prefix}{before}.{name}")
        super()._load_from_state_dict(state_dict, prefix, *rest)


class EncoderBlock(Module):
    """Attention and a network on each position, both with normalization before and a residual connection.

    Source: torchvision.models.vision_transformer.EncoderBlock.
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Layer = _NORM,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(Module):
    """Position embedding and blocks on (N, L, hidden_dim). Source: torchvision.models.vision_transformer.Encoder."""

    def __init__(
        self,
        seq_length: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Layer = _NORM,
    ) -> None:
        super().__init__()
        self.pos_embedding = Parameter(creation.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        how = (num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
        self.layers = Sequential(OrderedDict((f"encoder_layer_{i}", EncoderBlock(*how)) for i in range(num_layers)))
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(Module):
    """(N, 3, image_size, image_size) -> (N, num_classes). Raises AssertionError for other sizes.

    Source: torchvision.models.VisionTransformer.

    >>> net = torch.models.VisionTransformer(8, 4, 1, 2, 8, 16, num_classes=10).eval()
    >>> net(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer: Layer = _NORM,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise CallError(f"Input shape indivisible by patch size! {image_size} pixels, patches of {patch_size}")
        self.image_size, self.patch_size, self.hidden_dim, self.mlp_dim = image_size, patch_size, hidden_dim, mlp_dim
        self.attention_dropout, self.dropout, self.num_classes = attention_dropout, dropout, num_classes
        self.representation_size, self.norm_layer = representation_size, norm_layer
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = Parameter(creation.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        how = (num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
        self.encoder = Encoder(self.seq_length, *how)
        heads: OrderedDict[str, Module] = OrderedDict()
        if representation_size is not None:
            heads["pre_logits"], heads["act"] = nn.Linear(hidden_dim, representation_size), nn.Tanh()
        heads["head"] = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads = Sequential(heads)
        for layer in (self.conv_proj, heads.get("pre_logits")):
            if layer is not None:
                weight = layer.get_parameter("weight")
                init.trunc_normal_(weight, std=math.sqrt(1 / weight[0].numel()))
                init.zeros_(layer.get_parameter("bias"))
        for parameter in heads["head"].parameters():
            init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        if (height, width) != (self.image_size, self.image_size):
            raise CallError(f"Wrong image size! Expected {self.image_size} but got {(height, width)}!")
        patches = self.conv_proj(x).reshape(n, self.hidden_dim, self.seq_length - 1).permute(0, 2, 1)
        return self.heads(self.encoder(cat([self.class_token.expand(n, -1, -1), patches], 1))[:, 0])


def _vit(
    name: str, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int
) -> Builder[VisionTransformer]:
    def build(image_size: int = 224, **options: Any) -> VisionTransformer:
        return VisionTransformer(image_size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, **options)

    def options_of(weights: WeightsEnum) -> dict[str, Any]:
        return {"image_size": weights.transforms.keywords["crop_size"]}

    return variant(f"vit_{name}", "a Vision Transformer", build, options_of)


vit_b_16 = _vit("b_16", 16, 12, 12, 768, 3072)
vit_b_32 = _vit("b_32", 32, 12, 12, 768, 3072)
vit_l_16 = _vit("l_16", 16, 24, 16, 1024, 4096)
vit_l_32 = _vit("l_32", 32, 24, 16, 1024, 4096)
vit_h_14 = _vit("h_14", 14, 32, 16, 1280, 5120)
