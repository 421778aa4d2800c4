"""Inception v3: Szegedy et al. (2016). Its blocks compute branches side by side and concatenate their channels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from ..errors import ArgumentError
from ..nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, Module, init
from ..nn import functional as F
from ..ops.movement import cat
from ..tensor import Tensor
from .blocks import Layer
from .builders import variant


class InceptionOutputs(NamedTuple):
    """The logits of an Inception3 in training mode, and those of its auxiliary head: each (N, num_classes).

    Source: torchvision.models.inception.InceptionOutputs.

    >>> torch.models.InceptionOutputs(torch.zeros(1, 2), None)._fields
    ('logits', 'aux_logits')
    """

    logits: Tensor
    aux_logits: Tensor | None


_InceptionOutputs = InceptionOutputs


class BasicConv2d(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H', W'): convolution, normalization, ReLU.

    Source: torchvision.models.inception.BasicConv2d.

    >>> torch.models.inception.BasicConv2d(3, 8, kernel_size=3, stride=2)(torch.zeros(1, 3, 9, 9)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Branches(Module):
    """Branches on the same input (N, in_channels, H, W), whose channels are concatenated."""

    _forward: Callable[..., list[Tensor]]

    def _add(self, conv_block: Layer | None, name: str, channels: int, *layers: tuple[Any, ...]) -> None:
        """Register a chain of convolutions (out_channels, kernel), of the same size, or (…, stride), without padding.

        They are called name_1, name_2, …, or `name` if there is only one.
        """
        for i, (width, kernel, *stride) in enumerate(layers, 1):
            how: dict[str, Any] = {"kernel_size": kernel}
            if stride:
                how["stride"] = stride[0]
            elif kernel != 1:
                how["padding"] = tuple(k // 2 for k in kernel) if isinstance(kernel, tuple) else kernel // 2
            convolution = (conv_block or BasicConv2d)(channels, width, **how)
            self.add_module(f"{name}_{i}" if len(layers) > 1 else name, convolution)
            channels = width

    def forward(self, x: Tensor) -> Tensor:
        return cat(self._forward(x), 1)


class InceptionA(Branches):
    """(N, in_channels, H, W) -> (N, 224 + pool_features, H, W). Source: torchvision.models.inception.InceptionA.

    >>> torch.models.inception.InceptionA(8, pool_features=4)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 228, 5, 5])
    """

    def __init__(self, in_channels: int, pool_features: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        self._add(conv_block, "branch1x1", in_channels, (64, 1))
        self._add(conv_block, "branch5x5", in_channels, (48, 1), (64, 5))
        self._add(conv_block, "branch3x3dbl", in_channels, (64, 1), (96, 3), (96, 3))
        self._add(conv_block, "branch_pool", in_channels, (pool_features, 1))

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(_average(x)),
        ]


class InceptionB(Branches):
    """(N, in_channels, H, W) -> (N, 480 + in_channels, (H - 1) // 2, (W - 1) // 2).

    Source: torchvision.models.inception.InceptionB.

    >>> torch.models.inception.InceptionB(8)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 488, 2, 2])
    """

    def __init__(self, in_channels: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        self._add(conv_block, "branch3x3", in_channels, (384, 3, 2))
        self._add(conv_block, "branch3x3dbl", in_channels, (64, 1), (96, 3), (96, 3, 2))

    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return [self.branch3x3(x), double, F.max_pool2d(x, kernel_size=3, stride=2)]


class InceptionC(Branches):
    """(N, in_channels, H, W) -> (N, 768, H, W), by kernels of one row or column, with `channels_7x7` between them.

    Source: torchvision.models.inception.InceptionC.

    >>> torch.models.inception.InceptionC(8, channels_7x7=4)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 768, 5, 5])
    """

    def __init__(self, in_channels: int, channels_7x7: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        row, column, c = (1, 7), (7, 1), channels_7x7
        self._add(conv_block, "branch1x1", in_channels, (192, 1))
        self._add(conv_block, "branch7x7", in_channels, (c, 1), (c, row), (192, column))
        self._add(conv_block, "branch7x7dbl", in_channels, (c, 1), (c, column), (c, row), (c, column), (192, row))
        self._add(conv_block, "branch_pool", in_channels, (192, 1))

    def _forward(self, x: Tensor) -> list[Tensor]:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return [self.branch1x1(x), single, double, self.branch_pool(_average(x))]


class InceptionD(Branches):
    """(N, in_channels, H, W) -> (N, 512 + in_channels, (H - 1) // 2, (W - 1) // 2).

    Source: torchvision.models.inception.InceptionD.

    >>> torch.models.inception.InceptionD(8)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 520, 2, 2])
    """

    def __init__(self, in_channels: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        self._add(conv_block, "branch3x3", in_channels, (192, 1), (320, 3, 2))
        self._add(conv_block, "branch7x7x3", in_channels, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2))

    def _forward(self, x: Tensor) -> list[Tensor]:
        narrow = self.branch3x3_2(self.branch3x3_1(x))
        wide = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return [narrow, wide, F.max_pool2d(x, kernel_size=3, stride=2)]


class InceptionE(Branches):
    """(N, in_channels, H, W) -> (N, 2048, H, W). Source: torchvision.models.inception.InceptionE.

    >>> with torch.device("meta"):
    ...     torch.models.inception.InceptionE(8)(torch.zeros(1, 8, 5, 5)).shape
    torch.Size([1, 2048, 5, 5])
    """

    def __init__(self, in_channels: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        self._add(conv_block, "branch1x1", in_channels, (320, 1))
        self._add(conv_block, "branch3x3_1", in_channels, (384, 1))
        self._add_row_and_column(conv_block, "branch3x3_2")
        self._add(conv_block, "branch3x3dbl", in_channels, (448, 1), (384, 3))
        self._add_row_and_column(conv_block, "branch3x3dbl_3")
        self._add(conv_block, "branch_pool", in_channels, (192, 1))

    def _add_row_and_column(self, conv_block: Layer | None, name: str) -> None:
        self._add(conv_block, f"{name}a", 384, (384, (1, 3)))
        self._add(conv_block, f"{name}b", 384, (384, (3, 1)))

    def _forward(self, x: Tensor) -> list[Tensor]:
        ones = self.branch1x1(x)
        single = self.branch3x3_1(x)
        single = cat([self.branch3x3_2a(single), self.branch3x3_2b(single)], 1)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        double = cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], 1)
        return [ones, single, double, self.branch_pool(_average(x))]


def _average(x: Tensor) -> Tensor:
    """Average each pixel and its neighbors; pixels outside count as 0."""
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


class InceptionAux(Module):
    """A second head in training: (N, in_channels, H, W) -> (N, num_classes), for H and W of 17 and more.

    Source: torchvision.models.inception.InceptionAux.

    >>> with torch.device("meta"):
    ...     torch.models.inception.InceptionAux(8, 10)(torch.zeros(2, 8, 17, 17)).shape
    torch.Size([2, 10])
    """

    def __init__(self, in_channels: int, num_classes: int, conv_block: Layer | None = None) -> None:
        super().__init__()
        conv_block = conv_block or BasicConv2d
        self.conv0 = conv_block(in_channels, 128, kernel_size=1)
        self.conv1 = conv_block(128, 768, kernel_size=5)
        self.fc = Linear(768, num_classes)
        # torchvision, too, reads `stddev` from layers only: conv1.conv has the usual initial values.
        self.conv1.stddev, self.fc.stddev = 0.01, 0.001

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        return self.fc(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


class WithAuxiliaryHeads(Module):
    """A network that returns a tuple, with the logits of auxiliary heads, in training mode if `aux_logits`."""

    aux_logits: bool
    transform_input: bool
    _outputs: ClassVar[Any]  # the class of the tuple
    _forward: Callable[..., tuple[Any, ...]]

    def _transform_input(self, x: Tensor) -> Tensor:
        """Convert images with the usual normalization to that of the trained weights, to [-1, 1], if asked for."""
        if not self.transform_input:
            return x
        usual = enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)])  # means and standard deviations
        return cat([x[:, i].unsqueeze(1) * (std / 0.5) + (mean - 0.5) / 0.5 for i, (mean, std) in usual], 1)

    def forward(self, x: Tensor) -> Any:
        logits, *auxiliary = self._forward(self._transform_input(x))
        return self._outputs(logits, *auxiliary) if self.training and self.aux_logits else logits

    def _initialize(self, stddev: float) -> None:
        """Draw the weights of layers with the standard deviation that a layer has as `stddev`, or else with this."""
        for module in self.modules():
            if isinstance(module, (Conv2d, Linear)):
                init.trunc_normal_(module.weight, std=float(getattr(module, "stddev", stddev)))
            elif isinstance(module, BatchNorm2d):
                init.ones_(module.get_parameter("weight"))
                init.zeros_(module.get_parameter("bias"))


def wants_initialization(init_weights: bool | None, name: str) -> bool:
    """Warn, in torchvision's words, unless it is given; None means True."""
    if init_weights is None:
        said = (
            f"The default weight initialization of {name} will be changed in future releases of torchvision. If you "
            "wish to keep the old behavior (which leads to long initialization times due to scipy/scipy#11299), please "
            "set init_weights=True."
        )
        warnings.warn(said, FutureWarning, stacklevel=1)
    return init_weights is None or init_weights


