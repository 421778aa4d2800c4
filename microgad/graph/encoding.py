"""A tape as JSON, and back. Reading runs nothing: what a file names is looked up among what is there."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import pathlib
import re
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..errors import ArgumentError
from ..function import Function
from .columns import read, written
from .copying import laid_out
from .passes import Pass, Point
from .patience import uncollected
from .recipe import Recipe
from .statistics import Stats
from .tape import Input, Kept, Op, Result, Source, Tape

FORMAT = 1
ROWS: dict[str, type[Any]] = {"ops": Op, "sources": Source, "results": Result, "passes": Pass}
PARTS: dict[str, type[Any]] = {"Input": Input, "Kept": Kept, "Point": Point}
SINGLE: dict[str, type[Any]] = {"Stats": Stats, "Recipe": Recipe}
ROOMS = re.compile(r"microgad\.(ops(\.\w+)*|function|engine)")
DTYPES = re.compile(r"[<>|=]?[biufcV?]\d*|bool|u?int\d+|float\d+|complex\d+")
Path = str | pathlib.Path


def to_json(tape: Tape, path: Path | None = None) -> str:
    """The tape as JSON; written to `path` too, if there is one. Arrays that it holds are in it."""
    writer = _Writer()
    plain = writer.tape(tape)
    plain["arrays"] = [[*facts, base64.b64encode(x.tobytes()).decode()] for facts, x in writer.arrays]
    text = json.dumps(plain, allow_nan=False, separators=(",", ":"))
    if path is not None:
        pathlib.Path(path).write_text(text, encoding="utf-8")
    return text


def from_json(text: Path) -> Tape:
    """The tape that `to_json` wrote: from the text, or from a file's path.

    Raises ArgumentError (a ValueError) for what is no such text, and for a Function that is neither microgad's nor
    defined in this program.
    """
    if isinstance(text, pathlib.Path) or not text.lstrip().startswith("{"):
        text = pathlib.Path(text).read_text(encoding="utf-8")
    with _told("from_json"):
        plain = json.loads(text)
        return _tape(plain, [_array(facts, base64.b64decode(facts.pop(), validate=True)) for facts in plain["arrays"]])


def to_npz(tape: Tape, path: Path) -> None:
    """A bundle: the tape as in JSON, and each array that it holds as NumPy's own, to be read one by one."""
    writer = _Writer()
    plain = writer.tape(tape)
    plain["arrays"] = [facts for facts, _ in writer.arrays]
    text = json.dumps(plain, allow_nan=False, separators=(",", ":")).encode()
    arrays = {f"array{i}": x for i, (_, x) in enumerate(writer.arrays)}
    with open(path, "wb") as file:
        np.savez(file, tape=np.frombuffer(text, np.uint8), **arrays)


