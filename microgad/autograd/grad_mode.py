"""Grad modes, which say whether operations are recorded: context managers that work as decorators too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from sys import modules
from typing import Any, Self, TypeVar, overload
from weakref import WeakSet

from .. import state
from ..errors.arguments import check_bool
from ..errors.notices import warn
from ..lazy import define_getattr as _define_getattr
from ..state.contexts import decorate
from ..state.inference import inferences, inferring

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]

F = TypeVar("F", bound=Callable[..., Any])


class _Own(state.State):
    """The state of one block alone. Tasks may hold it and outlast the block, and those around it."""

    __slots__ = ("__weakref__", "ended", "mode")

    def __init__(self, *fields: Any) -> None:
        super().__init__(*fields)
        self.ended: Any = ()  # the states of blocks in this one that have ended, those that tasks still hold
        self.mode: list[Any] = []  # that of a block of inference_mode


class _Inferring(_Own):
    """The state where a mode enables gradients within inference_mode: as in PyTorch nothing is recorded."""

    __slots__ = ()

    def at(self, path: str, grad_enabled: bool) -> state.State:
        return _Inferring(False, path, self.observer, self.deriving, self.holomorphic, self.fine)

    def recording(self, enabled: bool) -> state.State:
        return super().at(self.path, enabled)


def _enabled_in_vain(enabled: bool) -> _Own | None:
    """That state, if a mode is to enable gradients and inference_mode is on."""
    if not enabled or not inferring.get():
        return None
    now = state.current()
    return _Inferring(False, now.path, now.observer, now.deriving, now.holomorphic, now.fine)


def _begin(enabled: bool) -> tuple[state.State, _Own | None]:
    """Set the mode for a block. Return the state before, and that in the block if it is the block's own.

    It is while an event loop runs: other tasks may copy it, and outlast or end the block.
    """
    now, own = state.current(), _enabled_in_vain(enabled) if enabled else None
    inside = own or now.recording(enabled)
    if own is None and "_asyncio" in modules and modules["_asyncio"]._get_running_loop() is not None:
        own = _Own(enabled, now.path, now.observer, now.deriving, now.holomorphic, now.fine)
        own.inner = inside.inner  # modules called in several blocks make their states once
        inside = own
    state.variable.set(inside)
    return now, own


def _end(before: state.State, own: _Own | None, outside: Sequence[Any] | None = None) -> None:
    """Restore the mode at a block's end, also for the tasks that hold its state: in PyTorch it is the thread's.

    `outside` is the inference mode to restore, of a block that has set it.
    """
    if own is not None:
        ended = [own, *own.ended]
        for each in ended:
            each.__class__, each.grad_enabled, each.inner = _Own, before.grad_enabled, {}
            if outside is not None:
                each.mode[:] = outside
        if isinstance(before, _Own):
            before.ended = before.ended or WeakSet()
            before.ended.update(ended)
    _restore(before)


def _restore(before: state.State) -> None:
    """Restore the mode, but keep observers that were added or removed in between."""
    same = state.current().observer is before.observer
    state.variable.set(before if same else state.changed(grad_enabled=before.grad_enabled))


class _GradMode:
    """Sets the mode for a block, or for each call of a decorated function."""

    enabled: bool

    def __init__(self) -> None:
        self._begun: list[Any] = []  # a stack: one object may be entered again inside its own block

    def __enter__(self) -> None:
        self._begun.append(_begin(self.enabled))

    def __exit__(self, *_: object) -> None:
        _end(*self._begun.pop())

    @contextmanager
    def _scope(self) -> Iterator[None]:
        """Set the mode for a block without using this object's stack, which threads would share."""
        begun = _begin(self.enabled)
        try:
            yield
        finally:
            _end(*begun)

    def __call__(self, function: F) -> F:
        if isinstance(function, type):
            warn("Decorating classes is deprecated: what is decorated is the making of an object alone", FutureWarning)
        return decorate(self._scope, function)