# Of each layer before the auxiliary head: the name, the kind, the arguments.
_TRUNK: list[tuple[str, str, tuple[int, ...], dict[str, int]]] = [
    ("Conv2d_1a_3x3", "conv", (3, 32), {"kernel_size": 3, "stride": 2}),
    ("Conv2d_2a_3x3", "conv", (32, 32), {"kernel_size": 3}),
    ("Conv2d_2b_3x3", "conv", (32, 64), {"kernel_size": 3, "padding": 1}),
    ("maxpool1", "pool", (3, 2), {}),
    ("Conv2d_3b_1x1", "conv", (64, 80), {"kernel_size": 1}),
    ("Conv2d_4a_3x3", "conv", (80, 192), {"kernel_size": 3}),
    ("maxpool2", "pool", (3, 2), {}),
    ("Mixed_5b", "A", (192,), {"pool_features": 32}),
    ("Mixed_5c", "A", (256,), {"pool_features": 64}),
    ("Mixed_5d", "A", (288,), {"pool_features": 64}),
    ("Mixed_6a", "B", (288,), {}),
    ("Mixed_6b", "C", (768,), {"channels_7x7": 128}),
    ("Mixed_6c", "C", (768,), {"channels_7x7": 160}),
    ("Mixed_6d", "C", (768,), {"channels_7x7": 160}),
    ("Mixed_6e", "C", (768,), {"channels_7x7": 192}),
]
# Of each one after it: the name, the kind, the channels of the input.
_TOP = [("Mixed_7a", "D", 768), ("Mixed_7b", "E", 1280), ("Mixed_7c", "E", 2048)]


