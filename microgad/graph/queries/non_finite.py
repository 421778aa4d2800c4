"""Find the operation that first produced NaN or infinity, from the statistics on a tape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...autograd.anomaly import describe_range, nonfinite_kind
from ...errors import GraphError
from ...errors.own_arguments import checked
from ...type_aliases import Array
from ..statistics import Stats, stats_of
from ..tape import Input, Op, Source, Tape
from ..text import place

_Value = tuple[int, int]  # number of an Op or Source, and index of its result


@dataclass(frozen=True)
class NonFinite:
    """The operation that first produced a NaN or an infinity, or the Source that already had one, with a message."""

    op: Op | Source
    during: Literal["forward", "backward"]
    kind: Literal["NaN", "inf"]
    message: str
    input: str = ""  # backward: name of the input whose gradient it is

    def __str__(self) -> str:
        return self.message

    __repr__ = __str__


@checked
def first_bad(tape: Tape) -> NonFinite | None:
    """Return the operation that first produced NaN or infinity: see `Tape.first_bad`.

    Raises RuntimeError for a tape without values.

    >>> with torch.record(stats=True) as tape, np.errstate(all="ignore"):
    ...     y = torch.tensor([1.0, -1.0]).log() * 2
    >>> torch.graph.first_bad(tape).op.name
    'Log'
    """
    known = any(op.stats is not None or op.values is not None for op in tape) or not tape.ops
    if not known:
        raise GraphError("first_bad: the tape has no values to look at: record it with stats=True, or values=True")
    forward, backward = _ForwardSearch(tape), _first_in_backward(tape)
    first = forward.first()
    if first is None or backward is None:
        return first or backward
    assert isinstance(backward.op, Op)
    start = max(op.number for op in tape if op.passed == backward.op.passed)
    if forward.came_in(first) and forward.position(first) > start:  # an earlier training step made it non-finite
        return forward.cause_of(backward) or forward.first(start) or backward
    return first


class _ForwardSearch:
    """Searches the values of the forward pass. `bad` says which are NaN or infinite."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.bad: dict[_Value, str] = {}
        for source in tape.sources:
            self._note((source.number, 0), source.stats, source.array, source.value)
        for op in tape:
            for i in range(len(op.shapes)):
                stats = op.stats[i] if op.stats is not None else None
                self._note((op.number, i), stats, op.values[i] if op.values is not None else None)

    def _note(self, at: _Value, stats: Stats | None, array: Array | None, value: Any = None) -> None:
        kind = _kind_of(stats if stats is not None or array is None else stats_of(array)) or _kind_of_number(value)
        if kind:
            self.bad[at] = kind

    def first(self, last: float = math.inf) -> NonFinite | None:
        """Return the origin of the first NaN, or else of the first infinity that the program didn't put in itself.

        Operations with a number above `last` are left out.
        """
        for wanted in ("NaN", "inf"):
            for op in self.tape:
                if op.number > last:
                    break
                found = self._from_outside(op, wanted) or self._first_of(op, wanted)
                if found is not None:
                    return found
        return None

    def came_in(self, bad: NonFinite) -> bool:
        """Whether a non-finite value came in from outside of the tape."""
        return isinstance(bad.op, Source) or any(map(self._kind, bad.op.inputs))

    def cause_of(self, backward: NonFinite) -> NonFinite | None:
        """Return the operation that made the infinity that a derivative read."""
        assert isinstance(backward.op, Op)
        return self._origin(backward.op.inputs, f"The derivative of {place(backward.op)} gave {backward.kind}")

    def position(self, bad: NonFinite) -> int:
        """Return the number of the operation that made a non-finite value, or that first read it."""
        return next(op.number for op in self.tape if op is bad.op or any(x.source == bad.op.number for x in op.inputs))

    def _first_of(self, op: Op, wanted: str) -> NonFinite | None:
        kinds = [self.bad.get((op.number, i), "") for i in range(len(op.shapes))]
        if wanted not in kinds:
            return None
        bad = [x for x in op.inputs if self._kind(x)]
        if wanted == "inf":
            return NonFinite(op, "forward", "inf", self._made_inf(op)) if _makes_inf(op, bad) else None
        if not bad:
            message = f"{place(op)}: produced NaN from finite inputs: {_ranges(self.tape, op)}"
            return NonFinite(op, "forward", "NaN", message)
        if (origin := self._origin(bad, f"It became NaN in {place(op)}")) is not None:
            return origin
        x = bad[0]
        held = f"its input {x.name} held {self._kind(x)} before"
        return NonFinite(op, "forward", "NaN", f"{place(op)}: produced NaN, but {held}: {_ranges(self.tape, op)}")

    def _origin(self, inputs: list[Input], then: str) -> NonFinite | None:
        """Return the first operation that made an infinity in these inputs, or the parameter that held one.

        None if the program put the infinity in itself.
        """
        seen: set[int] = set()
        stack = [*inputs]
        found: list[Op] = []
        while stack:
            x = stack.pop()
            at = self._at(x)
            op = None if at is None else self.tape.find(at[0])
            if isinstance(op, Source) and op.kind != "constant":
                return self._held(op, "inf", f". {then}")
            if not isinstance(op, Op) or op.number in seen:
                continue
            seen.add(op.number)
            bad = [y for y in op.inputs if self._kind(y)]
            stack += bad
            if _makes_inf(op, bad):
                found.append(op)
        if not found:
            return None
        first = min(found, key=lambda op: op.number)
        return NonFinite(first, "forward", "inf", f"{self._made_inf(first)}. {then}")

    def _made_inf(self, op: Op) -> str:
        of = "elements" if any(map(self._kind, op.inputs)) else "inputs"
        return f"{place(op)}: produced inf from finite {of}: {_ranges(self.tape, op)}"

    def _kind(self, x: Input) -> str:
        if x.source is None:
            return _kind_of_number(x.value)
        at = self._at(x)
        return "" if at is None else self.bad[at]

    def _at(self, x: Input) -> _Value | None:
        """Return which value of an input was non-finite: the one it had, or the one written to its memory since."""
        places = ((number, i) for number, i in ((x.source, x.index), (x.written, 0)) if number is not None)
        return next((at for at in places if at in self.bad), None)

    def _from_outside(self, reader: Op, wanted: str) -> NonFinite | None:
        """Return the source with a NaN, or the parameter with an infinity, that an operation reads, if there is one."""
        for x in reader.inputs:
            source = self.tape.find(x.source)
            if (
                isinstance(source, Source)
                and self._kind(x) == wanted
                and (wanted == "NaN" or source.kind != "constant")
            ):
                return self._held(source, wanted)
        return None

    def _held(self, source: Source, kind: str, then: str = "") -> NonFinite:
        """Return a source as the origin of what it held."""
        reader = next(op for op in self.tape if any(x.source == source.number for x in op.inputs))
        called = source.name or f"a {source.kind} of shape {source.shape}"
        message = f"{called}: held {kind} before any operation; {place(reader)} read it first{then}"
        return NonFinite(source, "forward", kind, message)  # type: ignore[arg-type]


