"""Find where the path of a gradient ends: why a Tensor gets none."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import ArgumentError
from ...errors.own_arguments import checked
from ..tape import Input, Op, Source, Tape, differentiable
from ..text import place

Reason = Literal[
    "flows", "detached", "no_grad", "integer", "comparison", "taken off", "left", "unused", "frozen", "flat", "nothing",
    "zeros", "unknown",
]  # fmt: skip

# Functions whose derivative is 0 wherever it is defined.
FLAT = frozenset(("Sign", "Round", "Floor", "Ceil", "Trunc", "Heaviside", "FloorDiv", "FloorDivide", "TruncDiv"))


@dataclass(frozen=True)
class Cut:
    """Why a gradient doesn't arrive: the reason, the operation where its path ends, and a message.

    `reason` is "flows", and the Cut is false, if nothing cuts the path. `op` may be a Source, or None if the cause
    isn't known. `others` are further operations that cut the path.
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


def no_gradient(name: str, reason: Reason, op: Op | Source | None, why: str, others: tuple[Op, ...] = ()) -> Cut:
    """Return the Cut of a value, called `name` in the message, that gets no gradient."""
    return Cut(reason, op, f"{name} gets no gradient: {why}", others)


@checked
def why_no_grad(tape: Tape, of: str | int | Op | Source, loss: int | Op | None = None) -> Cut:
    """Return where the path from `of` to the loss is cut: see `Tape.why_no_grad`."""
    starts = _starts(tape, of)
    if not starts and of not in tape.names:
        known = dict.fromkeys([*tape.names, *(source.name for source in tape.sources if source.name)])
        raise ArgumentError(
            f"why_no_grad: nothing on the tape is named or numbered {of!r}. Names are given by record(params=...): "
            f"{', '.join(known) or 'there are none'}"
        )
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
    """A search from some values to the loss, along the operations that gradients can flow through."""

    def __init__(self, tape: Tape, starts: list[Op | Source], end: Op, called: str, frozen: bool) -> None:
        self.tape, self.starts, self.end, self.called, self.frozen = tape, starts, end, called, frozen
        self.readers: dict[int, list[tuple[Op, Input]]] = defaultdict(list)
        for op in tape:
            for x in op.inputs:
                for number in {x.source, x.written} - {None}:
                    self.readers[number].append((op, x))  # type: ignore[index]
        self.leaves = {source.made_by: source for source in tape.sources if source.made_by is not None}
        self.before_loss = self._before_loss()
        # Number of an operation that cuts the path -> it, the reason, and a neighbor on the path.
        self.cuts: dict[int, tuple[Op, Reason, Op | Source]] = {}
        self.ends: list[Op] = []  # operations whose results no operation reads

    def verdict(self) -> Cut:
        reached = self._reached(flat=False, follow_all=self.frozen)
        if self.frozen:
            op = next((op for op, _ in self.readers[self.starts[0].number]), None)
            where = f". It was read first by {place(op)}" if op is not None else ""
            return no_gradient(self.called, "frozen", self.starts[0], f"it doesn't require grad{where}")
        if self.end.number in reached:
            return self._zero_or_none()
        found = sorted((c for c in self.cuts.values() if self._leads(c[0])), key=lambda c: c[0].number)
        if found:
            op, reason, neighbor = found[0]
            why = f"its path to the loss ends at {place(op)}: {_explanation(reason, neighbor)}"
            others = tuple(c[0] for c in found[1:])
            if others:
                why += f". It ends at {', '.join(map(place, others[:5]))} as well"
            return no_gradient(self.called, reason, op, why, others)
        return self._no_path()

    def _zero_or_none(self) -> Cut:
        """Return the Cut if a path exists: the gradient that flows along it may still be 0 or None."""
        if self.end.number not in self._reached(flat=True):
            op = min((c[0] for c in self.cuts.values() if c[1] == "flat"), key=lambda op: op.number)
            message = f"{self.called} gets a gradient of zeros only: the derivative of {place(op)} is 0 everywhere"
            return Cut("flat", op, message)
        if (observed := self._observed()) is not None:
            return observed
        read = [pair for start in self.starts for pair in self.readers[start.number]]
        if any(op.passes and x.wanted and x.got != "nothing" for op, x in read):
            return Cut("flows", None, f"{self.called} gets a gradient: the recorded backward pass gave it one")
        message = f"nothing cuts the path from {self.called} to the loss, but no backward pass along it was recorded"
        return Cut("flows", None, message)

    def _observed(self) -> Cut | None:
        """Return where the recorded backward passes gave None or zeros on every path to the start, if they did."""
        alive, nothing = {start.number for start in self.starts}, []
        for op in self.tape:
            paths = [x for x in op.inputs if {x.source, x.written} & alive and x.wanted and op.recorded]
            if not paths or not self._leads(op):
                continue
            if all(x.got in ("nothing", "zeros") for x in paths) and _has_nonzero_gradient(op):
                nothing.append((op, paths[0]))
            else:
                alive.add(op.number)
        if self.end.number in alive or not nothing:
            return None
        op, x = nothing[0]
        if x.got == "nothing":
            why = f"the derivative of {place(op)} gave None for its input {x.name}"
            return no_gradient(self.called, "nothing", op, why)
        why = f"the derivative of {place(op)} is 0 at its inputs' values"
        return Cut("zeros", op, f"{self.called} gets a gradient of zeros only: {why}")

    def _reached(self, flat: bool, follow_all: bool = False) -> set[int]:
        """Return the numbers of everything from which gradients can flow to the start, and fill `cuts` and `ends`.

        With `flat`, derivatives that are 0 everywhere count as cuts. With `follow_all`, nothing does.
        """
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
                elif reason == "taken off" and isinstance(value, Op):
                    self.cuts.setdefault(value.number, (value, reason, op))
                else:
                    named = self._named_op(op)
                    self.cuts.setdefault(named.number, (named, reason, value))
        return reached

    def _cut(self, op: Op, x: Input, flat: bool) -> Reason | None:
        """Return why an operation passes no gradient to its input x, or None if it does."""
        if not x.wanted:
            return "taken off"
        if op.recorded:
            zero = op.name in FLAT or (op.name == "SetItem" and x is op.inputs[0] and _overwrites_all(op))
            return "flat" if flat and zero and not op.own else None
        if x is op.inputs[0] and any(reader.wanted for _, reader in self.readers[op.number]):
            return None  # a write under no_grad into a Tensor that still requires grad afterwards
        if op.name == "Detach":
            return "integer" if self._named_op(op) is not op else "detached"
        if op.dtypes and not differentiable(op.dtypes[0]):
            return "comparison" if op.dtypes[0] == "bool" else "integer"
        return "no_grad"

    def _named_op(self, op: Op) -> Op:
        """Return the operation to name in the message: the cast to integers that a detach is part of, else `op`."""
        readers = self.readers[op.number]
        if op.name == "Detach" and len(readers) == 1 and op is not self.end:
            reader = readers[0][0]
            to_integers = reader.name == "Cast" and reader.dtypes[0].startswith(("int", "uint", "bool"))
            if to_integers and reader.line == op.line:
                return reader
        return op

    def _before_loss(self) -> set[int]:
        """Return the numbers of all that the loss was computed from, with or without a gradient."""
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
        return op.number in self.before_loss

    def _no_path(self) -> Cut:
        """Return the Cut if no values lead from the start to the loss: they left the tape, or were never used."""
        if not any(self.readers[start.number] for start in self.starts):
            return no_gradient(self.called, "unused", self.starts[0], "no operation on the tape reads it")
        ends = self.ends + [op for op, _, _ in self.cuts.values() if not self.readers[op.number]]
        ends += [op for op, _, _ in self.cuts.values() if op not in ends]
        if not ends:
            return no_gradient(self.called, "unknown", None, "nothing on the tape leads from it to the loss")
        unknown = self._appearing_after(min(op.number for op in ends))
        before = [op for op in ends if any(self._read_at(source) > op.number for source in unknown)]
        last = max(before or ends, key=lambda op: op.number)
        _, reason, neighbor = self.cuts.get(last.number, (last, None, last))
        scalar = any(math.prod(shape) == 1 for shape in last.shapes)
        after = [x for x in unknown if self._read_at(x) > last.number and (scalar or x.shape in last.shapes)]
        # These may have become indices or masks, which are settings, whose origin isn't recorded.
        if reason in ("integer", "comparison") or (reason == "detached" and not after):
            why = f"its path ends at {place(last)}: {_explanation(reason, neighbor)}"
            return no_gradient(self.called, reason, last, why)
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
        """Return the sources before the loss whose values may have been made after the operation with this number."""
        on_the_way = [x for x in self.tape.sources if x.number in self.before_loss and x.shape is not None]
        return [x for x in on_the_way if not 0 <= x.number < number]

    def _read_at(self, source: Source) -> int:
        return min((op.number for op, _ in self.readers[source.number]), default=-1)


