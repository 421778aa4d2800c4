"""Report the memory held for backward: by which operations, its peak, and what checkpoints would save."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ... import dtypes
from ...errors.own_arguments import checked
from ..module_tree import ModuleCall, ModuleTree
from ..repeats import ops_in
from ..tape import Op, Tape, differentiable, total
from ..text import size, title, with_unit
from .tables import flops, module_of

_ITEM_SIZES = {kind.name: kind.itemsize for kind in dtypes._ALL}


@dataclass(frozen=True)
class Checkpoint:
    """A suggestion to wrap each call of some modules in a checkpoint, which computes them again in backward."""

    paths: tuple[str, ...]
    peak: int  # peak memory in bytes with these checkpoints
    extra_flops: int  # additions and multiplications that are computed a second time

    def __str__(self) -> str:
        shown = ", ".join(self.paths[:6]) + (f" and {len(self.paths) - 6} more" if len(self.paths) > 6 else "")
        return f"{shown}: at most {size(self.peak)}, {with_unit(self.extra_flops)} flops more"

    __repr__ = __str__


@dataclass(frozen=True)
class Memory:
    """The bytes that a tape's operations hold for backward, without the memory of parameters and leaves.

    `peak` is the largest sum of held memory and intermediate gradients during one backward pass through the tape, and
    `at` the operation whose derivatives are computed at that time. The best of `checkpoints` come first.
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
            lines.append("with a checkpoint around each call of")
            lines += [f"  {x}" for x in self.checkpoints[:5]]
        return "\n".join(lines)

    __repr__ = __str__


@checked
def memory(tape: Tape) -> Memory:
    """Report the memory held for backward: see `Tape.memory`.

    >>> x = torch.ones(3, requires_grad=True)
    >>> torch.graph.memory(torch.graph.read((x.exp().sum(),))).held
    12
    """
    by_op: dict[str, list[Op]] = defaultdict(list)
    by_module: dict[str, list[Op]] = defaultdict(list)
    for op in tape:
        by_op[op.name].append(op)
        by_module[module_of(op)].append(op)
    simulation = _BackwardSimulation(tape)
    peak, at = simulation.peak({})
    largest = sorted((op for op in tape if op.bytes), key=lambda op: -op.bytes)[:20]
    checkpoints = tuple(_suggest_checkpoints(tape, simulation, peak))
    return Memory(total(tape.ops), peak, at, _totals(by_op), _totals(by_module), checkpoints, tuple(largest))


def _totals(groups: dict[str, list[Op]]) -> dict[str, int]:
    return {name: n for name, ops in groups.items() if (n := total(ops))}


