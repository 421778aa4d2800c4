"""The data of the HTML page, ready for JSON: operations, sources, groups of operations, and recorded steps."""

from __future__ import annotations

import linecache
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .. import text
from ..formulas import recorded_formula
from ..module_tree import Member, ModuleCall, ModuleTree
from ..queries.non_finite import first_bad
from ..repeats import StructureIds
from ..statistics import Stats
from ..tape import Op, Source, Tape, differentiable

MANY = 8  # readers of a source, or sources in a group; the edges of more would clutter the page
WIDEST = 32  # members of a group that are laid out together; more are split into groups


def page_data(tape: Tape, title: str = "", steps: Sequence[Tape] = ()) -> dict[str, Any]:
    """Return what the page shows of a tape. `steps` are later tapes of the same operations."""
    places: dict[int | None, int] = {op.number: i for i, op in enumerate(tape.ops)}
    places |= {source.number: -1 - i for i, source in enumerate(tape.sources)}
    carrying = ops_with_gradient(tape)
    results = {(result.source, result.index): result.name or "result" for result in tape.results}
    tree, named = GroupTree(tape, carrying), {x.number: x.name for x in tape.variables}
    ops = []
    for i, op in enumerate(tape.ops):
        entry = _op(op, places)
        entry["carries"] = i in carrying
        if op.derives is not None:
            entry["derives"] = places.get(op.derives) if op.derives != op.number else None
        if label := tree.labels.get(i):
            entry["label"] = label
        if op.number in named:
            entry["variable"] = named[op.number]
        if names := [results[op.number, k] for k in range(len(op.shapes)) if (op.number, k) in results]:
            entry["results"] = names
        ops.append(entry)
    return {
        "title": title or "microgad graph",
        "summary": text.summary(tape),
        "ops": ops,
        "sources": [
            _source(source) | {"home": home, "made_by": places.get(source.made_by)}
            for source, home in zip(tape.sources, tree.homes, strict=True)
        ],
        "groups": tree.groups,
        "lines": {line: code for line in dict.fromkeys(op.line for op in tape.ops) if (code := source_line(line))},
        "formulas": formulas(tape),
        "bad": first_bad_place(tape),
        "steps": [step_of(one) | {"label": f"step {i}"} for i, one in enumerate((tape, *steps))] if steps else [],
    }


def step_of(tape: Tape) -> dict[str, Any]:
    """Return the statistics and times of one recorded step, in the order of the tape."""
    return {
        "ops": [_measured(op) for op in tape.ops],
        "sources": [_measured_source(source) for source in tape.sources],
        "bad": first_bad_place(tape),
    }


def first_bad_place(tape: Tape) -> int | None:
    """Return the position of what `first_bad` finds, for a source -1 - its position. None if nothing, or no values."""
    found = first_bad(tape) if any(op.stats is not None for op in tape) else None
    if found is None:
        return None
    of_op = isinstance(found.op, Op)
    place = [x.number for x in (tape.ops if of_op else tape.sources)].index(found.op.number)
    return place if of_op else -1 - place


def formulas(tape: Tape) -> dict[str, dict[str, Any]]:
    """Return the formulas of every kind of operation on a tape, as far as there is source code."""
    found = {}
    for name, op in {op.name: op for op in tape.ops}.items():
        known = recorded_formula(op)
        if known is not None:
            found[name] = {"says": known.says, "forward": known.forward, "derivatives": known.derivatives}
    return found


def source_line(line: str) -> str:
    """Return the code of a line given as "train.py, line 12" or "train.py:12", or "" if the file can't be read."""
    file, _, number = line.replace(", line ", ":").rpartition(":")
    return linecache.getline(file, int(number)).strip() if file and number.isdigit() else ""


def ops_with_gradient(tape: Tape) -> set[int]:
    """Return the positions of the operations that gradients flow through.

    These are the ones on recorded backward passes or, without any, those that autograd recorded and that lead from a
    parameter or leaf to a result.
    """
    seen = {i for i, op in enumerate(tape.ops) if op.passes}
    if seen:
        return seen
    wanting = {source.number for source in tape.sources if source.kind != "constant"}
    forward = []
    for op in tape.ops:
        if any(map(differentiable, op.dtypes)) and op.recorded and any(x.origin in wanting for x in op.inputs):
            wanting.add(op.number)
            forward.append(op)
    reached = {result.source for result in tape.results} & wanting
    for op in reversed(forward):
        if op.number in reached:
            reached.update(x.origin for x in op.inputs if x.origin in wanting)
    return {i for i, op in enumerate(tape.ops) if op.number in reached}


