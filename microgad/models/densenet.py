"""DenseNet: Huang et al. (2017)."""

from __future__ import annotations

from typing import Any

from ..nn import AvgPool2d, BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, ModuleDict, ReLU, Sequential, init
from ..nn import functional as F
from ..ops.movement import cat
from ..tensor import Tensor
from ..utils.checkpoint import checkpoint
from .builders import Builder, init_kaiming, variant


class _DenseLayer(Module):
    """Compute growth_rate new channels from all previous channels."""

    def __init__(
        self, num_input_features: int, growth_rate: int, bn_size: int, drop_rate: float, memory_efficient: bool = False
    ) -> None:
        super().__init__()
        width = bn_size * growth_rate
        self.norm1 = BatchNorm2d(num_input_features)
        self.relu1 = ReLU(inplace=True)
        self.conv1 = Conv2d(num_input_features, width, kernel_size=1, stride=1, bias=False)
        self.norm2 = BatchNorm2d(width)
        self.relu2 = ReLU(inplace=True)
        self.conv2 = Conv2d(width, growth_rate, kernel_size=3, stride=1, padding=1, bias=False)
        self.drop_rate = float(drop_rate)
        self.memory_efficient = memory_efficient

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for before in [name for name in state_dict if name.startswith((f"{prefix}norm.", f"{prefix}conv."))]:
            kind, _, numbered = before.removeprefix(prefix).partition(".")  # "norm.1.weight" in torchvision's files
            state_dict[f"{prefix}{kind}{numbered}"] = state_dict.pop(before)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _bottleneck(self, *inputs: Tensor) -> Tensor:
        return self.conv1(self.relu1(self.norm1(cat(inputs, 1))))

    def forward(self, input: Any) -> Tensor:
        inputs = [input] if isinstance(input, Tensor) else input
        if self.memory_efficient and any(x.requires_grad for x in inputs):
            bottleneck = checkpoint(self._bottleneck, *inputs, use_reentrant=False)
        else:
            bottleneck = self._bottleneck(*inputs)
        new = self.conv2(self.relu2(self.norm2(bottleneck)))
        return F.dropout(new, p=self.drop_rate, training=self.training) if self.drop_rate > 0 else new


class _DenseBlock(ModuleDict):
    def __init__(
        self,
        num_layers: int,
        num_input_features: int,
        bn_size: int,
        growth_rate: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        for i in range(num_layers):
            width = num_input_features + i * growth_rate
            self.add_module(f"denselayer{i + 1}", _DenseLayer(width, growth_rate, bn_size, drop_rate, memory_efficient))

    def forward(self, init_features: Tensor) -> Tensor:
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return cat(features, 1)


class _Transition(Sequential):
    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(num_input_features)
        self.relu = ReLU(inplace=True)
        self.conv = Conv2d(num_input_features, num_output_features, kernel_size=1, stride=1, bias=False)
        self.pool = AvgPool2d(kernel_size=2, stride=2)


class DenseNet(Module):
    """(N, 3, H, W) -> (N, num_classes): each layer reads all previous ones in its block.

    Source: torchvision.models.DenseNet.

    >>> net = torch.models.DenseNet(8, (1, 1, 1, 1), num_init_features=16, num_classes=10).eval()
    >>> net(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: tuple[int, ...] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        self.features = Sequential()
        self.features.conv0 = Conv2d(3, num_init_features, kernel_size=7, stride=2, padding=3, bias=False)
        self.features.norm0 = BatchNorm2d(num_init_features)
        self.features.relu0 = ReLU(inplace=True)
        self.features.pool0 = MaxPool2d(kernel_size=3, stride=2, padding=1)
        width = num_init_features
        for i, layers in enumerate(block_config, 1):
            block = _DenseBlock(layers, width, bn_size, growth_rate, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i}", block)
            width += layers * growth_rate
            if i < len(block_config):
                self.features.add_module(f"transition{i}", _Transition(width, width // 2))
                width //= 2
        self.features.norm5 = BatchNorm2d(width)
        self.classifier = Linear(width, num_classes)
        init_kaiming(self, "fan_in")
        init.zeros_(self.classifier.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(features, (1, 1)).flatten(1))


def _densenet(depth: int, growth_rate: int, block_config: tuple[int, ...], num_init_features: int) -> Builder[DenseNet]:
    settings = growth_rate, block_config, num_init_features
    return variant(f"densenet{depth}", f"a {depth}-layer DenseNet", lambda **kwargs: DenseNet(*settings, **kwargs))


densenet121 = _densenet(121, 32, (6, 12, 24, 16), 64)
densenet161 = _densenet(161, 48, (6, 12, 36, 24), 96)
densenet169 = _densenet(169, 32, (6, 12, 32, 32), 64)
densenet201 = _densenet(201, 32, (6, 12, 48, 32), 64)
