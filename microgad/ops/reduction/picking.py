"""Pick elements along an axis by distinct indices: the last step of sort, topk, median, max and min."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ... import backend, function
from ...function.linear_map import LinearMap
from ...function.naming import with_torch_name
from ...type_aliases import Array, Tensor
from ..indexing import index_kernels
from ..indexing.gather import flat_indices
from ..support import layouts

R = TypeVar("R")


class Pick(LinearMap):
    """x.reshape(-1) at distinct `places`, so that the adjoint may assign instead of adding.

    `of` is the name of the function that chose the places, which drawings show.
    """

    symbol, operator = "pick", None

    def forward(self, x):
        return layouts.match_strides(index_kernels.take(x, self.places), self.places)

    def adjoint(self, grad):
        out = backend.zeros(self.x_shape, grad)
        out.reshape(-1)[self.places] = grad
        return out


def pick_along(
    input: Tensor,
    axis: int,
    index: Array,
    keepdim: bool,
    result: Callable[..., R],
    lay_out: Callable[[Any], Any] = layouts.contiguous,
) -> R:
    """Make the named tuple `result` of the values at `index` along an axis, and of the indices themselves.

    Without keepdim the axis, of size 1, is dropped. `lay_out` brings both into the memory order of the result.
    """
    shape = index.shape
    if input.array.ndim == 0:
        shape = ()
    elif not keepdim:
        shape = shape[:axis] + shape[axis + 1 :]
    places = flat_indices(axis, index, input.array.shape or (1,)) if index.size else index
    values = Pick.apply(input, places=lay_out(places.reshape(shape)), of=result.__name__)
    if values.node is not None:
        with_torch_name(f"{result.__name__.capitalize()}Backward0", values)
    found = index.reshape(shape)
    if places is index:
        found = found.copy()  # a copy: writing to the result must not change where gradients go
    return result(values, function.Tensor._wrap(lay_out(found)))
