"""Where faults are planted: the derivatives of the library's Functions, and the functions that only these call."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from microgad import engine
from microgad.autograd.custom import _Custom
from microgad.function import Function
from microgad.ops.elementwise import Add, Clamp, Div, Maximum, Minimum, Mul, Select, Where
from microgad.ops.elementwise.selection import _inside, _winner
from microgad.ops.indexing import Clear, SetItem, _last_writes
from microgad.ops.linalg import MatMul
from microgad.ops.loss import CrossEntropy
from microgad.ops.loss.classification import _without_ignored
from microgad.ops.normalization import BatchNorm, FixedBatchNorm
from microgad.ops.normalization.geometry import over_batch as _over_batch
from microgad.ops.reduction import Amax, Mean, Sum, kept_shape
from microgad.ops.region import Region, RegionClear, RegionWrite
from microgad.ops.softmax import LogSumExp, Softmax, _dot_along
from microgad.ops.window.conv import Conv2d, correlate_taps, transpose
from microgad.ops.window.pool import MaxPool2d, Unpool, corners, winning_cells
from microgad.ops.window.unfold import Unfold, add_columns, col2im
from tests.properties.registry import REGISTRY, Entry

PROPERTIES = Path(__file__).parent.parent / "properties"
NOT_REGISTERED = ("test_false_alarms", "test_every_function_is_tested")
for file in sorted(PROPERTIES.glob("test_*.py")):
    if file.stem not in NOT_REGISTERED:
        importlib.import_module(f"tests.properties.{file.stem}")

PLAIN = ("microgad.ops", "microgad.nn", "microgad.engine")


class Derivative(NamedTuple):
    """A method of a Function that is a derivative, or makes some of them."""

    cls: type[Function]
    name: str
    entries: tuple[Entry, ...]

    @property
    def method(self) -> Any:
        return vars(self.cls)[self.name]

    @property
    def place(self) -> str:
        return f"{self.cls.__name__}.{self.name}"

    @property
    def joint(self) -> bool:
        """Whether it gives a tuple, a gradient for each input."""
        return self.name == "backward" or self.cls.variadic


def entries_of(*classes: type[Function]) -> tuple[Entry, ...]:
    """The property tests of some classes, the most specific first."""
    found = {entry.name: entry for cls in classes for entry in REGISTRY.get(cls, ())}
    return tuple(sorted(found.values(), key=lambda entry: len(entry.classes)))


def functions() -> list[type[Function]]:
    """The library's Functions that have a derivative and a property test."""
    classes = [cls for cls in REGISTRY if cls.__module__.startswith(PLAIN) and cls is not _Custom]
    return sorted((cls for cls in classes if cls.differentiable), key=lambda cls: (cls.__module__, cls.__name__))


def derivatives() -> Iterator[Derivative]:
    """Every derivative that a class writes itself."""
    for cls in functions():
        for name, method in vars(cls).items():
            written = name.startswith("grad_") or name in ("backward", "adjoint")
            if written and callable(method) and method is not vars(cls).get("forward"):
                yield Derivative(cls, name, entries_of(cls))


def helpers() -> Iterator[tuple[Any, tuple[Entry, ...]]]:
    """Functions and methods that a derivative goes through and the forward it belongs to does not."""
    for function, classes in HELPERS.items():
        yield function, entries_of(*classes)
    for cls in functions():
        if cls.decomposed is not None:
            yield cls.decomposed, entries_of(cls)


HELPERS: dict[Callable[..., Any], tuple[type[Function], ...]] = {
    engine.sum_to: (Add, Mul, Div, MatMul),
    engine._with_zeros: (BatchNorm,),
    _winner: (Maximum, Minimum),
    _inside: (Clamp,),
    Select.forward: (Maximum, Where, SetItem),
    _dot_along: (Softmax,),
    _over_batch: (FixedBatchNorm,),
    kept_shape: (Sum, Mean, Amax, LogSumExp),
    _last_writes: (SetItem,),
    Clear.forward: (SetItem,),
    _without_ignored: (CrossEntropy,),
    RegionClear.forward: (RegionWrite,),
    Region.forward: (RegionWrite,),
    transpose: (Conv2d,),
    correlate_taps: (Conv2d,),
    col2im: (Unfold,),
    add_columns: (Unfold, Conv2d),
    Unpool.forward: (MaxPool2d,),
    corners: (MaxPool2d,),
    winning_cells: (MaxPool2d,),
}
