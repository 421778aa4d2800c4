"""Calls a function once for all slices: its Tensors get a batch dimension on the way in, and lose it on the way out."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dis import opmap
from typing import Any

import numpy as np

from .. import function, state
from ..duck_arrays import Fallback, called_again, levels
from ..engine import kept_values, paths
from ..errors import ArgumentError, DimError, ShapeError
from ..function import Function
from ..generator.vmap_randomness import RandomnessError
from ..state.contexts import binding
from ..type_aliases import Array
from . import fallback as fallback
from . import rules as rules
from .array import BatchedArray, Level, is_batched_at
from .dims import AddBatchDim, RemoveBatchDim, SumOverSlices
from .randomness import BatchedDraws

F = Callable[[Sequence[Any]], Any]
# In a backward pass a mapping that has ended counts as inside of those that go on, and of those that ended later.
ENDED_DEPTHS = itertools.count(sys.maxsize, -1)


def call_batched(
    func: F, tensors: Sequence[Any], dims: Sequence[int | None], count: int, draws: BatchedDraws | None = None
) -> Any:
    """Call `func` once, with the Tensors that have a dim batched along it; it calls `remove_batch_dim` on its results.

    Raises Fallback if that needs one slice after another, or what `func` raises; all draws and writes are undone,
    unless the error `is_final`.
    """
    outer = levels.get()
    level = Level(count, len(outer))
    given = [x if d is None else add_batch_dim(x, level, d) for x, d in zip(tensors, dims, strict=True)]
    try:
        with binding(levels, (*outer, level)), nullcontext() if draws is None else draws.of(level):
            return func(given)
    except BaseException as error:
        if not is_final(error):
            level.undo()
            if draws is not None:
                draws.undo()
        raise
    finally:
        level.entered.clear()  # their arrays refer to this level: no cycles
        level.on_graphs.clear()
        level.written.clear()
        level.depth, level.ended = next(ENDED_DEPTHS), True


def is_final(error: BaseException) -> bool:
    """Whether an error is no reason to start again slice by slice: one of draws, a program's rule, or its `raise`."""
    if isinstance(error, (Fallback, RandomnessError)):
        return isinstance(error, RandomnessError)
    steps: list[Any] = [error.__traceback__]
    while steps[-1].tb_next is not None:
        steps.append(steps[-1].tb_next)
    modules, at = [step.tb_frame.f_globals.get("__name__", "") for step in steps], steps[-1]
    if f"{__package__}.custom_function" in modules:
        return True
    library = modules[-1].partition(".")[0]
    raises = at.tb_frame.f_code.co_code[at.tb_lasti] == opmap["RAISE_VARARGS"]
    return raises and library not in ("microgad", "numpy", "cupy")


def add_batch_dim(x: Any, level: Level, dim: int) -> Any:
    """Make a Tensor batched at a level, along `dim`, on the same memory and version counter."""
    slices = AddBatchDim.apply(x, level=level, dim=dim)
    slices._version_counter = x._counter()
    level.entered.append(slices.array.base)
    if x.node is not None:
        level.on_graphs.append(slices.array.base)
    return slices


def remove_batch_dim(y: Any, dim: int | None) -> Any:
    """Stack a result's slices along `dim`; None leaves a result as it is, and raises Fallback if it is batched."""
    level = levels.get()[-1]
    if not isinstance(y, function.Tensor) or (dim is None and is_batched_at(y.array, level)):
        raise Fallback
    return y if dim is None else RemoveBatchDim.apply(y, level=level, dim=dim)


