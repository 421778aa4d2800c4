"""What belongs to a thread of execution: grad mode, module path, observer. One context variable, one look-up an op."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from ..errors.arguments import UNFIT, kinds, refuse
from .observer import Observer as Observer

F = TypeVar("F", bound=Callable[..., Any])


class State:
    """Immutable: a change is a new State, so that threads, tasks and nested scopes never see each other's."""

    __slots__ = ("deriving", "fine", "grad_enabled", "holomorphic", "inner", "observer", "path")

    def __init__(
        self,
        grad_enabled: bool = True,
        path: str = "",
        observer: Observer | None = None,
        deriving: bool = False,
        holomorphic: bool = False,
        fine: Callable[..., Any] | None = None,
    ) -> None:
        self.grad_enabled = grad_enabled
        self.path = path
        self.observer = observer
        self.deriving = deriving  # inside a derivative under create_graph
        self.holomorphic = holomorphic  # gradients are grad · f' of complex numbers too, and so have derivatives again
        self.fine = fine  # applies Functions that have a decomposition, see `graph.fine`
        self.inner: dict[str | bool, State] = {}  # what is called here runs in, by its name, or its grad mode

    def at(self, path: str, grad_enabled: bool) -> State:
        """The same at another path, or in another grad mode."""
        return State(grad_enabled, path, self.observer, self.deriving, self.holomorphic, self.fine)

    def recording(self, enabled: bool) -> State:
        """The same in a grad mode, for a block: the same one each time, so that what is called there is known."""
        if self.grad_enabled is enabled:
            return self
        return self.inner.get(enabled) or self.inner.setdefault(enabled, self.at(self.path, enabled))


variable: ContextVar[State] = ContextVar("microgad", default=State())  # noqa: B039 - immutable
current = variable.get


def changed(**changes: Any) -> State:
    """The current state with the given fields replaced."""
    now, given = current(), changes.get
    path, observer = given("path", now.path), given("observer", now.observer)
    rest = given("deriving", now.deriving), given("holomorphic", now.holomorphic), given("fine", now.fine)
    return State(given("grad_enabled", now.grad_enabled), path, observer, *rest)


class scope:
    """Run a block under a changed state: written out, since a generator's context takes three times as long."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def __enter__(self) -> None:
        self.token = variable.set(changed(**self.changes))

    def __exit__(self, *_: object) -> None:
        variable.reset(self.token)


def observers() -> Iterator[Observer]:
    """Those that see what happens here, the innermost first."""
    observer = current().observer
    while observer is not None:
        yield observer
        observer = observer.outer


def inside(name: str) -> str:
    """The path of `name` called from here: `features` + `0` -> `features.0`."""
    return f"{path}.{name}" if (path := current().path) else name


def composite(function: F) -> F:
    """For a public function made of several operations: its name goes on their path, so that pictures fold them."""
    check, name = kinds(function), f"{function.__name__}()"

    @functools.wraps(function)
    def named(*args: Any, **kwargs: Any) -> Any:
        if check is not None:
            check(args, kwargs)
        now = current()
        inner = now.inner.get(name) or now.inner.setdefault(name, now.at(inside(name), now.grad_enabled))
        token = variable.set(inner)
        try:
            return function(*args, **kwargs) if now.observer is None else now.observer.call(function, args, kwargs)
        except UNFIT as error:
            return refuse(named, args, kwargs, error)
        finally:
            variable.reset(token)

    return named  # type: ignore[return-value]


def observed(function: F) -> F:
    """For a public function that computes on bare arrays in between: an observer that wants it whole makes the call."""
    check = kinds(function)

    @functools.wraps(function)
    def named(*args: Any, **kwargs: Any) -> Any:
        if check is not None:
            check(args, kwargs)
        observer = current().observer
        return function(*args, **kwargs) if observer is None else observer.call(function, args, kwargs)

    return named  # type: ignore[return-value]
