"""The fallback for operations and derivatives that can't be computed for all slices at once.

It first gives each slice its own copy of the arrays that they share. If that isn't enough it computes slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend import is_array
from ..duck_arrays import Fallback
from ..function import Function, Packed
from .array import Level, batched_view
from .functions import innermost_level, is_batched_at, stack_results, take_slice
from .rules import expand_to_batch


def forward(node: Function, arrays: Sequence[Any]) -> Any:
    """Return the result for an operation whose forward raised Fallback."""
    level = _innermost_level((*arrays, *vars(node).values()))

    def of_slice(i: int) -> Any:
        one = _node_of_slice(node, level, i)
        return one.forward(*take_slice(list(arrays), level, i)), [vars(one)[name] for name in type(node).intermediates]

    def with_copies() -> Any:
        return node.forward(*(copy_to_slices(x, level) for x in arrays))

    def per_slice() -> Any:
        results = [of_slice(i) for i in range(level.count)]
        for name, *values in zip(type(node).intermediates, *(computed for _, computed in results), strict=True):
            setattr(node, name, stack_results(values, level))
        return stack_results([out for out, _ in results], level, list(arrays))

    return _attempt(with_copies, per_slice)


def derivatives(
    node: Function, grad: Any, onward: Sequence[Function | None], derive: Callable[..., list[Any]]
) -> list[Any]:
    """Return the gradients of a node's inputs, as `engine.derive` does, where that raised Fallback."""
    before = node.kept
    kept = before.unpack() if isinstance(before, Packed) else before
    level = _innermost_level((grad, *kept, *vars(node).values()))

    def with_copies() -> Any:
        node.kept = [copy_to_slices(x, level) for x in kept]
        try:
            return derive(node, copy_to_slices(grad, level), onward, False)
        finally:
            node.kept = before

    def of_slice(i: int) -> list[Any]:
        one = _node_of_slice(node, level, i)
        for name in ("plan", "edges", "shape", "dtype", "path", "number"):
            setattr(one, name, getattr(node, name))
        one.kept, one.versions = take_slice(list(kept), level, i), ()
        return derive(one, take_slice(grad, level, i), onward, False)

    found: list[Any] = _attempt(with_copies, lambda: stack_results([of_slice(i) for i in range(level.count)], level))
    return found


def _attempt(batched: Callable[[], Any], per_slice: Callable[[], Any]) -> Any:
    """Call the first function, which computes all slices at once; if it raises Fallback call the second one."""
    try:
        return batched()
    except Fallback:
        return per_slice()


def _innermost_level(values: Any) -> Level:
    level: Level | None = innermost_level(values)
    if level is None:
        raise Fallback  # to be handled for a mapping outside
    return level


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
