"""In-place writes and views: how a write gives a base and its views new nodes.

A region is the part of a base that a view shows. The view's chain of view operations describes it.

A write gives its base a new node at once. Of its views it only takes the nodes, which `Tensor.node` derives again from
the base's when they are next read. So views that nobody reads cost nothing, and hooks stay where PyTorch has them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from threading import RLock
from typing import Any, TypeAlias

import numpy as np

from .. import backend, errors, function, state
from ..backend.memory_layout import axes_of, overlaps, within
from ..duck_arrays import check_write
from ..engine import Identity, versions
from ..function import AccumulateGrad, Function, Output
from ..function.linear_map import LinearMap
from ..function.naming import node_name, with_torch_name
from ..function.plan import Plan
from ..state.inference import check_inference
from ..state.links import Links
from ..type_aliases import Tensor
from . import layouts
from .mirrors import Mirror, mirrors_of

Steps: TypeAlias = tuple[tuple[type[Function], dict[str, Any]], ...]  # operations and their settings


class Detach(Function):
    """A node that tells observers of `detach`: the result shares memory and is not on the graph."""

    may_share = True

    def forward(self, x: Any) -> Any:
        return x


def notify_detached(tensor: Tensor, result: Tensor) -> None:
    """Tell the observer, if there is one, that `result` is `tensor` detached."""
    observer = state.current().observer
    if observer is not None:
        node = Detach()
        observer.begin(node, (tensor,))
        observer.forward(node, (tensor,), result)


def set_history(tensor: Tensor, node: Function) -> None:
    """Give a Tensor another node after a write. A retained gradient is then the one at the new node."""
    tensor.node = node
    handle = tensor._links.retainer
    if handle is not None:
        node.hooks = node.hooks or {}
        node.hooks[handle.id] = handle.dicts[0].pop(handle.id)
        handle.dicts = [node.hooks]


class LostView(Identity):
    """The node of a view made under no_grad or in a custom Function, whose base was then modified: backward raises."""

    origin: Function | None  # the view's former node

    def grad_x(self, grad):
        change = "its base or another view of its base has been modified inplace"
        raise errors.GraphError(_why_lost(self.origin, change))


def _why_lost(node: Function | None, change: str) -> str:
    """Say why a view, whose former node is `node`, can't be derived again from its base after a change."""
    if node is None or type(node) is AccumulateGrad:
        return (
            f"A view was created in no_grad mode and {change} with grad mode enabled. Given that this use case is "
            "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the "
            "inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or both "
            "outside (if you want the inplace to be tracked)."
        )
    output = f"Output {getattr(node, 'index', 0)} of {node_name(node).removesuffix('Backward')}"
    return (
        f"{output} is a view and {change}. This view was created inside a custom Function (or because an input was "
        "returned as-is): clone the output of the custom Function"
    )


def _origin(view: Tensor) -> Function | None:
    """Return the node of a view from before its base was modified."""
    return view.node.origin if isinstance(view.node, LostView) else view.node


_ENDS = (type(None), AccumulateGrad)


class GuardedView(Identity):
    """The node of a view whose base was detached in place. It keeps the values, so that a later write is noticed."""

    def grad_x(self, grad, x):  # type: ignore[override]
        return grad


class TransformArgument(Identity):
    """The node of an argument that a transform differentiates by: as a leaf's, its memory isn't written to."""


_FIXED = frozenset((AccumulateGrad, TransformArgument))


def guard_views(base: Tensor) -> None:
    """Make the live views of a base that is detached in place refuse a gradient after they are written to."""
    with state.scope(grad_enabled=True, observer=None):
        for view in live_views(base):
            if type(base.node) not in _ENDS and view.node is not None:
                set_history(view, with_torch_name(node_name(view.node), GuardedView.apply(view)).node)


def live_views(base: Tensor) -> list[Tensor]:
    """Return the views of a base that still exist."""
    links = base._links
    return [view for ref in links.views or () if (view := ref()) is not None] + list((links.outdated or {}).values())


