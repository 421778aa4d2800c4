"""Leaves whose gradients are looked at: each is given its gradient as soon as that is complete, as in PyTorch.

And what is to be called when all are there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from math import inf
from threading import RLock
from typing import Any
from weakref import WeakSet

from .. import errors, function
from ..function import Function, Leaf
from ..slices import Apart
from ..state.contexts import holding
from ..state.inference import check_inference
from .hooks import RemovableHandle

hooked: WeakSet[Leaf] = WeakSet()  # that have, or had, a hook
adding = RLock()  # of threads whose passes end at one leaf: each one's gradient counts


def hook(node: Function, fn: Callable[[Any], Any], last: int = 0) -> RemovableHandle:
    """Call fn with the gradients that come to a node, after those that are less `last`."""
    if type(node) is Leaf:
        hooked.add(node)
    node.hooks = node.hooks or {}
    return RemovableHandle(node.hooks, fn, last)


def renewed(tensor: Any) -> Leaf:
    """The leaf of a Tensor whose array was replaced: its own, or where shape or dtype changed one with its hooks."""
    leaf: Leaf = tensor.node
    if (leaf.shape, leaf.dtype) == (tensor.array.shape, tensor.array.dtype):
        return leaf
    new = Leaf(tensor)
    new.hooks = leaf.hooks
    if leaf in hooked:
        hooked.add(new)
    return new


def wanting(tensor: Any, wanted: bool) -> Leaf | None:
    """The node of a leaf after requires_grad_(wanted): None, or the one it had before, which older graphs lead to."""
    if not wanted:
        if type(tensor.node) is Leaf:
            tensor.rested = tensor.node
        return None
    check_inference(tensor.version, "Setting requires_grad=True on inference tensor")
    tensor.node = vars(tensor).pop("rested", None) or Leaf(tensor)
    return renewed(tensor)


def reached(roots: Sequence[Function | None], oldest: float) -> dict[int, Function]:
    """The nodes that gradients flow to from roots, by their numbers, but for those before the `oldest`."""
    found: dict[int, Function] = {}
    stack: list[Function | None] = list(roots)
    while stack:
        node = stack.pop()
        if node is not None and node.number >= oldest and node.number not in found:
            found[node.number] = node
            stack += node.edges
    return found


class Finals:
    """What is to be called when the backward pass from `roots`, which begins here, has ended.

    It goes everywhere, or only to the nodes that `ways` has by their numbers.
    """

    __slots__ = ("queue", "roots", "token", "ways")

    def __init__(self, roots: Sequence[Function], ways: Mapping[int, Any] | None) -> None:
        self.roots, self.ways = roots, ways
        self.queue: list[Callable[[], Any]] = []
        self.token = _finals.set(self)

    def close(self) -> None:
        """Take no more, and hold no graph: hooks may hold this, to know the pass by it."""
        _finals.reset(self.token)
        self.roots, self.ways = (), {}

    def comes_to(self, numbers: Collection[int]) -> set[int]:
        """Which of these nodes, by their numbers, the pass comes to."""
        ways = reached(self.roots, min(numbers)) if self.ways is None else self.ways
        return ways.keys() & numbers

    def call(self) -> None:
        """Call all of it, and what that adds."""
        if not self.queue:
            return
        with holding(_finals, self):
            for final in self.queue:
                final()


_finals: ContextVar[Finals | None] = ContextVar("finals", default=None)
finals = _finals.get  # those of the innermost pass that is going on


def places(roots: Sequence[Function], oldest: float) -> dict[int, float]:
    """For hooked leaves, by number, where in the walk from `roots` they come: right after the last node that uses them.

    A place is a node's number less a fraction, so that the engine's heap has the leaf after that node and before the
    next: those of one node in the order of its inputs, or from the last to the first. Other leaves come when all nodes
    are done, which nobody sees. Nodes before the `oldest` one that is asked for are nowhere in the walk.
    """
    found: dict[int, float] = {}
    for number, node in reached(roots, oldest).items():
        for i, edge in enumerate(node.edges):
            if type(edge) is Leaf and edge in hooked:
                before = -i if node.last_first else i
                place = number - 0.5 - before / (2 * len(node.edges) + 2)
                found[edge.number] = min(found.get(edge.number, place), place)
    return found


def called(hook: Callable[[Any], Any], grad: Any) -> Any:
    """Call a hook with a gradient; slice after slice, where it looks at the values of a mapping's slices."""
    try:
        return hook(grad)
    except Apart:
        return Apart.hooked(hook, grad)


def seen(node: Function, grad: Any, start: float = 0, stop: float = inf) -> Any:
    """The gradient after the node's hooks with numbers from start to stop: a leaf's last ones wait for its sum."""
    Tensor = function.Tensor
    bare = not isinstance(grad, Tensor)
    grad = Tensor._made(grad) if bare else grad
    for i, hook in sorted(node.hooks.items()):  # type: ignore[union-attr]
        changed = called(hook, grad) if start <= i < stop else None
        if changed is not None:
            facts = grad.array.shape, grad.array.dtype
            if not isinstance(changed, Tensor) or (changed.array.shape, changed.array.dtype) != facts:
                place = errors.place(type(node).__name__, node.path)
                raise errors.DtypeError(
                    f"{place}: a hook changed the gradient, of shape and dtype {facts}, to {changed!r:.60}"
                )
            grad = changed
    return grad.array if bare else grad


def accumulated(tensor: Any) -> None:
    """Call the hooks that a leaf has for when its gradient is complete."""
    for _, hook in sorted(tensor._post_accumulate_grad_hooks.items()):
        if (result := hook(tensor)) is not None and result is not tensor:
            raise errors.GraphError("Tensor post accumulate grad hooks should return None.")