def from_npz(path: Path) -> Tape:
    """The tape that `to_npz` wrote. Raises ArgumentError (a ValueError), as `from_json`."""
    with _told("from_npz"), np.load(path, allow_pickle=False) as bundle:
        plain = json.loads(bundle["tape"].tobytes())
        raw = [bundle[f"array{i}"].tobytes() for i in range(len(plain["arrays"]))]
        return _tape(plain, [_array(facts, x) for facts, x in zip(plain["arrays"], raw, strict=True)])


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever else is wrong with a file is said to be no tape."""
    try:
        yield
    except ArgumentError:
        raise
    except (
        KeyError, TypeError, IndexError, AttributeError, ValueError, StopIteration, RecursionError, zipfile.BadZipFile
    ) as error:  # fmt: skip
        raise ArgumentError(f"{name}: this is no tape: {type(error).__name__}: {error}") from None


def _tape(plain: Any, arrays: list[Any]) -> Tape:
    if plain["microgad tape"] != FORMAT:
        raise ArgumentError(f"from_json: a tape of format {plain['microgad tape']!r}, this is {FORMAT}")
    reader = _Reader(arrays)
    with uncollected():
        ops, sources, results, passes = (read(cls, plain[name], PARTS, reader.value) for name, cls in ROWS.items())
        tape = Tape(ops, sources, results)
        tape.passes = passes
        _check(tape)
    return tape


def _check(tape: Tape) -> None:
    """Whether all that is referred to is there, and before what refers to it."""
    results = {source.number: 1 for source in tape.sources}
    if len(results) + len(tape.ops) != len({*results, *(op.number for op in tape.ops)}):
        raise ArgumentError("from_json: two operations or sources have the same number")
    for op in tape.ops:
        for x in op.inputs:
            if x.source is not None and not 0 <= x.index < results.get(x.source, 0):
                raise ArgumentError(f"from_json: {op.name} ({op.number}) reads {x.source}, which isn't there before it")
            if x.written is not None and x.written not in results:
                raise ArgumentError(f"from_json: {op.name} ({op.number}) reads what {x.written} hasn't written yet")
        results[op.number] = len(op.shapes)
        if len(op.dtypes) != len(op.shapes):
            raise ArgumentError(f"from_json: {op.name} ({op.number}) has {len(op.shapes)} shapes, {op.dtypes} dtypes")
    places = [(x.source, x.index) for x in tape.results]
    places += [(point.source, point.index) for passed in tape.passes for point in passed.points]
    for number, index in places:
        if not 0 <= index < results.get(number, 0):
            raise ArgumentError(f"from_json: a result of {number}, which isn't there")


class _Writer:
    """Values as JSON can hold them, and the arrays among them: dtype, shape and strides of each, and a copy."""

    def __init__(self) -> None:
        self.arrays: list[tuple[list[Any], Any]] = []

    def tape(self, tape: Tape) -> dict[str, Any]:
        columns = {name: written(cls, getattr(tape, name), PARTS, self.value) for name, cls in ROWS.items()}
        return {"microgad tape": FORMAT, **columns}

    def value(self, x: Any) -> Any:
        """What is no number, text, list or None is an object that says what it is."""
        if x is None or isinstance(x, (bool, int, str)):
            return x
        if isinstance(x, float):
            return x if math.isfinite(x) else {"float": str(x)}
        if type(x).__name__ in SINGLE and type(x) is SINGLE[type(x).__name__]:
            return {type(x).__name__: [self.value(getattr(x, field.name)) for field in dataclasses.fields(x)]}
        if isinstance(x, list):
            return [self.value(y) for y in x]
        if isinstance(x, tuple):
            items = [self.value(y) for y in x]
            return {"named": _place(type(x)), "of": items} if hasattr(x, "_fields") else {"tuple": items}
        if dataclasses.is_dataclass(x) and not isinstance(x, type):
            items = [self.value(getattr(x, field.name)) for field in dataclasses.fields(x)]
            return {"named": _place(type(x)), "of": items}
        if isinstance(x, dict):
            return {"dict": [[self.value(k), self.value(v)] for k, v in x.items()]}
        if isinstance(x, complex):
            return {"complex": [self.value(x.real), self.value(x.imag)]}
        if isinstance(x, np.generic):
            return self.value(x.item())
        if isinstance(x, slice):
            return {"slice": [self.value(y) for y in (x.start, x.stop, x.step)]}
        if x is Ellipsis:
            return {"ellipsis": None}
        if isinstance(x, backend.device):
            return {"device": str(x)}
        if isinstance(x, np.dtype):
            return {"numpy dtype": x.str}
        if isinstance(x, dtypes.dtype):
            return {"dtype": x.name}
        if isinstance(x, type):
            return {"class": _place(x)} if issubclass(x, Function) else {"scalar type": x.__name__}
        if backend.is_array(x):
            values = backend.to_numpy(x)
            facts = [values.dtype.str, list(values.shape), list(values.strides)]
            self.arrays.append((facts, np.ascontiguousarray(values)))
            return {"array": len(self.arrays) - 1}
        raise ArgumentError(f"to_json: a {type(x).__name__} can't be written")


def _place(cls: type[Any]) -> list[str]:
    return [cls.__module__, cls.__qualname__]


def _array(facts: Any, raw: bytes) -> Any:
    kind, shape, strides = facts
    if not isinstance(kind, str) or not DTYPES.fullmatch(kind):
        raise ArgumentError(f"from_json: an array of dtype {kind!r}")
    dtype = np.dtype(kind)
    if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(raw):
        raise ArgumentError(f"from_json: an array of shape {shape} and {dtype} in {len(raw)} bytes")
    if len(strides) != len(shape) or any(type(n) is not int for n in strides):
        raise ArgumentError(f"from_json: an array of {len(shape)} axes with strides {strides}")
    values = np.frombuffer(bytearray(raw), dtype).reshape(shape)
    array = laid_out(tuple(shape), tuple(strides), dtype)
    if array is None:
        return values
    array[...] = values
    return array


class _Reader:
    def __init__(self, arrays: list[Any]) -> None:
        self.arrays = arrays
        self.functions: dict[tuple[str, str], type[Function]] = {}

    def value(self, x: Any) -> Any:
        if isinstance(x, list):
            return [self.value(y) for y in x]
        if not isinstance(x, dict):
            return x
        kind, held = next(iter(x.items()))
        if kind in SINGLE:
            return _checked(SINGLE[kind](*map(self.value, held)))
        return getattr(self, "as_" + kind.replace(" ", "_"))(held, **({"of": x["of"]} if kind == "named" else {}))

    def as_float(self, held: str) -> float:
        return float(held)

    def as_complex(self, held: list[Any]) -> complex:
        return complex(*map(self.value, held))

    def as_tuple(self, held: list[Any]) -> tuple[Any, ...]:
        return tuple(map(self.value, held))

    def as_dict(self, held: list[Any]) -> dict[Any, Any]:
        return {self.value(k): self.value(v) for k, v in held}

    def as_slice(self, held: list[Any]) -> slice:
        return slice(*map(self.value, held))

    def as_ellipsis(self, held: None) -> Any:
        return ...

    def as_device(self, held: str) -> Any:
        return backend.device(held)

    def as_numpy_dtype(self, held: str) -> Any:
        if not DTYPES.fullmatch(held):
            raise ArgumentError(f"from_json: no dtype {held!r}")
        return np.dtype(held)

    def as_dtype(self, held: str) -> Any:
        return next(d for d in vars(dtypes).values() if isinstance(d, dtypes.dtype) and d.name == held)

    def as_scalar_type(self, held: str) -> type[Any]:
        return {"bool": bool, "int": int, "float": float, "complex": complex}[held]

    def as_array(self, held: int) -> Any:
        return self.arrays[held]

    def as_named(self, held: list[str], of: list[Any]) -> Any:
        """A named tuple, or a dataclass, of microgad's own."""
        module, name = held
        cls = getattr(_room(module), name, None)
        if not (isinstance(cls, type) and (hasattr(cls, "_fields") or dataclasses.is_dataclass(cls))):
            raise ArgumentError(f"from_json: {module}.{name} is no kind of setting")
        return cls(*map(self.value, of))

    def as_class(self, held: list[str]) -> type[Function]:
        """A Function: microgad's, or one that this program has defined."""
        module, name = held
        if ROOMS.fullmatch(module):
            _room(module)
        if (module, name) not in self.functions:
            self.functions = {(cls.__module__, cls.__qualname__): cls for cls in _subclasses(Function)}
        if (module, name) not in self.functions:
            raise ArgumentError(f"from_json: there is no Function {module}.{name}: define or import it before")
        return self.functions[module, name]


def _checked(x: Any) -> Any:
    """A recipe may say what a Function's settings are, and not what its methods are."""
    if isinstance(x, Recipe) and not (
        isinstance(x.function, type)
        and type(x.settings) is dict
        and not any(callable(getattr(x.function, str(name), None)) for name in x.settings)
    ):
        raise ArgumentError(f"from_json: no recipe of a Function: {x.function!r}")
    return x


def _room(name: str) -> Any:
    if not ROOMS.fullmatch(name):
        raise ArgumentError(f"from_json: {name} is no room of microgad's operations")
    try:
        return sys.modules.get(name) or import_module(name)
    except ImportError:
        raise ArgumentError(f"from_json: there is no {name}") from None


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    stack = [cls]
    while stack:
        for inner in stack.pop().__subclasses__():
            yield inner
            stack.append(inner)