def map_slices(func: Callable[[Sequence[Any]], Sequence[Any]], tensors: Sequence[Any]) -> list[Any]:
    """Map `func`, which returns several Tensors or None, over the first axis of Tensors, and stack the results.

    All slices are computed at once if possible, so `func` must write only to what it makes. Returns [] for no slices.
    """
    count = len(tensors[0])
    if count > 1 and all(observer.takes_batches for observer in state.observers()):

        def unbatched(slices: Sequence[Any]) -> list[Any]:
            found = func(slices)
            with state.scope(grad_enabled=True):  # results that are off the graph stay off it
                return [y if y is None else remove_batch_dim(y, 0) for y in found]

        try:
            return call_batched(unbatched, tensors, [0] * len(tensors), count)
        except (Fallback, Exception) as error:  # an error of the function itself is raised again below
            if is_final(error):
                raise
    every = [func([x[i] for x in tensors]) for i in range(count)]
    with state.scope(grad_enabled=True):
        return [parts[0] if parts[0] is None else np.stack(parts) for parts in zip(*every, strict=True)]


def batched_grad(
    grad: Callable[..., Any], outputs: Any, inputs: Any, grads: Any, retain_graph: bool | None, create_graph: bool,
    allow_unused: bool | None, materialize: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Call `autograd.grad` for all slices of gradients at once if possible, and stack the results.

    The zeros of materialize_grads have no batch axis, as in PyTorch.
    """
    grads = (grads,) if isinstance(grads, function.Tensor) or grads is None else tuple(grads)
    if any(g is None for g in grads) or len({len(g) for g in grads}) > 1:
        raise ArgumentError("grad: is_grads_batched needs a gradient for each of outputs, and as many of each")
    if not len(grads[0]):
        raise DimError("grad: is_grads_batched needs at least one gradient in the batch")
    for i, (y, g) in enumerate(zip(outputs, grads, strict=False)):
        if isinstance(y, function.Tensor) and g.shape[1:] != y.shape:
            raise ShapeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a "
                f"shape of {y.shape}. If you only want some tensors in `grad_output` to be considered batched, "
                "consider using vmap."
            )
    unused = allow_unused or materialize or None
    found = map_slices(lambda slices: grad(outputs, inputs, slices, True, create_graph, allow_unused=unused), grads)
    if materialize:
        pairs = zip(found, inputs, strict=True)
        found = [np.zeros_like(x.detach()).requires_grad_(create_graph) if g is None else g for g, x in pairs]
    if not (create_graph if retain_graph is None else retain_graph) and not called_again.get():
        _free([paths.node_at(y) for y in outputs], [paths.node_at(x) for x in inputs])
    return tuple(found)


def _free(roots: Sequence[Function], ends: Sequence[Function]) -> None:
    """Free the graph between nodes, as a backward pass does."""
    numbers = frozenset(end.number for end in ends)
    passed = paths.routes(roots, numbers, min(numbers))
    for number, node in paths.reachable(roots, min(numbers)).items():
        if passed.get(number):
            kept_values.free(node)


def sum_to_levels(self: BatchedArray, g: Array, node: Function) -> Array:
    """Sum a gradient (this array, or the Tensor `g` of it) over the levels at which the node's result isn't batched.

    Levels of mappings that go on are kept: there each slice asks for its own gradient, even of what the slices share.
    """
    kept = (*getattr(node.shape, "levels", ()), *levels.get())
    for level in self.shape.levels:
        if level not in kept:
            g = SumOverSlices.apply(g, level=level)
    return g


def call_hook_per_slice(hook: Callable[[Any], Any], grad: Any) -> Any:
    """Call a hook with the gradient of each slice of a mapping that has ended; None if the hook changes none."""
    level = getattr(grad.array, "level", None)
    if level is None or level in levels.get():
        raise  # the Fallback that the hook raised
    pairs = [(hook(part), part) for part in RemoveBatchDim.apply(grad, level=level, dim=0)]
    if all(changed is None for changed, _ in pairs):
        return None
    parts = [part if changed is None else changed for changed, part in pairs]
    return AddBatchDim.apply(np.stack(parts), level=level, dim=0)


BatchedArray.gradient_for, Fallback.hooked = sum_to_levels, staticmethod(call_hook_per_slice)
