"""Planting a fault: the library is broken in one place while a context lasts, and whole again after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from microgad.function import Function

Plant = Callable[[], Any]  # gives a context manager


def rewritten(function: FunctionType, code: CodeType) -> Plant:
    """Other code in the same function object: whoever holds it, a compiled plan too, runs the other code."""

    @contextmanager
    def plant() -> Iterator[None]:
        whole = function.__code__
        function.__code__ = code
        try:
            yield
        finally:
            function.__code__ = whole

    return plant


def replaced(owner: Any, **attributes: Any) -> Plant:
    """Other attributes in a class or a module; what a Function class works out from its methods follows."""

    @contextmanager
    def plant() -> Iterator[None]:
        whole = {name: vars(owner).get(name) for name in (*attributes, "transposed")}  # a class may be given one
        try:
            _put(owner, attributes)
            yield
        finally:
            _put(owner, whole)

    return plant


def _put(owner: Any, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        before = vars(owner).get(name)
        if value is not None:
            setattr(owner, name, value)
        elif before is not None:
            delattr(owner, name)
        transposed = vars(owner).get("transposed")
        if transposed is not None and issubclass(transposed, owner):  # and not the map that owner is the adjoint of
            for mine, its in (("adjoint", "forward"), ("forward", "adjoint")):
                if name == mine and vars(transposed).get(its) is before:
                    setattr(transposed, its, value)
    if isinstance(owner, type) and issubclass(owner, Function):
        owner.__init_subclass__()
