"""Compare two tapes: their structure, shapes, dtypes, settings and values."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ... import backend
from ...dtypes import _ALL
from ...errors import ArgumentError, DtypeError
from ...errors.own_arguments import checked
from ...type_aliases import Array
from .. import text
from ..tape import ANOTHER, Input, Op, Source, Tape

Kind = Literal["missing", "added", "inputs", "shapes", "dtypes", "settings", "values"]
MAX_MATCHES = 10_000_000  # matching pairs up to which difflib aligns what lies between the common start and end

_DTYPES = re.compile(rf"\b({'|'.join(dtype.name for dtype in _ALL)})\b")


@dataclass(frozen=True)
class Difference:
    """One operation or source that differs between two tapes, or is in one of them only."""

    kind: Kind
    mine: Op | Source | None  # None if only the other tape has it
    theirs: Op | Source | None
    message: str
    ulps: int | None = None  # the largest difference of values, in units in the last place
    relative: float | None = None  # the largest difference of values, relative to the largest value

    def __str__(self) -> str:
        return f"{_called(self.mine or self.theirs)}: {self.message}"

    __repr__ = __str__


@dataclass(frozen=True)
class Diff:
    """All differences between two tapes, in order, operations before sources. It is true if there is a difference."""

    differences: list[Difference]
    pairs: list[tuple[Op, Op]]  # the operations that correspond to each other

    @property
    def first(self) -> Difference | None:
        """The first operation that differs, or the first source if all operations are the same."""
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


@checked
def diff(mine: Tape, theirs: Any, rtol: float = 0.0, dtypes: bool = True, settings: bool = True) -> Diff:
    """Align the operations of two tapes and compare those that correspond.

    Operations are aligned by name and module, in order. Values are compared if both tapes have them (recorded with
    `values=True`), or by their hashes if both can be replayed. Values are the same if they differ by at most `rtol`
    times the largest. With `dtypes=False`, dtypes may differ. With `settings=False`, only results are compared, as is
    necessary with the tape of another library, whose functions take other arguments. Raises TypeError for anything but
    a Tape.
    """
    if not rtol >= 0:
        raise ArgumentError(f"diff: rtol must be at least 0, got {rtol}")
    if not isinstance(theirs, Tape):
        raise DtypeError(
            f"diff: expected a Tape, got {type(theirs).__name__}. To compare a replay, or anything else that runs, "
            "record it with microgad.record()"
        )
    pairs, found = _align(mine, theirs)
    inputs = _InputComparison(mine, theirs, pairs, rtol)
    for a, b in pairs:
        difference = inputs.differ(a, b) if settings else None
        difference = difference or _compare_facts(a, b, dtypes, settings) or _compare_values(a, b, rtol)
        if difference is not None:
            found.append(difference)
    places: dict[int, float] = {op.number: i for i, op in enumerate(mine.ops)}
    partner = {b.number: a.number for a, b in pairs}
    their_places: dict[int, float] = {}  # an operation that only they have comes after the last one with a partner
    before = -0.5
    for op in theirs:
        before = places[partner[op.number]] + 0.5 if op.number in partner else before
        their_places[op.number] = before
    found.sort(key=lambda x: places[x.mine.number] if x.mine is not None else their_places[x.theirs.number])  # type: ignore[union-attr]
    return Diff([*found, *(x for x in inputs.sources.values() if x is not None)], pairs)


def _align(mine: Tape, theirs: Tape) -> tuple[list[tuple[Op, Op]], list[Difference]]:
    """Pair the operations that correspond; those without a partner are Differences."""
    a, b = mine.ops, theirs.ops
    first = _common_prefix(a, b)
    last = _common_prefix(a[first:][::-1], b[first:][::-1])
    pairs = list(zip(a[:first], b[:first], strict=True))
    rest, other = a[first : len(a) - last], b[first : len(b) - last]
    found = []
    steps: list[tuple[str, int, int, int, int]] = [("replace", 0, len(rest), 0, len(other))]
    mine_keys, their_keys = [_key(op) for op in rest], [_key(op) for op in other]
    often = Counter(their_keys)
    if sum(often[key] for key in mine_keys) <= MAX_MATCHES:
        steps = list(difflib.SequenceMatcher(None, mine_keys, their_keys, autojunk=False).get_opcodes())
    for tag, i, j, k, m in steps:
        if tag == "equal":
            pairs += zip(rest[i:j], other[k:m], strict=True)
            continue
        found += [Difference("missing", op, None, "isn't in the other") for op in rest[i:j]]
        found += [Difference("added", None, op, "is in the other alone") for op in other[k:m]]
    return pairs + list(zip(a[len(a) - last :], b[len(b) - last :], strict=True)), found


def _common_prefix(a: list[Op], b: list[Op]) -> int:
    """Return how many operations at the start have the same key."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if _key(x) != _key(y)), min(len(a), len(b)))


def _key(op: Op) -> tuple[str, str]:
    return op.name, op.path


class _InputComparison:
    """Compares inputs: they must come from corresponding operations or sources, or be equal numbers."""

    def __init__(self, mine: Tape, theirs: Tape, pairs: list[tuple[Op, Op]], rtol: float) -> None:
        self.mine, self.theirs, self.rtol = mine, theirs, rtol
        self.partner = {a.number: b.number for a, b in pairs}
        self.back: dict[int, int] = {}  # source of the other tape -> source of this one
        self.sources: dict[int, Difference | None] = {}  # the sources that have been compared

    def differ(self, a: Op, b: Op) -> Difference | None:
        """Return the first Difference between the inputs of two operations."""
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
                    self.sources[start.number] = _compare_sources(start, other, self.rtol)
            elif self.partner.get(start.number) != other.number or x.index != y.index:
                message = f"{x.name} comes from {_result(start, x)}, in the other from {_result(other, y)}"
                return Difference("inputs", a, b, message)
        return None


