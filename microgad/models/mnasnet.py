"""MNASNet: Tan et al. (2019)."""

from __future__ import annotations

from typing import Any

from ..nn import BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU, Sequential, init
from ..tensor import Tensor
from .blocks import make_divisible
from .builders import init_kaiming, variant

_MOMENTUM = 1 - 0.9997  # of the running means in batch normalization


def _conv_norm(inp: int, oup: int, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True) -> list[Module]:
    """A convolution that keeps the size but for its stride, batch normalization, and ReLU if `relu`."""
    conv = Conv2d(inp, oup, kernel, padding=kernel // 2, stride=stride, groups=groups, bias=False)
    norm = BatchNorm2d(oup, momentum=_MOMENTUM)
    return [conv, norm, ReLU(inplace=True)] if relu else [conv, norm]


class _InvertedResidual(Module):
    """Expansion, depthwise convolution and projection, with a residual connection if shapes allow it."""

    def __init__(self, inp: int, oup: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inp * expansion
        self.apply_residual = inp == oup and stride == 1
        self.layers = Sequential(
            *_conv_norm(inp, hidden, 1),
            *_conv_norm(hidden, hidden, kernel, stride, groups=hidden),
            *_conv_norm(hidden, oup, 1, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + x if self.apply_residual else self.layers(x)


# For each stack of blocks: channels, kernel size, stride of the first block, expansion, number of blocks.
_STACKS = [(24, 3, 2, 3, 3), (40, 5, 2, 3, 3), (80, 5, 2, 6, 3), (96, 3, 1, 6, 2), (192, 5, 2, 6, 4), (320, 3, 1, 6, 1)]


class MNASNet(Module):
    """(N, 3, H, W) -> (N, num_classes); alpha scales the channels.

    Raises ValueError unless alpha is positive. Source: torchvision.models.MNASNet.

    >>> torch.models.MNASNet(0.25, num_classes=10).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    _version = 2  # in state dicts: whose stem is scaled by alpha, too

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"alpha should be greater than 0.0 instead of {alpha}")
        self.alpha, self.num_classes = alpha, num_classes
        stem, channels = make_divisible(32 * alpha, 8), make_divisible(16 * alpha, 8)
        layers = [*_conv_norm(3, stem, 3, 2), *_conv_norm(stem, stem, 3, groups=stem)]
        layers += _conv_norm(stem, channels, 1, relu=False)
        for width, kernel, stride, expansion, count in _STACKS:
            out = make_divisible(width * alpha, 8)
            first = _InvertedResidual(channels, out, kernel, stride, expansion)
            rest = [_InvertedResidual(out, out, kernel, 1, expansion) for _ in range(count - 1)]
            layers.append(Sequential(first, *rest))
            channels = out
        self.layers = Sequential(*layers, *_conv_norm(channels, 1280, 1))
        self.classifier = Sequential(Dropout(p=dropout, inplace=True), Linear(1280, num_classes))
        init_kaiming(self, "fan_out", "relu", linear=_init_linear)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean((2, 3)))


def _init_linear(layer: Linear) -> None:
    init.kaiming_uniform_(layer.weight, mode="fan_out", nonlinearity="sigmoid")


def _mnasnet(name: str, alpha: float) -> Any:
    return variant(name, f"MNASNet with {alpha} times the channels", lambda **options: MNASNet(alpha, **options))


mnasnet0_5 = _mnasnet("mnasnet0_5", 0.5)
mnasnet0_75 = _mnasnet("mnasnet0_75", 0.75)
mnasnet1_0 = _mnasnet("mnasnet1_0", 1.0)
mnasnet1_3 = _mnasnet("mnasnet1_3", 1.3)
