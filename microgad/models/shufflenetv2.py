"""ShuffleNetV2: Ma et al. (2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..nn import BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, ReLU, Sequential
from ..nn import functional as F
from ..ops.movement import cat
from ..tensor import Tensor
from .builders import Builder, variant


def _pointwise(inp: int, oup: int) -> list[Module]:
    return [Conv2d(inp, oup, 1, 1, 0, bias=False), BatchNorm2d(oup), ReLU(inplace=True)]


def _depthwise(channels: int, stride: int) -> list[Module]:
    return [Conv2d(channels, channels, 3, stride, 1, bias=False, groups=channels), BatchNorm2d(channels)]


class InvertedResidual(Module):
    """Convolve half of the channels and shuffle all. With a stride, both halves are computed from all channels.

    Raises ValueError for a stride outside of 1 to 3 and for channels that don't match.
    Source: torchvision.models.shufflenetv2.InvertedResidual.

    >>> torch.models.shufflenetv2.InvertedResidual(8, 8, 1)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        self.stride, half = stride, oup // 2
        if stride == 1 and inp != 2 * half:
            raise ValueError(f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values")
        self.branch1 = Sequential(*_depthwise(inp, stride), *_pointwise(inp, half)) if stride > 1 else Sequential()
        self.branch2 = Sequential(
            *_pointwise(inp if stride > 1 else half, half), *_depthwise(half, stride), *_pointwise(half, half)
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, rest = x.chunk(2, dim=1)
            halves = (kept, self.branch2(rest))
        else:
            halves = (self.branch1(x), self.branch2(x))
        return F.channel_shuffle(cat(halves, 1), 2)


class ShuffleNetV2(Module):
    """(N, 3, H, W) -> (N, num_classes). Raises ValueError for lists of other lengths.

    Source: torchvision.models.ShuffleNetV2.

    >>> net = torch.models.ShuffleNetV2([1, 1, 1], [8, 8, 16, 16, 32], num_classes=10)
    >>> net.eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        stages_repeats: Sequence[int],
        stages_out_channels: Sequence[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        first, *wide, last = stages_out_channels
        self.conv1 = Sequential(Conv2d(3, first, 3, 2, 1, bias=False), BatchNorm2d(first), ReLU(inplace=True))
        self.maxpool = MaxPool2d(kernel_size=3, stride=2, padding=1)
        for i, (repeats, channels) in enumerate(zip(stages_repeats, wide, strict=True)):
            blocks = [inverted_residual(first, channels, 2)]
            blocks += [inverted_residual(channels, channels, 1) for _ in range(repeats - 1)]
            self.add_module(f"stage{i + 2}", Sequential(*blocks))
            first = channels
        self.conv5 = Sequential(*_pointwise(first, last))
        self.fc = Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        for stage in (self.stage2, self.stage3, self.stage4, self.conv5):
            x = stage(x)
        return self.fc(x.mean([2, 3]))


def _shufflenet(width: str, channels: list[int]) -> Builder[ShuffleNetV2]:
    name = f"shufflenet_v2_{width}"
    return variant(name, "a ShuffleNetV2", lambda **options: ShuffleNetV2([4, 8, 4], channels, **options))


shufflenet_v2_x0_5 = _shufflenet("x0_5", [24, 48, 96, 192, 1024])
shufflenet_v2_x1_0 = _shufflenet("x1_0", [24, 116, 232, 464, 1024])
shufflenet_v2_x1_5 = _shufflenet("x1_5", [24, 176, 352, 704, 1024])
shufflenet_v2_x2_0 = _shufflenet("x2_0", [24, 244, 488, 976, 2048])
