"""What is held for backward: by whom, how much at the worst, and what checkpoints would save."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..module_tree import ModuleCall, ModuleTree
from ..repeats import ops_in
from ..tape import Op, Tape, differentiable, total
from ..text import size, title
from .tables import count, flops, module_of

_WIDTHS = {  # in bytes, of dtypes that haven't 4
    "bool": 1, "uint8": 1, "int8": 1, "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "float64": 8,
    "complex64": 8, "int64": 8, "uint64": 8, "complex128": 16,
}  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """Modules whose calls would be computed again in backward, each for itself, and what that changes."""

    paths: tuple[str, ...]
    peak: int  # bytes
    again: int  # additions and multiplications that are computed once more

    def __str__(self) -> str:
        shown = ", ".join(self.paths[:6]) + (f" and {len(self.paths) - 6} more" if len(self.paths) > 6 else "")
        return f"{shown}: peak {size(self.peak)}, {count(self.again)} flops more"

    __repr__ = __str__


@dataclass(frozen=True)
class Memory:
    """What a tape's operations hold for backward, in bytes, without what parameters and leaves hold anyway.

    `peak` is of what is held and the gradients under way together, when one backward pass goes through all of it, and
    `at` the operation whose derivatives are computed then. `checkpoints` are the best first.
    """

    held: int
    peak: int
    at: Op | None
    by_op: dict[str, int]
    by_module: dict[str, int]
    checkpoints: tuple[Checkpoint, ...]
    largest: tuple[Op, ...]

    def __str__(self) -> str:
        where = f" in {self.at.path}" if self.at is not None and self.at.path else ""
        at = f", at the derivative of {title(self.at)}{where}" if self.at is not None else ""
        lines = [f"{size(self.held)} held for backward; {size(self.peak)} at most, with gradients{at}"]
        for op in self.largest[:5]:
            names = ", ".join(kept.name for kept in op.kept if kept.leaf is None)
            where = f" in {op.path}" if op.path else ""
            lines.append(f"  {size(op.bytes)}: {title(op)}{where} keeps {names}")
        groups = sorted(self.by_module.items(), key=lambda item: -item[1])[:5]
        if groups:
            lines.append(f"by module: {', '.join(f'{name} {size(n)}' for name, n in groups)}")
        if self.checkpoints:
            lines.append("a checkpoint around each of")
            lines += [f"  {x}" for x in self.checkpoints[:5]]
        return "\n".join(lines)

    __repr__ = __str__


def memory(tape: Tape) -> Memory:
    """What is held for backward: see `Tape.memory`."""
    by_op: dict[str, list[Op]] = defaultdict(list)
    by_module: dict[str, list[Op]] = defaultdict(list)
    for op in tape:
        by_op[op.name].append(op)
        by_module[module_of(op)].append(op)
    simulation = _BackwardSimulation(tape)
    peak, at = simulation.peak({})
    largest = sorted((op for op in tape if op.bytes), key=lambda op: -op.bytes)[:20]
    return Memory(
        total(tape.ops),
        peak,
        at,
        _totals(by_op),
        _totals(by_module),
        tuple(_advice(tape, simulation, peak)),
        tuple(largest),
    )


def _totals(groups: dict[str, list[Op]]) -> dict[str, int]:
    return {name: n for name, ops in groups.items() if (n := total(ops))}


class _LiveMemory:
    """Memories that operations hold, each as long as one of them does, and their bytes."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self.sizes, self.bytes = sizes, 0
        self.holders: Counter[int] = Counter()

    def add(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.bytes += 0 if self.holders[number] else self.sizes[number]
            self.holders[number] += 1

    def drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.holders[number] -= 1
            self.bytes -= 0 if self.holders[number] else self.sizes[number]


class _BackwardSimulation:
    """A backward pass in thought: what it holds at each operation."""

    def __init__(self, tape: Tape) -> None:
        self.ops = tape.ops
        self.places = {op.number: i for i, op in enumerate(tape.ops)}
        self.sizes: dict[int, int] = {}  # of each memory
        self.kept: list[set[int]] = []  # which memories each operation keeps
        for op in tape.ops:
            found = {kept.memory: kept.bytes for kept in op.kept if kept.leaf is None}
            for number, n in found.items():
                self.sizes[number] = max(n, self.sizes.get(number, 0))
            self.kept.append(set(found))
        self.gradients = [_gradient(op) for op in tape.ops]
        self.last = self._last()

    def _last(self) -> list[int]:
        """For each operation the place of the last one that reads its result: there its gradient begins to be held."""
        last = list(range(len(self.ops)))
        for i, op in enumerate(self.ops):
            for x in op.inputs:
                place = self.places.get(x.source) if x.source is not None and x.wanted else None
                if place is not None and op.recorded:
                    last[place] = i
        return last

    def peak(self, segments: dict[int, int]) -> tuple[int, Op | None]:
        """Bytes at the worst, and where; `segments`: the place of each operation that a checkpoint computes again.

        A segment of several operations holds nothing but its inputs until backward comes to it.
        """
        begins: dict[int, set[int]] = defaultdict(set)  # by a gradient's start, which results have it
        for i, at in enumerate(self.last):
            if self.gradients[i]:
                begins[at].add(i)
        held = _LiveMemory(self.sizes)
        members: dict[int, list[int]] = defaultdict(list)
        for i, segment in segments.items():
            members[segment].append(i)
        entered = self._entering(segments)
        for i in range(len(self.ops)):
            held.add(self.kept[i] if i not in segments else entered.get(i, ()))
        gradients, best = 0, held.bytes
        where: Op | None = None
        opened: set[int] = set()
        for i in reversed(range(len(self.ops))):
            around = segments.get(i)
            if around is not None and around not in opened:
                opened.add(around)
                for j in members[around]:
                    held.add(self.kept[j])
            gradients += sum(self.gradients[j] for j in begins[i])
            if held.bytes + gradients > best:
                best, where = held.bytes + gradients, self.ops[i]
            gradients -= self.gradients[i]
            held.drop(self.kept[i])
            held.drop(entered.get(i, ()))
        return best, where

    def _entering(self, segments: dict[int, int]) -> dict[int, list[int]]:
        """For each operation in a segment the memories that a checkpoint holds for it: what comes in from outside."""
        entering: dict[int, list[int]] = {}
        made: dict[tuple[int, int], int] = {}  # by operation and result, a memory of its own where none is known
        for i in segments:
            numbers = []
            for x in self.ops[i].inputs:
                place = self.places.get(x.source) if x.source is not None else None
                if place is None or segments.get(place) == segments[i] or not x.shape:
                    continue
                n = math.prod(x.shape) * _WIDTHS.get(x.dtype or "", 4)
                key = self.ops[place].number, x.index
                held = [k for k in self.kept[i] if self.sizes[k] == n]
                number = held[0] if held else made.setdefault(key, -1 - len(made))
                self.sizes[number] = n
                numbers.append(number)
            entering[i] = numbers
        return entering


def _gradient(op: Op) -> int:
    """Bytes of the gradients of an operation's results, of those that have one."""
    results = zip(op.shapes, op.dtypes, strict=True) if op.recorded else ()
    return sum(math.prod(shape) * _WIDTHS.get(dtype, 4) for shape, dtype in results if differentiable(dtype))


def _advice(tape: Tape, simulation: _BackwardSimulation, peak: int) -> list[Checkpoint]:
    """Checkpoints that lower the peak, the best first: around a module's calls, or around each part of a module."""
    calls = ModuleTree(tape).calls
    groups: dict[tuple[str, ...], list[ModuleCall]] = {}
    for call in calls:
        alone = len(call.members) == 1 and isinstance(
            call.members[0], ModuleCall
        )  # its one part is the same checkpoint
        if not call.parts[-1].endswith(")") and not alone:
            groups.setdefault((call.path,), []).append(call)
    parts: dict[str, list[ModuleCall]] = defaultdict(list)
    for (path,), around in groups.items():
        if sum(len(_places(call, simulation)) for call in around) > 1:
            parts[path.rpartition(".")[0]] += around
    for inside in parts.values():
        groups.setdefault(tuple(dict.fromkeys(call.path for call in inside)), inside)
    tried = sorted(groups.items(), key=lambda item: -sum(len(_places(call, simulation)) for call in item[1]))
    found: list[Checkpoint] = []
    for paths, around in tried[: max(5, min(100, 2_000_000 // (len(tape) + 1)))]:  # each walks through all of the tape
        segments: dict[int, int] = {}
        for n, call in enumerate(around):
            segments |= dict.fromkeys(_places(call, simulation), n)
        lower, _ = simulation.peak(segments)
        if lower < peak:
            found.append(Checkpoint(paths, lower, flops([tape.ops[i] for i in segments])))
    return sorted(found, key=lambda x: (x.peak, x.again))


def _places(call: ModuleCall, simulation: _BackwardSimulation) -> list[int]:
    return [simulation.places[op.number] for op in ops_in([call])]
