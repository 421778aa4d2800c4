"""The operations on a region of a base: the part that a view shows, described by its chain of view operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend, errors
from ..backend.axis_order import inverse
from ..function import Function
from ..function.linear_map import LinearMap
from ..type_aliases import Array
from .registry import Steps

# A real view may show parts of a complex base, and the opposite. Gradients pass part by part, as in PyTorch, so
# `conjugates` is off.


class RegionWrite(Function):
    """The base with a region overwritten by `value`."""

    symbol, node_name, conjugates = "view[ ]=", "CopySlices", False

    def forward(self, base: Array, value: Array) -> Array:
        return _overwrite(self, base, value, base, base.shape)

    def grad_base(self, grad: Array) -> Array:
        return RegionClear.apply(grad, chain=self.chain, order=self.order)

    def grad_value(self, grad: Array) -> Array:
        return RegionRead.apply(grad, chain=self.chain, order=self.order, kind=np.dtype(grad.dtype))


class RegionClear(LinearMap):
    """The base with a region set to zero."""

    symbol, conjugates = "view[ ]=0", False

    def forward(self, x: Array) -> Array:
        return _overwrite(self, x, 0, x, x.shape)

    adjoint = forward  # type: ignore[assignment]


class RegionRead(LinearMap):
    """The values of a region."""

    symbol, conjugates = "view", False

    def forward(self, x: Array) -> Array:
        return _replay_views(self.chain, x, must_share=False).copy()

    def adjoint(self, grad: Array) -> Array:
        return _overwrite(self, 0, grad, grad, self.x_shape, self.kind)


def _overwrite(
    node: Any, base: Array | complex, value: Array | complex, like: Array, shape: tuple[int, ...], kind: Any = None
) -> Array:
    """Return a new array: the base with `value` in the node's region. Its dtype is `kind`, or that of `like`.

    Its axes are in memory in the order of the base's, so that the view operations give views of it, too.
    """
    order = node.order
    out = backend.make_like(np.empty_like, like, dtype=kind, shape=tuple(shape[axis] for axis in order), order="C")
    out = np.transpose(out, inverse(order))
    out[...] = base
    _replay_views(node.chain, out)[...] = value
    return out


def _replay_views(chain: Steps, x: Array, must_share: bool = True) -> Array:
    """Apply the view operations of a chain to x; raise GraphError if the result does not share memory but must."""
    view = x
    for cls, settings in chain:
        view = cls.apply(view, **settings)
    if must_share and backend.owner(view) is not backend.owner(x):
        raise errors.GraphError(
            "a write through a view can't be followed back to its base: clone the base before the write"
        )
    return view
