"""The cross product of vectors in three dimensions."""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ...backend.axes import at_axis
from ...errors import KindError, ShapeError
from ...errors.notices import once
from ...function import Function
from ...type_aliases import Tensor
from ..movement.dims import wrap_dim
from ..support.out import into
from ..support.spelling import numpy_spelling
from .common import check_same_dtype


class Cross(Function):
    """The cross product of 3-vectors along an axis, broadcast."""

    symbol, operator, promote = "×", "linalg_cross", dtypes.promote

    def forward(self, a, b):
        places = [at_axis(self.axis, i) for i in range(3)]
        (a0, a1, a2), (b0, b1, b2) = ([x[place] for place in places] for x in (a, b))
        first = a1 * b2 - a2 * b1
        out = np.empty_like(first, shape=(*first.shape[: self.axis], 3, *first.shape[self.axis :]), order="C")
        out[places[0]] = first
        out[places[1]] = a2 * b0 - a0 * b2
        out[places[2]] = a0 * b1 - a1 * b0
        return out

    def grad_a(self, grad, b):
        return Cross.apply(b, grad, axis=self.axis)

    def grad_b(self, grad, a):
        return Cross.apply(grad, a, axis=self.axis)


@numpy_spelling
def cross(input: Tensor, other: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the cross product along dim, by default the first dimension of size 3. Source: torch.cross.

    Raises RuntimeError if dim does not have size 3 or the numbers of dimensions differ.

    >>> torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    if dim is None:
        once("Using torch.cross without specifying the dim arg is deprecated; linalg.cross takes the last dimension.")
        dim = next((i for i, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise ShapeError(f"cross: no dimension of size 3 in input {tuple(input.shape)}")
    return linalg_cross(input, other, dim=dim, out=out)


@numpy_spelling
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the cross product along dim; the other dimensions broadcast.

    Raises RuntimeError unless both have size 3 there. Source: torch.linalg.cross.

    >>> torch.linalg.cross(torch.tensor([[1, 0, 0]]), torch.tensor([[0, 1, 0]]))
    tensor([[0, 0, 1]])
    """
    a, b = input.array.shape, other.array.shape
    ndim = len(a)
    if ndim != len(b):
        raise ShapeError(f"linalg.cross: inputs must have the same number of dimensions, got {ndim} and {len(b)}")
    axis = wrap_dim(dim, ndim, "linalg.cross", wrap_scalar=False)
    if a[dim] != 3 or b[dim] != 3:
        raise ShapeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {a[dim]} and {b[dim]}")
    if input.array.dtype == bool:
        raise KindError("linalg.cross: is not implemented for torch.bool")
    check_same_dtype("linalg.cross", input, other)
    return into(out, Cross.apply(input, other, axis=axis), exact="linalg.cross")
