"""Rooms of the library that are loaded when something of them is first used, so that `import microgad` is quick."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from opcode import opmap
from types import FrameType, ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_TOOLS = frozenset(["__future__", "abc", "collections.abc", "contextlib", "dataclasses", "functools", "typing"])
_IMPORTED = re.compile(r"^from (\S+) import \(?\s*(\w+) as (\w+)", re.MULTILINE)
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
            return Later(_named, self._room, name)
        value = getattr(module, name)
        setattr(self, name, value)
        return value


def _named(room: str, name: str) -> Any:
    return getattr(importlib.import_module(room), name)


class Later:
    """Stands for something of a module that isn't loaded yet. A class's attribute replaces itself when first used."""

    __slots__ = ("args", "make", "value")  # and no more: there are some six hundred, whose memory a process begins with

    def __init__(self, make: Callable[..., Any], *args: Any) -> None:
        self.make: Callable[..., Any] | None = make
        self.args = args

    def load(self) -> Any:
        """What it stands for; what that is made of is loaded, too."""
        make = self.make
        if make is not None:
            self.value = make(*(x.load() if type(x) is Later else x for x in self.args))
            self.make = None
        return self.value

    def __get__(self, instance: Any, owner: type) -> Any:
        value = self.load()
        for place in owner.__mro__:
            for name in [name for name, held in vars(place).items() if held is self]:
                setattr(place, name, value)
        return value.__get__(instance, owner)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.load()(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.load(), name)


def of_later(make: F) -> F:
    """Decorate a function that makes one thing from another: from a `Later` it makes a `Later`, loaded when that is."""

    @functools.wraps(make)
    def made(source: Any, *args: Any) -> Any:
        return Later(make, source, *args) if isinstance(source, Later) else make(source, *args)

    return made  # type: ignore[return-value]


def absent(
    module: dict[str, Any], later: Mapping[str, str] | None = None, needs: Mapping[str, str] | None = None
) -> None:
    """Let a room say of a name it doesn't have which is the nearest, and `dir` what is its own, not what it imports.

    Call with its globals(), where it ends. `later` are names that are loaded when they are first asked for, and where
    each is from: ".laws", or, of a room inside of this one, itself. `needs` are packages without which that fails, by
    the extras that bring them: then ImportError says so.
    """
    homes, extras = later or {}, needs or {}

    def __getattr__(name: str) -> Any:
        if name == "__all__" and not homes:
            return public(module)
        if name not in homes:
            return refuse(module["__name__"], name)
        try:
            home = importlib.import_module(homes[name], module["__name__"])
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in extras:
                raise
            said = f"{module['__name__']}.{name} needs {package}: pip install 'microgad[{extras[package]}]'"
            raise ImportError(said) from error
        module[name] = value = home if homes[name] == f".{name}" else getattr(home, name)
        return value

    def __dir__() -> list[str]:
        own = {name for name, value in module.items() if name.startswith("__") or not _borrowed(value)}
        return sorted({*own, *homes} - {"TYPE_CHECKING"})

    module.setdefault("__getattr__", __getattr__)
    module.setdefault("__dir__", __dir__)


def absent_in(package: str) -> None:
    """The same of a package that has loaded all its modules, and of each of them. Call with its __name__, at its end.

    >>> import microgad.distributions.normal as room
    >>> room.Norml
    Traceback (most recent call last):
    AttributeError: microgad has no distributions.normal.Norml; the nearest name is Normal
    """
    for name, module in list(sys.modules.items()):
        if f"{name}.".startswith(f"{package}."):
            absent(vars(module))


def _borrowed(value: Any) -> bool:
    """Whether what a room has is there for its own use: another library's module, a name of typing and its kin."""
    if isinstance(value, ModuleType):
        return value.__name__.split(".")[0] != __package__
    return getattr(value, "__module__", None) in _TOOLS