class no_grad(_GradMode):
    """Record no operations in a block or decorated function. Source: torch.no_grad.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    enabled = False

    @overload
    def __new__(cls, function: None = None) -> Self: ...
    @overload
    def __new__(cls, function: F) -> F: ...  # type: ignore[misc]  # of a decorator
    def __new__(cls, function: Any = None) -> Any:
        self = object.__new__(cls)
        if function is None:
            return self
        self.__init__()  # type: ignore[misc]
        return self(function)  # @no_grad without parentheses

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__()


class enable_grad(no_grad):
    """Record operations, inside a `no_grad` block, but not in `inference_mode`. Source: torch.enable_grad.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> with torch.no_grad(), torch.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    enabled = True


class inference_mode(_GradMode):
    """Record no operations, and make inference tensors; with mode False act as `enable_grad`.

    Tensors made in the block stay inference tensors: writing to one outside, or saving it for backward, raises
    RuntimeError. A clone made outside is an ordinary Tensor. Source: torch.inference_mode.

    >>> with torch.inference_mode():
    ...     x = torch.ones(2)
    >>> x.is_inference(), x.clone().is_inference()
    (True, False)
    """

    @overload
    def __new__(cls, mode: bool = True) -> Self: ...
    @overload
    def __new__(cls, mode: F) -> F: ...  # type: ignore[misc]  # of a decorator
    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if not callable(mode):
            check_bool("inference_mode", mode=mode)
            return self
        self.__init__()  # type: ignore[misc]
        return self(mode)  # @inference_mode without parentheses

    def __init__(self, mode: Any = True) -> None:
        super().__init__()
        self.enabled = not mode
        self._outside: list[Any] = []

    def __enter__(self) -> None:
        self._outside.append((inferring.get(), mode := [] if self.enabled else [True]))
        inferring.set(mode)
        super().__enter__()
        if isinstance(own := self._begun[-1][1], _Own):
            own.mode = mode
        inferences.append(None)

    def __exit__(self, *raised: object) -> None:
        outside, mode = self._outside.pop()  # an error if this block hasn't begun; then nothing changes
        mode[:] = outside  # for tasks that began in the block
        inferring.set(outside)
        inferences.pop()
        before, own = self._begun.pop()
        _end(before, own, outside)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        with inference_mode(not self.enabled):
            yield


class set_grad_enabled(_GradMode):
    """Set whether operations are recorded, from here on or for a block. Source: torch.set_grad_enabled.

    >>> with torch.set_grad_enabled(False):
    ...     torch.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        check_bool("set_grad_enabled", mode=mode)
        self.enabled, self._outer = mode, state.current()
        self._own: _Own | None = None
        state.variable.set(_enabled_in_vain(mode) or state.changed(grad_enabled=mode))

    def __enter__(self) -> None:
        """Set the mode, which making the object has set already, once more: a block may be entered again."""
        self._own = _begin(self.enabled)[1]

    def __exit__(self, *_: object) -> None:
        _end(self._outer, self._own)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.enabled})"

    def __call__(self, function: F) -> F:
        self.__exit__()  # a decorator sets the mode for the function's calls only
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether operations are recorded. Source: torch.is_grad_enabled.

    >>> torch.is_grad_enabled()
    True
    """
    now = state.current()
    return now.grad_enabled or isinstance(now, _Inferring)


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on; `no_grad` doesn't count. Source: torch.is_inference_mode_enabled.

    >>> with torch.inference_mode():
    ...     torch.is_inference_mode_enabled()
    True
    """
    return bool(inferring.get())


_multithreading = ContextVar("multithreading", default=True)


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` was last given, or True. Source: torch.autograd.is_multithreading_enabled.

    >>> torch.autograd.is_multithreading_enabled()
    True
    """
    return _multithreading.get()


class set_multithreading_enabled:
    """Set a mode that has no effect, since backward runs in the thread that calls it. A block restores it at its end.

    Source: torch.autograd.set_multithreading_enabled.

    >>> with torch.autograd.set_multithreading_enabled(False):
    ...     torch.autograd.is_multithreading_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self.prev, self.mode = _multithreading.get(), mode
        _multithreading.set(mode)

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *raised: object) -> None:
        _multithreading.set(self.prev)


_define_getattr(globals())
