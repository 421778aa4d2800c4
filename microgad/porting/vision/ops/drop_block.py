"""DropBlock: dropout of contiguous blocks of feature maps. Source: torchvision.ops."""

from __future__ import annotations

import math
from typing import Any

from ....errors import ArgumentError, ShapeError
from ....nn import Module
from ....nn.functional import max_pool2d, max_pool3d, pad
from ....ops import creation
from ....tensor import Tensor


def _drop_blocks(
    op: str, input: Tensor, p: float, block_size: int, inplace: bool, eps: float, training: bool, pool: Any, axes: int
) -> Tensor:
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"{op}: p is {p}, expected a probability from 0 to 1")
    if input.ndim != axes + 2:
        raise ShapeError(f"{op}: input has shape {tuple(input.shape)}, expected {axes + 2} dimensions")
    if not training or p == 0.0:
        return input
    sizes = input.shape[2:]
    side = min(block_size, *sizes)
    starts = [size - side + 1 for size in sizes]  # the number of positions of a block
    noise = creation.empty(*input.shape[:2], *starts, dtype=input.dtype, device=input.device)
    noise.bernoulli_(p * math.prod(sizes) / (side**axes * math.prod(starts)))
    kept = 1 - pool(pad(noise, [side // 2] * (2 * axes)), side, 1, side // 2)
    scale = kept.numel() / (eps + kept.sum())
    return input.mul_(kept).mul_(scale) if inplace else input * kept * scale


def drop_block2d(
    input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06, training: bool = True
) -> Tensor:
    """Zero random square blocks in each channel of (N, C, H, W), about a fraction p of it, and scale the rest.

    Raises ValueError for p outside of [0, 1] or other dimensions.
    Source: torchvision.ops.drop_block2d; Ghiasi et al. (2018).

    >>> torch.porting.vision.ops.drop_block2d(torch.ones(1, 1, 2, 2), 0.0, 1).sum()
    tensor(4.)
    """
    return _drop_blocks("drop_block2d", input, p, block_size, inplace, eps, training, max_pool2d, 2)


def drop_block3d(
    input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06, training: bool = True
) -> Tensor:
    """Zero random cubes in (N, C, D, H, W): see drop_block2d. Source: torchvision.ops.drop_block3d."""
    return _drop_blocks("drop_block3d", input, p, block_size, inplace, eps, training, max_pool3d, 3)


class DropBlock2d(Module):
    """drop_block2d as a layer. Source: torchvision.ops.DropBlock2d.

    >>> torch.porting.vision.ops.DropBlock2d(0.1, 3)
    DropBlock2d(p=0.1, block_size=3, inplace=False)
    """

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06) -> None:
        super().__init__()
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps

    def forward(self, input: Tensor) -> Tensor:
        return drop_block2d(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, inplace={self.inplace})"


class DropBlock3d(DropBlock2d):
    """drop_block3d as a layer. Source: torchvision.ops.DropBlock3d."""

    def forward(self, input: Tensor) -> Tensor:
        return drop_block3d(input, self.p, self.block_size, self.inplace, self.eps, self.training)
