"""__torch_function__: what subclasses of Tensor, other classes and modes put in the place of the library's functions.

Here: who is asked, and what they answer. Where functions ask: `doors`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple

from .. import function
from ..state.contexts import holding


class _State(NamedTuple):
    modes: tuple[Any, ...] = ()  # the outermost first
    subclasses: bool = True  # whether classes are asked


_state: ContextVar[_State] = ContextVar("overriding", default=_State())  # noqa: B039  # it is immutable


def without_subclasses() -> Any:
    """A context in which no class is asked, only modes."""
    return holding(_state, _state.get()._replace(subclasses=False))


def without_any() -> Any:
    """A context in which nobody is asked."""
    return holding(_state, _State((), False))


def enter(mode: Any) -> Any:
    """Ask a mode before all others, until the token that this gives is left."""
    state = _state.get()
    return _state.set(state._replace(modes=(*state.modes, mode)))


def leave(token: Any) -> None:
    """Undo `enter`."""
    _state.reset(token)


def disabled(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """As a class's __torch_function__: it isn't asked. Source: torch._C._disabled_torch_function_impl."""
    with without_subclasses():
        return func(*args, **(kwargs or {}))


@functools.cache
def asks(kind: Any) -> bool:
    """Whether a class is asked: it has a __torch_function__ of its own, or is a subclass of Tensor, not a Parameter."""
    asked = getattr(kind, "__torch_function__", None)
    if asked is None or asked is disabled or kind is function.Tensor or kind.__module__.startswith("microgad."):
        return False
    default = getattr(asked, "__func__", None) is function.Tensor.__torch_function__.__func__
    return not default or kind._keeps_class


def overloaded(arguments: Iterable[Any]) -> list[Any]:
    """An argument of each class that is asked, those of subclasses before those of the classes that they inherit."""
    found: list[Any] = []
    if not _state.get().subclasses:
        return found
    for x in arguments:
        for item in x if type(x) in (list, tuple) else (x,):
            kind: Any = type(item)
            if asks(kind) and kind not in map(type, found):
                place = next((i for i, other in enumerate(found) if issubclass(kind, type(other))), len(found))
                found.insert(place, item)
    return found


def is_asked(arguments: Iterable[Any]) -> bool:
    """Whether a mode is entered, or an argument is of a class that is asked."""
    return bool(_state.get().modes or overloaded(arguments))


def ask(func: Any, arguments: Iterable[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the innermost mode, or the first of the classes, that has an answer gives; NotImplemented if none has.

    A class is asked with all modes in force: what it calls they are asked of again.
    """
    state, asked = _state.get(), overloaded(arguments)
    types = tuple(type(x) for x in asked)
    if state.modes:
        with holding(_state, state._replace(modes=state.modes[:-1])):
            result = state.modes[-1].__torch_function__(func, types, args, kwargs or None)
        if result is not NotImplemented:
            return result
    for x in asked:
        result = x.__torch_function__(func, types, args, kwargs or None)
        if result is not NotImplemented:
            return result
    return NotImplemented


def refused(func: Any, arguments: Iterable[Any]) -> TypeError:
    """The error where nobody who was asked has an answer."""
    kinds = [type(x) for x in overloaded(arguments)]
    name = name_of(func) or getattr(func, "__name__", func)
    return TypeError(f"no implementation found for '{name}' on types that implement __torch_function__: {kinds}")


def default(cls: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Tensor's own __torch_function__: compute, and give Tensors as instances of the subclass."""
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with without_subclasses():
        result = func(*args, **(kwargs or {}))
    with without_any():
        return result if func in unwrapped() else _converted(result, cls)


def unwrapped() -> set[Any]:
    """Functions whose results stay as they are."""
    return {function.Tensor.grad.__get__}


def _converted(result: Any, cls: Any) -> Any:
    if isinstance(result, function.Tensor):
        return result if isinstance(result, cls) else result.as_subclass(cls)
    if isinstance(result, (tuple, list)):
        items = [_converted(x, cls) for x in result]
        return getattr(result, "_make", type(result))(items)
    return result


def name_of(func: Any) -> str | None:
    """PyTorch's name of a function that has a door: torch.Tensor.add; None of others."""
    if isinstance(getattr(func, "__self__", None), property):
        return f"{func.__self__.fget.torch_name}.__get__"
    return getattr(func, "torch_name", None)
