"""dist and renorm: the norm of a difference, and slices scaled down to a maximum norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ArgumentError, DtypeError, ShapeError
from ...fast_reductions import fast_sum
from ...state import composite
from ...type_aliases import Tensor
from ..elementwise import Where
from ..elementwise.operands import require_tensors
from ..linalg.norms import VectorNorm
from ..support import layouts
from ..support.bare import bare
from ..support.out import into
from ..support.spelling import numpy_spelling
from .axes import axes

EPSILON = 1e-7  # PyTorch adds it to a norm before it divides by it


class Renorm(VectorNorm):
    """x · most / ‖x‖ for slices whose norm over `axis` exceeds `most`, x for others; of real numbers."""

    symbol, conjugates = "renorm", True

    def forward(self, x):
        self.norm = norm = self._length(x)
        self.factor = factor = np.where(norm > self.most, self.most / (norm + EPSILON), x.dtype.type(1))
        return layouts.row_major(x) * factor

    def backward(self, grad, x, norm, factor):  # type: ignore[override]
        large = norm > self.most
        if type(x) is not np.ndarray or not large.all():  # the derivative for other slices, of NaN, is no 0
            x, norm = np.where(large, x, 0), np.where(large, norm, 0)
        of_norm = fast_sum(grad * x, self.axis, True) * -factor / (norm + EPSILON)
        out = VectorNorm.backward(self, of_norm, x, norm)  # type: ignore[no-untyped-call]
        out += grad * factor
        return out

    def decomposition(self, x):
        return _scaled_down(x, self.most, {"p": self.p, "axis": self.axis, "keepdims": True})


def _scaled_down(x: Any, most: float, settings: dict[str, Any]) -> Any:
    """Compute `Renorm` by several operations."""
    large = VectorNorm.apply(bare(x), **settings) > most
    size = VectorNorm.apply(Where.apply(large, x, 0.0), **settings)
    # An infinite `most`: no ∞ · 0 in backward.
    return x * Where.apply(large, most / Where.apply(large, size + EPSILON, 1.0), 1.0)


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
    if input.array.dtype.char in "fd":
        return into(out, Renorm.apply(input, most=maxnorm, **settings), exact="renorm")
    return into(out, _scaled_down(input.contiguous(), maxnorm, settings), exact="renorm")


@composite
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the p-norm of input - other; the two broadcast. Source: torch.dist.

    >>> torch.dist(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.0]))
    tensor(5.)
    """
    a, b = require_tensors("dist", input, other)
    return (a - b).norm(p)
