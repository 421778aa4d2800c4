"""A tape as JSON, and back. Reading runs nothing: what a file names is looked up among what is there."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import pathlib
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..errors import ArgumentError
from ..function import Function
from .copying import laid_out
from .recipe import Recipe
from .statistics import Stats
from .tape import Input, Kept, Op, Result, Seed, Source, Tape

FORMAT = 1
PARTS: dict[str, type[Any]] = {cls.__name__: cls for cls in (Op, Source, Input, Kept, Result, Seed, Stats, Recipe)}
ROOMS = re.compile(r"microgad\.(ops(\.\w+)*|function|engine)")
DTYPES = re.compile(r"[<>|=]?[biufcV?]\d*|bool|u?int\d+|float\d+|complex\d+")


def to_json(tape: Tape, path: str | pathlib.Path | None = None) -> str:
    """The tape as JSON; written to `path` too, if there is one. Arrays that it holds are in it."""
    arrays: list[Any] = []
    plain = {
        "microgad tape": FORMAT,
        "ops": [_encoded(op, arrays) for op in tape.ops],
        "sources": [_encoded(source, arrays) for source in tape.sources],
        "results": [_encoded(result, arrays) for result in tape.results],
        "seeds": [_encoded(seed, arrays) for seed in tape.seeds],
        "arrays": arrays,
    }
    text = json.dumps(plain, allow_nan=False, separators=(",", ":"))
    if path is not None:
        pathlib.Path(path).write_text(text, encoding="utf-8")
    return text


def from_json(text: str | pathlib.Path) -> Tape:
    """The tape that `to_json` wrote: from the text, or from a file's path.

    Raises ArgumentError (a ValueError) for what is no such text, and for a Function that is neither microgad's nor
    defined in this program.
    """
    if isinstance(text, pathlib.Path) or not text.lstrip().startswith("{"):
        text = pathlib.Path(text).read_text(encoding="utf-8")
    try:
        plain = json.loads(text)
        if plain["microgad tape"] != FORMAT:
            raise ArgumentError(f"from_json: a tape of format {plain['microgad tape']!r}, this is {FORMAT}")
        reader = _Reader([_array(x) for x in plain["arrays"]])
        ops, sources, results, seeds = (
            [reader.part(x, cls) for x in plain[name]]
            for name, cls in (("ops", Op), ("sources", Source), ("results", Result), ("seeds", Seed))
        )
    except (KeyError, TypeError, IndexError, AttributeError, UnicodeError, json.JSONDecodeError) as error:
        raise ArgumentError(f"from_json: this is no tape: {type(error).__name__}: {error}") from None
    tape = Tape(ops, sources, results)
    tape.seeds = seeds
    return tape


def _encoded(x: Any, arrays: list[Any]) -> Any:
    """A value as JSON can hold it: what is no number, text, list or None is an object that says what it is."""
    if x is None or isinstance(x, (bool, int, str)):
        return x
    if isinstance(x, float):
        return x if math.isfinite(x) else {"float": str(x)}
    if type(x).__name__ in PARTS and dataclasses.is_dataclass(x):
        fields = dataclasses.fields(x)
        return {type(x).__name__: [_encoded(getattr(x, field.name), arrays) for field in fields]}
    if isinstance(x, list):
        return [_encoded(y, arrays) for y in x]
    if isinstance(x, tuple):
        items = [_encoded(y, arrays) for y in x]
        return {"named": _place(type(x)), "of": items} if hasattr(x, "_fields") else {"tuple": items}
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return {"named": _place(type(x)), "of": [_encoded(getattr(x, f.name), arrays) for f in dataclasses.fields(x)]}
    if isinstance(x, dict):
        return {"dict": [[_encoded(k, arrays), _encoded(v, arrays)] for k, v in x.items()]}
    if isinstance(x, complex):
        return {"complex": [_encoded(x.real, arrays), _encoded(x.imag, arrays)]}
    if isinstance(x, np.generic):
        return _encoded(x.item(), arrays)
    if isinstance(x, slice):
        return {"slice": [_encoded(y, arrays) for y in (x.start, x.stop, x.step)]}
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
        data = base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
        arrays.append([values.dtype.str, list(values.shape), list(values.strides), data])
        return {"array": len(arrays) - 1}
    raise ArgumentError(f"to_json: a {type(x).__name__} can't be written")


def _place(cls: type[Any]) -> list[str]:
    return [cls.__module__, cls.__qualname__]


def _array(entry: Any) -> Any:
    kind, shape, strides, data = entry
    if not isinstance(kind, str) or not DTYPES.fullmatch(kind):
        raise ArgumentError(f"from_json: an array of dtype {kind!r}")
    dtype, raw = np.dtype(kind), base64.b64decode(data, validate=True)
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

    def part(self, x: Any, cls: type[Any]) -> Any:
        """What has to be of a class."""
        found = self.value(x)
        if type(found) is not cls:
            raise ArgumentError(f"from_json: a {type(found).__name__} where a {cls.__name__} belongs")
        return found

    def value(self, x: Any) -> Any:
        if isinstance(x, list):
            return [self.value(y) for y in x]
        if not isinstance(x, dict):
            return x
        kind, held = next(iter(x.items()))
        if kind in PARTS:
            return PARTS[kind](*map(self.value, held))
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
