"""Grad modes, which say whether operations are recorded: context managers that work as decorators too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self, TypeVar, overload

from .. import gradients, state
from ..engine.transforms import transforms
from ..errors.arguments import check_bool
from ..errors.notices import warn
from ..lazy import define_getattr as _define_getattr
from ..state.contexts import decorate
from ..state.inference import inferences, inferring

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]

F = TypeVar("F", bound=Callable[..., Any])


class _Inferring(state.State):
    """The state where a mode enables gradients within inference_mode: as in PyTorch nothing is recorded."""

    __slots__ = ()

    def at(self, path: str, grad_enabled: bool) -> state.State:
        return _Inferring(False, path, self.observer, self.deriving, self.holomorphic, self.fine)

    def recording(self, enabled: bool) -> state.State:
        return super().at(self.path, enabled)


class TangentsOnly(state.State):
    """The state under `no_grad` in forward mode: operations are recorded, since tangents are found from the graph."""

    __slots__ = ()

    def at(self, path: str, grad_enabled: bool) -> state.State:
        return TangentsOnly(True, path, self.observer, self.deriving, self.holomorphic, self.fine)

    def recording(self, enabled: bool) -> state.State:
        return state.State.at(self, self.path, enabled)


def _special_state(enabled: bool) -> state.State | None:
    """One of these two states, if a mode leads to it."""
    if not (inferring.get() if enabled else in_forward_mode() and not inferring.get()):
        return None
    now, kind = state.current(), _Inferring if enabled else TangentsOnly
    return kind(not enabled, now.path, now.observer, now.deriving, now.holomorphic, now.fine)


def in_forward_mode() -> bool:
    """Whether tangents are being computed, by a dual level or a transform."""
    active = transforms.get()
    return gradients.dual_level.get() is not None or bool(active and any(transform.forward for transform in active))


def _restore(before: state.State) -> None:
    """Restore the mode, but keep observers that were added or removed in between."""
    same = state.current().observer is before.observer
    state.variable.set(before if same else state.changed(grad_enabled=before.grad_enabled))


class _GradMode:
    """Sets the mode for a block, or for each call of a decorated function."""

    enabled: bool

    def __init__(self) -> None:
        self._before: list[state.State] = []  # a stack: one object may be entered again inside its own block

    def __enter__(self) -> None:
        before = state.current()
        self._before.append(before)
        state.variable.set(_special_state(self.enabled) or before.recording(self.enabled))

    def __exit__(self, *_: object) -> None:
        _restore(self._before.pop())

    @contextmanager
    def _scope(self) -> Iterator[None]:
        """Set the mode for a block without using this object's stack, which threads would share."""
        before = state.current()
        state.variable.set(_special_state(self.enabled) or before.recording(self.enabled))
        try:
            yield
        finally:
            _restore(before)

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
        self._outside: list[bool] = []

    def __enter__(self) -> None:
        self._outside.append(inferring.get())
        inferring.set(not self.enabled)
        super().__enter__()
        inferences.append(None)

    def __exit__(self, *raised: object) -> None:
        inferring.set(self._outside.pop())  # an error if this block hasn't begun; then nothing changes
        inferences.pop()
        super().__exit__(*raised)

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
        self.__enter__()

    def __enter__(self) -> None:
        """Set the mode, which making the object has set already, once more: a block may be entered again."""
        # Not `recording`: the caches of a program that sets the modes by turns would be an endless chain of states.
        state.variable.set(_special_state(self.enabled) or state.changed(grad_enabled=self.enabled))

    def __exit__(self, *_: object) -> None:
        _restore(self._outer)

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
    return (now.grad_enabled or isinstance(now, _Inferring)) and not isinstance(now, TangentsOnly)


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on; `no_grad` doesn't count. Source: torch.is_inference_mode_enabled.

    >>> with torch.inference_mode():
    ...     torch.is_inference_mode_enabled()
    True
    """
    return inferring.get()


_multithreading = ContextVar("multithreading", default=True)


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` was last given, or True. Source: torch.autograd.is_multithreading_enabled.

    >>> torch.autograd.is_multithreading_enabled()
    True
    """
    return _multithreading.get()


class set_multithreading_enabled:
    """Set a mode that has no effect, since backward runs in the thread that calls it. A block restores it at its end.

    It decorates functions, too. Source: torch.autograd.set_multithreading_enabled.

    >>> with torch.autograd.set_multithreading_enabled(False):
    ...     torch.autograd.is_multithreading_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        check_bool("set_multithreading_enabled", mode=mode)
        self.prev, self.mode = _multithreading.get(), mode
        _multithreading.set(mode)

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *raised: object) -> None:
        _multithreading.set(self.prev)

    def __call__(self, function: F) -> F:
        return decorate(lambda: type(self)(self.mode), function)


_define_getattr(globals())