class GroupTree:
    """The tree of groups: calls of modules, and parts of long groups.

    A group is a range of operations, from `low` to `high`; its `items` are positions of operations, or -1 - the
    position of a group. The first group holds everything. `homes` has the group in which each source is drawn, or None
    if it is drawn inside the boxes of its readers: a parameter, one that only one operation of a module reads, one with
    many readers or neighbors, one without a gradient, or one made of a result in another group.
    """

    def __init__(self, tape: Tape, carrying: set[int]) -> None:
        self.carrying = carrying
        self.groups: list[dict[str, Any]] = []
        self.labels: dict[int, str] = {}  # position of the only operation of a module -> the module's name
        self.place = {op.number: i for i, op in enumerate(tape.ops)}
        self.ops, self.structure = tape.ops, StructureIds()
        modules = ModuleTree(tape)
        self.known: dict[ModuleCall, int] = {}  # a call -> its group
        self.calls: dict[str, int] = {}  # path of a module -> number of its calls so far
        self.group(modules.root, "")
        users: dict[int, list[int]] = {}
        for i, op in enumerate(tape.ops):
            for x in op.inputs:
                if x.origin is not None and (not users.get(x.origin) or users[x.origin][-1] != i):
                    users.setdefault(x.origin, []).append(i)
        self.homes = [self.home(source, users.get(source.number, []), modules) for source in tape.sources]
        crowds = Counter(home for home in self.homes if home is not None)
        for i, source in enumerate(tape.sources):
            home = self.homes[i]
            if home is not None and crowds[home] > MANY and len(users.get(source.number, [])) == 1:
                self.homes[i] = None

    def group(self, call: ModuleCall, label: str) -> int:
        """Add a module's call with all in it, and return the position of its group."""
        place = len(self.groups)
        call_number = self.calls.get(call.path, 0)
        self.calls[call.path] = call_number + 1
        made: dict[str, Any] = {"label": label, "path": call.path, "call": call_number, "items": []}
        if call.derivative:
            made["derivative"] = True
        self.groups.append(made)
        self.known[call] = place
        for member in call.members:
            if isinstance(member, Op):
                made["items"].append(self.place[member.number])
                continue
            inner, name = _single(member, call)
            if isinstance(inner, Op):
                made["items"].append(self.place[inner.number])
                self.labels[self.place[inner.number]] = name
            else:
                group = self.group(inner, name)
                made["items"].append(-1 - group)
                self.known.update(dict.fromkeys(_skipped(member, inner), group))
        if len(made["items"]) > WIDEST:
            self.group_repetitions(made, call.members)
        self.close(made)
        return place

    def group_repetitions(self, made: dict[str, Any], members: Sequence[Member]) -> None:
        """Make a group of each run among the members, such as the steps of a recurrent layer, and one of each time."""
        items, found = made["items"], []
        for start, end, length, times in self.structure.runs_among(members):
            if times == 1 or length == 1:
                found += items[start:end]
                continue
            parts = [items[i : min(i + length, end)] for i in range(start, end, length)]
            each = [self.labeled(made, part, f"time {k:,}") for k, part in enumerate(parts, 1)]
            names = self.name(items[start], True), self.name(items[start + length - 1], False)
            found.append(self.labeled(made, each, f"{' … '.join(names)} ×{times:,}"))
        made["items"] = found

    def labeled(self, whole: dict[str, Any], items: list[int], label: str) -> int:
        """Add a part of a group under a label, and return it as an item."""
        part = {"label": label, "path": whole["path"], "call": whole["call"], "items": items, "part": True}
        self.close(part)
        self.groups.append(part)
        return -len(self.groups)

    def close(self, made: dict[str, Any]) -> None:
        """Set the range of a group, after splitting it into parts if it has too many members."""
        while len(made["items"]) > WIDEST:
            items = made["items"]
            size = math.ceil(len(items) / math.ceil(len(items) / WIDEST))  # parts of about the same size
            made["items"] = [self.part(made, items[i : i + size]) for i in range(0, len(items), size)]
        low, high = self.span(made["items"])
        made["low"], made["high"] = low, high

    def part(self, whole: dict[str, Any], items: list[int]) -> int:
        """Add a part of a group, named after its first and last member, and return it as an item."""
        if len(items) == 1:
            return items[0]
        low, high = self.span(items)
        first, last = self.name(items[0], True), self.name(items[-1], False)
        label = f"{first} … {last}"
        if first == last:
            same = all(item >= 0 and self.name(item, True) == first for item in items)
            label = f"{first}, {len(items)} times" if same else f"{label} ({low + 1:,}–{high:,})"
        return self.labeled(whole, items, label)

    def span(self, items: list[int]) -> tuple[int, int]:
        """Return the range of operations in consecutive items."""
        if not items:
            return 0, 0
        first, last = items[0], items[-1]
        low = first if first >= 0 else self.groups[-1 - first]["low"]
        return low, last + 1 if last >= 0 else self.groups[-1 - last]["high"]

    def name(self, item: int, first: bool) -> str:
        if item >= 0:
            return self.labels.get(item) or self.ops[item].name
        label: str = self.groups[-1 - item]["label"]
        return label.split(" … ")[0 if first else -1]

    def home(self, source: Source, users: list[int], modules: ModuleTree) -> int | None:
        call = modules.home_of[source.number]
        if users and (source.kind == "parameter" or len(users) > MANY or self.carrying.isdisjoint(users)):
            return None
        if len(users) == 1 and call.path:
            return None
        while call not in self.known:  # a module with a single operation has no group
            assert call.parent is not None
            call = call.parent
        home = self.known[call]
        while users and (part := self.part_around(home, users)) is not None:
            home = part
        made_elsewhere = source.made_by is not None and self.place.get(source.made_by) not in self.groups[home]["items"]
        return None if users and made_elsewhere else home  # beside a module that makes and reads it, it were a cycle

    def part_around(self, home: int, users: list[int]) -> int | None:
        """Return the part of a group that contains all of some operations, given in order, or None."""
        for item in self.groups[home]["items"]:
            part = self.groups[-1 - item] if item < 0 else None
            if part is not None and part.get("part") and part["low"] <= users[0] and users[-1] < part["high"]:
                return -1 - item
        return None


