"""Which Tensors are views of which: a base knows its views, and a view the operations that lead to it."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, TypeAlias

from .. import backend
from ..engine.versions import tracked
from ..function import Function
from ..state import current
from ..state.links import NO_LINKS, Links
from ..type_aliases import Tensor
from .mirrors import Mirror

Steps: TypeAlias = tuple[tuple[type[Function], dict[str, Any]], ...]  # operations and their settings


def base_of(tensor: Tensor) -> Tensor:
    """Return the Tensor that this one is a view of, or itself."""
    base = tensor._links.base
    return tensor if base is None else base


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


def shorten(view: Links) -> None:
    """Let one step of a view's chain do what several in a row do: `y = y[1:]` in a loop would lengthen it."""
    while (chain := view.chain) and (before := chain[0]) and chain[1] is before[1] and "joined" in vars(chain[1]):
        settings = chain[1].joined(before[2], chain[2])
        if settings is None:
            break
        view.chain = before[0], chain[1], settings | {"x_shape": before[2]["x_shape"]}


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
    counter = self._version_counter = source._version_counter or source._counter()
    links = self._links = Links()
    links.base, links.writes = base, counter[0] if len(counter) == 1 and type(counter) is list else tracked(counter)
    if not current().grad_enabled:
        if base.fresh_node is not None:
            disconnect((self, *others))
    elif origin.base is None or origin.chain is not None:
        links.chain = (origin.chain, node.__class__, node.__dict__) if part is None else (origin.chain, part, 0)
    of_base = base._links
    if of_base is NO_LINKS:
        of_base = base._own_links()
    views = of_base.views
    if views is None:
        views = of_base.views = []
    elif len(views) > of_base.max_views:  # drop the dead ones; twice the live ones makes it amortized constant time
        views[:] = [ref for ref in views if ref() is not None]
        of_base.max_views = 2 * len(views) + 6
    views.append(weakref.ref(self))
    if not others:
        return
    for i, view in enumerate(others, 1):
        view._version_counter, view._links = counter, Links()
        view._links.base, view._links.writes = base, links.writes
        if links.chain is not None:
            view._links.chain = origin.chain, part, i
        views.append(weakref.ref(view))


def disconnect(views: Iterable[Tensor]) -> None:
    """Let views without a node require grad whenever their base does: operations on them are recorded, to no avail.

    They are views made under no_grad, or before the base required grad. A write connects the latter to the base, see
    `derive_again`. Inside of vmap they don't require grad. Both is as in PyTorch.
    """
    for view in views:
        x = view.array
        if getattr(view, "fresh_node", 0) is None and x.dtype.kind in "fc" and not hasattr(x, "level"):
            del view.fresh_node
