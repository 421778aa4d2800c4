"""What two tapes differ in, and where first: in structure, shapes, settings or values."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ... import backend
from ...errors import DtypeError
from .. import text
from ..tape import ANOTHER, Input, Op, Source, Tape

Kind = Literal["missing", "added", "inputs", "shapes", "dtypes", "settings", "values"]
REALIGNED = 10_000_000  # pairs alike, between the first difference in structure and the last, that are looked at


@dataclass(frozen=True)
class Difference:
    """One operation, or source, that isn't the same in both."""

    kind: Kind
    mine: Op | Source | None  # None: it is in the other tape alone
    theirs: Op | Source | None
    message: str
    ulps: int | None = None  # how many numbers of its dtype lie between the values that are furthest apart
    relative: float | None = None  # the largest difference of values, beside the largest value

    def __str__(self) -> str:
        return f"{_called(self.mine or self.theirs)}: {self.message}"

    __repr__ = __str__


@dataclass(frozen=True)
class Diff:
    """All differences in the order of the tape, operations before sources; true if there is one."""

    differences: list[Difference]
    pairs: list[tuple[Op, Op]]  # which operations are each other's

    @property
    def first(self) -> Difference | None:
        """The earliest operation that differs; of sources alone, the first of them."""
        return self.differences[0] if self.differences else None

    def __bool__(self) -> bool:
        return bool(self.differences)

    def __str__(self) -> str:
        if not self.differences:
            return f"no difference in {len(self.pairs):,} operations"
        shown = [f"first {self.differences[0]}", *(f"      {x}" for x in self.differences[1:20])]
        if len(self.differences) > 20:
            shown.append(f"      ... {len(self.differences) - 20:,} more ...")
        return "\n".join(shown)

    __repr__ = __str__


def diff(mine: Tape, theirs: Tape, rtol: float = 0.0, dtypes: bool = True, settings: bool = True) -> Diff:
    """Align two tapes and compare what corresponds.

    Operations correspond by name and module, in order. Values are compared where both tapes have them (recorded with
    `values=True`), and by their digests where both can be replayed; up to `rtol` of the largest they are the same.
    Without `dtypes`, float32 may be beside float64. Without `settings` operations are compared by what they give alone:
    with those of another library, which hands in arguments in its own way. Raises TypeError for what is no Tape.
    """
    if not isinstance(theirs, Tape):
        raise DtypeError(
            f"diff: expected a Tape, got {type(theirs).__name__}; of a replay, and of anything else that runs, "
            "microgad.record() around it makes one"
        )
    pairs, found = _aligned(mine, theirs)
    inputs = _Inputs(mine, theirs, pairs, rtol)
    for a, b in pairs:
        told = inputs.differ(a, b) if settings else None
        told = told or _facts(a, b, dtypes, settings) or _values(a, b, rtol)
        if told is not None:
            found.append(told)
    places: dict[int, float] = {op.number: i for i, op in enumerate(mine.ops)}
    partner = {b.number: a.number for a, b in pairs}
    beside: dict[int, float] = {}  # what is in the other tape alone comes after the one before it
    before = -0.5
    for op in theirs:
        before = places[partner[op.number]] + 0.5 if op.number in partner else before
        beside[op.number] = before
    found.sort(key=lambda x: places[x.mine.number] if x.mine is not None else beside[x.theirs.number])  # type: ignore[union-attr]
    return Diff([*found, *(x for x in inputs.sources.values() if x is not None)], pairs)


