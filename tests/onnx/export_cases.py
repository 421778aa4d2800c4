"""Modules and functions that the tests export to ONNX, with their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import microgad as torch
from microgad import nn
from microgad.nn import functional as F


def x(*shape: int) -> torch.Tensor:
    """Random numbers in [-2, 2)."""
    return torch.rand(*shape) * 4 - 2


def ints(n: int, *shape: int) -> torch.Tensor:
    """Random integers below n."""
    return torch.randint(0, n, shape)


LABELS = torch.tensor([[3, 0, -1, 1, 2], [-1, 2, 2, 2, 2], [4, 0, 1, 3, 2]])  # in each row, the labels before -1 count


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = function


class MaskedAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, query: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        return self.attention(query, query, query, key_padding_mask=padding, need_weights=False)[0]


class TiedEmbedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.embedding(tokens))


class Positions(nn.Module):
    """A causal transformer that computes positions and mask from the length of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(11, 8), nn.Embedding(32, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 11)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        hidden = self.token(tokens) + self.position(torch.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        return self.head(self.blocks(hidden, mask=mask, is_causal=True))


ACTIVATIONS = [
    nn.ELU(), nn.ELU(0.5), nn.Hardshrink(), nn.Hardsigmoid(), nn.Hardtanh(), nn.Hardswish(), nn.LeakyReLU(0.2),
    nn.LogSigmoid(), nn.PReLU(), nn.PReLU(3), nn.ReLU(), nn.ReLU6(), nn.ReLU(inplace=True), nn.RReLU(), nn.SELU(),
    nn.CELU(), nn.CELU(0.5), nn.GELU(), nn.GELU("tanh"), nn.Sigmoid(), nn.SiLU(), nn.SiLU(inplace=True), nn.Mish(),
    nn.Softplus(), nn.Softplus(2, 3), nn.Softshrink(), nn.Softsign(), nn.Tanh(), nn.Tanhshrink(),
    nn.Threshold(0.1, 20), nn.Softmin(1), nn.Softmax(1), nn.LogSoftmax(1), nn.Identity(), nn.Dropout(),
    nn.AlphaDropout(),
]  # fmt: skip

# ruff: noqa: E501
# Name -> (module, arguments). The first axis of each argument, of size 2, is exported as dynamic.
LAYERS: dict[str, Callable[[], tuple[Any, tuple[Any, ...]]]] = {
    "Linear": lambda: (nn.Linear(3, 4), (x(2, 3),)),
    "Linear of three axes": lambda: (nn.Linear(3, 4), (x(2, 5, 3),)),
    "Linear without bias": lambda: (nn.Linear(3, 4, bias=False), (x(2, 5, 3),)),
    "Bilinear": lambda: (nn.Bilinear(3, 4, 5), (x(2, 3), x(2, 4))),
    "LazyLinear": lambda: (_called(nn.LazyLinear(4), x(2, 3)), (x(2, 3),)),
    "Conv1d": lambda: (nn.Conv1d(4, 6, 3, 2, 1, 2, 2), (x(2, 4, 9),)),
    "Conv2d": lambda: (nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), 2, 2), (x(2, 4, 9, 7),)),
    "Conv2d same": lambda: (nn.Conv2d(2, 3, (4, 3), padding="same"), (x(2, 2, 6, 6),)),
    "Conv2d reflect": lambda: (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (x(2, 2, 6, 6),)),
    "Conv2d circular": lambda: (nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (x(2, 2, 6, 6),)),
    "Conv2d replicate": lambda: (nn.Conv2d(2, 3, 3, padding=1, padding_mode="replicate"), (x(2, 2, 6, 6),)),
    "Conv3d": lambda: (nn.Conv3d(2, 3, 2, padding=1), (x(2, 2, 4, 5, 6),)),
    "ConvTranspose1d": lambda: (nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2), (x(2, 4, 5),)),
    "ConvTranspose2d": lambda: (nn.ConvTranspose2d(4, 2, 3, 2, 1, 1), (x(2, 4, 5, 6),)),
    "ConvTranspose3d": lambda: (nn.ConvTranspose3d(2, 3, 2, 2), (x(2, 2, 3, 3, 3),)),
    "Unfold": lambda: (nn.Unfold((2, 3), (2, 1), (1, 2), (2, 1)), (x(2, 3, 6, 7),)),
    "Fold": lambda: (nn.Fold((5, 6), (2, 3), padding=1, stride=2), (x(2, 12, 9),)),
    "MaxPool1d": lambda: (nn.MaxPool1d(3, 2, 1), (x(2, 3, 9),)),
    "MaxPool2d": lambda: (nn.MaxPool2d(3, 2, 1, 2), (x(2, 3, 9, 10),)),
    "MaxPool2d ceil": lambda: (nn.MaxPool2d(2, ceil_mode=True), (x(2, 3, 7, 9),)),
    "MaxPool2d indices": lambda: (nn.MaxPool2d(2, return_indices=True), (x(2, 3, 6, 8),)),
    "MaxPool3d": lambda: (nn.MaxPool3d(2), (x(2, 3, 4, 4, 6),)),
    "AvgPool1d": lambda: (nn.AvgPool1d(3, 2, 1), (x(2, 3, 9),)),
    "AvgPool2d": lambda: (nn.AvgPool2d(3, 2, 1), (x(2, 3, 9, 8),)),
    "AvgPool2d without padding": lambda: (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (x(2, 3, 9, 8),)),
    "AvgPool2d ceil": lambda: (nn.AvgPool2d(3, 2, 1, ceil_mode=True), (x(2, 3, 8, 10),)),
    "AvgPool2d divisor": lambda: (nn.AvgPool2d(2, divisor_override=3), (x(2, 3, 8, 10),)),
    "AvgPool3d": lambda: (nn.AvgPool3d(2), (x(2, 3, 4, 4, 6),)),
    "LPPool2d": lambda: (nn.LPPool2d(2, 2), (x(2, 3, 4, 4),)),
    "AdaptiveAvgPool1d": lambda: (nn.AdaptiveAvgPool1d(3), (x(2, 3, 7),)),
    "AdaptiveAvgPool2d": lambda: (nn.AdaptiveAvgPool2d((3, 2)), (x(2, 3, 7, 5),)),
    "AdaptiveAvgPool2d to one": lambda: (nn.AdaptiveAvgPool2d(1), (x(2, 3, 7, 5),)),
    "AdaptiveMaxPool1d": lambda: (nn.AdaptiveMaxPool1d(3), (x(2, 3, 7),)),
    "AdaptiveMaxPool2d": lambda: (nn.AdaptiveMaxPool2d((3, 2), return_indices=True), (x(2, 3, 7, 5),)),
    "AdaptiveMaxPool2d to one": lambda: (nn.AdaptiveMaxPool2d(1), (x(2, 3, 7, 5),)),
    "ReflectionPad2d": lambda: (nn.ReflectionPad2d((1, 2, 0, 1)), (x(2, 3, 4, 5),)),
    "ReplicationPad1d": lambda: (nn.ReplicationPad1d((1, 2)), (x(2, 3, 4),)),
    "ZeroPad2d": lambda: (nn.ZeroPad2d((1, -1, 0, 1)), (x(2, 3, 4, 5),)),
    "ConstantPad3d": lambda: (nn.ConstantPad3d(1, 3.5), (x(2, 3, 2, 3, 4),)),
    "CircularPad2d": lambda: (nn.CircularPad2d((1, 2, 0, 1)), (x(2, 3, 4, 5),)),
    "GLU": lambda: (nn.GLU(1), (x(2, 6, 3),)),
    "Softmax2d": lambda: (nn.Softmax2d(), (x(2, 3, 2, 2),)),
    "BatchNorm1d": lambda: (_trained(nn.BatchNorm1d(3), x(5, 3)), (x(2, 3),)),
    "BatchNorm1d of signals": lambda: (_trained(nn.BatchNorm1d(3), x(5, 3, 4)), (x(2, 3, 4),)),
    "BatchNorm2d": lambda: (_trained(nn.BatchNorm2d(3), x(5, 3, 2, 2)), (x(2, 3, 4, 4),)),
    "BatchNorm2d not affine": lambda: (_trained(nn.BatchNorm2d(3, affine=False), x(5, 3, 2, 2)), (x(2, 3, 4, 4),)),
    "BatchNorm3d": lambda: (_trained(nn.BatchNorm3d(3), x(5, 3, 2, 2, 2)), (x(2, 3, 2, 4, 4),)),
    "BatchNorm without running": lambda: (nn.BatchNorm2d(3, track_running_stats=False), (x(2, 3, 4, 4),)),
    "SyncBatchNorm": lambda: (_trained(nn.SyncBatchNorm(3), x(5, 3, 2, 2)), (x(2, 3, 4, 4),)),
    "InstanceNorm1d": lambda: (nn.InstanceNorm1d(3, affine=True), (x(2, 3, 6),)),
    "InstanceNorm2d": lambda: (nn.InstanceNorm2d(3), (x(2, 3, 4, 6),)),
    "InstanceNorm2d running": lambda: (
        _trained(nn.InstanceNorm2d(3, track_running_stats=True), x(5, 3, 2, 2)),
        (x(2, 3, 4, 6),),
    ),
    "LayerNorm": lambda: (nn.LayerNorm((4, 6)), (x(2, 3, 4, 6),)),
    "LayerNorm bare": lambda: (nn.LayerNorm(6, elementwise_affine=False), (x(2, 3, 6),)),
    "GroupNorm": lambda: (nn.GroupNorm(2, 4), (x(2, 4, 3, 3),)),
    "GroupNorm of rows": lambda: (nn.GroupNorm(2, 6, affine=False), (x(2, 6),)),
    "RMSNorm": lambda: (nn.RMSNorm(6), (x(2, 3, 6),)),
    "LocalResponseNorm": lambda: (nn.LocalResponseNorm(3), (x(2, 5, 4, 4),)),
    "CrossMapLRN2d": lambda: (nn.CrossMapLRN2d(3), (x(2, 5, 4, 4),)),
    "RNN": lambda: (nn.RNN(3, 4, 2, batch_first=True), (x(2, 5, 3),)),
    "RNN relu": lambda: (nn.RNN(3, 4, nonlinearity="relu", bidirectional=True, batch_first=True), (x(2, 5, 3),)),
    "LSTM": lambda: (nn.LSTM(3, 4, 2, batch_first=True, dropout=0.3), (x(2, 5, 3),)),
    "LSTM bidirectional": lambda: (nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True), (x(2, 5, 3),)),
    "LSTM without bias": lambda: (nn.LSTM(3, 4, bias=False, batch_first=True), (x(2, 5, 3),)),
    "GRU": lambda: (nn.GRU(3, 4, 2, batch_first=True, bidirectional=True), (x(2, 5, 3),)),
    "RNNCell": lambda: (nn.RNNCell(3, 4), (x(2, 3), x(2, 4))),
    "LSTMCell": lambda: (nn.LSTMCell(3, 4), (x(2, 3),)),
    "GRUCell": lambda: (nn.GRUCell(3, 4), (x(2, 3),)),
    "MultiheadAttention": lambda: (nn.MultiheadAttention(6, 2, batch_first=True), (x(2, 4, 6), x(2, 5, 6), x(2, 5, 6))),
    "MultiheadAttention, masked": lambda: (MaskedAttention(), (x(2, 4, 6), ints(2, 2, 4) > 2)),
    "TransformerEncoderLayer": lambda: (nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), (x(2, 4, 6),)),
    "TransformerDecoderLayer": lambda: (
        nn.TransformerDecoderLayer(6, 2, 8, batch_first=True, norm_first=True),
        (x(2, 4, 6), x(2, 5, 6)),
    ),
    "Transformer": lambda: (nn.Transformer(6, 2, 1, 1, 8, batch_first=True), (x(2, 4, 6), x(2, 5, 6))),
    "Embedding": lambda: (nn.Embedding(9, 4, padding_idx=0), (ints(9, 2, 5),)),
    "EmbeddingBag": lambda: (nn.EmbeddingBag(9, 4, mode="mean"), (ints(9, 2, 5),)),
    "CosineSimilarity": lambda: (nn.CosineSimilarity(), (x(2, 5), x(2, 5))),
    "PairwiseDistance": lambda: (nn.PairwiseDistance(), (x(2, 5), x(2, 5))),
    "PixelShuffle": lambda: (nn.PixelShuffle(2), (x(2, 8, 3, 3),)),
    "PixelUnshuffle": lambda: (nn.PixelUnshuffle(2), (x(2, 2, 4, 4),)),
    "ChannelShuffle": lambda: (nn.ChannelShuffle(2), (x(2, 4, 3, 3),)),
    "Upsample": lambda: (nn.Upsample(scale_factor=2), (x(2, 3, 3, 4),)),
    "Upsample bilinear": lambda: (nn.Upsample(scale_factor=2, mode="bilinear"), (x(2, 3, 3, 4),)),
    "Upsample corners": lambda: (nn.Upsample((7, 5), mode="bilinear", align_corners=True), (x(2, 3, 3, 4),)),
    "Upsample bicubic": lambda: (nn.Upsample(scale_factor=3, mode="bicubic"), (x(2, 3, 3, 4),)),
    "Upsample linear": lambda: (nn.Upsample(7, mode="linear"), (x(2, 3, 4),)),
    "Flatten": lambda: (nn.Flatten(), (x(2, 3, 4),)),
    "Unflatten": lambda: (nn.Unflatten(1, (2, 3)), (x(2, 6),)),
    "Tied": lambda: (TiedEmbedding(), (ints(7, 2, 3),)),
    "weight_norm": lambda: (nn.utils.weight_norm(nn.Linear(3, 4)), (x(2, 3),)),
    "spectral_norm": lambda: (_trained(nn.utils.spectral_norm(nn.Linear(3, 4)), x(2, 3)), (x(2, 3),)),
    "parametrized weight_norm": lambda: (nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 2)), (x(2, 3, 4),)),
    "Positions": lambda: (Positions(), (ints(11, 2, 5),)),
    **{repr(layer): (lambda layer=layer: (layer, (x(2, 3, 4),))) for layer in ACTIVATIONS},
}

