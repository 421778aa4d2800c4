"""The backward pass that runs: what it visits, the callbacks at its end, and how its errors are reported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from .. import errors
from ..function import Function, rules
from ..state import Observer
from ..state.contexts import binding
from .paths import reachable


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
    if not node.calls_back:
        rules.explain(error, node, create_graph)
    if not isinstance(error, MemoryError):
        return error
    from ..errors.forwards import no_memory

    place = errors.place(type(node).__name__, node.path)
    explained = errors.NoMemoryError(f"{place}, backward: {no_memory(error)}")
    explained.__cause__ = error
    return explained