def _aligned(mine: Tape, theirs: Tape) -> tuple[list[tuple[Op, Op]], list[Difference]]:
    a, b = mine.ops, theirs.ops
    first = _alike(a, b)
    last = _alike(a[first:][::-1], b[first:][::-1])
    pairs = list(zip(a[:first], b[:first], strict=True))
    rest, other = a[first : len(a) - last], b[first : len(b) - last]
    found = []
    steps: list[tuple[str, int, int, int, int]] = [("replace", 0, len(rest), 0, len(other))]
    mine_keys, their_keys = [_key(op) for op in rest], [_key(op) for op in other]
    often = Counter(their_keys)
    if sum(often[key] for key in mine_keys) <= REALIGNED:
        steps = list(difflib.SequenceMatcher(None, mine_keys, their_keys, autojunk=False).get_opcodes())
    for tag, i, j, k, m in steps:
        if tag == "equal":
            pairs += zip(rest[i:j], other[k:m], strict=True)
            continue
        found += [Difference("missing", op, None, "isn't in the other") for op in rest[i:j]]
        found += [Difference("added", None, op, "is in the other alone") for op in other[k:m]]
    return pairs + list(zip(a[len(a) - last :], b[len(b) - last :], strict=True)), found


def _alike(a: list[Op], b: list[Op]) -> int:
    """How many operations correspond, one after the other from the start."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if _key(x) != _key(y)), min(len(a), len(b)))


def _key(op: Op) -> tuple[str, str]:
    return op.name, op.path


class _Inputs:
    """Compares inputs: the same are those from operations or sources that correspond, and equal numbers."""

    def __init__(self, mine: Tape, theirs: Tape, pairs: list[tuple[Op, Op]], rtol: float) -> None:
        self.mine, self.theirs, self.rtol = mine, theirs, rtol
        self.partner = {a.number: b.number for a, b in pairs}
        self.back: dict[int, int] = {}  # the sources of the other tape -> of this one
        self.sources: dict[int, Difference | None] = {}  # that have been compared

    def differ(self, a: Op, b: Op) -> Difference | None:
        """The first input that isn't the same."""
        if len(a.inputs) != len(b.inputs):
            return Difference("inputs", a, b, f"{len(a.inputs)} inputs, in the other {len(b.inputs)}")
        for x, y in zip(a.inputs, b.inputs, strict=True):
            start, other = self.mine.find(x.source), self.theirs.find(y.source)
            if start is None or other is None:
                if (x.source, repr(x.value)) != (y.source, repr(y.value)):
                    message = f"{x.name} is {_given(x, start)}, in the other {_given(y, other)}"
                    return Difference("inputs", a, b, message)
            elif isinstance(start, Source) and isinstance(other, Source) and start.kind == other.kind:
                same = self.partner.setdefault(start.number, other.number) == other.number
                if not same or self.back.setdefault(other.number, start.number) != start.number:
                    return Difference("inputs", a, b, f"{x.name} is another {start.kind} than before")
                if start.number not in self.sources:
                    self.sources[start.number] = _sources(start, other, self.rtol)
            elif self.partner.get(start.number) != other.number or x.index != y.index:
                message = f"{x.name} comes from {_called(start)}, in the other from {_called(other)}"
                return Difference("inputs", a, b, message)
        return None


def _given(x: Input, source: Op | Source | None) -> str:
    return _shown(x.value) if source is None else _called(source)


def _sources(a: Source, b: Source, rtol: float) -> Difference | None:
    if a.name.removesuffix(ANOTHER) != b.name.removesuffix(ANOTHER):
        return Difference("inputs", a, b, _other("name", a, b))
    if a.shape != b.shape:
        return Difference("shapes", a, b, _other("shape", a, b))
    if a.array is not None and b.array is not None:
        return _apart(a, b, "the values", a.array, b.array, rtol)
    if a.value is not None and b.value is not None and _apart(a, b, "the values", a.value, b.value, rtol):
        return Difference("values", a, b, _other("value", a, b))
    return None


def _facts(a: Op, b: Op, dtypes: bool, settings: bool) -> Difference | None:
    if not settings:
        same = a.shapes[0] == b.shapes[0] and (not dtypes or a.dtypes[0] == b.dtypes[0])
        return None if same else Difference("shapes", a, b, _other("shapes", a, b))
    if a.shapes != b.shapes:
        return Difference("shapes", a, b, _other("shapes", a, b))
    if dtypes and a.dtypes != b.dtypes:
        return Difference("dtypes", a, b, _other("dtypes", a, b))
    for name in dict.fromkeys((*a.settings, *b.settings)):
        x, y = a.settings.get(name), b.settings.get(name)
        if repr(x) != repr(y) and (dtypes or name != "dtype"):
            return Difference("settings", a, b, f"{name} is {_shown(x)}, in the other {_shown(y)}")
    if a.recipe is not None and b.recipe is not None:
        for name, x in a.recipe.settings.items():
            for mine, theirs in zip(_arrays(x), _arrays(b.recipe.settings.get(name)), strict=False):
                if not np.array_equal(mine, theirs):
                    return Difference("settings", a, b, f"{name}, an array {mine.shape}, has other values in the other")
    return None


