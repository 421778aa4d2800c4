"""The __torch_function__ protocol: subclasses of Tensor, other classes and modes override the public functions by it.

This module finds and calls the implementations; `wrappers` puts that in front of the public functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from .. import function
from ..state.contexts import binding


class _State(NamedTuple):
    modes: tuple[Any, ...] = ()  # the modes that are entered, outermost first
    subclasses: bool = True  # whether the __torch_function__ of arguments is called


_state: ContextVar[_State] = ContextVar("torch function", default=_State())  # noqa: B039  # it is immutable


def disable_subclasses() -> Any:
    """Return a context in which only modes override functions, and no classes."""
    return binding(_state, _state.get()._replace(subclasses=False))


def disable_torch_function() -> Any:
    """Return a context in which neither modes nor classes override functions."""
    return binding(_state, _State((), False))


def push_mode(mode: Any) -> Any:
    """Make a mode the innermost one, and return the state before, with which `pop_mode` removes it."""
    before = _state.get()
    _state.set(before._replace(modes=(*before.modes, mode)))
    return before


def pop_mode(before: Any) -> None:
    """Undo `push_mode`."""
    _state.set(before)


def has_modes() -> bool:
    """Return whether a mode is entered."""
    return bool(_state.get().modes)


def disabled_torch_function(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Call `func`: the __torch_function__ of a class that doesn't want to override anything.

    Source: torch._C._disabled_torch_function_impl.
    """
    with disable_subclasses():
        return func(*args, **(kwargs or {}))


def overrides_functions(kind: Any) -> bool:
    """Whether a class overrides functions: by its own __torch_function__, or as a subclass of Tensor, not Parameter."""
    answer = _of_lasting.get(kind)
    if answer is None and (answer := _of_others.get(kind)) is None:
        answer = _overrides_functions(kind)
        answers = _of_lasting if kind is function.Tensor or kind.__module__ == "builtins" else _of_others
        answers[kind] = answer
    return answer


# What `overrides_functions` answered. Classes that a program makes may be freed, which only a weak mapping allows.
_of_lasting: dict[Any, bool] = {}
_of_others: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _overrides_functions(kind: Any) -> bool:
    found = getattr(kind, "__torch_function__", None)
    if found in (None, disabled_torch_function) or kind is function.Tensor or kind.__module__.startswith("microgad."):
        return False
    from . import pytorch

    if pytorch.is_tensor(kind):  # its own would call our function again
        return False
    default = getattr(found, "__func__", None) is function.Tensor.__torch_function__.__func__
    return not default or kind._keeps_class


def get_overloaded_args(arguments: Iterable[Any]) -> list[Any]:
    """Return one argument of each class that overrides functions, subclasses before the classes that they inherit."""
    found: list[Any] = []
    if not _state.get().subclasses:
        return found
    for x in arguments:
        for item in x if type(x) in (list, tuple) else (x,):
            kind: Any = type(item)
            if overrides_functions(kind) and kind not in map(type, found):
                place = next((i for i, other in enumerate(found) if issubclass(kind, type(other))), len(found))
                found.insert(place, item)
    return found


def has_torch_function(arguments: Iterable[Any]) -> bool:
    """Whether a mode is entered, or an argument's class overrides functions."""
    return bool(_state.get().modes or get_overloaded_args(arguments))


def handle_torch_function(func: Any, arguments: Iterable[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the __torch_function__ of the innermost mode, then those of the arguments' classes, until one answers.

    Returns NotImplemented if none does. While a class's method runs all modes stay entered, so they see what it calls;
    a mode doesn't see what its own method calls.
    """
    state, overloaded = _state.get(), get_overloaded_args(arguments)
    types = tuple(type(x) for x in overloaded)
    if state.modes:
        with binding(_state, state._replace(modes=state.modes[:-1])):
            result = state.modes[-1].__torch_function__(func, types, args, kwargs or None)
        if result is not NotImplemented:
            return result
    for x in overloaded:
        result = x.__torch_function__(func, types, args, kwargs or None)
        if result is not NotImplemented:
            return result
    return NotImplemented


def not_implemented_error(func: Any, arguments: Iterable[Any]) -> TypeError:
    """Return the error to raise where every __torch_function__ returned NotImplemented."""
    kinds = [type(x) for x in get_overloaded_args(arguments)]
    name = resolve_name(func) or getattr(func, "__name__", func)
    return TypeError(f"no implementation found for '{name}' on types that implement __torch_function__: {kinds}")


def default_torch_function(cls: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Call `func` and return its Tensors as instances of the subclass: Tensor's own __torch_function__."""
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    if resolve_name(func) is None:
        from . import pytorch

        if pytorch.has(func):  # it would look for a __torch_function__ again, without end
            raise pytorch.mixed(f"{getattr(func, '__name__', func)}() is PyTorch's and", cls)
    with disable_subclasses():
        result = func(*args, **(kwargs or {}))
    with disable_torch_function():
        return result if func in functions_not_to_wrap() else _as_subclass(result, cls)


def functions_not_to_wrap() -> set[Any]:
    """Return the functions whose results are not converted to a subclass."""
    return {function.Tensor.grad.__get__}


def _as_subclass(result: Any, cls: Any) -> Any:
    if isinstance(result, function.Tensor):
        return result if isinstance(result, cls) else result.as_subclass(cls)
    if isinstance(result, (tuple, list)):
        items = [_as_subclass(x, cls) for x in result]
        return getattr(result, "_make", type(result))(items)
    return result


def resolve_name(func: Any) -> str | None:
    """Return PyTorch's name of a function that can be overridden, as "torch.Tensor.add"; None for other functions."""
    if isinstance(owner := getattr(func, "__self__", None), property) and func.__name__ != "__delete__":
        return f"{name}.{func.__name__}" if (name := resolve_name(owner.fget)) else None
    return getattr(func, "torch_name", None)