def public(module: dict[str, Any]) -> list[str]:
    """What `from room import *` gives: what microgad has made, and no modules.

    >>> from microgad.distributions.constraints import __all__ as names
    >>> "simplex" in names, "annotations" in names
    (True, False)
    """
    return [
        name
        for name, value in module.items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and (getattr(value, "__module__", None) or "microgad").partition(".")[0] in ("microgad", "torch")
        and type(value).__module__ != "typing"  # a room's own F, a TypeVar, is not to take the place of a program's
        and name not in ("annotations", "TYPE_CHECKING")
    ]


def refuse(room: str, name: str) -> Any:
    """Raise AttributeError of a name that a room doesn't have; inside of an import, give what `when_imported` gives."""
    if name.startswith("__"):
        raise AttributeError(name)
    module, frame = sys.modules[room], sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") in (__name__, room, "torch"):
        frame = frame.f_back
    where = room.removeprefix("microgad").replace(".porting.rooms", "", 1).strip(".")
    where = where.replace("porting.vision", "torchvision", 1)
    said = Missing(f"{where}.{name}".lstrip("."), name, functools.partial(_candidates, module))
    if when_imported is not None and is_import(frame):
        return when_imported(str(said))
    raise said.error()


def _candidates(module: Any) -> list[str]:
    return getattr(module, "__all__", None) or [known for known in dir(module) if not known.startswith("_")]


when_imported: Callable[[str], Any] | None = None  # set while microgad goes by the name of torch


def is_import(frame: FrameType) -> bool:
    """Whether a frame is at `from room import name`, and has no answer of its own to an ImportError."""
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"] and not any(
        first <= frame.f_lineno <= last for first, last in _guarded(frame.f_code.co_filename)
    )


_OF_IMPORTS = frozenset(["ImportError", "Exception", "BaseException"])  # by which an ImportError is caught


@functools.lru_cache
def _guarded(file: str) -> list[tuple[int, int]]:
    """First and last line of what a program tries, and goes on without where it can't be imported."""
    import ast
    import linecache

    tree = ast.parse("".join(linecache.getlines(file)))
    return [
        (block.body[0].lineno, block.body[-1].end_lineno or 0)
        for block in ast.walk(tree)
        if isinstance(block, ast.Try)
        for handler in block.handlers
        if handler.type is None
        or _OF_IMPORTS & {name.id for name in ast.walk(handler.type) if isinstance(name, ast.Name)}
        if not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    ]


def _imported(package: str, where: str, what: str) -> Any:
    """What `from where import what` gives inside of a package."""
    if where == ".":
        return importlib.import_module(f".{what}", package)
    room = importlib.import_module(where, package)
    return getattr(room, what) if hasattr(room, what) else importlib.import_module(f"{where}.{what}", package)


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
        module[name] = value = _imported(package, where, what)
        return value

    def __dir__() -> list[str]:
        return sorted({*table(), *(name for name in module if name.startswith("__"))})

    return __getattr__, __dir__


class Missing:
    """What to say of a name that isn't there: why, where that is known, and the nearest one that is.

    It is worked out when somebody reads it, which takes a thousand times as long as to find that the name isn't there:
    most that ask for one only want to know whether it is.
    """

    def __init__(self, whole: str, name: str, candidates: Callable[[], list[str]]) -> None:
        self.whole, self.name, self.candidates = whole, name, candidates

    def error(self) -> AttributeError:
        """The error that says so. It has no object in which Python would look for the nearest name once more."""
        return AttributeError(self, name=self.name, obj=self)

    def __dir__(self) -> list[str]:
        return []

    def __str__(self) -> str:
        if self.name.startswith("_"):
            return f"{self.whole} does not exist"
        import difflib

        from .errors.absences import reason

        why, near = reason(self.whole), difflib.get_close_matches(self.name, self.candidates(), 1)
        said = f"microgad has no {self.whole}" + (f": {why}" if why else "")
        return said + (f"; the nearest name is {near[0]}" if near else "")

    def __repr__(self) -> str:
        return repr(str(self))

    def __reduce__(self) -> Any:
        return str, (str(self),)