def _single(call: ModuleCall, parent: ModuleCall) -> tuple[ModuleCall | Op, str]:
    """Skip calls with a single member. Return the operation or call that is left, and its label."""
    inner: ModuleCall | Op = call
    while isinstance(inner, ModuleCall) and len(inner.members) == 1:
        last, inner = inner, inner.members[0]
        call = last
    parts = (inner if isinstance(inner, ModuleCall) else call).parts
    at = len(parent.parts)
    while at and parts[at].isdigit():
        at -= 1  # "layer1.0", because "0" alone isn't descriptive
    return inner, ".".join(parts[at:])


def _skipped(outer: ModuleCall, inner: ModuleCall) -> list[ModuleCall]:
    """Return the calls from `outer` down to `inner`, without `inner`."""
    skipped = []
    while outer is not inner:
        skipped.append(outer)
        (only,) = outer.members
        assert isinstance(only, ModuleCall)
        outer = only
    return skipped


def _op(op: Op, places: dict[int | None, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": op.name,
        "title": text.title(op),
        "number": op.number,
        "path": op.path,
        "call": op.call,
        "says": text.settings(op),
        "settings": {name: _plain(x) for name, x in op.settings.items() if x is not None and name != "x_shape"},
        "inputs": [
            {"name": x.name, "from": places.get(x.origin), "index": x.index,
             "is": text.shape_of(x.shape, x.dtype), "value": _plain(x.value)}
            for x in op.inputs
        ],
        "shapes": [_times(shape) for shape in op.shapes],
        "dtypes": op.dtypes,
        "layouts": op.layouts if any(layout != "contiguous" for layout in op.layouts) else [],
        "kept": [
            {"name": k.name, "role": k.role, "is": text.shape_of(k.shape, k.dtype), "bytes": k.bytes,
             "leaf": k.leaf is not None}
            for k in op.kept
        ],
        "freed": op.freed,
        "bytes": op.bytes,
        "flops": op.flops,
        "line": op.line,
    }  # fmt: skip
    entry |= _measured(op)
    return {name: value for name, value in entry.items() if value or (value == 0 and name in ("flops", "number"))}


def _measured(op: Op) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    if op.seconds is not None:
        measured["seconds"] = op.seconds
    if op.backward_seconds is not None:
        measured["backward"] = op.backward_seconds
    if op.stats:
        measured["stats"] = [_stats(s) for s in op.stats]
    if op.gradients:
        measured["gradients"] = [_stats(s) for s in op.gradients]
    return measured


def _source(source: Source) -> dict[str, Any]:
    entry = {
        "kind": source.kind,
        "name": text.called(source),
        "shape": None if source.shape is None else _times(source.shape),
        "dtype": source.dtype,
        "elements": text.elements(source),
        "value": _plain(source.value),
    }
    return entry | _measured_source(source)


def _measured_source(source: Source) -> dict[str, Any]:
    found = {"stats": source.stats, "gradients": source.gradient}
    return {name: [_stats(s)] for name, s in found.items() if s is not None}


def _stats(s: Stats | None) -> dict[str, Any] | None:
    if s is None:
        return None
    values = {
        "size": s.size, "min": s.minimum, "max": s.maximum, "mean": s.mean, "std": s.std, "norm": s.norm,
        "zeros": s.zeros, "nans": s.nans, "infs": s.infs,
    }  # fmt: skip
    return {name: short(value) for name, value in values.items()} | {"counts": s.counts}


def short(value: float) -> Any:
    """Round a number to the digits that are shown. NaN and infinities, which JSON lacks, become strings."""
    if isinstance(value, int):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else str(value)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) if shape else "scalar"


def _plain(value: Any) -> Any:
    """Convert a setting or a number to None, a number, or a string."""
    if isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return short(value)
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
