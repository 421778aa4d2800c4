"""Leaves and hooks in a backward pass: when a leaf gets its gradient, and which functions to call then.

As in PyTorch, wherever hooks may see it a leaf gets its gradient as soon as that is complete, and callbacks run when
the pass ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from math import inf
from threading import RLock
from typing import Any
from weakref import WeakSet

import numpy as np

from .. import backend, errors, function
from ..backend.memory_layout import has_gaps
from ..duck_arrays import Fallback
from ..errors.wording import in_torchs_words
from ..function import AccumulateGrad, Function, rules
from ..function.naming import with_torch_name
from ..state import Observer
from ..state.contexts import binding
from ..state.inference import check_inference
from .hooks import RemovableHandle
from .paths import reachable

calling: WeakSet[Function] = WeakSet()  # nodes by which a pass calls a user's code: hooks, or custom Functions
accumulate_lock = RLock()  # held while adding to `.grad`: several threads' passes may end at one leaf


def add_hook(node: Function, fn: Callable[[Any], Any], last: int = 0) -> RemovableHandle:
    """Register `fn` to be called with the gradient that reaches `node`. Hooks with a higher `last` run later."""
    fn = at_level_of(node, fn)
    calling.add(node)
    node.hooks = node.hooks or {}
    return RemovableHandle(node.hooks, fn, last)


class Transform:
    """A running transform of torch.func, known by the nodes that it differentiates by."""

    def __init__(self, entries: Iterable[Function], forward: bool) -> None:
        self.numbers, self.forward = {node.number for node in entries}, forward

    def running(self) -> AbstractContextManager[None]:
        """A context in which this is the innermost transform."""
        return binding(transforms, (*transforms.get(), self))


transforms: ContextVar[tuple[Transform, ...]] = ContextVar("microgad transforms", default=())  # innermost last
# Whether the backward pass that runs is the first one of the double-backward trick: its derivative will be a tangent.
computing_jvp: ContextVar[bool] = ContextVar("microgad computing jvp", default=False)


def at_level_of(node: Function, hook: Callable[..., Any]) -> Callable[..., Any]:
    """Return a hook on `node` that only passes of the node's own transform call: the innermost that it depends on.

    In PyTorch each transform has a graph of its own. In forward mode there is none, so RuntimeError is raised.
    """
    for level in reversed(transforms.get()):
        if level.numbers & reachable([node], min(level.numbers, default=inf)).keys():
            if level.forward:
                raise errors.GraphError("cannot register a hook on a tensor that doesn't require gradient")
            return lambda *grads, own=level: hook(*grads) if transforms.get()[-1:] == (own,) else None
    return hook


def leaf_of_new_array(tensor: Any) -> AccumulateGrad:
    """The leaf node of a Tensor whose array was replaced: a new one with the same hooks if shape or dtype changed."""
    leaf: AccumulateGrad = tensor.node
    if (leaf.shape, leaf.dtype) == (tensor.array.shape, tensor.array.dtype):
        return leaf
    new = AccumulateGrad(tensor)
    new.hooks = leaf.hooks
    if leaf in calling:
        calling.add(new)
    return new


def set_requires_grad(tensor: Any, wanted: bool) -> AccumulateGrad | None:
    """The node of a leaf Tensor after `requires_grad_(wanted)`.

    Switched off, it is None, and the Tensor remembers the node. Switched on again, it is that same node, so that graphs
    recorded before still lead to the Tensor.
    """
    if not wanted:
        if type(tensor.node) is AccumulateGrad:
            tensor.idle_leaf = tensor.node
        return None
    check_inference(tensor.version, "Setting requires_grad=True on inference tensor")
    tensor.node = vars(tensor).pop("idle_leaf", None) or AccumulateGrad(tensor)
    return leaf_of_new_array(tensor)


class BackwardPass:
    """A backward pass that is running, and the callbacks to run at its end.

    It visits all nodes that can be reached from `roots`, or only those whose numbers are in `routes`.
    """

    __slots__ = ("callbacks", "roots", "routes", "token")

    def __init__(self, roots: Sequence[Function], routes: Mapping[int, Any] | None) -> None:
        self.roots, self.routes = roots, routes
        self.callbacks: list[Callable[[], Any]] = []
        self.token = _pass.set(self)

    def close(self) -> None:
        """End the pass, and release the graph: hooks may keep this object, to recognize the pass."""
        _pass.reset(self.token)
        self.roots, self.routes = (), {}

    def visits(self, numbers: Collection[int]) -> set[int]:
        """Which of the nodes with these numbers the pass visits."""
        routes = reachable(self.roots, min(numbers)) if self.routes is None else self.routes
        return routes.keys() & numbers

    def run_callbacks(self) -> None:
        """Run the callbacks, including those that callbacks add."""
        if not self.callbacks:
            return
        with binding(_pass, self):
            for final in self.callbacks:
                final()


_pass: ContextVar[BackwardPass | None] = ContextVar("microgad backward pass", default=None)
current_pass = _pass.get  # the innermost running pass, None outside of any


def reported(error: Exception, node: Function, observer: Observer | None, create_graph: bool) -> Exception:
    """Tell the observer that the derivatives of `node` raised `error`, and return what the pass is to raise."""
    if observer is not None:
        observer.failed(node)
    if create_graph and not node.calls_back:
        rules.on_tensors(error, node)
    if not isinstance(error, MemoryError):
        return error
    place = errors.place(type(node).__name__, node.path)
    explained = errors.NoMemoryError(f"{place}, backward: {errors.no_memory(error)}")
    explained.__cause__ = error
    return explained


def positions(roots: Sequence[Function], oldest: float) -> dict[int, float]:
    """The positions of leaves in the walk from `roots`, by node number, where a user's code may look at their `.grad`.

    Leaves are older than the nodes that use them, often than all, so the engine would reach them late. Each is to come
    right after the oldest node that uses it: its position is that node's number minus a fraction. The leaves of one
    node come in the order of its inputs, or in reverse. Nodes older than `oldest` aren't visited.
    """
    found: dict[int, float] = {}
    for number, node in reachable(roots, oldest).items():
        for i, edge in enumerate(node.edges):
            if type(edge) is AccumulateGrad:
                before = -i if node.last_first else i
                place = number - 0.5 - before / (2 * len(node.edges) + 2)
                found[edge.number] = min(found.get(edge.number, place), place)
    return found


def call_hook(hook: Callable[[Any], Any], grad: Any) -> Any:
    """Call a hook with a gradient. Under vmap, a hook that asks for values is called for each slice by itself."""
    try:
        return hook(grad)
    except Fallback:
        return Fallback.hooked(hook, grad)


def run_hooks(node: Function, grad: Any, start: float = 0, stop: float = inf) -> Any:
    """Run the node's hooks whose ids are in [start, stop), and return the gradient as they leave it.

    Those of a leaf from `LAST` on wait until its gradient is complete. None are run while a tangent is computed.
    """
    if computing_jvp.get():
        return grad
    Tensor = function.Tensor
    bare = not (grad is None or isinstance(grad, Tensor))
    grad = Tensor._wrap(grad) if bare else grad
    for i, hook in sorted(node.hooks.items()):  # type: ignore[union-attr]
        changed = call_hook(hook, grad) if start <= i < stop else None
        if changed is not None:
            if grad is None:
                raise errors.GraphError("can't replace a None gradient with a non-None value")
            facts = grad.array.shape, grad.array.dtype, grad.device
            if not isinstance(changed, Tensor) or (changed.array.shape, changed.array.dtype, changed.device) != facts:
                place = errors.place(type(node).__name__, node.path)
                raise errors.DtypeError(
                    f"{place}: a hook changed the gradient, of shape, dtype and device {facts}, to {changed!r:.60}"
                )
            grad = changed
    return grad.array if bare else grad


def check_device(grad: Any, result: Any, i: int) -> None:
    """Raise RuntimeError if `grad`, the gradient of the i-th result, isn't on its device. A GradientEdge has none."""
    if isinstance(result, function.Tensor) and (expected := backend.device_of(result.array)) != grad.device:
        raise errors.DeviceError(f"invalid gradient at index {i} - expected device {expected} but got {grad.device}")


def add_to_gradient(held: Any, grad: Any) -> None:
    """Add a bare gradient to a `.grad` in place. Raises RuntimeError if `.grad` is expanded or of another shape."""
    if 0 in held.array.strides:
        held._check_writable("AccumulateGrad", False)
    try:
        held.array += grad
    except ValueError as error:
        raise errors.ShapeError(in_torchs_words(str(error))) from error
    held._bump()


def first_gradient(leaf: Any, grad: Any) -> Any:
    """A recorded copy of a leaf Tensor's first gradient.

    PyTorch copies it into memory like the leaf's, or clones it if that has gaps.
    """
    copy = np.copy(grad)
    return copy if has_gaps(leaf.array) else with_torch_name("torch::autograd::CopyBackwards", copy)


def run_post_accumulate_hooks(tensor: Any) -> None:
    """Run a leaf's post-accumulate-grad hooks."""
    for _, hook in sorted(tensor._post_accumulate_grad_hooks.items()):
        result = hook(tensor)
        if not (result is None or isinstance(result, function.Tensor)):
            raise errors.DtypeError(f"expected Variable, but hook returned '{type(result).__name__}'")
        if result is not None and result is not tensor:
            raise errors.GraphError("Tensor post accumulate grad hooks should return None.")
