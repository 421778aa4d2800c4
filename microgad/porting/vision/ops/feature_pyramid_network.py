"""Feature pyramid networks, which add information from smaller feature maps to larger ones. Source: torchvision.ops."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ....models.blocks import Conv2dNormActivation
from ....nn import Conv2d, Module, ModuleList, functional, init
from ....tensor import Tensor


class ExtraFPNBlock(Module):
    """Base of blocks that add maps to a pyramid: `forward(results, x, names)` returns results and names."""


class LastLevelMaxPool(ExtraFPNBlock):
    """Append the smallest map, subsampled by 2, under the name "pool". Source: torchvision's LastLevelMaxPool."""

    def forward(self, x: list[Tensor], y: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        """Return the maps and their names with the new one appended."""
        return [*x, functional.max_pool2d(x[-1], 1, 2, 0)], [*names, "pool"]


class FeaturePyramidNetwork(Module):
    """Map a dict of feature maps (N, C_i, H_i, W_i), the largest first, to maps (N, out_channels, H_i, W_i).

    Each map passes a 1 × 1 convolution, is added to the upsampled sum of the next smaller map, and passes a 3 × 3
    convolution. `extra_blocks` appends further maps. Raises ValueError for 0 channels. Source: Lin et al. (2017),
    torchvision.ops.FeaturePyramidNetwork.

    >>> from microgad.porting.vision.ops import FeaturePyramidNetwork
    >>> pyramid = FeaturePyramidNetwork([4, 8], 6)
    >>> found = pyramid({"large": torch.ones(1, 4, 8, 8), "small": torch.ones(1, 8, 4, 4)})
    >>> {name: tuple(x.shape) for name, x in found.items()}
    {'large': (1, 6, 8, 8), 'small': (1, 6, 4, 4)}
    """

    def __init__(
        self, in_channels_list: Sequence[int], out_channels: int, extra_blocks: ExtraFPNBlock | None = None,
        norm_layer: Callable[..., Module] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.inner_blocks, self.layer_blocks = ModuleList(), ModuleList()
        options: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": None}
        for channels in in_channels_list:
            if channels == 0:
                raise ValueError("in_channels=0 is currently not supported")
            self.inner_blocks.append(Conv2dNormActivation(channels, out_channels, kernel_size=1, padding=0, **options))
            self.layer_blocks.append(Conv2dNormActivation(out_channels, out_channels, kernel_size=3, **options))
        for module in self.modules():
            if isinstance(module, Conv2d):
                init.kaiming_uniform_(module.weight, a=1)
                if module.bias is not None:
                    init.zeros_(module.bias)
        self.extra_blocks = extra_blocks

    def forward(self, x: dict[str, Tensor]) -> OrderedDict[str, Tensor]:
        """Return the maps of the pyramid."""
        names, maps = list(x), list(x.values())
        found: list[Tensor] = []
        above: Tensor | None = None
        for inner, layer, given in reversed(list(zip(self.inner_blocks, self.layer_blocks, maps, strict=False))):
            here = inner(given)
            if above is not None:
                here = here + functional.interpolate(above, size=here.shape[-2:], mode="nearest")
            found.insert(0, layer(here))
            above = here
        if self.extra_blocks is not None:
            found, names = self.extra_blocks(found, maps, names)
        return OrderedDict(zip(names, found, strict=False))
