"""Distances and angles between vectors, and vectors brought to length 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import backend
from ..errors import ArgumentError, DtypeError, ShapeError
from ..state import composite
from .elementwise import clamp
from .out import into

if TYPE_CHECKING:
    from ..tensor import Tensor


@composite
def normalize(
    input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """input over its p-norm along dim, or over eps where the norm is less. Source: torch.nn.functional.normalize.

    >>> F.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return into(out, input / clamp(input.norm(p, dim, keepdim=True), min=eps))


@composite
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dimension; the two broadcast. Source: torch.pairwise_distance.

    >>> torch.pairwise_distance(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]]))
    tensor([5.0000])
    """
    return (x1 - x2 + eps).norm(p, -1, keepdim)


@composite
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between x1 and x2 along dim; the two broadcast. Source: torch.cosine_similarity.

    A norm less than eps counts as eps. Raises RuntimeError for integers.

    >>> torch.cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    for x in (x1, x2):
        if x.array.dtype.kind not in "fc":
            raise DtypeError(f"cosine_similarity: expected floating-point numbers, got {x1.dtype} and {x2.dtype}")
    size = np.broadcast_shapes(x1.shape, x2.shape)
    a, b = (x.expand(size) / clamp(x.expand(size).norm(2, dim, True), min=eps) for x in (x1, x2))
    return (a * b).sum(dim)


@composite
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """(N, M) -> (N (N - 1) / 2): the p-norms of the differences of rows i < j, by i, then j. Source: torch.pdist.

    Raises RuntimeError where input isn't (N, M) or p is negative.

    >>> torch.pdist(torch.tensor([[0.0], [1.0], [4.0]]))
    tensor([1., 4., 3.])
    """
    if input.ndim != 2:
        raise ShapeError(f"pdist: only supports 2D tensors, got: {input.ndim}D")
    if not input.dtype.is_floating_point:
        raise DtypeError(f"pdist: only supports floating-point dtypes, got {input.dtype}")
    if not p >= 0:
        raise ArgumentError(f"pdist: only supports non-negative p values, got {p}")
    first, second = (backend.like(i, input.array) for i in np.triu_indices(input.shape[0], 1))
    return (input[first] - input[second]).norm(p, 1)
