"""Write a tape as JSON or .npz, and read it. Reading runs no code from a file: names must be those of known classes."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import os
import pathlib
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from ... import backend, dtypes
from ...errors import ArgumentError
from ...errors.own_arguments import checked
from ...function import Function
from ...serialization.writing import atomic_write
from ...tensor import Tensor
from ...type_aliases import Array
from ..formulas import loaded
from ..gc_pause import gc_paused
from ..replay_data import BackwardPass, BoundaryPoint, Call, Home, Read, Recipe
from ..statistics import Stats
from ..strided_copy import empty_strided
from ..tape import Input, Kept, Op, Result, Source, Tape
from .columns import from_columns, to_columns

FORMAT = 1
ROWS: dict[str, type[Any]] = {
    "ops": Op, "sources": Source, "results": Result, "passes": BackwardPass, "variables": Source
}  # fmt: skip
PARTS: dict[str, type[Any]] = {"Input": Input, "Kept": Kept, "BoundaryPoint": BoundaryPoint}
SINGLE: dict[str, type[Any]] = {"Stats": Stats, "Recipe": Recipe, "Home": Home, "Read": Read, "Call": Call}
ALLOWED_MODULES = re.compile(r"microgad\.(ops(\.\w+)*|nn\.multi_head|distributions\.reparameterized|fake_quantize)")
DTYPES = re.compile(r"[<>|=]?[biufcV?]\d*|bool|u?int\d+|float\d+|complex\d+")
Path = str | pathlib.Path


@checked
def to_json(tape: Tape, path: Path | None = None) -> str:
    """Return the tape as JSON, with the arrays that it holds, and write it to `path` if that is given."""
    writer = _Writer()
    plain = writer.tape(tape)
    plain["arrays"] = [[*facts, base64.b64encode(x.tobytes()).decode()] for facts, x in writer.arrays]
    text = json.dumps(plain, allow_nan=False, separators=(",", ":"))
    if path is not None:
        pathlib.Path(path).write_text(text, encoding="utf-8")
    return text


@checked
def from_json(text: Path) -> Tape:
    """Return the tape that `to_json` wrote, from its text, which begins with "{", or a file's path.

    Raises ArgumentError (a ValueError) for any other text, and for a Function that is neither microgad's nor defined in
    this program.
    """
    if isinstance(text, pathlib.Path) or not text.lstrip().startswith("{"):
        text = pathlib.Path(text).read_text(encoding="utf-8")
    with _malformed_as_argument_error("from_json"):
        plain = json.loads(text)
        return _tape(plain, [_array(facts, base64.b64decode(facts.pop(), validate=True)) for facts in plain["arrays"]])


@checked
def to_npz(tape: Tape, path: Path) -> None:
    """Write the tape to an .npz file: its JSON, and each array as a member of its own.

    An error leaves a file that was there as it was.
    """
    writer = _Writer()
    plain = writer.tape(tape)
    plain["arrays"] = [facts for facts, _ in writer.arrays]
    text = json.dumps(plain, allow_nan=False, separators=(",", ":")).encode()
    arrays = {f"array{i}": x for i, (_, x) in enumerate(writer.arrays)}
    with atomic_write(os.path.realpath(path)) as file:
        np.savez(file, tape=np.frombuffer(text, np.uint8), **arrays)


@checked
def from_npz(path: Path) -> Tape:
    """Return the tape that `to_npz` wrote. Raises ArgumentError (a ValueError), as `from_json` does."""
    with _malformed_as_argument_error("from_npz"), np.load(path, allow_pickle=False) as bundle:
        plain = json.loads(bundle["tape"].tobytes())
        raw = [bundle[f"array{i}"].tobytes() for i in range(len(plain["arrays"]))]
        return _tape(plain, [_array(facts, x) for facts, x in zip(plain["arrays"], raw, strict=True)])


@contextmanager
def _malformed_as_argument_error(name: str) -> Iterator[None]:
    """Let errors from malformed files be ArgumentErrors that begin with the name of the function."""
    try:
        yield
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}") from None
    except (
        KeyError, TypeError, IndexError, AttributeError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise ArgumentError(f"{name}: not a valid tape: {type(error).__name__}: {error}") from None


def _tape(plain: Any, arrays: list[Array]) -> Tape:
    if plain["microgad tape"] != FORMAT:
        raise ArgumentError(f"expected a tape of format {FORMAT}, got {plain['microgad tape']!r}")
    reader = _Reader(arrays)
    with gc_paused():
        columns = ((cls, plain[name]) for name, cls in ROWS.items())
        ops, sources, results, passes, variables = (from_columns(cls, x, PARTS, reader.value) for cls, x in columns)
        tape = Tape(ops, sources, results)
        tape.passes, tape.names = passes, [str(name) for name in plain.get("names", ())]
        tape.variables = variables
        tape.calls = reader.values(plain.get("calls", []))
        tape.links = {number: reader.value(home) for number, home in plain.get("links", [])}
        _check(tape)
    return tape


def _check(tape: Tape) -> None:
    """Check that every reference is to an operation or source that comes before it."""
    results = {source.number: 1 for source in tape.sources}
    if len(results) + len(tape.ops) != len({*results, *(op.number for op in tape.ops)}):
        raise ArgumentError("two operations or sources have the same number")
    for op in tape.ops:
        for x in op.inputs:
            if x.source is not None and not 0 <= x.index < results.get(x.source, 0):
                raise ArgumentError(f"{op.name} ({op.number}) reads {x.source}, which doesn't come before it")
            if x.written is not None and x.written not in results:
                raise ArgumentError(f"{op.name} ({op.number}) reads what {x.written} wrote, which comes later")
        results[op.number] = len(op.shapes)
        if len(op.dtypes) != len(op.shapes):
            raise ArgumentError(f"{op.name} ({op.number}) has {len(op.shapes)} shapes, {op.dtypes} dtypes")
    homes = [home for op in tape.ops if op.recipe is not None for _, home in op.recipe.links] + [*tape.links.values()]
    numbers = [home.number for home in homes] + [n for call in tape.calls for n in call.results.values()]
    for number in numbers:
        if number not in results:
            raise ArgumentError(f"there is no operation or source {number}")
    ops = {op.number for op in tape.ops}
    if not ops.issuperset(n for call in tape.calls for n in (*call.ops, *call.owned)):
        raise ArgumentError("a call has an operation that there isn't")
    places = [(x.source, x.index) for x in tape.results]
    places += [(read.number, read.index) for call in tape.calls for read in call.reads]
    places += [(point.source, point.index) for passed in tape.passes for point in passed.points]
    for number, index in places:
        if not 0 <= index < results.get(number, 0):
            raise ArgumentError(f"there is no result {index} of {number}")


class _Writer:
    """Converts values to JSON, and collects the arrays among them."""

    def __init__(self) -> None:
        self.arrays: list[tuple[list[Any], Any]] = []  # ([dtype, shape, strides], contiguous copy) of each

    def tape(self, tape: Tape) -> dict[str, Any]:
        columns = {name: to_columns(cls, getattr(tape, name), PARTS, self.value) for name, cls in ROWS.items()}
        links = [[number, self.value(home)] for number, home in tape.links.items()]
        return {"microgad tape": FORMAT, **columns, "names": tape.names, "calls": self.calls(tape), "links": links}

    def calls(self, tape: Tape) -> list[Any]:
        """Write the calls of a tape, without the function and arguments where these aren't microgad's or plain data."""
        found = []
        for call in tape.calls:
            try:
                found.append(self.value(call))
            except ArgumentError:
                found.append(self.value(dataclasses.replace(call, function=None, args=tuple(call.reads), kwargs={})))
        return found

    def value(self, x: Any) -> Any:
        """Convert a value. Numbers, strings, lists and None stay; others become JSON objects with their kind as key."""
        if isinstance(x, np.generic):
            x = x.item()
        if x is None or isinstance(x, (bool, int, str)) or (isinstance(x, float) and math.isfinite(x)):
            return x
        if isinstance(x, list):
            return self.values(x)
        if type(x) is SINGLE.get(type(x).__name__):
            return {type(x).__name__: self.values(_fields(x))}
        if _fields(x) is not None:
            return {"named": _place(type(x)), "of": self.values(_fields(x))}
        for kind, form in FORMS.items():
            if form.matches(x):
                return {kind: form.write(self, x)}
        raise ArgumentError(f"to_json: a {type(x).__name__} can't be written")

    def values(self, items: Iterable[Any]) -> list[Any]:
        return [self.value(x) for x in items]

    def array(self, x: Array) -> int:
        """Add an array, and return its index among the arrays."""
        values = backend.to_numpy(x)
        facts = [values.dtype.str, list(values.shape), list(values.strides)]
        self.arrays.append((facts, np.ascontiguousarray(values)))
        return len(self.arrays) - 1


def _fields(x: Any) -> Any:
    """Return the values in a named tuple or a dataclass, None for anything else."""
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return x
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return [getattr(x, field.name) for field in dataclasses.fields(x)]
    return None


def _place(cls: Any) -> list[str]:
    return [cls.__module__, cls.__qualname__]


def _array(facts: Any, raw: bytes) -> Array:
    kind, shape, strides = facts
    if not isinstance(kind, str) or not DTYPES.fullmatch(kind):
        raise ArgumentError(f"an array can't have the dtype {kind!r}")
    dtype = np.dtype(kind)
    if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(raw):
        raise ArgumentError(f"an array of shape {shape} and {dtype} can't have {len(raw)} bytes")
    if len(strides) != len(shape) or any(type(n) is not int for n in strides):
        raise ArgumentError(f"an array of {len(shape)} axes can't have the strides {strides}")
    values = np.frombuffer(bytearray(raw), dtype).reshape(shape)
    array = empty_strided(tuple(shape), tuple(strides), dtype)
    if array is None:
        return values
    array[...] = values
    return array


class _Reader:
    """Converts values from JSON, given the arrays."""

    def __init__(self, arrays: list[Array]) -> None:
        self.arrays = arrays
        self.functions: dict[tuple[str, str], type[Function]] = {}

    def value(self, x: Any) -> Any:
        if isinstance(x, list):
            return self.values(x)
        if not isinstance(x, dict):
            return x
        (kind, held), *_ = x.items()
        if kind in SINGLE:
            return _checked(SINGLE[kind](*self.values(held)))
        return self.named(held, x["of"]) if kind == "named" else FORMS[kind].read(self, held)

    def values(self, items: list[Any]) -> list[Any]:
        return [self.value(x) for x in items]

    def named(self, held: list[str], of: list[Any]) -> Any:
        """Make a named tuple or a dataclass, which must be one of microgad's."""
        module, name = held
        cls = getattr(_import_allowed(module), name, None)
        if not (isinstance(cls, type) and (hasattr(cls, "_fields") or dataclasses.is_dataclass(cls))):
            raise ArgumentError(f"{module}.{name} isn't a class of settings")
        return cls(*self.values(of))

    def function(self, held: list[str]) -> type[Function]:
        """Return a Function, which must be one of microgad's or defined in this program."""
        module, name = held
        if ALLOWED_MODULES.fullmatch(module):
            _import_allowed(module)
        if (module, name) not in self.functions:
            for cls in loaded():
                self.functions.setdefault((cls.__module__, cls.__qualname__), cls)
        if (module, name) not in self.functions:
            raise ArgumentError(f"there is no Function {module}.{name}: define or import it first")
        return self.functions[module, name]


