"""The nodes of a base and of its views after an in-place write.

A write gives its base a new node at once. Of its views it only takes the nodes, which `Tensor.node` derives again from
the base's when they are next read. So views that nobody reads cost nothing, and hooks stay where PyTorch has them.
"""

from __future__ import annotations

import weakref
from _thread import RLock  # the one of threading, without its import, which takes a millisecond
from typing import Any

from .. import backend, errors, function, state
from ..backend.memory_layout import axes_of
from ..engine import Identity, versions
from ..function import AccumulateGrad, Function, Output
from ..function.naming import node_name, with_torch_name
from ..function.plan import Plan
from ..state.links import Links
from ..type_aliases import Array, Tensor
from .mirrors import Mirror, mirrors_of
from .regions import RegionRead, RegionWrite
from .registry import base_of, live_views, shorten, steps_to


def set_history(tensor: Tensor, node: Function | None) -> None:
    """Give a Tensor another node after a write. A retained gradient is then the one at the new node."""
    tensor.node = node
    handle = tensor._links.retainer
    if handle is not None and node is not None:
        node.hooks = node.hooks or {}
        node.hooks[handle.id] = handle.dicts[0].pop(handle.id)
        handle.dicts = [node.hooks]


class LostView(Identity):
    """The node of a view made under no_grad or in a custom Function, whose base was then modified: backward raises."""

    origin: Function | None  # the view's former node

    def grad_x(self, grad: Array) -> Any:
        change = "its base or another view of its base has been modified inplace"
        raise errors.GraphError(why_lost(self.origin, change))


def why_lost(node: Function | None, change: str) -> str:
    """Say why a view, whose former node is `node`, can't be derived again from its base after a change."""
    if node is None or type(node) is AccumulateGrad or node.edges == [None]:  # the last: a view of such a view
        return (
            f"A view was created in no_grad mode and {change} with grad mode enabled. Given that this use case is "
            "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the "
            "inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or both "
            "outside (if you want the inplace to be tracked)."
        )
    output = f"Output {node.index if type(node) is Output else 0} of {node_name(node).removesuffix('Backward')}"
    return (
        f"{output} is a view and {change}. This view was created inside a custom Function (or because an input was "
        "returned as-is): clone the output of the custom Function"
    )


def origin(view: Tensor) -> Function | None:
    """Return the node of a view from before its base was modified."""
    return view.node.origin if isinstance(view.node, LostView) else view.node


_ENDS = (type(None), AccumulateGrad)


class GuardedView(Identity):
    """The node of a view whose base was detached in place. It keeps the values, so that a later write is noticed."""

    def grad_x(self, grad: Any, x: Any) -> Any:  # type: ignore[override]
        return grad


class TransformArgument(Identity):
    """The node of an argument that a transform differentiates by: as a leaf's, its memory isn't written to."""


FIXED = frozenset((AccumulateGrad, TransformArgument))


def guard_views(base: Tensor) -> None:
    """Make the live views of a base that is detached in place refuse a gradient after they are written to.

    Outdated ones get their nodes from the detached base, when they are next read.
    """
    with state.scope(grad_enabled=True, observer=None):
        for view in live_views(base):
            if type(base.node) not in _ENDS and getattr(view, "fresh_node", None) is not None:
                set_history(view, with_torch_name(node_name(view.node), GuardedView.apply(view)).node)


def rebind(self: Tensor, node: Function) -> None:
    """After a write, give the Tensor, its base and their conjugates new nodes.

    Other views are outdated until theirs are read.
    """
    base = base_of(self)
    _rebind(self, node, base)
    written = [base] if versions.mirrors else []
    while written:
        base = written.pop()
        for mirror in mirrors_of(base.array):
            copy = mirror.tensor()
            if mirror.base() is base and copy is not None and type(copy.node) not in FIXED:
                _rebind(copy, _derived(mirror, base).node if mirror.chain else _lost(copy, base), copy)
                written.append(copy)


