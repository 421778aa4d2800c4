"""Power-average pooling: the p-norm of each window."""

from __future__ import annotations

import math
from typing import Any

from ...state import composite
from ...type_aliases import Tensor
from .geometry import Size, ntuple
from .pool import POOLS


@composite
def lp_pool1d(
    input: Tensor, norm_type: float | Tensor, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """Take the norm of each window, (N, C, L) -> (N, C, OL), as lp_pool2d does. Source: torch.nn.functional.lp_pool1d.

    >>> F.lp_pool1d(torch.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@composite
def lp_pool2d(
    input: Tensor, norm_type: float | Tensor, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """Take (Σ xᵖ)^(1/p) over each window, (N, C, H, W) -> (N, C, OH, OW), p being norm_type.

    x counts with its sign, as in PyTorch: for an odd p the terms may be negative. For p = inf the result is the largest
    magnitude, for p = -inf the smallest. Raises RuntimeError if the kernel does not fit.
    Source: torch.nn.functional.lp_pool2d.

    >>> F.lp_pool2d(torch.ones(1, 2, 2), 2, 2)
    tensor([[[2.]]])
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@composite
def lp_pool3d(
    input: Tensor, norm_type: float | Tensor, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """Apply lp_pool2d to three dimensions, (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Source: torch.nn.functional.lp_pool3d.

    >>> F.lp_pool3d(torch.ones(1, 2, 2, 2), 3, 2)
    tensor([[[[2.]]]])
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(dims: int, input: Any, norm_type: float | Tensor, kernel_size: Size, stride: Any, ceil_mode: bool) -> Any:
    avg_pool, max_pool = POOLS[dims]
    if norm_type == math.inf:
        return max_pool(input.abs(), kernel_size, stride, ceil_mode=ceil_mode)
    if norm_type == -math.inf:
        return -max_pool(-input.abs(), kernel_size, stride, ceil_mode=ceil_mode)
    out = avg_pool(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    cells = math.prod(ntuple(f"lp_pool{dims}d", "kernel_size", kernel_size, dims))
    return (out.sign() * out.abs().relu()).mul(cells).pow(1 / norm_type)