class Inception3(WithAuxiliaryHeads):
    """(N, 3, H, W) -> logits (N, num_classes), or InceptionOutputs in training mode if `aux_logits`.

    H and W are at least 75, and with the auxiliary head 299 is usual. `transform_input` expects images with ImageNet's
    usual normalization. `inception_blocks` replace BasicConv2d, InceptionA to InceptionE and InceptionAux: ValueError
    is raised unless they are 7. Source: torchvision.models.Inception3.

    >>> with torch.device("meta"):
    ...     net = torch.models.Inception3(num_classes=10, init_weights=True)
    ...     [x.shape for x in net(torch.zeros(2, 3, 299, 299))]
    [torch.Size([2, 10]), torch.Size([2, 10])]
    """

    _outputs = InceptionOutputs

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        inception_blocks: Sequence[Layer] | None = None,
        init_weights: bool | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        usual = (BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux)
        blocks: Sequence[Layer] = usual if inception_blocks is None else inception_blocks
        init_weights = wants_initialization(init_weights, "inception_v3")
        if len(blocks) != len(usual):
            raise ArgumentError(f"length of inception_blocks should be 7 instead of {len(blocks)}")
        make = dict(zip(("conv", *"ABCDE", "head", "pool"), (*blocks, MaxPool2d), strict=True))
        self.aux_logits, self.transform_input = aux_logits, transform_input
        for name, kind, sizes, options in _TRUNK:
            setattr(self, name, make[kind](*sizes, **options))
        self.AuxLogits = make["head"](768, num_classes) if aux_logits else None
        for name, kind, channels in _TOP:
            setattr(self, name, make[kind](channels))
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.dropout = Dropout(p=dropout)
        self.fc = Linear(2048, num_classes)
        if init_weights:
            self._initialize(0.1)

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        for name, *_ in _TRUNK:
            x = getattr(self, name)(x)
        auxiliary = self.AuxLogits(x) if self.AuxLogits is not None and self.training else None
        for name, *_ in _TOP:
            x = getattr(self, name)(x)
        return self.fc(self.dropout(self.avgpool(x)).flatten(1)), auxiliary


inception_v3 = variant(
    "inception_v3", "Inception v3", lambda **options: Inception3(**options),
    lambda _: {"aux_logits": True, "init_weights": False}, usual={"transform_input": True},
)  # fmt: skip
