"""Leaves and hooks in a backward pass: when a hooked leaf gets its gradient, and which functions to call then.

As in PyTorch, a leaf with hooks gets its gradient as soon as that is complete, and callbacks run when the pass ends.
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

hooked: WeakSet[Leaf] = WeakSet()  # leaves that have, or had, a hook
adding = RLock()  # held while adding to `.grad`: several threads' passes may end at one leaf


def hook(node: Function, fn: Callable[[Any], Any], last: int = 0) -> RemovableHandle:
    """Register `fn` to be called with the gradient that reaches `node`. Hooks with a higher `last` run later."""
    if type(node) is Leaf:
        hooked.add(node)
    node.hooks = node.hooks or {}
    return RemovableHandle(node.hooks, fn, last)


def renewed(tensor: Any) -> Leaf:
    """The leaf node of a Tensor whose array was replaced: a new one with the same hooks if shape or dtype changed."""
    leaf: Leaf = tensor.node
    if (leaf.shape, leaf.dtype) == (tensor.array.shape, tensor.array.dtype):
        return leaf
    new = Leaf(tensor)
    new.hooks = leaf.hooks
    if leaf in hooked:
        hooked.add(new)
    return new


def wanting(tensor: Any, wanted: bool) -> Leaf | None:
    """The node of a leaf Tensor after `requires_grad_(wanted)`.

    Switched off, it is None, and the Tensor remembers its Leaf. Switched on again, it is that same Leaf, so that graphs
    recorded before still lead to the Tensor.
    """
    if not wanted:
        if type(tensor.node) is Leaf:
            tensor.rested = tensor.node
        return None
    check_inference(tensor.version, "Setting requires_grad=True on inference tensor")
    tensor.node = vars(tensor).pop("rested", None) or Leaf(tensor)
    return renewed(tensor)


def reached(roots: Sequence[Function | None], oldest: float) -> dict[int, Function]:
    """The nodes that can be reached from `roots`, by number, without those that are older than `oldest`."""
    found: dict[int, Function] = {}
    stack: list[Function | None] = list(roots)
    while stack:
        node = stack.pop()
        if node is not None and node.number >= oldest and node.number not in found:
            found[node.number] = node
            stack += node.edges
    return found


class Finals:
    """A backward pass that is running, and the callbacks to run at its end.

    It visits all nodes that can be reached from `roots`, or only those whose numbers are in `ways`.
    """

    __slots__ = ("queue", "roots", "token", "ways")

    def __init__(self, roots: Sequence[Function], ways: Mapping[int, Any] | None) -> None:
        self.roots, self.ways = roots, ways
        self.queue: list[Callable[[], Any]] = []
        self.token = _finals.set(self)

    def close(self) -> None:
        """End the pass, and release the graph: hooks may keep this object, to recognize the pass."""
        _finals.reset(self.token)
        self.roots, self.ways = (), {}

    def comes_to(self, numbers: Collection[int]) -> set[int]:
        """Which of the nodes with these numbers the pass visits."""
        ways = reached(self.roots, min(numbers)) if self.ways is None else self.ways
        return ways.keys() & numbers

    def call(self) -> None:
        """Run the callbacks, including those that callbacks add."""
        if not self.queue:
            return
        with holding(_finals, self):
            for final in self.queue:
                final()


_finals: ContextVar[Finals | None] = ContextVar("microgad backward pass", default=None)
finals = _finals.get  # the innermost running pass, None outside of any


def places(roots: Sequence[Function], oldest: float) -> dict[int, float]:
    """The positions of hooked leaves in the walk from `roots`, by node number.

    Leaves are older than all nodes, so the engine would reach them at the end. A hooked leaf is to come right after the
    oldest node that uses it. Its position is that node's number minus a fraction, which puts it before the next node in
    the engine's heap. The leaves of one node come in the order of its inputs, or in reverse. Nodes older than `oldest`
    aren't visited.
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
    """Call a hook with a gradient. Under vmap, a hook that asks for values is called for each slice by itself."""
    try:
        return hook(grad)
    except Apart:
        return Apart.hooked(hook, grad)


def seen(node: Function, grad: Any, start: float = 0, stop: float = inf) -> Any:
    """Run the node's hooks whose ids are in [start, stop), and return the gradient as they leave it.

    Those of a leaf from `LAST` on wait until its gradient is complete.
    """
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
    """Run a leaf's post-accumulate-grad hooks."""
    for _, hook in sorted(tensor._post_accumulate_grad_hooks.items()):
        if (result := hook(tensor)) is not None and result is not tensor:
            raise errors.GraphError("Tensor post accumulate grad hooks should return None.")