def _arrays(setting: Any) -> Iterator[Any]:
    """The arrays in a setting, which may be a tuple of them, as an index."""
    if backend.is_array(setting):
        yield backend.to_numpy(setting)
    elif isinstance(setting, tuple):
        for part in setting:
            yield from _arrays(part)


def _values(a: Op, b: Op, rtol: float) -> Difference | None:
    if a.values is not None and b.values is not None:
        for i, (x, y) in enumerate(zip(a.values, b.values, strict=False)):
            told = _apart(a, b, "the values" if len(a.values) == 1 else f"the values of result {i}", x, y, rtol)
            if told is not None:
                return told
        return None
    if rtol or a.recipe is None or b.recipe is None or a.dtypes != b.dtypes or a.recipe.digests == b.recipe.digests:
        return None
    return Difference("values", a, b, "the values differ; record both with values=True to see by how much")


def _apart(a: Any, b: Any, what: str, x: Any, y: Any, rtol: float) -> Difference | None:
    """The Difference of two values of `what` a and b have, x and y; None where they are equal, or within rtol."""
    x, y = (backend.to_numpy(z) if backend.is_array(z) else np.asarray(z) for z in (x, y))
    if x.shape != y.shape or np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"):
        return None
    wide = np.result_type(x, y, np.float64)
    p, q = x.astype(wide), y.astype(wide)
    with np.errstate(all="ignore"):
        far, largest = np.abs(p - q), np.maximum(np.abs(p), np.abs(q))
    same = (x == y) | (np.isnan(p) & np.isnan(q))
    at = np.unravel_index(int(np.argmax(np.where(same, -1, np.where(np.isnan(far), np.inf, far)))), far.shape)
    most = float(np.max(largest, where=np.isfinite(largest), initial=0.0))  # beside a mask's -inf nothing counts
    relative = float(far[at]) / most if most else float(far[at])
    if rtol and relative <= rtol:
        return None
    ulps = _ulps(x, y) if x.dtype == y.dtype and x.dtype.kind == "f" else None
    where = f"{list(map(int, at))} " if at else ""
    count = f"{ulps:,} ulp, " if ulps is not None else ""
    message = f"{what} differ, most at {where}({x[at]!s} and {y[at]!s}: {count}{relative:.3g} of the largest)"
    return Difference("values", a, b, message, ulps, relative)


def _ulps(x: Any, y: Any) -> int:
    """How many numbers lie between the two that are furthest apart."""
    kind = np.dtype(f"i{x.dtype.itemsize}")
    finite = np.isfinite(x) & np.isfinite(y)
    a, b = (
        np.ascontiguousarray(z[finite]).view(kind).astype(object if kind.itemsize > 4 else np.int64) for z in (x, y)
    )
    lowest = -(2 ** (8 * kind.itemsize - 1))
    a, b = (np.where(z < 0, lowest - z, z) for z in (a, b))
    return int(np.max(np.abs(a - b))) if a.size else 0


def _other(name: str, a: Any, b: Any) -> str:
    return f"{name} {_shown(getattr(a, name))}, in the other {_shown(getattr(b, name))}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _called(x: Op | Source | None) -> str:
    if isinstance(x, Op):
        return text.place(x, text.title(x))
    return "nothing" if x is None else f"{x.kind} {x.name}".strip()


def differing(found: Diff) -> Iterator[int]:
    """The numbers of this tape's operations that differ, to be coloured in a drawing."""
    return (x.mine.number for x in found.differences if isinstance(x.mine, Op))
