"""Rooms of the library that are loaded when something of them is first used, so that `import microgad` is quick."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_IMPORTED = re.compile(r"^from (\S+) import (\w+) as (\w+)$", re.MULTILINE)
_RENAMED = re.compile(r"^(\w+) = (\S+)\.(\w+)$", re.MULTILINE)


class Room:
    """A module that stands for itself until it is used: what it has is a `Later` until then, and itself from then on.

    >>> math = Room("math")
    >>> math.cos(0)
    1.0
    """

    def __init__(self, name: str) -> None:
        self._room = name

    def __getattr__(self, name: str) -> Any:
        module = sys.modules.get(self._room)
        if module is None or not hasattr(module, name):  # not loaded, or not yet whole
            return Later(lambda: getattr(importlib.import_module(self._room), name))
        value = getattr(module, name)
        setattr(self, name, value)
        return value


class Later:
    """What a room has, before it is loaded. In the table of a class it becomes the attribute itself when first used."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = functools.cache(load)
        self.places: list[tuple[type, str]] = []

    def __set_name__(self, owner: type, name: str) -> None:
        self.places.append((owner, name))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        value = self.load()
        for place, name in self.places:
            setattr(place, name, value)
        return value.__get__(instance, owner)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.load()(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.load(), name)


def of_later(make: F) -> F:
    """Let a function that makes one thing of another take it before it is loaded: it makes what it makes later, too."""

    @functools.wraps(make)
    def made(source: Any, *args: Any) -> Any:
        return Later(lambda: make(source.load(), *args)) if isinstance(source, Later) else make(source, *args)

    return made  # type: ignore[return-value]


def names(module: Any, fallback: Callable[[str], Any]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module whose names are written down in a stub beside it (PEP 562).

    In the stub's lines, `from where import name as name` and `name = where.what`, editors and type checkers see what a
    name is, and from there it is imported when it is first asked for. `fallback` gives what the stub doesn't have.
    """
    package, room = module["__name__"], module["__spec__"]

    @functools.cache
    def table() -> dict[str, tuple[str, str]]:
        stub = room.loader.get_data(re.sub(r"\.pyc?$", ".pyi", room.origin)).decode()
        imported = {name: (where, what) for where, what, name in _IMPORTED.findall(stub)}
        return imported | {name: (where, what) for name, where, what in _RENAMED.findall(stub)}

    def __getattr__(name: str) -> Any:
        if name == "__all__":
            return [name for name in table() if not name.startswith("_")]
        if name not in table():
            return fallback(name)
        where, what = table()[name]
        value = (
            importlib.import_module(f"{where}{what}", package)
            if not where.strip(".")
            else getattr(importlib.import_module(where, package), what)
        )
        module[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*module, *table()})

    return __getattr__, __dir__