LOSSES: dict[str, Callable[[], tuple[Any, tuple[Any, ...]]]] = {
    "L1Loss": lambda: (nn.L1Loss(), (x(2, 3), x(2, 3))),
    "MSELoss": lambda: (nn.MSELoss(reduction="sum"), (x(2, 3), x(2, 3))),
    "CrossEntropyLoss": lambda: (nn.CrossEntropyLoss(), (x(2, 5), ints(5, 2))),
    "CrossEntropyLoss weighted": lambda: (
        nn.CrossEntropyLoss(torch.rand(5), ignore_index=1, reduction="sum"),
        (x(2, 5, 3), ints(5, 2, 3)),
    ),
    "CrossEntropyLoss of probabilities": lambda: (nn.CrossEntropyLoss(), (x(2, 5), torch.rand(2, 5))),
    "CrossEntropyLoss smoothed": lambda: (nn.CrossEntropyLoss(label_smoothing=0.2), (x(2, 5), ints(5, 2))),
    "CrossEntropyLoss smoothed and weighted": lambda: (
        nn.CrossEntropyLoss(torch.rand(5), ignore_index=1, label_smoothing=0.2),
        (x(2, 5, 3), ints(5, 2, 3)),
    ),
    "CrossEntropyLoss of each, smoothed": lambda: (
        nn.CrossEntropyLoss(torch.rand(5), reduction="none", label_smoothing=0.2),
        (x(2, 5), ints(5, 2)),
    ),
    "NLLLoss": lambda: (nn.NLLLoss(reduction="none"), (x(2, 5), ints(5, 2))),
    "BCELoss": lambda: (nn.BCELoss(), (torch.rand(2, 3), torch.rand(2, 3))),
    "BCEWithLogitsLoss": lambda: (nn.BCEWithLogitsLoss(pos_weight=torch.rand(3)), (x(2, 3), torch.rand(2, 3))),
    "KLDivLoss": lambda: (nn.KLDivLoss(reduction="batchmean"), (x(2, 3), torch.rand(2, 3))),
    "HuberLoss": lambda: (nn.HuberLoss(delta=0.5), (x(2, 3), x(2, 3))),
    "SmoothL1Loss": lambda: (nn.SmoothL1Loss(beta=0.5), (x(2, 3), x(2, 3))),
    "SoftMarginLoss": lambda: (nn.SoftMarginLoss(), (x(2, 3), torch.ones(2, 3))),
    "HingeEmbeddingLoss": lambda: (nn.HingeEmbeddingLoss(), (x(2, 3), torch.ones(2, 3))),
    "MarginRankingLoss": lambda: (nn.MarginRankingLoss(0.1), (x(2), x(2), torch.ones(2))),
    "CosineEmbeddingLoss": lambda: (nn.CosineEmbeddingLoss(), (x(2, 3), x(2, 3), torch.ones(2))),
    "TripletMarginLoss": lambda: (nn.TripletMarginLoss(), (x(2, 3), x(2, 3), x(2, 3))),
    "PoissonNLLLoss": lambda: (nn.PoissonNLLLoss(), (x(2, 3), torch.rand(2, 3))),
    "GaussianNLLLoss": lambda: (nn.GaussianNLLLoss(), (x(2, 3), x(2, 3), torch.rand(2, 3) + 0.1)),
    "MultiMarginLoss": lambda: (nn.MultiMarginLoss(), (x(2, 5), ints(5, 2))),
    "MultiMarginLoss weighted": lambda: (
        nn.MultiMarginLoss(2, 0.5, torch.rand(5), reduction="sum"),
        (x(2, 5), ints(5, 2)),
    ),
    "MultiLabelMarginLoss": lambda: (nn.MultiLabelMarginLoss(), (x(3, 5), LABELS)),
    "MultiLabelMarginLoss of each": lambda: (nn.MultiLabelMarginLoss(reduction="none"), (x(3, 5), LABELS)),
    "MultiLabelSoftMarginLoss": lambda: (nn.MultiLabelSoftMarginLoss(), (x(2, 3), ints(2, 2, 3).float())),
}