def _last(tape: Tape) -> Op | None:
    """Return the last operation that a backward pass went through, or else the last operation."""
    passed = next((op for op in reversed(tape.ops) if op.passes), None)
    return passed or (tape.ops[-1] if tape.ops else None)


def _starts(tape: Tape, of: Any) -> list[Op | Source]:
    if isinstance(of, (Op, Source)):
        return [of]
    if isinstance(of, int):
        found = tape.find(of)
        return [] if found is None else [found]
    return [source for source in tape.sources if source.name == of]


def _has_nonzero_gradient(op: Op) -> bool:
    """Whether the gradient of an operation's result isn't all zeros; true if there are no statistics."""
    return op.gradients is None or any(g is not None and (g.zeros < 1 or g.nans or g.infs) for g in op.gradients)


def _overwrites_all(op: Op) -> bool:
    index = op.settings.get("index")
    return index in (None, "...", ("...",)) or (isinstance(index, tuple) and all(i in (":", "...") for i in index))


def _called(x: Op | Source) -> str:
    if isinstance(x, Op):
        return f"the result of {place(x)}"
    return x.name or f"the {x.kind} of shape {x.shape}"


def _explanation(reason: Reason, neighbor: Op | Source) -> str:
    words = {
        "detached": "its result is detached, by detach() or .data",
        "no_grad": "it ran where gradients are off (no_grad, inference_mode, or set_grad_enabled(False))",
        "integer": "its result is integers, and these have no derivative",
        "comparison": "its result is true or false, and that has no derivative",
    }
    if reason == "taken off":
        if isinstance(neighbor, Source):
            return "its result was made a leaf, by detach_() and requires_grad_()"
        return f"its result was taken off the graph in place, by detach_() or so, before {place(neighbor)} read it"
    return words[reason]
