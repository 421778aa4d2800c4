"""What weight and spectral normalization share: norms along a dimension, where power iteration starts, their hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ops.linalg import norm_except_dim
from ...tensor import Tensor
from .. import functional as F
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module


def apply_weight_norm(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """g v / |v|: directions v with lengths g."""
    return v * (g / norm_except_dim(v, 2, dim))


def random_unit_vectors(matrix: Tensor, eps: float) -> tuple[Any, Any]:
    """Directions drawn at random, for each side of a matrix."""
    u, v = (matrix.new_empty(n).normal_(0, 1) for n in matrix.shape)
    return F.normalize(u, dim=0, eps=eps), F.normalize(v, dim=0, eps=eps)


def find_hook(hooks: Mapping[int, Any], kind: Any, name: str) -> int | None:
    """The id of the hook of a class that is for the parameter of this name, if there is one."""
    return next((i for i, hook in hooks.items() if isinstance(hook, kind) and hook.name == name), None)


def output_channel_dim(module: Module) -> int:
    """Where a layer's weight has its results' channels."""
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0
