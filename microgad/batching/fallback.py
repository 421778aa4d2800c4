"""The fallback for operations and derivatives that can't be computed for all slices at once.

It first gives each slice its own copy of the arrays that they share. If that isn't enough it computes slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import function
from ..backend import is_array
from ..duck_arrays import Fallback, levels
from ..errors import GraphError
from ..function import Function, Packed
from ..type_aliases import Array
from .array import Level, batched_view, innermost_level, is_batched_at, on_levels
from .dims import AddBatchDim, RemoveBatchDim
from .per_slice import stack_results, take_slice
from .rules.common import expand_to_batch

Derive = Callable[..., list[Any]]  # engine.derive(node, grad, onward, create_graph)


def forward(node: Function, arrays: Sequence[Array | None]) -> Any:
    """Return the result for an operation whose forward raised Fallback."""
    level = _level_of(node, arrays)

    def of_slice(i: int) -> Any:
        one, given = _node_of_slice(node, level, i), take_slice(list(arrays), level, i)
        try:
            found = one.forward(*given)
        except Fallback:
            found = forward(one, given)  # a mapping around has slices of the slice
        return found, [vars(one)[name] for name in type(node).intermediates]

    def with_copies() -> Any:
        return node.forward(*(copy_to_slices(x, level) for x in arrays))

    def per_slice() -> Array:
        results = [of_slice(i) for i in range(level.count)]
        for name, *values in zip(type(node).intermediates, *(computed for _, computed in results), strict=True):
            setattr(node, name, stack_results(values, level))
        return stack_results([out for out, _ in results], level, list(arrays))

    return _attempt(with_copies, per_slice)


def derivatives(
    node: Function, grad: Any, onward: Sequence[Function | None], derive: Derive, create_graph: bool
) -> list[Array | None]:
    """Return the gradients of a node's inputs, as `engine.derive` does, where that raised Fallback."""
    before = node.kept
    kept = before.unpack() if isinstance(before, Packed) else before
    if create_graph:
        return _recorded_derivatives(node, kept, grad, onward, derive)
    level = _level_of(node, (grad, *kept))

    def with_copies() -> Any:
        node.kept = [copy_to_slices(x, level) for x in kept]
        try:
            return derive(node, copy_to_slices(grad, level), onward, False)
        finally:
            node.kept = before

    def of_slice(i: int) -> list[Array | None]:
        one = _node_of_slice(node, level, i)
        for name in ("plan", "edges", "shape", "dtype", "path", "number"):
            setattr(one, name, getattr(node, name))
        one.kept, one.versions = take_slice(list(kept), level, i), ()
        return _derive(one, take_slice(grad, level, i), onward, derive, False)

    return _attempt(with_copies, lambda: stack_results([of_slice(i) for i in range(level.count)], level))


def _recorded_derivatives(
    node: Function, kept: Sequence[Any], grad: Any, onward: Sequence[Function | None], derive: Derive
) -> list[Any]:
    """Return the same under create_graph, by a node for each slice, which is on the graph of the inputs' slices."""
    inputs = [None if edge is None else _stand_in(edge.shape, edge.dtype, edge) for edge in node.edges]
    several = type(grad) is tuple
    grads = list(grad) if several else [grad]
    level = _level_of(node, (*kept, *(x.array for x in (*inputs, *grads) if x is not None)))
    if level in levels.get() or node.calls_back:  # a mapping that goes on starts over; what ctx refers to has no slices
        raise _impossible()
    facts = zip(node.shape, node.dtype, strict=True) if several else [(node.shape, node.dtype)]
    shapes = [take_slice(_stand_in(*fact).array, level, 0).shape for fact in facts]
    found = []
    for i, (sources, parts) in enumerate(zip(_slices_of(inputs, level), _slices_of(grads, level), strict=True)):
        one = _node_of_slice(node, level, i)
        edges = [None if x is None else x.node for x in sources]
        one._init_node(edges, shapes if several else shapes[0], node.dtype, node.path)
        one.plan, one.kept = node.plan, take_slice(list(kept), level, i)
        if several:
            one.results = {}
        wanted = [edge if other is not None else None for edge, other in zip(edges, onward, strict=True)]
        found.append(_derive(one, tuple(parts) if several else parts[0], wanted, derive, True))
    return [_stacked(parts, level) for parts in zip(*found, strict=True)]


def _stand_in(shape: Any, dtype: Any, node: Function | None = None) -> Any:
    """Return a Tensor without values for the result of a node, whose `shape` says for which levels it is batched."""
    levels = getattr(shape, "levels", ())
    whole = np.broadcast_to(np.empty((), dtype), (*(level.count for level in levels[::-1]), *shape))
    return function.Tensor._wrap(on_levels(whole, levels), node)


def _slices_of(tensors: Sequence[Any], level: Level) -> list[tuple[Any, ...]]:
    """Return a tuple for each slice of its parts of Tensors that are batched at a level; others are in each tuple."""

    def parts_of(x: Any) -> Sequence[Any]:
        shared = x is None or not is_batched_at(x.array, level)
        return [x] * level.count if shared else RemoveBatchDim.apply(x, level=level, dim=0).unbind()

    return list(zip(*map(parts_of, tensors), strict=True))


def _stacked(parts: Sequence[Any], level: Level) -> Any:
    """Join the slices' gradients of an input; None if no slice has one."""
    some = next((g for g in parts if g is not None), None)
    if some is None:
        return None
    return AddBatchDim.apply(np.stack([np.zeros_like(some) if g is None else g for g in parts]), level=level, dim=0)


def _derive(
    node: Function, grad: Array, onward: Sequence[Any], derive: Derive, create_graph: bool
) -> list[Array | None]:
    """Compute the derivatives of one slice, also where a mapping around has slices of it."""
    try:
        return derive(node, grad, onward, create_graph)
    except Fallback:
        return derivatives(node, grad, onward, derive, create_graph)


def _attempt(batched: Callable[[], Any], per_slice: Callable[[], Any]) -> Any:
    """Call the first function, which computes all slices at once; if it raises Fallback call the second one."""
    try:
        return batched()
    except Fallback:
        pass
    try:
        return per_slice()
    except Fallback:
        raise _impossible() from None


def _level_of(node: Function, values: Sequence[Any]) -> Level:
    """Return the innermost level at which one of the values or of a node's settings is batched."""
    level: Level | None = innermost_level((*values, *vars(node).values()))
    if level is None:
        raise _impossible()
    return level


def _impossible() -> BaseException:
    """Return what to raise for what isn't computed here: Fallback where a mapping goes on, which may handle it."""
    if levels.get():
        return Fallback()
    return GraphError(
        "vmap: a derivative can't be computed for all slices at once, and the mapped function has returned. Take the "
        "derivative inside of it, as in vmap(grad(f))"
    )


def copy_to_slices(x: Any, level: Level) -> Any:
    """Repeat an array that the slices share for each slice, also in tuples; return anything else as it is."""
    if type(x) is tuple:
        return tuple(copy_to_slices(part, level) for part in x)
    return x if not is_array(x) or is_batched_at(x, level) else batched_view(expand_to_batch(x, level), level)


def _node_of_slice(node: Function, level: Level, i: int) -> Function:
    """Return a new node of the same class with the settings of slice i."""
    one = type(node)()
    vars(one).update(take_slice(dict(vars(node)), level, i))
    return one


# The engine, which can't import this module, calls these through Fallback.
Fallback.forward, Fallback.derivatives = staticmethod(forward), staticmethod(derivatives)
