"""The functions in which faults are planted: derivatives of the library's Functions, and what only these call."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import microgad
from microgad.autograd.forward_mode import TangentGate
from microgad.autograd.function import CustomNode
from microgad.engine import results
from microgad.fast_reductions import sum_to
from microgad.function import Function
from microgad.function.linear_map import LinearMap
from microgad.ops.elementwise import Add, Div, FloorDivide, Mul
from microgad.ops.linalg import MatMul
from microgad.ops.normalization import BatchNorm
from microgad.view_writes.histories import GuardedView, LostView, TransformArgument
from tests.properties.registry import REGISTRY, Entry

PROPERTIES = Path(__file__).parent.parent / "properties"
NOT_REGISTERED = ("test_false_alarms", "test_every_function_is_tested")
for file in sorted(PROPERTIES.glob("test_*.py")):
    if file.stem not in NOT_REGISTERED:
        importlib.import_module(f"tests.properties.{file.stem}")

PACKAGES = ("microgad.ops", "microgad.nn", "microgad.engine", "microgad.view_writes")
SHARED = ("microgad.ops.creation", "microgad.ops.support.out")  # called by all operations, no part of a derivative


class Derivative(NamedTuple):
    """A method that computes a derivative, or several: then `part` is the index of one in its tuple."""

    cls: type[Function]
    name: str
    part: int | None
    entries: tuple[Entry, ...]

    @property
    def method(self) -> Any:
        return getattr(self.cls, self.name)

    @property
    def place(self) -> str:
        of = "" if self.part is None else f" of {self.cls.inputs[self.part]}"
        return f"{self.cls.__name__}.{self.name}{of}"


def entries_of(*classes: type[Function]) -> tuple[Entry, ...]:
    """The property tests of the classes, the most specific first."""
    found = {entry.name: entry for cls in classes for entry in REGISTRY.get(cls, ())}
    return tuple(sorted(found.values(), key=lambda entry: len(entry.classes)))


def functions() -> list[type[Function]]:
    """The library's Functions that have a derivative and a property test."""
    classes = [cls for cls in REGISTRY if cls.__module__.startswith(PACKAGES) and cls is not CustomNode]
    return sorted((cls for cls in classes if cls.differentiable), key=lambda cls: (cls.__module__, cls.__name__))


def unreached() -> list[type[Function]]:
    """Functions with a derivative and without a property test, except for adjoints of linear maps."""
    known = {*functions(), FloorDivide, LostView, GuardedView, TangentGate, TransformArgument}  # raise, or pass it on
    stack = Function.__subclasses__()
    found = []
    while stack:
        cls = stack.pop()
        stack += [] if cls is CustomNode else cls.__subclasses__()
        is_adjoint = issubclass(cls, LinearMap) and issubclass(cls, vars(cls).get("transposed", ()))
        if cls.__module__.startswith(PACKAGES) and cls.differentiable and cls not in known and not is_adjoint:
            found.append(cls)
    return found


def derivatives() -> Iterator[Derivative]:
    """Every derivative of every class, inherited ones too."""
    for cls in functions():
        names = ("adjoint",) if issubclass(cls, LinearMap) else ("backward", *(f"grad_{name}" for name in cls.inputs))
        for name in names:
            if hasattr(cls, name):
                parts = range(len(cls.inputs)) if name == "backward" and not cls.variadic else (None,)
                yield from (Derivative(cls, name, part, entries_of(cls)) for part in parts)


def methods() -> Iterator[tuple[Any, tuple[Entry, ...]]]:
    """Each method once, with its property tests. An adjoint that is its own forward is right with any mistake."""
    found: dict[Any, dict[type[Function], None]] = {}
    for cls, name, *_ in derivatives():
        if getattr(cls, name) is not cls.forward:
            found.setdefault(getattr(cls, name), {})[cls] = None
    for method, classes in found.items():
        yield method, entries_of(*classes)


def helpers() -> Iterator[tuple[Any, tuple[Entry, ...]]]:
    """Functions and methods that a derivative calls and the forward of the same Function doesn't."""
    found: dict[FunctionType, dict[type[Function], None]] = {sum_to: dict.fromkeys((Add, Mul, Div, MatMul))}
    found[results.with_zeros] = {BatchNorm: None}
    for cls in functions():
        if cls.decomposed is not None:
            found.setdefault(cls.decomposed, {})[cls] = None
    for cls, name, *_ in derivatives():
        of_forward = _reached(cls, cls.forward)
        for function in _reached(cls, getattr(cls, name)):
            if function not in of_forward and function is not getattr(cls, name) and not function.__code__.co_freevars:
                found.setdefault(function, {})[cls] = None
    for function, classes in found.items():
        yield function, entries_of(*classes)


def _reached(cls: type[Function], method: Any) -> dict[FunctionType, None]:
    """The private functions of microgad.ops that a method calls, as far as the names in its code tell."""
    found: dict[FunctionType, None] = {}
    stack: list[tuple[Any, Any]] = [(cls, method)]
    while stack:
        owner, function = stack.pop()
        function = inspect.unwrap(function)
        if not isinstance(function, FunctionType) or function in found:
            continue
        found[function] = None
        known = function.__globals__
        modules = [x for x in known.values() if isinstance(x, ModuleType) and x.__name__.startswith("microgad.ops")]
        for name in _names(function.__code__):
            x = known.get(name) or next((vars(m)[name] for m in modules if name in vars(m)), None)
            if isinstance(x, type) and issubclass(x, Function):
                owner, x = x, x.forward
            elif x is None and not name.startswith("grad_") and name not in ("apply", "forward", "adjoint"):
                x = getattr(owner, name, None)
            home, name = str(getattr(x, "__module__", "")), getattr(x, "__name__", "")
            if home.startswith("microgad.ops") and not home.startswith(SHARED) and x is not _public(name):
                stack.append((owner, x))
    return found


@cache
def _public(name: str) -> Any:
    return getattr(microgad, name, None)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
