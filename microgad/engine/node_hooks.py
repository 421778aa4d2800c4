"""The hooks of nodes and leaves: how they are added, and how a pass calls them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any
from weakref import WeakSet

from .. import errors, function
from ..duck_arrays import Fallback
from ..function import Function
from .hooks import RemovableHandle
from .paths import reachable
from .transforms import computing_jvp, transforms

calling: WeakSet[Function] = WeakSet()  # nodes by which a pass calls a user's code: hooks, or custom Functions


def add_hook(node: Function, fn: Callable[[Any], Any], last: int = 0) -> RemovableHandle:
    """Register `fn` to be called with the gradient that reaches `node`. Hooks with a higher `last` run later."""
    fn = at_level_of(node, fn)
    calling.add(node)
    node.hooks = node.hooks or {}
    return RemovableHandle(node.hooks, fn, last)


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
        if not start <= i < stop or (changed := call_hook(hook, grad)) is None:
            continue
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


def run_post_accumulate_hooks(tensor: Any) -> None:
    """Run a leaf's post-accumulate-grad hooks."""
    for _, hook in sorted(tensor._links.post_accumulate_grad_hooks.items()):
        result = hook(tensor)
        if not (result is None or isinstance(result, function.Tensor)):
            raise errors.DtypeError(f"expected Variable, but hook returned '{type(result).__name__}'")
        if result is not None and result is not tensor:
            raise errors.GraphError("Tensor post accumulate grad hooks should return None.")