SCALARS: dict[str, type[Any]] = {"bool": bool, "int": int, "float": float, "complex": complex}


class Form(NamedTuple):
    """How a kind of value is recognized, and how it is written to and read from JSON."""

    matches: Callable[[Any], bool]
    write: Callable[[_Writer, Any], Any]
    read: Callable[[_Reader, Any], Any]


def _is(cls: type[Any]) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, cls)


FORMS: dict[str, Form] = {
    "float": Form(_is(float), lambda w, x: str(x), lambda r, held: float(held)),
    "complex": Form(_is(complex), lambda w, x: w.values((x.real, x.imag)), lambda r, held: complex(*r.values(held))),
    "tuple": Form(_is(tuple), lambda w, x: w.values(x), lambda r, held: tuple(r.values(held))),
    "dict": Form(_is(dict), lambda w, x: list(map(w.values, x.items())), lambda r, held: dict(map(r.values, held))),
    "slice": Form(_is(slice), lambda w, x: w.values((x.start, x.stop, x.step)), lambda r, held: slice(*r.values(held))),
    "ellipsis": Form(lambda x: x is ..., lambda w, x: None, lambda r, held: ...),
    "device": Form(_is(backend.device), lambda w, x: str(x), lambda r, held: backend.device(held)),
    "numpy dtype": Form(_is(np.dtype), lambda w, x: x.str, lambda r, held: _numpy_dtype(held)),
    "dtype": Form(_is(dtypes.dtype), lambda w, x: x.name, lambda r, held: dtypes.of(_numpy_dtype(held))),
    "class": Form(
        lambda x: isinstance(x, type) and issubclass(x, Function),
        lambda w, x: _place(x),
        lambda r, held: r.function(held),
    ),
    "function": Form(
        lambda x: hasattr(x, "__code__") and bool(ALLOWED_MODULES.fullmatch(str(x.__module__))),
        lambda w, x: _place(x),
        lambda r, held: _observed(getattr(_import_allowed(held[0]), held[1], None), held),
    ),
    "method": Form(
        lambda x: hasattr(x, "__code__") and x.__qualname__ == f"Tensor.{x.__name__}",
        lambda w, x: x.__name__,
        lambda r, held: _observed(getattr(Tensor, held, None), held),
    ),
    "tensor": Form(_is(Tensor), lambda w, x: w.array(x.array), lambda r, held: Tensor._wrap(r.arrays[held])),
    "scalar type": Form(_is(type), lambda w, x: x.__name__, lambda r, held: SCALARS[held]),
    "array": Form(backend.is_array, lambda w, x: w.array(x), lambda r, held: r.arrays[held]),
}


