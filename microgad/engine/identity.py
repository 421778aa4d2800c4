"""A node that does nothing: the end of a partial derivative, or the new node of a Tensor whose history changes."""

from __future__ import annotations

from ..function import Function
from ..type_aliases import Array


class Identity(Function):
    """A new node with the same values."""

    may_share = True

    def forward(self, x: Array) -> Array:
        return x

    def grad_x(self, grad: Array) -> Array:
        return grad
