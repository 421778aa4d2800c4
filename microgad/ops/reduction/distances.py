"""Distances by norms, and what is scaled down to a norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, DtypeError, ShapeError
from ...function import Function
from ...state import composite
from ..elementwise import Select, where
from ..out import into
from ..spelling import numpy_spelling, tensors_only
from .axes import axes

if TYPE_CHECKING:
    from ...tensor import Tensor


@numpy_spelling
@composite
def renorm(input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None) -> Tensor:
    """Each slice along dim whose p-norm is more than maxnorm, scaled down to it. Source: torch.renorm.

    >>> torch.renorm(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0, 1)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
    """
    if p <= 0 or maxnorm < 0:
        raise ArgumentError(f"renorm: p must be positive and maxnorm not negative, got p {p}, maxnorm {maxnorm}")
    if input.ndim < 2:
        raise ShapeError(f"renorm: input needs at least 2 dimensions, got {input.ndim}")
    axis = axes(dim, input.ndim, "renorm")
    size = input.norm(p, tuple(i for i in range(input.ndim) if i != axis), True)
    return into(out, input * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0))


@composite
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other, which broadcast. Source: torch.dist.

    >>> torch.dist(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.0]))
    tensor(5.)
    """
    return (input - other).norm(p)


class Cdist(Function):
    """(..., P, M), (..., R, M) -> (..., P, R): Euclidean distances of rows, by one product of matrices."""

    symbol, broadcasts = "cdist", True

    def forward(self, a, b):
        squares = (a * a).sum(-1)[..., :, None] + (b * b).sum(-1)[..., None, :]
        squares = squares - 2 * (a @ np.swapaxes(b, -1, -2))
        return np.sqrt(np.maximum(squares, 0))

    def grad_a(self, grad, a, b, out):
        ratio = _ratio(grad, out)
        return ratio.sum(-1)[..., None] * a - ratio @ b

    def grad_b(self, grad, a, b, out):
        ratio = np.swapaxes(_ratio(grad, out), -1, -2)
        return ratio.sum(-1)[..., None] * b - ratio @ a


def _ratio(grad: Any, out: Any) -> Any:
    """grad / out; between equal rows it is 0."""
    zero = out == 0
    return Select.apply(np.logical_not(zero), grad / np.where(zero, 1, out))


@tensors_only
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """(..., P, M), (..., R, M) -> (..., P, R): the p-norms of differences of rows. Source: torch.cdist.

    For p = 2 and more than 25 rows the distances come from one product of matrices, as in PyTorch: fast, less exact.

    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    modes = [f"use_mm_for_euclid_dist{suffix}" for suffix in ("_if_necessary", "")] + ["donot_use_mm_for_euclid_dist"]
    if compute_mode not in modes:
        raise ArgumentError(f"cdist: {compute_mode} is not a valid value for compute_mode; they are {', '.join(modes)}")
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            "cdist: x1 and x2 need at least two dimensions and the same number of columns, got "
            f"{tuple(x1.shape)} and {tuple(x2.shape)}"
        )
    for name, x in (("x1", x1), ("x2", x2)):
        if x.array.dtype.kind != "f":
            raise DtypeError(f"cdist: only supports floating-point dtypes, {name} got {x.dtype}")
    if p < 0:
        raise ArgumentError(f"cdist: only supports non-negative p values, got {p}")
    large = x1.shape[-2] > 25 or x2.shape[-2] > 25
    if p == 2 and x1.shape[-1] and (compute_mode == modes[1] or (large and compute_mode == modes[0])):
        return Cdist.apply(x1, x2)
    return _differences(x1, x2, p).contiguous()


@composite
def _differences(x1: Tensor, x2: Tensor, p: float) -> Tensor:
    return (
        (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)
        if x1.shape[-1]
        else (x1.sum(-1).unsqueeze(-1) + x2.sum(-1).unsqueeze(-2))
    )