def steps_to(view: Links | Mirror) -> Steps:
    """Return the view operations from a base to a view of it, or to a conjugate, the first one first."""
    steps, chain = [], view.chain
    while chain is not None:
        chain, operation, settings = chain
        steps.append(operation(settings) if type(settings) is int else (operation, settings))
    return tuple(reversed(steps))


def view_of(self: Tensor, source: Tensor, node: Function, others: Any = (), part: Any = None) -> None:
    """Register this as a view of `source`, if the operation `node` did return a view.

    Of an operation with several results, this is the first, `others` are the other ones, and `part(i)` is the step that
    gives the i-th alone. Steps are made when they are needed: objects that live as long as a view cost the garbage
    collector time.
    """
    memory, root = source.array, self.array.base
    known = root is memory or (root is not None and root is memory.base)  # the usual case, checked first for speed
    if not known and backend.owner(self.array) is not backend.owner(memory):
        return
    origin = source._links
    base = source if origin.base is None else origin.base
    self._version_counter = source._counter()
    links = self._links = Links()
    links.base = base
    if not state.current().grad_enabled:
        if base.fresh_node is not None:
            disconnect((self, *others))
    elif origin.base is None or origin.chain is not None:
        links.chain = (origin.chain, type(node), vars(node)) if part is None else (origin.chain, part, 0)
    of_base = base._own_links()
    views = of_base.views
    if views is None:
        views = of_base.views = []
    elif len(views) > of_base.max_views:  # drop the dead ones; twice the live ones makes it amortized constant time
        views[:] = [ref for ref in views if ref() is not None]
        of_base.max_views = 2 * len(views) + 6
    views.append(weakref.ref(self))
    for i, view in enumerate(others, 1):
        view._version_counter, view._links = self._version_counter, Links()
        view._links.base = base
        if links.chain is not None:
            view._links.chain = origin.chain, part, i
        views.append(weakref.ref(view))


def disconnect(views: Iterable[Tensor]) -> None:
    """Let views without a node require grad whenever their base does: operations on them are recorded, to no avail.

    They are views made under no_grad, or before the base required grad. Inside of vmap they don't, as in PyTorch.
    """
    for view in views:
        x = view.array
        if getattr(view, "fresh_node", 0) is None and x.dtype.kind in "fc" and not hasattr(x, "level"):
            del view.fresh_node


def rebind(self: Tensor, node: Function) -> None:
    """After a write, give the Tensor, its base and their conjugates new nodes.

    Other views are outdated until theirs are read.
    """
    base = self if self._links.base is None else self._links.base
    _rebind(self, node, base)
    written = [base] if versions.mirrors else []
    while written:
        base = written.pop()
        for mirror in mirrors_of(base.array):
            copy = mirror.tensor()
            if mirror.base() is base and copy is not None and type(copy.node) not in _FIXED:
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
    """Give an outdated view its node, which is derived from the base's, and return it."""
    base: Any = view._links.base
    outdated = base._links.outdated
    if outdated is None or id(view) not in outdated:  # see `disconnect`, or another thread was faster
        return getattr(view, "fresh_node", None)
    with _deriving:
        if not hasattr(view, "fresh_node"):
            set_history(view, with_torch_name("AsStrided", _derived(view._links, base)).node)  # as PyTorch names it
    return view.fresh_node


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
    return LostView.recorded([base.node], view.array, origin=_origin(view))


# A real view may show parts of a complex base, and the opposite. Gradients pass part by part, as in PyTorch, so
# `conjugates` is off.


class RegionWrite(Function):
    """The base with a region overwritten by `value`."""

    symbol, conjugates = "view[ ]=", False

    def forward(self, base, value):
        return _overwrite(self, base, value, base, base.shape)

    def grad_base(self, grad):
        return RegionClear.apply(grad, chain=self.chain, order=self.order)

    def grad_value(self, grad):
        return RegionRead.apply(grad, chain=self.chain, order=self.order, kind=np.dtype(grad.dtype))


