"""Where the path of a gradient ends: why something gets none."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import ArgumentError
from ..tape import Input, Op, Source, Tape, differentiable
from ..text import place

Reason = Literal[
    "flows", "detached", "no_grad", "integer", "comparison", "taken off", "left", "unused", "frozen", "flat", "nothing",
    "zeros", "unknown",
]  # fmt: skip

# Functions whose derivative is 0 wherever there is one.
FLAT = frozenset(("Sign", "Round", "Floor", "Ceil", "Trunc", "Heaviside", "FloorDiv", "TruncDiv"))


@dataclass(frozen=True)
class Cut:
    """Why a gradient doesn't arrive: the operation where its path ends, and that in words.

    `reason` is "flows" where nothing cuts it. `op` is a Source where no operation did it, None where nothing is known.
    `others` are further operations that cut the path elsewhere.
    """

    reason: Reason
    op: Op | Source | None
    message: str
    others: tuple[Op, ...] = ()

    def __bool__(self) -> bool:
        return self.reason != "flows"

    def __str__(self) -> str:
        return self.message

    __repr__ = __str__


def no_gradient(called: str, reason: Reason, op: Op | Source | None, why: str, others: tuple[Op, ...] = ()) -> Cut:
    """The answer for something, as it is called, that gets none."""
    return Cut(reason, op, f"{called} gets no gradient: {why}", others)


def why_no_grad(tape: Tape, of: str | int | Op | Source, loss: int | Op | None = None) -> Cut:
    """Where the path from `of` to the loss is cut: see `Tape.why_no_grad`."""
    starts = _starts(tape, of)
    called = _called(starts[0]) if starts else str(of)
    end = tape.find(loss) if isinstance(loss, int) else loss or _last(tape)
    if loss is not None and not isinstance(end, Op):
        raise ArgumentError(f"why_no_grad: loss must be an operation on the tape or its number, got {loss!r}")
    if not starts or not isinstance(end, Op):
        return no_gradient(called, "unused", None, "no operation on the tape reads it")
    first = starts[0]
    frozen = isinstance(first, Source) and first.kind == "constant"
    return _PathSearch(tape, starts, end, called, frozen).verdict()


class _PathSearch:
    """From some values to the loss, along what gradients can flow through."""

    def __init__(self, tape: Tape, starts: list[Op | Source], end: Op, called: str, frozen: bool) -> None:
        self.tape, self.starts, self.end, self.called, self.frozen = tape, starts, end, called, frozen
        self.readers: dict[int, list[tuple[Op, Input]]] = defaultdict(list)
        for op in tape:
            for x in op.inputs:
                for number in {x.source, x.written} - {None}:
                    self.readers[number].append((op, x))  # type: ignore[index]
        self.leaves = {source.made_by: source for source in tape.sources if source.made_by is not None}
        self.leading = self._leading()
        self.cuts: dict[int, tuple[Op, Reason, Op | Source]] = {}  # what cuts, how, and what it read or what read it
        self.ends: list[Op] = []  # operations whose results nothing reads

    def verdict(self) -> Cut:
        reached = self._reached(flat=False, follow_all=self.frozen)
        if self.frozen:
            op = next((op for op, _ in self.readers[self.starts[0].number]), None)
            where = f". It was read first by {place(op)}" if op is not None else ""
            return no_gradient(self.called, "frozen", self.starts[0], f"it doesn't require grad{where}")
        if self.end.number in reached:
            return self._weak()
        found = sorted((c for c in self.cuts.values() if self._leads(c[0])), key=lambda c: c[0].number)
        if found:
            op, reason, beside = found[0]
            why = f"its path to the loss ends at {place(op)}: {_told(reason, beside)}"
            others = tuple(c[0] for c in found[1:])
            if others:
                why += f". It ends at {', '.join(map(place, others[:5]))} as well"
            return no_gradient(self.called, reason, op, why, others)
        return self._lost()

    def _weak(self) -> Cut:
        """The path is there; what flows on it may still be nothing."""
        if self.end.number not in self._reached(flat=True):
            op = min((c[0] for c in self.cuts.values() if c[1] == "flat"), key=lambda op: op.number)
            told = f"{self.called} gets a gradient of zeros only: the derivative of {place(op)} is 0 everywhere"
            return Cut("flat", op, told)
        given = self._given()
        if given is not None:
            return given
        return Cut(
            "flows", None, f"a gradient can flow to {self.called}; if there is none, no backward pass has come here, "
            "or its gradient was set to None since",
        )  # fmt: skip

    def _given(self) -> Cut | None:
        """Where a backward pass that was seen handed back nothing, or zeros, on every way to the start."""
        alive, nothing = {start.number for start in self.starts}, []
        for op in self.tape:
            ways = [x for x in op.inputs if {x.source, x.written} & alive and x.wanted and op.recorded]
            if not ways or not self._leads(op):
                continue
            if all(x.got in ("nothing", "zeros") for x in ways) and _gets_some(op):
                nothing.append((op, ways[0]))
            else:
                alive.add(op.number)
        if self.end.number in alive or not nothing:
            return None
        op, x = nothing[0]
        if x.got == "nothing":
            why = f"the derivative of {place(op)} gave None for its input {x.name}"
            return no_gradient(self.called, "nothing", op, why)
        message = (
            f"{self.called} gets a gradient of zeros only: the derivative of {place(op)} is 0 at its inputs' values"
        )
        return Cut("zeros", op, message)

    def _reached(self, flat: bool, follow_all: bool = False) -> set[int]:
        """What a gradient can flow back from; `cuts` and `ends` are noted on the way. `flat`: zeros are cuts."""
        reached: set[int] = set()
        stack: list[Op | Source] = list(self.starts)
        while stack:
            value = stack.pop()
            if value.number in reached:
                continue
            reached.add(value.number)
            readers = self.readers[value.number]
            if isinstance(value, Op) and value.number in self.leaves:
                self.cuts.setdefault(value.number, (value, "taken off", self.leaves[value.number]))
            elif isinstance(value, Op) and not readers and value is not self.end:
                self.ends.append(value)
            for op, x in readers:
                reason = None if follow_all else self._cut(op, x, flat)
                if reason is None:
                    stack.append(op)
                else:
                    if reason == "taken off" and isinstance(value, Op):
                        self.cuts.setdefault(value.number, (value, reason, op))
                        continue
                    op = self._named_op(op)
                    self.cuts.setdefault(op.number, (op, reason, value))
        return reached

    def _cut(self, op: Op, x: Input, flat: bool) -> Reason | None:
        if not x.wanted:
            return "taken off"
        if op.recorded:
            gone = op.name in FLAT or (op.name == "SetItem" and x is op.inputs[0] and _whole(op))
            return "flat" if flat and gone else None
        if x is op.inputs[0] and any(reader.wanted for _, reader in self.readers[op.number]):
            return None  # a write under no_grad, into a Tensor that goes on requiring grad
        if op.name == "Detach":
            return "integer" if self._named_op(op) is not op else "detached"
        if op.dtypes and not differentiable(op.dtypes[0]):
            return "comparison" if op.dtypes[0] == "bool" else "integer"
        return "no_grad"

    def _named_op(self, op: Op) -> Op:
        """The cast to integers that a detach is a part of, or the detach itself."""
        readers = self.readers[op.number]
        if op.name == "Detach" and len(readers) == 1 and op is not self.end:
            reader = readers[0][0]
            if (
                reader.name == "Cast"
                and reader.line == op.line
                and reader.dtypes[0].startswith(("int", "uint", "bool"))
            ):
                return reader
        return op

    def _leading(self) -> set[int]:
        """All from which values lead to the loss, with or without a gradient."""
        leading: set[int] = set()
        stack = [self.end.number]
        while stack:
            number = stack.pop()
            if number not in leading:
                leading.add(number)
                found = self.tape.find(number)
                if isinstance(found, Op):
                    stack += [n for x in found.inputs for n in (x.source, x.written) if n is not None]
                elif found is not None and found.made_by is not None:
                    stack.append(found.made_by)
        return leading

    def _leads(self, op: Op) -> bool:
        return op.number in self.leading

    def _lost(self) -> Cut:
        """No values lead from the start to the loss: they left the tape, or were never used."""
        if not any(self.readers[start.number] for start in self.starts):
            return no_gradient(self.called, "unused", self.starts[0], "no operation on the tape reads it")
        ends = self.ends + [op for op, _, _ in self.cuts.values() if not self.readers[op.number]]
        ends += [op for op, _, _ in self.cuts.values() if op not in ends]
        if not ends:
            return no_gradient(self.called, "unknown", None, "nothing on the tape leads from it to the loss")
        unknown = self._appearing_after(min(op.number for op in ends))
        before = [op for op in ends if any(self._read_at(source) > op.number for source in unknown)]
        last = max(before or ends, key=lambda op: op.number)
        _, reason, beside = self.cuts.get(last.number, (last, None, last))
        number = any(math.prod(shape) == 1 for shape in last.shapes)
        after = [x for x in unknown if self._read_at(x) > last.number and (number or x.shape in last.shapes)]
        # Indices and masks are settings, which the tape doesn't follow.
        if reason in ("integer", "comparison") or (reason == "detached" and not after):
            return no_gradient(self.called, reason, last, f"its path ends at {place(last)}: {_told(reason, beside)}")
        why = f"nothing that reads the result of {place(last)} leads to the loss"
        if not after:
            return no_gradient(self.called, "unused", last, why)
        back = min(after, key=lambda source: source.shape not in last.shapes)
        reader = self.readers[back.number][0][0]
        why += (
            ". If it was taken off as a number, an array or indices (item(), tolist(), numpy(), torch.tensor(...), "
            f"argsort(), ...), it may have come back as {_called(back)}, of unknown origin, in {place(reader)}"
        )
        return no_gradient(self.called, "left", last, why)

    def _appearing_after(self, number: int) -> list[Source]:
        """Sources on the way to the loss whose values may come from an operation, or from one after it."""
        on_the_way = [x for x in self.tape.sources if x.number in self.leading and x.shape is not None]
        return [x for x in on_the_way if not 0 <= x.number < number]

    def _read_at(self, source: Source) -> int:
        return min((op.number for op, _ in self.readers[source.number]), default=-1)


def _last(tape: Tape) -> Op | None:
    """Where the last backward pass started, or the last operation."""
    passed = next((op for op in reversed(tape.ops) if op.passes), None)
    return passed or (tape.ops[-1] if tape.ops else None)


def _starts(tape: Tape, of: Any) -> list[Op | Source]:
    if isinstance(of, (Op, Source)):
        return [of]
    if isinstance(of, int):
        found = tape.find(of)
        return [] if found is None else [found]
    return [source for source in tape.sources if source.name == of]


def _gets_some(op: Op) -> bool:
    """Whether the gradient of an operation's result was more than zeros, as far as is known."""
    return op.gradients is None or any(g is not None and (g.zeros < 1 or g.nans or g.infs) for g in op.gradients)


def _whole(op: Op) -> bool:
    """Whether a write in place leaves nothing of what was there."""
    index = op.settings.get("index")
    return index in (None, "...", ("...",)) or (isinstance(index, tuple) and all(i in (":", "...") for i in index))


def _called(x: Op | Source) -> str:
    if isinstance(x, Op):
        return f"the result of {place(x)}"
    return x.name or f"the {x.kind} of shape {x.shape}"


def _told(reason: Reason, beside: Op | Source) -> str:
    words = {
        "detached": "its result is detached, by detach() or .data",
        "no_grad": "it ran where gradients are off (no_grad, inference_mode, or set_grad_enabled(False))",
        "integer": "its result is integers, and these have no derivative",
        "comparison": "its result is true or false, and that has no derivative",
    }
    if reason == "taken off":
        if isinstance(beside, Source):
            return "its result was made a leaf, by detach_() and requires_grad_()"
        return f"its result was taken off the graph in place, by detach_() or so, before {place(beside)} read it"
    return words[reason]