def _given(x: Input, source: Op | Source | None) -> str:
    return _shown(x.value) if source is None else _called(source)


def _result(made: Op | Source, x: Input) -> str:
    return (f"result {x.index} of " if isinstance(made, Op) and len(made.shapes) > 1 else "") + _called(made)


def _compare_sources(a: Source, b: Source, rtol: float) -> Difference | None:
    if a.name.removesuffix(ANOTHER) != b.name.removesuffix(ANOTHER):
        return Difference("inputs", a, b, _other("name", a, b))
    if a.shape != b.shape:
        return Difference("shapes", a, b, _other("shape", a, b))
    if a.array is not None and b.array is not None:
        return _compare_arrays(a, b, "the values", a.array, b.array, rtol)
    if a.value is not None and b.value is not None and _compare_arrays(a, b, "the values", a.value, b.value, rtol):
        return Difference("values", a, b, _other("value", a, b))
    return None


def _compare_facts(a: Op, b: Op, dtypes: bool, settings: bool) -> Difference | None:
    compared = slice(None if settings else 1)  # without settings only the first result counts
    if a.shapes[compared] != b.shapes[compared]:
        return Difference("shapes", a, b, _other("shapes", a, b))
    if dtypes and a.dtypes[compared] != b.dtypes[compared]:
        return Difference("dtypes", a, b, _other("dtypes", a, b))
    if not settings:
        return None
    for name in dict.fromkeys((*a.settings, *b.settings)):
        x, y = a.settings.get(name), b.settings.get(name)
        if repr(x) != repr(y) and (dtypes or (name != "dtype" and _without_dtypes(x) != _without_dtypes(y))):
            return Difference("settings", a, b, f"{name} is {_shown(x)}, in the other {_shown(y)}")
    if a.recipe is not None and b.recipe is not None:
        for name, x in a.recipe.settings.items():
            for mine, theirs in zip(_arrays(x), _arrays(b.recipe.settings.get(name)), strict=False):
                if not np.array_equal(mine, theirs):
                    return Difference("settings", a, b, f"{name}, an array {mine.shape}, has other values in the other")
    return None


def _without_dtypes(setting: Any) -> str:
    """Return the repr of a setting, in which all dtypes are the same."""
    return _DTYPES.sub("dtype", repr(setting))


def _arrays(setting: Any) -> Iterator[Any]:
    """Iterate over the arrays in a setting, which may be a tuple, as an index is."""
    if backend.is_array(setting):
        yield backend.to_numpy(setting)
    elif isinstance(setting, tuple):
        for part in setting:
            yield from _arrays(part)


def _compare_values(a: Op, b: Op, rtol: float) -> Difference | None:
    if a.values is not None and b.values is not None:
        for i, (x, y) in enumerate(zip(a.values, b.values, strict=False)):
            what = "the values" if len(a.values) == 1 else f"the values of result {i}"
            if difference := _compare_arrays(a, b, what, x, y, rtol):
                return difference
        return None
    if rtol or a.recipe is None or b.recipe is None or a.dtypes != b.dtypes or a.recipe.digests == b.recipe.digests:
        return None
    return Difference("values", a, b, "the values differ; record both with values=True to see by how much")


def _compare_arrays(a: Any, b: Any, what: str, x: Array, y: Array, rtol: float) -> Difference | None:
    """Compare the arrays x of a and y of b, which the message calls `what`. None if they are equal within rtol."""
    x, y = (backend.to_numpy(z) if backend.is_array(z) else np.asarray(z) for z in (x, y))
    if x.shape != y.shape or np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"):
        return None
    wide = np.result_type(x, y, np.float64)
    p, q = x.astype(wide), y.astype(wide)
    with np.errstate(all="ignore"):
        far, largest = np.abs(p - q), np.maximum(np.abs(p), np.abs(q))
    same = (x == y) | (np.isnan(p) & np.isnan(q))
    at = np.unravel_index(int(np.argmax(np.where(same, -1, np.where(np.isnan(far), np.inf, far)))), far.shape)
    most = float(np.max(largest, where=np.isfinite(largest), initial=0.0))  # without the -inf of masks
    relative = float(far[at]) / most if most else float(far[at])
    if rtol and relative <= rtol:
        return None
    ulps = _ulps(x, y) if x.dtype == y.dtype and x.dtype.kind == "f" else None
    where = f"{list(map(int, at))} " if at else ""
    count = f"{ulps:,} ulp, " if ulps is not None else ""
    by = f": {count}{relative:.3g} of the largest" if np.isfinite(relative) else ""
    message = f"{what} differ, most at {where}({x[at]!s} and {y[at]!s}{by})"
    return Difference("values", a, b, message, ulps, relative)


def _ulps(x: Any, y: Any) -> int:
    """Return the largest difference of two floating-point arrays, in units in the last place."""
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
    """Iterate over the numbers of the first tape's operations that differ, to mark them in a drawing."""
    return (x.mine.number for x in found.differences if isinstance(x.mine, Op))
