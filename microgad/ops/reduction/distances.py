"""dist and renorm: the norm of a difference, and slices scaled down to a maximum norm."""

from __future__ import annotations

from ...errors import ArgumentError, DtypeError, ShapeError
from ...state import composite
from ...type_aliases import Tensor
from ..elementwise import where
from ..elementwise.operands import require_tensors
from ..linalg.norms import VectorNorm
from ..support.out import into
from ..support.spelling import numpy_spelling
from .axes import axes


@numpy_spelling
@composite
def renorm(input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None) -> Tensor:
    """Scale each slice along dim whose p-norm exceeds maxnorm down to that norm.

    Raises RuntimeError for vectors, integers, p <= 0 and a negative maxnorm, IndexError for a dim out of range.
    Source: torch.renorm.

    >>> torch.renorm(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0, 1)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
    """
    if p <= 0 or maxnorm < 0:
        raise ArgumentError(f"renorm: p must be positive and maxnorm not negative, got p {p}, maxnorm {maxnorm}")
    if input.ndim < 2:
        raise ShapeError(f"renorm: input needs at least 2 dimensions, got {input.ndim}")
    axis = axes(dim, input.ndim, "renorm")
    if input.array.dtype.kind not in "fc":
        raise DtypeError(f"renorm: Expected a floating point or complex tensor as input. Got {input.dtype}")
    others = tuple([i for i in range(input.ndim) if i != axis])
    settings = {"p": float(p), "axis": others, "keepdims": True}
    large = VectorNorm.apply(input.detach(), **settings) > maxnorm
    size = VectorNorm.apply(where(large, input, 0.0), **settings)  # the derivative for other slices, of NaN, is no 0
    factor = where(large, maxnorm / where(large, size + 1e-7, 1.0), 1.0)  # an infinite maxnorm: no ∞ · 0 backward
    return into(out, input.contiguous() * factor, exact="renorm")


@composite
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the p-norm of input - other; the two broadcast. Source: torch.dist.

    >>> torch.dist(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.0]))
    tensor(5.)
    """
    a, b = require_tensors("dist", input, other)
    return (a - b).norm(p)
