"""Every Function of the package has a property test, in which it is recorded."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

import microgad
from microgad.autograd.forward_mode import TangentGate
from microgad.autograd.function import CustomNode
from microgad.function import AccumulateGrad, Function, Output
from microgad.function.linear_map import LinearMap
from microgad.ops.elementwise import FloorDivide, Mul, Sub
from microgad.testing.laws.case import Case
from microgad.testing.strategies import tensors
from microgad.view_writes.detaching import Detach
from microgad.view_writes.histories import GuardedView, LostView, TransformArgument

from . import registry
from .registry import REGISTRY, Entry, obeys_laws

WITHOUT_VALUES = {Detach, GuardedView, AccumulateGrad, LostView, Output, TangentGate, TransformArgument}  # no values
WITHOUT_DERIVATIVES = {FloorDivide}  # backward through it raises, as in PyTorch; FloorDiv's forward is tested


def functions_of_the_package() -> Iterator[type[Function]]:
    """Every operation defined in microgad. The adjoint of a LinearMap is tested with it."""
    for module in pkgutil.walk_packages(microgad.__path__, "microgad.", onerror=lambda name: None):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:  # an optional dependency of the module
                if str(error.name).startswith("microgad"):
                    raise
    stack = Function.__subclasses__()
    while stack:
        cls = stack.pop()
        if cls is not CustomNode:  # whose subclasses are users' autograd.Functions
            stack.extend(cls.__subclasses__())
        is_adjoint = issubclass(cls, LinearMap) and issubclass(cls, vars(cls).get("transposed", ()))
        abstract = cls.forward is Function.forward
        exempt = is_adjoint or abstract or cls in WITHOUT_VALUES | WITHOUT_DERIVATIVES
        if cls.__module__.startswith("microgad.") and not exempt:
            yield cls


def untested() -> list[str]:
    for file in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f".{file.stem}", __package__)
    return sorted({f"{cls.__module__}.{cls.__name__}" for cls in functions_of_the_package() if cls not in REGISTRY})


def test_every_function_is_tested():
    assert untested() == [], "register a property test for each: see registry.py"


def test_a_function_without_a_test_is_found():
    class Forgotten(Function):
        __module__ = "microgad.ops.imagined"

        def forward(self, x):
            return x

        def grad_x(self, grad):
            return grad

    assert "microgad.ops.imagined.Forgotten" in untested()
    del Forgotten


def test_an_entry_that_never_records_its_function_fails(monkeypatch):
    monkeypatch.setattr(registry, "REACHING", 1)  # however few examples this run has
    examples = st.builds(lambda x: Case("mul", microgad.mul, (x, x)), tensors(requires_grad=True))
    entry = Entry("test_wrong", examples, [], obeys_laws)
    entry.classes = [Mul, Sub]
    with pytest.raises(AssertionError, match="test_wrong never recorded Sub"):
        entry.run()
