"""GoogLeNet, or Inception v1: Szegedy et al. (2015)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import ArgumentError
from ..nn import AdaptiveAvgPool2d, Dropout, Linear, MaxPool2d, Module, Sequential
from ..nn import functional as F
from ..tensor import Tensor
from .blocks import Layer
from .builders import variant
from .inception import BasicConv2d as BasicConv2d
from .inception import Branches, WithAuxiliaryHeads, wants_initialization


class GoogLeNetOutputs(NamedTuple):
    """The logits of a GoogLeNet in training mode, and those of its auxiliary heads: each (N, num_classes).

    Source: torchvision.models.googlenet.GoogLeNetOutputs.

    >>> torch.models.GoogLeNetOutputs(torch.zeros(1, 2), None, None)._fields
    ('logits', 'aux_logits2', 'aux_logits1')
    """

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


_GoogLeNetOutputs = GoogLeNetOutputs


class Inception(Branches):
    """(N, in_channels, H, W) -> (N, ch1x1 + ch3x3 + ch5x5 + pool_proj, H, W).

    As in torchvision, the kernel of the convolution with ch5x5 channels is 3. Source:
    torchvision.models.googlenet.Inception.

    >>> from microgad.models.googlenet import Inception
    >>> Inception(8, 1, 2, 3, 4, 5, 6)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 15, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        conv_block: Layer | None = None,
    ) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d

        def reduced(narrow: int, wide: int) -> Sequential:
            return Sequential(conv(in_channels, narrow, kernel_size=1), conv(narrow, wide, kernel_size=3, padding=1))

        self.branch1 = conv(in_channels, ch1x1, kernel_size=1)
        self.branch2 = reduced(ch3x3red, ch3x3)
        self.branch3 = reduced(ch5x5red, ch5x5)
        pool = MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True)
        self.branch4 = Sequential(pool, conv(in_channels, pool_proj, kernel_size=1))

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]


class InceptionAux(Module):
    """A second head in training: (N, in_channels, H, W) -> (N, num_classes), from averages of 4×4 parts.

    Source: torchvision.models.googlenet.InceptionAux.

    >>> with torch.device("meta"):
    ...     net = torch.models.GoogLeNet(num_classes=10, init_weights=False)
    ...     net.aux1(torch.zeros(2, 512, 5, 5)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, in_channels: int, num_classes: int, conv_block: Layer | None = None, dropout: float = 0.7
    ) -> None:
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = Linear(2048, 1024)
        self.fc2 = Linear(1024, num_classes)
        self.dropout = Dropout(p=dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


# The arguments of the convolutions: channels, and how; of the poolings: the kernel; of the blocks: the channels of the
# input, of the 1×1 convolution, before and after the 3×3 one, before and after the one called 5×5, after the pooling.
_LAYERS: dict[str, Any] = {
    "conv1": (3, 64, {"kernel_size": 7, "stride": 2, "padding": 3}),
    "maxpool1": (3,),
    "conv2": (64, 64, {"kernel_size": 1}),
    "conv3": (64, 192, {"kernel_size": 3, "padding": 1}),
    "maxpool2": (3,),
    "inception3a": (192, 64, 96, 128, 16, 32, 32),
    "inception3b": (256, 128, 128, 192, 32, 96, 64),
    "maxpool3": (3,),
    "inception4a": (480, 192, 96, 208, 16, 48, 64),
    "inception4b": (512, 160, 112, 224, 24, 64, 64),
    "inception4c": (512, 128, 128, 256, 24, 64, 64),
    "inception4d": (512, 112, 144, 288, 32, 64, 64),
    "inception4e": (528, 256, 160, 320, 32, 128, 128),
    "maxpool4": (2,),
    "inception5a": (832, 256, 160, 320, 32, 128, 128),
    "inception5b": (832, 384, 192, 384, 48, 128, 128),
}


class GoogLeNet(WithAuxiliaryHeads):
    """(N, 3, H, W) -> logits (N, num_classes), or GoogLeNetOutputs in training mode if `aux_logits`.

    `transform_input` expects images with ImageNet's usual normalization. `blocks` replace BasicConv2d, Inception and
    InceptionAux: ValueError is raised unless they are 3. Source: torchvision.models.GoogLeNet.

    >>> net = torch.models.GoogLeNet(num_classes=10, aux_logits=False, init_weights=False).eval()
    >>> net(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    _outputs = GoogLeNetOutputs
    aux1: Module | None
    aux2: Module | None

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool | None = None,
        blocks: Sequence[Layer] | None = None,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ) -> None:
        super().__init__()
        usual = (BasicConv2d, Inception, InceptionAux)
        blocks = usual if blocks is None else blocks
        init_weights = wants_initialization(init_weights, "GoogleNet")
        if len(blocks) != len(usual):
            raise ArgumentError(f"blocks length should be 3 instead of {len(blocks)}")
        conv, inception, head = blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input
        for name, sizes in _LAYERS.items():
            if name.startswith("conv"):
                layer = conv(*sizes[:2], **sizes[2])
            elif name.startswith("maxpool"):
                layer = MaxPool2d(sizes[0], stride=2, ceil_mode=True)
            else:
                layer = inception(*sizes)
            setattr(self, name, layer)
        self.aux1 = head(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = head(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.dropout = Dropout(p=dropout)
        self.fc = Linear(1024, num_classes)
        if init_weights:
            self._initialize(0.01)

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        heads = {"inception4a": self.aux1, "inception4d": self.aux2} if self.training else {}
        found = {}
        for name in _LAYERS:
            x = getattr(self, name)(x)
            if (head := heads.get(name)) is not None:
                found[name] = head(x)
        logits = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return logits, found.get("inception4d"), found.get("inception4a")


def _drop_heads(net: GoogLeNet, options: dict[str, Any]) -> None:
    """Drop the auxiliary heads, which aren't trained in the weights that were loaded, unless they are asked for."""
    if "aux_logits" in options:
        said = "auxiliary heads in the pretrained googlenet model are NOT pretrained, so make sure to train them"
        warnings.warn(said, stacklevel=1)
    else:
        net.aux_logits, net.aux1, net.aux2 = False, None, None


googlenet = variant(
    "googlenet", "GoogLeNet", lambda **options: GoogLeNet(**options),
    lambda _: {"aux_logits": True, "init_weights": False}, usual={"transform_input": True}, loaded=_drop_heads,
)  # fmt: skip
