"""Operations, and their derivatives, that can't be computed for all slices at once."""

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
    """The result of an operation that raised Fallback: with a copy of shared arrays for each slice, or one by one."""
    level = _innermost_level((*arrays, *vars(node).values()))

    def one(i: int) -> Any:
        each = _node_of_slice(node, level, i)
        return each.forward(*take_slice(list(arrays), level, i)), [vars(each)[name] for name in type(node).computed]

    def each_its_own() -> Any:
        return node.forward(*(copy_to_slices(x, level) for x in arrays))

    def in_turn() -> Any:
        results = [one(i) for i in range(level.count)]
        for name, *values in zip(type(node).computed, *(computed for _, computed in results), strict=True):
            setattr(node, name, stack_results(values, level))
        return stack_results([out for out, _ in results], level, list(arrays))

    return _try_batched(each_its_own, in_turn)


def derivatives(
    node: Function, grad: Any, onward: Sequence[Function | None], derive: Callable[..., list[Any]]
) -> list[Any]:
    """The gradients of a node's inputs, as `engine.derive` gives them, where that raised Fallback: as in `forward`."""
    before = node.kept
    kept = before.unpack() if isinstance(before, Packed) else before
    level = _innermost_level((grad, *kept, *vars(node).values()))

    def each_its_own() -> Any:
        node.kept = [copy_to_slices(x, level) for x in kept]
        try:
            return derive(node, copy_to_slices(grad, level), onward, False)
        finally:
            node.kept = before

    def of(i: int) -> list[Any]:
        one = _node_of_slice(node, level, i)
        for name in ("plan", "edges", "shape", "dtype", "path", "number"):
            setattr(one, name, getattr(node, name))
        one.kept, one.versions = take_slice(list(kept), level, i), ()
        return derive(one, take_slice(grad, level, i), onward, False)

    found: list[Any] = _try_batched(each_its_own, lambda: stack_results([of(i) for i in range(level.count)], level))
    return found


def _try_batched(at_once: Callable[[], Any], in_turn: Callable[[], Any]) -> Any:
    """Try at once, which may go now that slices share no array; else in turn."""
    try:
        return at_once()
    except Fallback:
        return in_turn()


def _innermost_level(values: Any) -> Level:
    level: Level | None = innermost_level(values)
    if level is None:
        raise Fallback  # of a mapping outside
    return level


def copy_to_slices(x: Any, level: Level) -> Any:
    """A shared array as one that each slice has for itself, also in tuples; anything else as it is."""
    if type(x) is tuple:
        return tuple(copy_to_slices(part, level) for part in x)
    return x if not is_array(x) or is_batched_at(x, level) else batched_view(expand_to_batch(x, level), level)


def _node_of_slice(node: Function, level: Level, i: int) -> Function:
    """A node with the settings of one slice."""
    one = type(node)()
    vars(one).update(take_slice(dict(vars(node)), level, i))
    return one


# Of a floor below, without these
Fallback.forward, Fallback.derivatives = staticmethod(forward), staticmethod(derivatives)
