"""__torch_function__: what subclasses of Tensor, other classes and modes put in the place of the library's functions.

Most programs have none, and pay for none: a door is put around the public functions and Tensor's methods when the first
subclass of Tensor is made, the first mode entered, or another class with a __torch_function__ met.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from fnmatch import fnmatchcase
from types import FunctionType
from typing import Any, NamedTuple

from . import function
from .contexts import holding

ROOMS = ("microgad.nn.functional", "microgad", "microgad.linalg", "microgad.fft", "microgad.special")
# Operators by what PyTorch calls their functions, those that have their own name, and what else Python calls.
OPERATORS = {
    "add": "__add__ __radd__", "sub": "__sub__", "mul": "__mul__ __rmul__", "div": "__truediv__", "neg": "__neg__",
    "matmul": "__matmul__", "remainder": "__mod__", "abs": "__abs__", "lt": "__lt__", "le": "__le__", "gt": "__gt__",
    "ge": "__ge__", "add_": "__iadd__", "sub_": "__isub__", "mul_": "__imul__", "div_": "__itruediv__",
}  # fmt: skip
OWN = """
    __rsub__ __rtruediv__ __pow__ __rpow__ __rmatmul__ __floordiv__ __rfloordiv__ __rmod__ __eq__ __ne__ __and__ __or__
    __xor__ __rand__ __ror__ __rxor__ __lshift__ __rshift__
"""
SPECIAL = "__invert__ __getitem__ __setitem__ __len__ __reversed__ __contains__ __bool__ __float__ __int__ __repr__"
PROPERTIES = "T mT H mH data real imag grad shape dtype device requires_grad grad_fn is_leaf"
OUTSIDE = """
    get_* set_* is_grad* is_tensor is_storage is_warn* manual_seed seed initial_seed save load compile typename vmap
    graph as_subclass
"""


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
    install()
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
    """Whether anybody is asked before a function computes."""
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


def _door(f: Any, name: str, called: str, to: Any = None) -> Any:
    """f, but that those are asked first who want to be. They are told of `to`, of f itself where that is None."""

    @functools.wraps(f)
    def door(*args: Any, **kwargs: Any) -> Any:
        if not is_asked(arguments := (*args, *kwargs.values())):
            return f(*args, **kwargs)
        result = ask(door.to, arguments, args, kwargs)  # type: ignore[attr-defined]
        if result is NotImplemented and (not operator or len(args) < 2):  # of operators Python asks the other operand
            raise refused(door.to, arguments)  # type: ignore[attr-defined]
        return result

    operator = name in OWN.split() or to is not None
    door.__name__, door.torch_name, door.to = name, called, to or door  # type: ignore[attr-defined]
    return door


_doors: dict[int, list[Any]] = {}  # by the id of what they were put around: torch.add and Tensor.add may be one
_installed = False
_looked: set[str] = set()  # modules that were whole when they were looked at


def look() -> None:
    """Put the doors in place if a program has a class, no Tensor's, with a __torch_function__.

    Nothing tells when such a class is made, so this looks at the modules that have come since the last time.
    """
    if _installed:
        return
    for name in sys.modules.keys() - _looked:
        module = sys.modules[name]
        if name != "__main__" and not getattr(getattr(module, "__spec__", None), "_initializing", False):
            _looked.add(name)
        if name.partition(".")[0] not in ("microgad", "torch") and any(
            issubclass(type(x), type) and "__torch_function__" in vars(x) and x.__module__ == name
            for x in list(getattr(module, "__dict__", {}).values())
        ):
            install()
            return


def first_asked(f: Any, /, *args: Any, **kwargs: Any) -> Any:
    """What becomes of a call that failed before there were doors; NotImplemented where nobody wants to be asked."""
    if _installed or not overloaded((*args, *kwargs.values())):
        return NotImplemented
    install()
    return _doors[id(f)][0](*args, **kwargs) if id(f) in _doors else NotImplemented


def install() -> None:
    """Put the doors in place; for good."""
    global _installed
    if _installed:
        return
    _installed = True
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in filter(_inside, dir(module)):
            if isinstance(f := getattr(module, name), FunctionType):
                _put(module, name, _door(f, name, f"torch{room.removeprefix('microgad')}.{name}"))
    _install_methods(function.Tensor)
    layers = importlib.import_module("microgad.nn")
    for name in dir(layers):
        getattr(layers, name)  # loads those that wait to be used
    for module in list(sys.modules.values()):
        room = str(getattr(module, "__name__", "microgad"))
        if room.startswith("microgad.nn.") or room.partition(".")[0] != "microgad":
            _install_where_used(module)


def _put(place: Any, name: str, door: Any) -> None:
    """Put a door where its function was, by a name that pickle finds."""
    own = isinstance(place, type)
    door.__module__ = place.__module__ if own else place.__spec__.name
    door.__qualname__ = f"{place.__qualname__}.{name}" if own else name
    _doors.setdefault(id(door.__wrapped__), []).append(door)
    setattr(place, name, door)


def _inside(name: str) -> bool:
    return not name.startswith("_") and not any(fnmatchcase(name, pattern) for pattern in OUTSIDE.split())


def _install_where_used(module: Any) -> None:
    """What layers and programs have by name, in tables, and as defaults of methods: activation=F.relu."""
    for key, value in list(vars(module).items()):
        if id(value) in _doors:
            setattr(module, key, _doors[id(value)][0])
        elif type(value) in (dict, set):
            _install_in(value)
        elif issubclass(type(value), type) and value.__module__ == module.__name__:  # isinstance would ask the value
            for member in list(vars(value).values()):
                if type(member) in (dict, set):
                    _install_in(member)
                defaults = member.__defaults__ if isinstance(member, FunctionType) else None
                if defaults and not _doors.keys().isdisjoint(map(id, defaults)):
                    member.__defaults__ = tuple(_doors[id(x)][0] if id(x) in _doors else x for x in defaults)


def _install_in(table: Any) -> None:
    """A dict whose keys are functions, or a set of them: one that is torch.add and Tensor.add becomes two."""
    if _doors.keys().isdisjoint(map(id, table)):
        return
    known = list(table.items() if type(table) is dict else table)
    table.clear()
    for item in known:
        for f in _doors.get(id(key := item[0] if type(table) is dict else item), [key]):
            table.update([(f, item[1])] if type(table) is dict else [f])


def _install_methods(cls: Any) -> None:
    known = {name: getattr(cls, name, None) for name in dir(cls)}  # loads those that wait to be used
    for name in [*filter(_inside, known), *OWN.split(), *SPECIAL.split()]:
        if isinstance(inspect.getattr_static(cls, name, None), FunctionType):
            _put(cls, name, _door(known[name], name, f"torch.Tensor.{name}"))
    for to, names in OPERATORS.items():
        for name in names.split():
            if name in known:
                _put(cls, name, _door(known[name], name, f"torch.Tensor.{to}", getattr(cls, to)))
    for name in PROPERTIES.split():
        own = inspect.getattr_static(cls, name)
        getter = _door(own.fget, name, f"torch.Tensor.{name}")
        made = property(getter, own.fset, own.fdel, own.__doc__)
        getter.to = made.__get__
        setattr(cls, name, made)


def rooms() -> dict[Any, list[Callable[..., Any]]]:
    """The functions that have a door, by the room, or class, that they are in."""
    install()
    places = [importlib.import_module(room) for room in ROOMS] + [function.Tensor]
    return {place: [f for f in vars(place).values() if hasattr(f, "torch_name")] for place in places}