def _numpy_dtype(name: Any) -> Any:
    if not isinstance(name, str) or not DTYPES.fullmatch(name):
        raise ArgumentError(f"unknown dtype {name!r}")
    return np.dtype(name)


def _observed(function: Any, name: Any) -> Any:
    """Check that a function or method is a public one that observers see."""
    if getattr(function, "observed", None) is not True:
        raise ArgumentError(f"{name} isn't a function whose calls are recorded")
    return function


def _checked(x: Any) -> Any:
    """Check that a Recipe's settings don't replace methods of its Function, and what a Call calls."""
    if isinstance(x, Call) and x.function is not None:
        _observed(x.function, x.name)
    if isinstance(x, Recipe) and not (
        isinstance(x.function, type)
        and type(x.settings) is dict
        and not any(callable(getattr(x.function, str(name), None)) for name in x.settings)
    ):
        raise ArgumentError(f"not a valid recipe of a Function: {x.function!r}")
    return x


def _import_allowed(name: str) -> Any:
    """Import one of the modules in which a file may name classes."""
    if not ALLOWED_MODULES.fullmatch(name):
        raise ArgumentError(f"{name} isn't a module of microgad's operations")
    try:
        return sys.modules.get(name) or import_module(name)
    except ImportError:
        raise ArgumentError(f"there is no module {name}") from None
