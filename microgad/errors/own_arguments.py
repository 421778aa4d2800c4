"""A check of the arguments of microgad's own functions, which no program calls in a loop, by their annotations."""

from __future__ import annotations

import collections.abc
import functools
import itertools
import os
import re
from collections.abc import Callable
from typing import Any, TypeVar

from . import DtypeError
from .arguments import _TAKEN, _fits

F = TypeVar("F", bound=Callable[..., Any])

_SCALARS = ("float", "int", "bool", "str")
_CONTAINERS = ("Collection", "Mapping", "Sequence")
_ANY = frozenset(("Any", "Literal"))  # the function checks it itself


def checked(function: F) -> F:
    """Make a function raise TypeError for an argument that isn't of the annotated type, before it does anything.

    A class is recognized by its name, so that the annotation needs no import. Only the container is checked, not what
    it holds.

    >>> @checked
    ... def scaled(by: float, names: Sequence[str] = ()): ...
    >>> scaled(2, ["a"])
    >>> scaled("a")
    Traceback (most recent call last):
    microgad.errors.DtypeError: scaled(): argument 'by' must be float, not str
    """
    said = {name: kind for name, kind in function.__annotations__.items() if isinstance(kind, str) and name != "return"}
    wanted = {name: kinds for name, kind in said.items() if _ANY.isdisjoint(kinds := _alternatives(kind))}
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    names, rest = code.co_varnames[: code.co_argcount], code.co_varnames[count : count + bool(code.co_flags & 4)]

    @functools.wraps(function)
    def check_first(*args: Any, **kwargs: Any) -> Any:
        given = zip(itertools.chain(names, itertools.cycle(rest)), args, strict=False)
        for name, value in itertools.chain(given, kwargs.items()):
            if name in wanted and not any(_is(value, kind) for kind in wanted[name]):
                op = function.__qualname__.removesuffix(".__init__")
                raise DtypeError(f"{op}(): argument '{name}' must be {said[name]}, not {type(value).__name__}")
        return function(*args, **kwargs)

    return check_first  # type: ignore[return-value]


def _alternatives(said: str) -> list[str]:
    """The kinds of an annotation: `Sequence[int | str] | None` -> `Sequence`, `None`."""
    while said != (said := re.sub(r"\[[^\[\]]*\]", "", said)):
        pass
    return said.split(" | ")


def _is(value: Any, kind: str) -> bool:
    if kind == "None":
        return value is None
    if kind in _SCALARS:
        return type(value) in _TAKEN[kind] or _fits(value, kind)
    if kind in ("Callable", "Loss"):
        return callable(value)
    if kind == "Iterable":
        return hasattr(value, "__iter__") or hasattr(value, "__getitem__")
    if kind == "Path":
        return isinstance(value, (str, os.PathLike))
    if kind in _CONTAINERS:
        return isinstance(value, getattr(collections.abc, kind)) and not isinstance(value, (str, bytes))
    name = kind.rpartition(".")[2]
    return any(cls.__name__ == name for cls in type(value).__mro__)
