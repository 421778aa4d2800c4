"""A function of slices called once, for all of them: how arrays come in, and results and gradients out."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import function, state
from ..backend import as_array
from ..duck_arrays import Fallback, levels
from ..errors import ArgumentError, DimError
from ..function import Function
from ..state.contexts import binding
from . import fallback as fallback
from . import rules as rules
from .array import BatchedArray, Level, batched_view
from .functions import is_batched_at
from .randomness import BatchedDraws

F = Callable[[Sequence[Any]], Any]
# Mappings that are over lie in those that go on, and in those that ended later: a backward pass enters them from there.
ENDED_DEPTHS = itertools.count(sys.maxsize, -1)


class AddBatchDim(Function):
    """An array as one of slices along `dim`."""

    symbol = "slices"

    def forward(self, x: Any) -> Any:
        return batched_view(np.moveaxis(x, self.dim, 0), self.level)

    def grad_x(self, grad: Any) -> Any:
        return RemoveBatchDim.apply(grad, level=self.level, dim=self.dim)


class RemoveBatchDim(Function):
    """The slices as an array that has them along `dim`: copies, if they have it in common."""

    symbol = "all slices"

    def forward(self, x: Any) -> Any:
        return np.moveaxis(rules.expand_to_batch(x, self.level), 0, self.dim).copy()

    def grad_x(self, grad: Any) -> Any:
        return AddBatchDim.apply(grad, level=self.level, dim=self.dim)


class SumOverSlices(Function):
    """The sum over the slices of a mapping: the gradient of what they have in common."""

    symbol = "Σ slices"

    def forward(self, x: Any) -> Any:
        if x.level is self.level:
            return as_array(x.whole.sum(0))
        return BatchedArray(self.forward(x.whole), x.level)  # of a mapping outside that one

    def grad_x(self, grad: Any) -> Any:
        return grad  # the same for each


def call_batched(
    func: F, tensors: Sequence[Any], dims: Sequence[int | None], count: int, draws: BatchedDraws | None = None
) -> Any:
    """What func gives of Tensors, those that have a dim as all slices along it. It takes what it gives out by `left`.

    Raises Fallback where that can't be done, or what func raises: then it has drawn nothing and written to nothing.
    """
    outer = levels.get()
    level = Level(count, len(outer))
    given = [x if d is None else add_batch_dim(x, level, d) for x, d in zip(tensors, dims, strict=True)]
    try:
        with binding(levels, (*outer, level)), nullcontext() if draws is None else draws.of(level):
            return func(given)
    except BaseException:
        level.undo()
        if draws is not None:
            draws.undo()
        raise
    finally:
        level.came_in.clear()  # which are of this level
        level.on_graphs.clear()
        level.written.clear()
        level.depth, level.over = next(ENDED_DEPTHS), True


def add_batch_dim(x: Any, level: Level, dim: int) -> Any:
    """A Tensor on its way into the mapping, on the same memory: what lies along `dim` are its slices."""
    slices = AddBatchDim.apply(x, level=level, dim=dim)
    slices.version = x._counter()
    level.came_in.append(slices.array.base)
    if x.node is not None:
        level.on_graphs.append(slices.array.base)
    return slices


def remove_batch_dim(y: Any, dim: int | None) -> Any:
    """A result on its way out of the mapping: all slices along `dim`. With None as it is; Fallback if it has slices."""
    level = levels.get()[-1]
    if not isinstance(y, function.Tensor) or (dim is None and is_batched_at(y.array, level)):
        raise Fallback
    return y if dim is None else RemoveBatchDim.apply(y, level=level, dim=dim)


def map_slices(func: Callable[[Sequence[Any]], Sequence[Any]], tensors: Sequence[Any]) -> list[Any]:
    """What func gives of each slice along the first axis of Tensors, several Tensors or None, stacked; [] of no slice.

    At once, where that can be done: func is to write nothing that it hasn't made.
    """
    count = len(tensors[0])
    if count > 1 and state.current().observer is None:

        def outside(slices: Sequence[Any]) -> list[Any]:
            found = func(slices)
            with state.scope(grad_enabled=True):  # what is on no graph stays off it
                return [y if y is None else remove_batch_dim(y, 0) for y in found]

        try:
            found: list[Any] = call_batched(outside, tensors, [0] * len(tensors), count)
            return found
        except (Fallback, Exception):  # which is raised again, if it is the function's
            pass
    every = [func([x[i] for x in tensors]) for i in range(count)]
    with state.scope(grad_enabled=True):
        return [parts[0] if parts[0] is None else np.stack(parts) for parts in zip(*every, strict=True)]


def batched_grad(
    grad: Callable[..., Any], outputs: Any, inputs: Any, grads: Any, retain_graph: bool | None, rest: Any
) -> tuple[Any, ...]:
    """`autograd.grad` for each slice of gradients, stacked; the last one may let go of the graph."""
    grads = (grads,) if isinstance(grads, function.Tensor) or grads is None else tuple(grads)
    if any(g is None for g in grads) or len({len(g) for g in grads}) > 1:
        raise ArgumentError("grad: is_grads_batched needs a gradient for each of outputs, and as many of each")
    if not len(grads[0]):
        raise DimError("grad: is_grads_batched needs at least one gradient in the batch")
    last = len(grads[0]) - 1
    found = map_slices(lambda slices: grad(outputs, inputs, slices, True, *rest), [g[:last] for g in grads])
    ends = grad(outputs, inputs, [g[last] for g in grads], retain_graph, *rest)
    with state.scope(grad_enabled=True):
        return tuple(
            end if end is None else np.concatenate([*found[i : i + 1], end[None]]) for i, end in enumerate(ends)
        )


def sum_to_levels(self: BatchedArray, g: Any, node: Function) -> Any:
    """A gradient, this array or the Tensor g of it, for a node: summed over the slices that its result doesn't have.

    While a mapping goes on each slice asks for gradients of its own, also of what all have in common.
    """
    stay = (*getattr(node.shape, "levels", ()), *levels.get())
    for level in self.shape.levels:
        if level not in stay:
            g = SumOverSlices.apply(g, level=level)
    return g


def call_hook_per_slice(hook: Callable[[Any], Any], grad: Any) -> Any:
    """Call a hook with the gradient of each slice, once the mapping is over; None if it changes none of them."""
    level = getattr(grad.array, "level", None)
    if level is None or level in levels.get():
        raise Fallback
    every = RemoveBatchDim.apply(grad, level=level, dim=0)
    found = [(hook(part), part) for part in every]
    if all(changed is None for changed, _ in found):
        return None
    parts = [part if changed is None else changed for changed, part in found]
    return AddBatchDim.apply(np.stack(parts), level=level, dim=0)


BatchedArray.gradient_for, Fallback.hooked = sum_to_levels, staticmethod(call_hook_per_slice)
