"""Helpers that the forms of weight and spectral normalization share, the older hooks and the parametrizations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...tensor import Tensor
from .. import functional as F
from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..modules.module import Module


def check_power_iterations(n: int) -> None:
    """Raise ValueError unless n, the power iterations of a spectral norm at each call, is positive."""
    if n <= 0:
        raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n}")


def random_unit_vectors(matrix: Tensor, eps: float) -> tuple[Any, Any]:
    """Draw random unit vectors u (rows) and v (columns), with which power iteration on a matrix starts."""
    u, v = (matrix.new_empty(n).normal_(0, 1) for n in matrix.shape)
    return F.normalize(u, dim=0, eps=eps), F.normalize(v, dim=0, eps=eps)


def find_hook(hooks: Mapping[int, Any], kind: Any, name: str) -> int | None:
    """Return the id of the hook of a given class for the parameter `name`, or None if there is none."""
    return next((i for i, hook in hooks.items() if isinstance(hook, kind) and hook.name == name), None)


def output_channel_dim(module: Module) -> int:
    """Return the dimension of the output channels in a layer's weight."""
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0
