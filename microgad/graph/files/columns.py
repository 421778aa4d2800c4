"""Convert rows of a dataclass to columns and back. Repeated values are stored once, columns of defaults never."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from ...errors import ArgumentError

Parts = Mapping[str, type[Any]]
PLAIN: dict[str, set[Any]] = {"int": {int}, "int | None": {int, type(None)}, "bool": {bool}}
POOLED = {"str": str, "Shape": tuple}  # types whose values are stored once; also lists of them, and None


def to_columns(cls: type[Any], rows: Sequence[Any], parts: Parts, encode: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the columns of `rows`, instances of `cls`, by field. `encode` converts single values.

    `parts` has the dataclasses of which fields may be lists, by name.
    """
    columns: dict[str, Any] = {"rows": len(rows)}
    for field in dataclasses.fields(cls):
        column, default = _encoded(field, list(map(attrgetter(field.name), rows)), parts, encode)
        if not default or _required(field):
            columns[field.name] = column
    return columns


def _encoded(field: Any, values: list[Any], parts: Parts, encode: Callable[[Any], Any]) -> tuple[Any, bool]:
    """Return the column of a field, and whether all rows have its default value."""
    kind, part = str(field.type), _part(field, parts)
    if part is not None:
        of = to_columns(part, list(chain.from_iterable(values)), parts, encode)
        return {"counts": list(map(len, values)), "of": of}, False
    if kind in PLAIN:
        return values, set(values) <= {field.default}
    if _pooled(kind):
        listed = kind.startswith("list")
        places: dict[Any, int] = {}
        at = [places.setdefault(x, len(places)) for x in (map(tuple, values) if listed else values)]
        pool = [encode(list(x) if listed else x) for x in places]
        return {"pool": pool, "at": at}, set(places) <= {() if listed else field.default}
    by_name = kind.startswith("dict")
    at = [i for i, x in enumerate(values) if x is not None and (not by_name or x)]
    return {"at": at, "of": [encode(values[i]) for i in at]}, not at


def from_columns(cls: type[Any], columns: Any, parts: Parts, decode: Callable[[Any], Any]) -> list[Any]:
    """Return the rows of columns. Raises ArgumentError, KeyError, TypeError or IndexError if they are malformed."""
    n = columns["rows"]
    unknown = set(columns) - {"rows", *(field.name for field in dataclasses.fields(cls))}
    if unknown:
        raise ArgumentError(f"unknown fields of {cls.__name__}: {', '.join(sorted(unknown))}")
    found: list[list[Any]] = []
    for field in dataclasses.fields(cls):  # required fields come first
        if field.name not in columns and not _required(field):
            factory = field.default_factory
            found.append([field.default] * n if factory is dataclasses.MISSING else [factory() for _ in range(n)])
            continue
        values = _decoded(field, columns[field.name], n, parts, decode)
        if type(n) is not int or len(values) != n:
            raise ArgumentError(f"expected {n} values of {cls.__name__}.{field.name}, got {len(values)}")
        found.append(values)
    return [cls(*row) for row in zip(*found, strict=True)]


def _decoded(field: Any, held: Any, n: int, parts: Parts, decode: Callable[[Any], Any]) -> list[Any]:
    """Return the values of a field in `n` rows, from its column."""
    kind, part = str(field.type), _part(field, parts)
    if part is not None:
        return list(_split(held["counts"], from_columns(part, held["of"], parts, decode)))
    if kind in PLAIN:
        if not set(map(type, held)) <= PLAIN[kind]:
            raise ArgumentError(f"{field.name} must be {kind}")
        return list(held)
    if _pooled(kind):
        pool = [decode(x) for x in held["pool"]]
        if not all(_fits(x, kind) for x in pool):
            raise ArgumentError(f"{field.name} must be {kind}")
        chosen = [pool[i] for i in _places(held["at"], len(pool))]
        return list(map(list, chosen)) if kind.startswith("list") else chosen
    values: list[Any] = [{} for _ in range(n)] if kind.startswith("dict") else [None] * n
    for i, x in zip(_places(held["at"], n), held["of"], strict=True):
        values[i] = decode(x)
    return values


def _part(field: Any, parts: Parts) -> type[Any] | None:
    """Return the dataclass of a field that is a list of dataclasses, such as list[Input], else None."""
    return parts.get(str(field.type).removeprefix("list[").removesuffix("]")) if "list[" in str(field.type) else None


def _pooled(kind: str) -> bool:
    return kind.startswith("Literal") or _bare(kind) in POOLED


def _bare(kind: str) -> str:
    return kind.removesuffix(" | None").removeprefix("list[").removesuffix("]")


def _fits(x: Any, kind: str) -> bool:
    if kind.startswith("list"):
        return type(x) is list and all(_fits(y, _bare(kind)) for y in x)
    if x is None:
        return kind.endswith("None")
    if type(x) is tuple:
        return _bare(kind) == "Shape" and all(type(n) is int and n >= 0 for n in x)
    return type(x) is str and _bare(kind) != "Shape"


def _required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _places(at: Any, n: int) -> list[int]:
    if not set(map(type, at)) <= {int} or (at and not 0 <= min(at) <= max(at) < n):
        raise ArgumentError(f"an index is out of range for {n} entries")
    return at


def _split(counts: Any, rows: list[Any]) -> Iterator[list[Any]]:
    """Split rows into lists of the given lengths."""
    if not set(map(type, counts)) <= {int} or min(counts, default=0) < 0 or sum(counts) != len(rows):
        raise ArgumentError(f"the counts don't add up to {len(rows)} rows")
    start = 0
    for count in counts:
        yield rows[start : start + count]
        start += count