def _rebind(self: Tensor, node: Function, base: Tensor) -> None:
    set_history(base, node if base is self else rebase_history(self, node))
    links = base._links
    if not links.views:
        return
    if links.outdated is None:
        links.outdated = weakref.WeakValueDictionary()
    views, links.views = links.views, []
    for ref in views:
        if (view := ref()) is None:
            continue
        if view._links.chain is not None:
            view.fresh_node = None
            del view.fresh_node  # which may be missing already: see `disconnect`
        elif view.array.dtype.kind in "fc":
            set_history(view, _lost(view, base))
        links.outdated[id(view)] = view
    if self is not base:
        derive_again(self)  # at once, as in PyTorch: a retained gradient is the one after the write


_deriving = RLock()  # held while a view gets its node: another thread that reads it gets the same


def derive_again(view: Tensor) -> Any:
    """Give a view that is outdated, or disconnected and older than a write, its node, and return that.

    The node is derived from the base's. As in PyTorch a disconnected view gets none if since it was made nothing was
    written to its memory, or only through `.data`.
    """
    links = view._links
    base: Any = links.base
    outdated = base._links.outdated
    disconnected = outdated is None or id(view) not in outdated  # or another thread was faster
    if disconnected and (base.fresh_node is None or not _written(view, base)):
        return getattr(view, "fresh_node", None)
    with _deriving:
        if hasattr(view, "fresh_node"):
            return view.fresh_node
        if links.chain is None:  # made under no_grad
            set_history(view, LostView.recorded([base.node], view.array, origin=None))
        else:
            shorten(links)
            set_history(view, with_torch_name("AsStrided", _derived(links, base)).node)  # as PyTorch names it
    return view.fresh_node


def _written(view: Tensor, base: Tensor) -> bool:
    """Whether a view was written to since it was made. One whose base has another memory now is left alone."""
    written = versions.tracked(view._counter()) != view._links.writes
    return written and backend.owner(view.array) is backend.owner(base.array)


def _derived(view: Links | Mirror, base: Tensor) -> Tensor:
    """Apply the operations that led to a view to its base, as it would have been done at the write."""
    path = "" if base.node is None else base.node.path
    with state.scope(grad_enabled=True, observer=None, path=path):  # an observer sees no operation
        shown: Tensor = function.Tensor._wrap(base.array, base.node)
        for cls, settings in steps_to(view):
            shown = cls.apply(shown, **settings)
    return shown


def _lost(view: Tensor, base: Tensor) -> Function:
    """Return the node of a view that can't be derived again from its base."""
    return LostView.recorded([base.node], view.array, origin=origin(view))


def rebase_history(view: Tensor, node: Function) -> Function:
    """Return the new node of a base after `node` has written to a view of it."""
    base: Any = view._links.base
    read_from_base(view, node.edges[0] if type(node) is Output else node)
    return RegionWrite.recorded([base.node, node], base.array, chain=steps_to(view._links), order=axes_of(base.array))


def read_from_base(view: Tensor, node: Function) -> None:
    """Let `node` read the values of a view that is written to from its base, where that makes a difference.

    A view made by `as_strided` of another view may show more than that one. And the hooks on the nodes of views see, as
    in PyTorch, only the gradients of what was computed before the write.
    """
    base: Any = view._links.base
    if base.node is None or view._links.chain is None or view.node not in node.edges:
        return
    steps = steps_to(view._links)
    if "held" in steps[0][1] or _has_hooks(view.node, len(steps)):
        facts = {"x_shape": base.array.shape, "kind": base.array.dtype, "order": axes_of(base.array)}
        before = RegionRead.recorded([base.node], view.array, chain=steps, **facts)
        # The engine visits this node after `node` and before those two; no leaf has a position so close.
        before.number = max(view.node.number, base.node.number) + 2.0**-20
        node.edges[node.edges.index(view.node)] = before


def _has_hooks(node: Any, steps: int) -> bool:
    """Whether one of the nodes of a view has hooks: its own, and those of the views between it and its base."""
    for _ in range(steps):
        if node.hooks:
            return True
        node = node.edges[0] if type(node) is Output else node
        if type(node.plan) is not Plan:  # one with hooks of the node
            return True
        node = node.edges[0]
    return False
