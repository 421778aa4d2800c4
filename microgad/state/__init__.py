"""The state of a thread of execution: grad mode, module path, observer. One context variable, looked up once an op."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from ..errors.arguments import type_check
from ..errors.calls import CALL_ERRORS, retry_or_raise
from .observer import Observer as Observer

F = TypeVar("F", bound=Callable[..., Any])


class State:
    """The state, immutable: a change makes a new State, so that threads, tasks and nested scopes don't interfere."""

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
        self.deriving = deriving  # whether a derivative is being computed under create_graph
        self.holomorphic = holomorphic  # whether complex gradients are grad · f', without PyTorch's conjugation
        self.fine = fine  # called instead of Functions that have a decomposition, see `graph.fine`
        self.inner: dict[str | bool, State] = {}  # a cache of the states derived from this one, by path or grad mode

    def at(self, path: str, grad_enabled: bool) -> State:
        """A copy with another path and grad mode."""
        return State(grad_enabled, path, self.observer, self.deriving, self.holomorphic, self.fine)

    def recording(self, enabled: bool) -> State:
        """This state with another grad mode. It is the same object at each call, so that its own cache is reused."""
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
    kind = State if "grad_enabled" in changes else type(now)
    return kind(given("grad_enabled", now.grad_enabled), path, observer, *rest)


class scope:
    """Run a block under a changed state. It is a class, since a generator-based context takes three times as long."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def __enter__(self) -> None:
        wanted, self.before = self.changes, current()
        only_mode = len(wanted) == 1 and "grad_enabled" in wanted
        variable.set(self.before.recording(wanted["grad_enabled"]) if only_mode else changed(**wanted))

    def __exit__(self, *_: object) -> None:
        variable.set(self.before)  # no token, which couldn't be reset where another task ends the block


def observers() -> Iterator[Observer]:
    """The active observers, the innermost first."""
    observer = current().observer
    while observer is not None:
        yield observer
        observer = observer.outer


def child_path(name: str) -> str:
    """The path of the module `name` called in the current one: `features` + `0` -> `features.0`."""
    return path + f".{name}" if (path := current().path) else path + name  # of the class of `path`


def composite(function: F) -> F:
    """Decorate a public function made of several operations: its name goes on their path, and pictures fold them."""
    check, name = type_check(function), f"{function.__name__}()"

    @functools.wraps(function)
    def named(*args: Any, **kwargs: Any) -> Any:
        if check is not None:
            args = check(args, kwargs)
        now = current()
        inner = now.inner.get(name) or now.inner.setdefault(name, now.at(child_path(name), now.grad_enabled))
        token = variable.set(inner)
        try:
            return function(*args, **kwargs) if now.observer is None else now.observer.call(function, args, kwargs)
        except CALL_ERRORS as error:
            return retry_or_raise(named, args, kwargs, error)
        finally:
            variable.reset(token)

    named.observed = True  # type: ignore[attr-defined]
    return named  # type: ignore[return-value]


def observed(function: F) -> F:
    """Decorate a public function that computes on bare arrays in between: observers may record it as one call."""
    check = type_check(function)

    @functools.wraps(function)
    def named(*args: Any, **kwargs: Any) -> Any:
        if check is not None:
            args = check(args, kwargs)
        observer = current().observer
        return function(*args, **kwargs) if observer is None else observer.call(function, args, kwargs)

    named.observed, named.unobserved = True, function  # type: ignore[attr-defined]
    return named  # type: ignore[return-value]