class _LiveMemory:
    """Counts the bytes of memories by reference counting: a memory counts as long as an operation holds it."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self.sizes, self.bytes = sizes, 0
        self.holders: Counter[int] = Counter()  # number of a memory -> how many operations hold it

    def add(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.bytes += 0 if self.holders[number] else self.sizes[number]
            self.holders[number] += 1

    def drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.holders[number] -= 1
            self.bytes -= 0 if self.holders[number] else self.sizes[number]


class _BackwardSimulation:
    """Simulates a backward pass through a tape, to know what memory is held at each operation."""

    def __init__(self, tape: Tape) -> None:
        self.ops = tape.ops
        self.places: dict[int | None, int] = {op.number: i for i, op in enumerate(tape.ops)}
        self.sizes: dict[int, int] = {}  # number of a memory -> its bytes
        self.kept: list[set[int]] = []  # for each operation the memories that it keeps
        self.values: dict[tuple[int | None, int], int] = {}  # (operation, result) -> the memory of that, if it is kept
        for op in tape.ops:
            found = {kept.memory: kept.bytes for kept in op.kept if kept.leaf is None}
            self.sizes |= found
            self.kept.append(set(found))
            inputs = {kept.name: kept.memory for kept in op.kept if kept.role == "input" and kept.leaf is None}
            self.values |= {(x.source, x.index): inputs[x.name] for x in op.inputs if x.name in inputs}
        self.gradients = [_gradient_bytes(op) for op in tape.ops]
        self.last_reader = self._last_readers()

    def _last_readers(self) -> list[int]:
        """Return, for each operation, the last one that reads its result: there its gradient begins to be held."""
        last = list(range(len(self.ops)))
        for i, op in enumerate(self.ops):
            for x in op.inputs:
                place = self.places.get(x.source)
                if place is not None and x.wanted and op.recorded:
                    last[place] = i
        return last

    def peak(self, segments: dict[int, int]) -> tuple[int, Op | None]:
        """Return the largest number of bytes held, and at which operation.

        `segments` maps the position of an operation to the number of the checkpoint around it. A checkpoint holds only
        its inputs until backward reaches it.
        """
        begins: dict[int, set[int]] = defaultdict(set)  # position -> operations whose gradients begin to be held there
        for i, at in enumerate(self.last_reader):
            if self.gradients[i]:
                begins[at].add(i)
        held = _LiveMemory(self.sizes)
        members: dict[int, list[int]] = defaultdict(list)
        for i, segment in segments.items():
            members[segment].append(i)
        entered = self._checkpoint_inputs(segments)
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

    def _checkpoint_inputs(self, segments: dict[int, int]) -> dict[int, list[int]]:
        """Return, for each operation in a checkpoint, the memories of its inputs that come from outside of it."""
        entering: dict[int, list[int]] = {}
        values = dict(self.values)  # and negative numbers for memories that nothing else keeps
        for i in segments:
            numbers = []
            for x in self.ops[i].inputs:
                place = self.places.get(x.source)
                if place is None or segments.get(place) == segments[i] or not x.shape:
                    continue
                number = values.setdefault((x.source, x.index), -1 - len(values))
                if number < 0:
                    self.sizes[number] = math.prod(x.shape) * _ITEM_SIZES.get(x.dtype or "", 4)
                numbers.append(number)
            entering[i] = numbers
        return entering


def _gradient_bytes(op: Op) -> int:
    results = zip(op.shapes, op.dtypes, strict=True) if op.recorded else ()
    return sum(math.prod(shape) * _ITEM_SIZES.get(dtype, 4) for shape, dtype in results if differentiable(dtype))


def _suggest_checkpoints(tape: Tape, simulation: _BackwardSimulation, peak: int) -> list[Checkpoint]:
    """Return checkpoints that lower the peak, the best first.

    Tried are checkpoints around each call of one module, and around all submodules of one module.
    """
    calls = ModuleTree(tape).calls
    groups: dict[tuple[str, ...], list[ModuleCall]] = {}
    for call in calls:
        alone = len(call.members) == 1 and isinstance(call.members[0], ModuleCall)  # its submodule is tried instead
        if not (call.parts[-1].endswith(")") or call.derivative or alone):
            groups.setdefault((call.path,), []).append(call)
    parts: dict[str, list[ModuleCall]] = defaultdict(list)
    for (path,), around in groups.items():
        if sum(len(_places(call, simulation)) for call in around) > 1:
            parts[path.rpartition(".")[0]] += around
    for inside in parts.values():
        groups.setdefault(tuple(dict.fromkeys(call.path for call in inside)), inside)
    tried = sorted(groups.items(), key=lambda item: -sum(len(_places(call, simulation)) for call in item[1]))
    found: list[Checkpoint] = []
    for paths, around in tried[: max(5, min(100, 2_000_000 // (len(tape) + 1)))]:  # each simulates the whole tape
        segments: dict[int, int] = {}
        for n, call in enumerate(around):
            segments |= dict.fromkeys(_places(call, simulation), n)
        lower, _ = simulation.peak(segments)
        if lower < peak:
            found.append(Checkpoint(paths, lower, flops([tape.ops[i] for i in segments])))
    return sorted(found, key=lambda x: (x.peak, x.extra_flops))


def _places(call: ModuleCall, simulation: _BackwardSimulation) -> list[int]:
    return [simulation.places[op.number] for op in ops_in([call])]