SPECIAL = (torch.isnan, torch.isinf, torch.isposinf, torch.isneginf, torch.isfinite)

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "arithmetic": (lambda a, b: (a + 2 * b - a / (b * b + 1), -a, 1 - a, a**2, abs(a) ** 1.5), (x(2, 3), x(2, 3))),
    "integers": (lambda a: (a + 1, a * 2.5, a / 2, a // 2, a % 3, a > 1, a == 2, -a), (ints(9, 2, 3) - 4,)),
    "mixed": (lambda a, b: (a + b, a * (b > 1), torch.where(b > 1, a, 0.0), a > b), (x(2, 3), ints(3, 2, 3))),
    "broadcast": (lambda a, b: a[:, None] + b[None], (x(2, 3), x(1, 3))),
    "exponentials": (lambda a: (a.exp(), a.abs().log(), a.expm1(), a.abs().log1p(), a.abs().sqrt(), a.exp2(),
                                a.abs().rsqrt(), a.abs().log2(), a.abs().log10(), a.sigmoid(), a.ldexp(torch.tensor(3))),
                     (x(2, 3),)),
    "trigonometry": (lambda a: (a.sin(), a.cos(), a.tan(), a.asin(), a.atan(), a.sinh(), a.cosh(), a.tanh(),
                                a.asinh(), a.erf(), a.erfc()), (x(2, 3) / 2,)),
    "rounding": (lambda a: (a.round(), a.floor(), a.ceil(), a.trunc(), a.frac(), a.sign(), a.floor_divide(0.3),
                            a.remainder(0.7), a.fmod(0.7)), (x(2, 3),)),
    "selection": (lambda a, b: (a.clamp(-1, 1), a.clamp(min=b), torch.maximum(a, b), torch.minimum(a, b),
                                a.masked_fill(a > 0, 7.0), torch.where(a > b, a, b), a.relu()), (x(2, 3), x(2, 3))),
    "logic": (lambda a, b: ((a > 0) & (b > 0), (a > 0) | (b > 0), ~(a > 0), (a > 0) ^ (b > 0), a.isnan(),
                            (a > 0).logical_and(b > 1)), (x(2, 3), x(2, 3))),
    "booleans": (lambda a, b: (a + b, a * b, a.maximum(b), a.minimum(b), ~a, a.count_nonzero(1)), (x(2, 3) > 0, x(2, 3) > 0)),
    "special numbers": (lambda a, n: (*(f(y) for y in (a, n) for f in SPECIAL), a.nan_to_num(1, 2, 3), a.nansum(1)),
                        (torch.tensor([[1, np.inf], [np.nan, -np.inf]]), ints(5, 2, 3))),
    "quotients of integers": (lambda a: (a.div(2, rounding_mode="trunc"), (a * 0.4).div(0.3, rounding_mode="trunc"),
                                         ~a, a.round(), a.floor(), a.trunc(), a.fmod(3)), (ints(9, 2, 3) - 4,)),
    "sums": (lambda a: (a.sum(1), a.mean((1, 2)), a.sum(-1, keepdim=True), a.prod(1), a.amax(1), a.amin((1, 2)),
                        a.var(1), a.std(2, unbiased=False), a.var(1, correction=2), a.logsumexp(1), a.cumsum(1), a.norm(dim=1),
                        (a > 0).any(1), (a > 0).all(1), a.sum(), a.mean(), a.max(), (a > 0).sum(1),
                        *torch.std_mean(a, 1, keepdim=True), *torch.var_mean(a, (1, 2), correction=0)), (x(2, 3, 4),)),
    "order": (lambda a: (*a.max(1), *a.min(1, keepdim=True), a.argmax(1), a.argmin(), a.argmax(keepdim=True), *a.topk(2, 1), *a.sort(1),
                         a.argsort(1, descending=True), *a.median(1), *a.kthvalue(2, 1, keepdim=True), a[0].median()),
              (x(2, 6),)),
    "norms and no axes": (lambda a: (*(torch.linalg.vector_norm(a, p, 1) for p in (0, 1, 3, np.inf, -np.inf)), a.sum(())),
                          (x(2, 3),)),
    "logits and fills": (lambda a: (a.sigmoid().logit(), a.logit(0.1), torch.fill(a, 2.5), torch.fill(a, a.sum())),
                         (x(2, 3),)),
    "windows and two arrays": (lambda a: (a.unfold(1, 3, 2), a[:, [0, 1], [1, 2]], a[:, [0, 1], :, [2, 0]]), (x(2, 5, 4, 3),)),
    "shapes": (lambda a: (a.view(a.shape[0], -1), a.reshape(-1, 4), a.transpose(0, 1), a.permute(2, 0, 1),
                          a.unsqueeze(1), a.flatten(), a.flatten(1), a.unsqueeze(0).squeeze(0), a.mT, a.movedim(0, 2),
                          a.expand(2, *a.shape), a.repeat(1, 2, 1), a.unflatten(2, (2, 2)), a.contiguous(),
                          a.repeat_interleave(2, 0), a.repeat_interleave(3, 1)),
               (x(2, 3, 4),)),
    "joining": (lambda a, b: (torch.cat((a, b), 1), torch.stack((a, b), 1), torch.cat((a, b)), *a.chunk(2, 1),
                              *a.split([1, 2], 1), *a.unbind(1), torch.hstack((a, b)), torch.block_diag(a, b[:1]),
                              torch.block_diag(a[0, 0], b[0], a), torch.kron(a, b)), (x(2, 3), x(2, 3))),
    "rotation": (lambda a: tuple(torch.rot90(a, k, (2, 0)) for k in range(4)), (x(2, 3, 4),)),
    "renorm and select_scatter": (lambda a: (torch.renorm(a, 2, 0, 1.5), a.select_scatter(a[0], 0, 0)), (x(2, 3),)),
    "indexing": (lambda a: (a[:, 0], a[0], a[..., -1], a[:, 1:], a[:, ::2], a[:, [2, 0]], a[:, None, 1],
                            a[:-1], a[-1:], a.flip(1), a.roll(1, 1), a.roll(-1, 1), a.narrow(1, 1, 2), a.roll(7, 1),
                            a.roll(3, 1), a.roll((5, -9), (0, 2)), a.roll(-29)), (x(2, 3, 4),)),
    "gathering": (lambda a, i: (a.gather(1, i), a.index_select(1, i[0]), a[:, i[0]], a[i[:, 0] * 0], a.take_along_dim(i, 1),
                                a[torch.arange(a.shape[0]), i[:, 0]]), (x(2, 5), ints(5, 2, 3))),
    "writing": (lambda a: _write(a), (x(2, 3, 4),)),
    "triangles": (lambda a: (a.tril(), a.triu(1), a.diagonal(0, 1, 2), a[0].trace(), a.diagonal(-1, 2, 1),
                             a[0].reshape(6, 2).trace()), (x(2, 3, 4),)),
    "products": (lambda a, b: (a @ b.mT, torch.bmm(a, b.mT), torch.einsum("bij,bkj->bik", a, b), a @ b[0].T,
                               torch.einsum("bij,bij->b", a, b), torch.cdist(a, b), (a[0, 0] * b[0, 0]).sum()),
                 (x(2, 3, 4), x(2, 5, 4)[:, :3])),
    "creation": (lambda a: (a + torch.arange(a.shape[0])[:, None], a * torch.ones(a.shape[0], 1), torch.zeros_like(a) + a,
                            a + torch.full((a.shape[0], 3), 2.5), a.new_zeros(a.shape[0], 2), a + a.shape[0],
                            a + torch.linspace(0, 1, 3), F.one_hot((a > 0).long(), 3)), (x(2, 3),)),
    "casts": (lambda a: (a.long(), a.int(), a.bool(), a.double(), a.half().float(), a.to(torch.float64)), (x(2, 3),)),
    "attention": (lambda q, k, v: (F.scaled_dot_product_attention(q, k, v),
                                   F.scaled_dot_product_attention(q, k, v, is_causal=True)),
                  (x(2, 2, 4, 3), x(2, 2, 4, 3), x(2, 2, 4, 3))),
    "sampling": (lambda a, g: (F.grid_sample(a, g, align_corners=False), F.grid_sample(a, g, "nearest", "border", True)),
                 (x(2, 3, 5, 6), x(2, 4, 4, 2) / 2)),
    "affine": (lambda t: F.affine_grid(t, (t.shape[0], 1, 3, 4), align_corners=False), (x(2, 2, 3),)),
    "normalize": (lambda a: (F.normalize(a), F.normalize(a, 1, 2), F.softmax(a, -1), F.layer_norm(a, (4,))), (x(2, 3, 4),)),
    "a dict": (lambda a: {"a": a + 1, "b": [a * 2, a]}, (x(2, 3),)),
    "a running buffer": (lambda a: a.detach().add_(1).mul_(2), (x(2, 3),)),
}  # fmt: skip


def _write(a: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Results of several in-place writes."""
    out = torch.zeros(a.shape[0], 3, 4)
    out[:, 0] = a[:, 1]
    out[:, 1:3] = a[:, :2]
    first = out + 0
    out[:, -1] += 1
    out[:, :, 0] = 5
    b = a.clone()
    b[b < 0] = 0.5
    return out, first, b


def _called(module: nn.Module, *args: Any) -> nn.Module:
    """The module after a call, which initializes lazy parameters."""
    module(*args)
    return module


def _trained(module: nn.Module, *args: Any) -> nn.Module:
    """The module after calls in training mode, which update running statistics."""
    module.train()
    for _ in range(3):
        module(*args)
    return module


def arrays(result: Any) -> list[np.ndarray[Any, Any]]:
    """The arrays in nested results."""
    if isinstance(result, torch.Tensor):
        return [result.detach().numpy()]
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else ()
    return [array for part in parts for array in arrays(part)]