def _first_in_backward(tape: Tape) -> NonFinite | None:
    """Return what was first non-finite in the first backward pass with such a gradient."""
    passes: dict[int, list[Op]] = {}
    for op in reversed(tape.ops):
        if op.passed and op.recorded:
            passes.setdefault(op.passed, []).append(op)
    return next(filter(None, (_in_pass(tape, passes[number]) for number in sorted(passes))), None)


def _in_pass(tape: Tape, ops: list[Op]) -> NonFinite | None:
    """Return the first operation of a pass that turned a finite gradient non-finite, or else was given one."""
    for op in ops:
        if any(_kind_of(stats) for stats in op.gradients or ()):
            continue
        for x in op.inputs:
            if x.got in ("NaN", "inf"):
                grads = [stats for stats in op.gradients or () if stats is not None]
                gave = ", ".join(f"from {g.minimum:.4g} to {g.maximum:.4g}" for g in grads)
                message = (
                    f"backward: {place(op)}: the gradient of its input {x.name} {x.shape} is the first one with "
                    f"{x.got}; the gradient of its result was {gave or 'finite'}, its inputs {_ranges(tape, op)}"
                )
                return NonFinite(op, "backward", x.got, message, x.name)  # type: ignore[arg-type]
    for op in ops:
        kind = next(filter(None, map(_kind_of, op.gradients or ())), "")
        if kind:
            message = f"backward: {place(op)}: the gradient that the pass started with held {kind}"
            return NonFinite(op, "backward", kind, message)  # type: ignore[arg-type]
    return None


def _kind_of(stats: Stats | None) -> str:
    return "" if stats is None else "NaN" if stats.nans else "inf" if stats.infs else ""


def _kind_of_number(value: Any) -> str:
    return nonfinite_kind(value).removeprefix("-") if isinstance(value, (float, complex)) else ""


def _makes_inf(op: Op, bad: Sequence[Input]) -> bool:
    """Whether an operation made an infinity. One of its `bad` inputs or settings, as of a mask, passes through."""
    return op.overflowed or not (bad or any(map(_kind_of_number, op.settings.values())))


def _ranges(tape: Tape, op: Op) -> str:
    return ", ".join(filter(None, (_range(tape, x) for x in op.inputs)))


def _range(tape: Tape, x: Input) -> str:
    """Describe an input: "x (128, 10) from -0.3 to 2.1"."""
    if x.source is None:
        return f"{x.name} {x.value!r}" if x.value is not None else ""
    found, index = (tape.find(x.source), x.index) if x.written is None else (tape.find(x.written), 0)
    stats: Stats | None = None
    if isinstance(found, Source):
        stats = found.stats or (None if found.array is None else stats_of(found.array))
    elif isinstance(found, Op):
        stats = found.stats[index] if found.stats else None
        if stats is None and found.values:
            stats = stats_of(found.values[index])
    if stats is not None and stats.size and not stats.finite:
        return f"{x.name} {x.shape} with nothing finite"
    return describe_range(
        x.name, x.shape or (), None if stats is None or not stats.size else (stats.minimum, stats.maximum)
    )
