"""Planting a fault: within a context the library is broken in one place, and after it restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from microgad.function import Function

Plant = Callable[[], Any]  # returns a context manager


def rewritten(function: FunctionType, code: CodeType) -> Plant:
    """Exchange the code of a function object, so that every reference to it, also in a plan, runs the new code."""

    @contextmanager
    def plant() -> Iterator[None]:
        original = function.__code__
        function.__code__ = code
        try:
            yield
        finally:
            function.__code__ = original

    return plant


def replaced(owner: Any, **attributes: Any) -> Plant:
    """Exchange attributes of a class or a module; what a Function class derives from its methods is updated."""

    @contextmanager
    def plant() -> Iterator[None]:
        original = {name: vars(owner).get(name) for name in (*attributes, "transposed")}  # a class may get one now
        try:
            _put(owner, attributes)
            yield
        finally:
            _put(owner, original)

    return plant


def _put(owner: Any, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        before = vars(owner).get(name)
        if value is not None:
            setattr(owner, name, value)
        elif before is not None:
            delattr(owner, name)
        transposed = vars(owner).get("transposed")
        if transposed is not None and issubclass(transposed, owner):  # not the map whose adjoint is owner
            for mine, its in (("adjoint", "forward"), ("forward", "adjoint")):
                if name == mine and vars(transposed).get(its) is before:
                    setattr(transposed, its, value)
    if isinstance(owner, type) and issubclass(owner, Function):
        owner.__init_subclass__()