class RegionClear(LinearMap):
    """The base with a region set to zero."""

    symbol, conjugates = "view[ ]=0", False

    def forward(self, x):
        return _overwrite(self, x, 0, x, x.shape)

    adjoint = forward


class RegionRead(LinearMap):
    """The values of a region."""

    symbol, conjugates = "view", False

    def forward(self, x):
        return _replay_views(self.chain, x, must_share=False).copy()

    def adjoint(self, grad):
        return _overwrite(self, 0, grad, grad, self.x_shape, self.kind)


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


def _overwrite(node: Any, base: Any, value: Any, like: Any, shape: tuple[int, ...], kind: Any = None) -> Any:
    """Return a new array: the base with `value` in the node's region. Its dtype is `kind`, or that of `like`.

    Its axes are in memory in the order of the base's, so that the view operations give views of it, too.
    """
    order = node.order
    out = np.empty_like(like, kind, shape=tuple(shape[axis] for axis in order), order="C")
    out = np.transpose(out, [order.index(axis) for axis in range(len(order))])
    out[...] = base
    _replay_views(node.chain, out)[...] = value
    return out


def _replay_views(chain: Steps, x: Any, must_share: bool = True) -> Any:
    """Apply the view operations of a chain to x; raise GraphError if the result does not share memory but must."""
    view = x
    for cls, settings in chain:
        view = cls.apply(view, **settings)
    if must_share and backend.owner(view) is not backend.owner(x):
        raise errors.GraphError(
            "a write through a view can't be followed back to its base: clone the base before the write"
        )
    return view


def check_writable(tensor: Tensor, op: str, recorded: bool) -> None:
    """Raise an error if an in-place operation cannot give right values or gradients."""
    x = tensor.array
    check_write(tensor)
    counter = tensor._version_counter
    if counter is not None and type(counter) is not list:
        check_inference(counter, "Inplace update to inference tensor")
        if type(counter) is Mirror and counter.has_source:
            raise _refusal(
                op,
                "a conjugate is a copy, but in PyTorch a view of the tensor that it is taken of, which a write to it "
                "would change too; write to that tensor, or to a clone() of the conjugate",
            )
    if layouts.expanded_axes(x):
        raise _refusal(
            op,
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation.",
        )
    check_history(tensor, op, recorded)
    if (observer := state.current().observer) is not None:
        observer.write(tensor)
    if tensor._links.base is None or not recorded:
        return
    if x.size and overlaps(x.shape, x.strides):
        raise _refusal(
            op,
            "elements of the written-to view overlap in memory, so a write through it has no gradient; "
            "clone() it first",
        )
    # A gradient passes through all views of the chain, but as_strided can show elements that an earlier view does not.
    if not all(within(step["shown"], step["held"]) for _, step in steps_to(tensor._links) if "held" in step):
        raise _refusal(
            op,
            "the written-to view was made by as_strided of a view and shows what that doesn't, so a write through it "
            "has no gradient; clone() it first, or use the view's base",
        )


def check_history(tensor: Tensor, op: str, recorded: bool) -> None:
    """Raise an error if PyTorch does not allow to give this Tensor another node."""
    base = tensor._links.base
    if not state.current().grad_enabled:
        return
    if base is not None and tensor._links.chain is None and (recorded or base.node is not None):
        raise _refusal(op, _why_lost(_origin(tensor), "is being modified inplace"))
    if type(tensor.node) in _FIXED:
        raise _refusal(op, "a leaf Variable that requires grad is being used in an in-place operation.")
    if base is not None and (type(base.node) in _FIXED or (base.node is None and tensor.node is not None)):
        raise _refusal(op, "a view of a leaf Variable that requires grad is being used in an in-place operation.")


def _refusal(op: str, why: str) -> errors.GraphError:
    return errors.GraphError(f"{errors.place(op, state.current().path)}: {why}")
