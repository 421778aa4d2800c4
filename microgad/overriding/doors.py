"""Doors: wrappers around each public function and method of Tensor that ask the __torch_function__ of arguments first.

Most programs have none, and pay for none: the doors are put in place when the first subclass of Tensor is made, the
first mode entered, or another class with a __torch_function__ met.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from types import FunctionType
from typing import Any

from .. import function
from . import ask, is_asked, overloaded, refused

ROOMS = ("microgad.nn.functional", "microgad", "microgad.linalg", "microgad.fft", "microgad.special")
USERS = ("microgad.nn", "microgad.distributions")  # rooms that compute by the public functions, as PyTorch's do
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


def _door(f: Any, name: str, called: str, to: Any = None) -> Any:
    """f behind a door: modes' and arguments' __torch_function__ answers first. It is told of `to`, or of the door."""

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
    for user in USERS:
        layers = importlib.import_module(user)
        for name in dir(layers):
            getattr(layers, name)  # loads those that wait to be used
    for module in list(sys.modules.values()):
        room = str(getattr(module, "__name__", "microgad"))
        if room.startswith(tuple(f"{user}." for user in USERS)) or room.partition(".")[0] != "microgad":
            _behind_doors(module)


def _put(place: Any, name: str, door: Any) -> None:
    """Put a door where its function was, by a name that pickle finds."""
    own = isinstance(place, type)
    door.__module__ = place.__module__ if own else place.__spec__.name
    door.__qualname__ = f"{place.__qualname__}.{name}" if own else name
    _doors.setdefault(id(door.__wrapped__), []).append(door)
    setattr(place, name, door)


def _inside(name: str) -> bool:
    return not name.startswith("_") and not any(fnmatchcase(name, pattern) for pattern in OUTSIDE.split())


def _behind_doors(module: Any) -> None:
    """Put doors where layers and programs have functions by name, in tables, or as defaults: activation=F.relu."""
    for key, value in list(vars(module).items()):
        if id(value) in _doors:
            setattr(module, key, _door_of(value))
        elif type(value) in (dict, set):
            _in_table(value)
        elif issubclass(type(value), type) and value.__module__ == module.__name__:  # isinstance would ask the value
            for member in list(vars(value).values()):
                if type(member) in (dict, set):
                    _in_table(member)
                elif isinstance(member, FunctionType) and member.__defaults__:
                    member.__defaults__ = tuple(map(_door_of, member.__defaults__))


def _door_of(value: Any) -> Any:
    return _doors.get(id(value), [value])[0]


def _in_table(table: Any) -> None:
    """A dict whose keys are functions, or a set of them: one that is torch.add and Tensor.add becomes two."""
    if not _doors.keys().isdisjoint(map(id, table)):
        known = table if type(table) is dict else dict.fromkeys(table)
        made = {door: value for key, value in known.items() for door in _doors.get(id(key), [key])}
        table.clear()
        table.update(made)


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
