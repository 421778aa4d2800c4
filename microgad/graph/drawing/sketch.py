"""What a drawing shows: boxes, frames around them and edges, as plain data. DOT and Mermaid are written from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from ..module_tree import ModuleCall, ModuleTree
from ..repeats import StructureIds, find_runs, ops_in, sources_in
from ..tape import Input, Op, Result, Source, Tape
from ..text import shape_of

MAX_BOXES = 60  # boxes that fit on a page
MAX_DEPTH = 60  # levels of modules, of which the innermost has all that is below
MANY = 24  # operations that a module may have for its insides to be left out
BUSY = 4  # uses of a parameter; the lines of more would hide the rest
MAX_HEIGHT = 22  # inches that can still be read when they are made to fit a page
_RESIDUAL_JOINS = {"Add", "Sub", "Cat", "Stack"}  # where a way past other boxes comes back


@dataclass(slots=True, eq=False)
class Box:
    """One box: an operation, a row of them, a module that isn't opened, where values come in, or a result."""

    name: str  # in the drawing's source: "op3"
    kind: str  # "op", "chain", "module", "part", "parameter", "buffer", "leaf", "constant", "result"
    title: str
    ops: list[Op] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    result: Result | None = None
    times: int = 1
    uses: int = 1  # of a parameter: by how many operations


@dataclass(slots=True, eq=False)
class Frame:
    """What stands around boxes: an opened module, or what is done several times in a row."""

    name: str
    title: str
    level: int
    items: list[Box | Frame] = field(default_factory=list)
    times: int = 1


@dataclass(slots=True, eq=False)
class Edge:
    """From box to box; edges alike are one. `argument` is the place of the input where the head shows its inputs."""

    tail: Box
    head: Box
    argument: int | None
    what: Input | Result
    to_next: bool  # to the next time of something that is drawn once
    wrote: bool = False  # not the values themselves, but what has been written to their memory since

    @property
    def dashed(self) -> bool:
        """Whether nothing is learned by it: it comes from a constant, or says but that something was written."""
        return self.wrote or self.tail.kind in ("constant", "buffer")


@dataclass(frozen=True, slots=True)
class Options:
    """Which modules are opened, and what is drawn as one."""

    depth: int | None = None  # modules at this level aren't opened
    collapse: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()
    roll: bool = False  # what repeats is drawn once
    fold: bool = False  # rows of operations of one input are one box
    leaves: bool = False  # modules that call none aren't opened
    parts: int = 0  # operations that are one box, whatever they are

    def opens(self, call: ModuleCall) -> bool:
        """Whether what is in a call is shown."""
        if self.expand and any(_leads_to(call.parts, pattern.split(".")) for pattern in self.expand):
            return True
        if any(fnmatchcase(call.path, pattern) for pattern in self.collapse):
            return False
        if self.depth is not None and len(call.parts) >= self.depth:
            return False
        return (
            not self.leaves
            or len(call.members) > MANY
            or any(isinstance(member, ModuleCall) for member in call.members)
        )


def _leads_to(parts: tuple[str, ...], pattern: list[str]) -> bool:
    return len(parts) <= len(pattern) and all(map(fnmatchcase, parts, pattern))


class Sketch:
    """A tape as boxes, frames and edges."""

    def __init__(self, tape: Tape, options: Options, modules: ModuleTree) -> None:
        self.tape, self.options, self.modules = tape, options, modules
        self.structure = StructureIds()
        self.boxes: list[Box] = []
        self.at: dict[int, Box] = {}  # number of an Op or Source -> its box
        self.representative: dict[int, int] = {}  # of what is drawn once -> the number that it is drawn as
        self.repetitions: dict[
            int, tuple[tuple[int, int], ...]
        ] = {}  # number of an Op -> (which repetition, which time)
        self.rolls = 0
        self.uses = Counter(x.origin for op in tape for x in op.inputs)
        self.read: dict[int | None, set[int]] = {}  # which results of an operation are used
        for op in tape:
            for x in op.inputs:
                self.read.setdefault(x.origin, set()).add(x.index)
        self.place = {op.number: i for i, op in enumerate(tape.ops)}
        self.place |= {source.number: i for i, source in enumerate(tape.sources)}
        self.module_count = 0  # modules
        self.prefix = ""  # the path of the module that repeats around what is drawn: names go on from there
        self.items = self.split_evenly(options.parts) if options.parts else self.open_call(self.modules.root)
        self.results = [Box(f"result{i}", "result", x.name or "result", result=x) for i, x in enumerate(tape.results)]

    # Boxes

    def open_call(self, call: ModuleCall) -> list[Box | Frame]:
        """What is shown of an opened call."""
        items = self.sequence(call.members, len(call.parts))
        return [*self.inputs(call.sources), *items]

    def inputs(self, sources: Sequence[Source]) -> list[Box | Frame]:
        found: list[Box | Frame] = []
        for source in sources:
            if source.number in self.representative:
                continue
            buffer = source.kind == "constant" and "." in source.name
            box = Box(f"source{self.place[source.number]}", "buffer" if buffer else source.kind, "", sources=[source])
            box.title, box.uses = self.short_path(source.name) or source.kind, self.uses[source.number]
            self.add(box)
            found.append(box)
        return found

    def sequence(self, members: Sequence[Op | ModuleCall], level: int) -> list[Box | Frame]:
        """What is shown of members in a row."""
        if not self.options.roll or len(members) < 2:
            return self.singles(members, level)
        items: list[Box | Frame] = []
        numbers = [self.structure.id_of(member) for member in members]
        alone: list[Op | ModuleCall] = []
        for start, length, times, rest in find_runs(numbers, [isinstance(member, ModuleCall) for member in members]):
            end = start + length * times + rest
            repetitions = [members[i : min(i + length, end)] for i in range(start, end, length)]
            if times == 1 or not _is_repetition(repetitions):
                alone += members[start:end]
                continue
            items += self.singles(alone, level)
            alone = []
            items.append(self.repetition(repetitions, level))
        return items + self.singles(alone, level)

    def repetition(self, repetitions: list[Sequence[Op | ModuleCall]], level: int) -> Box | Frame:
        """What is done several times in a row, drawn once."""
        self.rolls += 1
        self.merge_repetitions(repetitions)
        (first, *others), last = repetitions[0], repetitions[-1][0]
        around = self.prefix
        if isinstance(first, ModuleCall) and not others and first is not last:
            self.prefix = f"{first.path}."
        inside = self.sequence(repetitions[0], level) if others else self.singles([first], level)
        self.prefix = around
        (item, *more) = inside
        if more or (isinstance(item, Box) and item.kind != "op" and not isinstance(first, ModuleCall)):
            item = Frame(f"roll{self.rolls}", "", level + 1, inside)
        elif isinstance(first, ModuleCall) and isinstance(last, ModuleCall) and first.path != last.path:
            item.title = f"{self.short_path(first.path)} … {_last_name(first.parts, last.parts)}"
        item.times *= len(repetitions)
        return item

    def merge_repetitions(self, repetitions: list[Sequence[Op | ModuleCall]]) -> None:
        """Have what later times do, and what comes in there, stand where the first time's stands."""
        ops, homes = (
            [list(ops_in(repetition)) for repetition in repetitions],
            [list(sources_in(repetition)) for repetition in repetitions],
        )
        for k, (mine, at_home) in enumerate(zip(ops, homes, strict=True)):
            for a, b in zip(ops[0], mine, strict=False):  # the last time may be cut short
                self.repetitions[b.number] = (*self.repetitions.get(b.number, ()), (self.rolls, k))
                if k:
                    self.representative[b.number] = a.number
                    self.merge_inputs(a, b)
            if k:
                self.representative.update(
                    (b.number, a.number) for a, b in zip(homes[0], at_home, strict=False) if a is not b
                )

    def merge_inputs(self, a: Op, b: Op) -> None:
        """What comes in anew each time is one box too: the step's own input."""
        for x, y in zip(a.inputs, b.inputs, strict=False):
            mine, other = self.tape.find(x.origin), self.tape.find(y.origin)
            if mine is not other and isinstance(mine, Source) and isinstance(other, Source):
                alike = (mine.kind, mine.shape) == (other.kind, other.shape)
                if alike and self.uses[other.number] == 1 and mine.number not in self.representative:
                    self.representative[other.number] = mine.number

    def singles(self, members: Sequence[Op | ModuleCall], level: int) -> list[Box | Frame]:
        """What is shown of members that don't repeat."""
        if not self.options.fold:
            return [self.single(member) for member in members]
        items: list[Box | Frame] = []
        for chain in self.chains(members):
            items += [self.merged_box("chain", chain)] if len(chain) > 1 else map(self.single, chain)
        return items

    def single(self, member: Op | ModuleCall) -> Box | Frame:
        """What is shown of one member."""
        if isinstance(member, ModuleCall):
            return self.call(member)
        return self.add(Box(f"op{self.place[member.number]}", "op", "", [member]))

    def call(self, call: ModuleCall) -> Box | Frame:
        """A module: a frame where it is opened, else one box."""
        name, self.module_count = self.module_count, self.module_count + 1
        if self.options.opens(call):
            items = self.open_call(call)
            if len(items) == 1 and isinstance(items[0], Box) and items[0].kind == "module" and items[0].times == 1:
                items[0].title = self.short_path(call.path)
                return items[0]
            return Frame(f"cluster{name}", self.short_path(call.path), len(call.parts), items)
        sources = [source for source in sources_in([call]) if source.number not in self.representative]
        return self.add(Box(f"module{name}", "module", self.short_path(call.path), list(ops_in([call])), sources))

    def split_evenly(self, size: int) -> list[Box | Frame]:
        """Everything in boxes of as many operations, each with what comes in there first."""
        items: list[Box | Frame] = []
        waiting = {source.number: source for source in self.tape.sources}
        for i in range(0, len(self.tape), size):
            box = self.merged_box("part", self.tape.ops[i : i + size])
            read = dict.fromkeys(x.origin for op in box.ops for x in op.inputs)
            box.sources = [waiting.pop(number) for number in read if number in waiting]
            self.at.update((source.number, box) for source in box.sources)
            items.append(box)
        return items

    def merged_box(self, kind: str, members: Sequence[Op | ModuleCall]) -> Box:
        """A box of operations in a row, some of them in modules of their own."""
        ops = list(ops_in(members))
        first, last = self.place[ops[0].number], self.place[ops[-1].number]
        sources = [source for source in sources_in(members) if source.number not in self.representative]
        return self.add(Box(f"{kind}{first}", kind, f"operations {first} … {last}", ops, sources))

    def chains(self, row: Sequence[Op | ModuleCall]) -> list[list[Op | ModuleCall]]:
        """The row in parts that are a box each: what but changes the values of the one before goes with that.

        A part is of one operation, of three or more, or of two of which one is a module's.
        """
        found: list[list[Op | ModuleCall]] = []
        before: Op | None = None
        for member in row:
            op = self.only_op(member)
            read = [x for x in op.inputs if x.origin is not None and x.origin in self.modules.call_of] if op else []
            goes_on = (
                op is not None and before is not None and len(read) == 1 and read[0].origin == before.number
                and self.uses[before.number] == 1 and read[0].shape == op.shapes[0]
                and (isinstance(member, ModuleCall) or len([x for x in op.inputs if x.origin is not None]) == 1)
            )  # fmt: skip
            if goes_on:
                found[-1].append(member)
            else:
                found.append([member])
            before = op
        cut: list[list[Op | ModuleCall]] = []
        for chain in found:
            whole = len(chain) > 2 or any(isinstance(member, ModuleCall) for member in chain)
            cut += [chain] if whole else [[member] for member in chain]
        return cut

    def only_op(self, member: Op | ModuleCall) -> Op | None:
        """The operation that a member is all of: itself, or the only one of a module that isn't opened."""
        if isinstance(member, Op):
            return member
        if self.options.opens(member) or len(member.members) != 1:
            return None
        (inner,) = member.members
        return inner if isinstance(inner, Op) else None

    def short_path(self, path: str) -> str:
        """A path, from the module that repeats around it on."""
        return path.removeprefix(self.prefix)

    def add(self, box: Box) -> Box:
        self.boxes.append(box)
        self.at |= {op.number: box for op in box.ops} | {source.number: box for source in box.sources}
        return box

    def box(self, number: int | None) -> Box | None:
        """The box that an operation or a source is drawn in."""
        return None if number is None else self.at.get(self.representative_of(number))

    def representative_of(self, number: int) -> int:
        """The number of what stands for an operation or a source."""
        while number in self.representative:
            number = self.representative[number]
        return number

    # Edges

    def edge_label(self, edge: Edge, times: int = 1) -> str:
        """What an edge says: the shape, which one it is of several results, and for how many it stands."""
        x, often = edge.what, f" ×{times}" if times > 1 else ""
        if edge.wrote:
            return f"has written{often}"
        which = f"[{x.index}] " if len(self.read.get(x.origin, ())) > 1 or x.index else ""
        return which + shape_of(x.shape, x.dtype) + often

    def edges(self) -> Counter[Edge]:
        """The edges, and how many each of them stands for."""
        found: Counter[Edge] = Counter()
        alike: dict[Any, Edge] = {}
        counted: set[Any] = set()
        for op in self.tape:
            for i, x in enumerate(op.inputs):
                for number in (x.source, x.written):
                    if number is None or (edge := self.edge(op, i, number)) is None:
                        continue
                    edge = alike.setdefault(self.edge_key(edge, number), edge)
                    _, counts = self.crosses(number, op.number)
                    use = edge, number, x.index, self.repetitions.get(op.number)
                    found[edge] += edge not in found or (counts and use not in counted)
                    counted.add(use)
        for box in self.results:
            assert box.result is not None
            tail = self.box(box.result.source)
            if tail is not None:
                found[Edge(tail, box, None, box.result, False)] += 1
        return found

    def edge(self, op: Op, i: int, number: int) -> Edge | None:
        """From the box of what made, or wrote to, the input i of an operation; None where nothing is to be drawn."""
        tail, head = self.box(number), self.box(op.number)
        again, _ = self.crosses(number, op.number)
        reads_itself = again and head is not None and head.kind == "op"  # a step, what it gave the time before
        if tail is None or head is None or (tail is head and not reads_itself):
            return None
        argument, x = i if head.kind == "op" else None, op.inputs[i]
        return Edge(tail, head, argument, x, again, number == x.written)

    def edge_key(self, edge: Edge, number: int) -> tuple[Any, ...]:
        """By what edges are alike: operations of one box are, sources of one box are told apart."""
        source = None if number in self.modules.call_of else self.representative_of(number)
        x, index = edge.what, edge.what.index if len(edge.tail.ops) == 1 else 0
        return edge.tail, edge.head, edge.argument, source, x.shape, x.dtype, index, edge.to_next, edge.wrote

    def crosses(self, tail: int, head: int) -> tuple[bool, bool]:
        """Whether an edge goes to a later time of a repetition, and whether it counts for one of its own."""
        mine, other = self.repetitions.get(head, ()), self.repetitions.get(tail, ())
        shared = 0
        for (roll, k), (same, j) in zip(mine, other, strict=False):
            if roll != same:
                break
            if k != j:
                return True, k == 1
            shared += 1
            if k:
                return False, False
        return False, tail not in self.representative or not mine[shared:]

    def height(self) -> float:
        """About how many inches the boxes are that come one after the other."""
        levels: dict[Box, float] = {}
        for op in self.tape:
            head = self.box(op.number)
            tails = (self.box(x.origin) for x in op.inputs if not self.crosses(x.origin or 0, op.number)[0])
            before = max((levels.get(tail, 1.0) for tail in tails if tail is not None and tail is not head), default=0)
            if head is not None:
                levels[head] = max(levels.get(head, 0.0), before + 0.8 + 0.1 * min(len(head.ops), 6))
        return max(levels.values(), default=0.0)

    def residual_edges(self, edges: Counter[Edge]) -> set[Edge]:
        """The edges that go past other boxes to where both ways meet: residual connections."""
        into: dict[Box, dict[Box, Edge]] = {}  # a box -> those before it
        for edge in edges:
            if edge.tail.ops and edge.head.ops and not edge.to_next and edge.what.origin in self.modules.call_of:
                into.setdefault(edge.head, {})[edge.tail] = edge
        return {
            before[tail]
            for head, before in into.items()
            if len(before) > 1 and (head.kind in ("module", "part") or head.ops[0].name in _RESIDUAL_JOINS)
            for tail in _shortcuts(before, into)
        }


def _shortcuts(boxes: Mapping[Box, Any], into: Mapping[Box, Mapping[Box, Any]]) -> set[Box]:
    """Those of some boxes from which a way leads to others of them, looked for in the nearest 2,000."""
    found: set[Box] = set()
    stack, reached = list(boxes), set(boxes)
    while stack and len(reached) < 2000:
        for tail in into.get(stack.pop(), ()):
            if tail in boxes:
                found.add(tail)
            if tail not in reached:
                reached.add(tail)
                stack.append(tail)
    return found


def _is_repetition(repetitions: Sequence[Sequence[Op | ModuleCall]]) -> bool:
    """Whether modules repeat, or operations each time read what they gave the time before."""
    if any(isinstance(member, ModuleCall) for member in repetitions[0]):
        return True
    before = {member.number for member in repetitions[0] if isinstance(member, Op)}
    return any(
        x.origin in before
        for member in repetitions[-1 if len(repetitions) == 1 else 1]
        for x in getattr(member, "inputs", ())
    )


def _last_name(first: tuple[str, ...], last: tuple[str, ...]) -> str:
    """The last of several modules, by the part of its path that differs: "blocks.0 … 11"."""
    return last[-1] if first[:-1] == last[:-1] else ".".join(last)


def make_sketch(tape: Tape, options: Options, limit: int | None, free: Sequence[str]) -> Sketch:
    """A sketch of at most `limit` boxes, if the options that are `free` can do that: "roll", "fold" and "depth".

    Opened as far as the limit allows; what repeats is drawn once only where it has to be, or where parameters are read
    so often that their lines would hide the rest.
    """
    modules = ModuleTree(tape, MAX_DEPTH)
    too_many = free and limit is not None and len(tape) > limit and options == Options(expand=options.expand)
    if not too_many:
        sketch = Sketch(tape, options, modules)
        if limit is None or not free:
            return sketch
        if len(sketch.boxes) <= limit and sketch.height() <= MAX_HEIGHT:
            busy = any(box.kind == "parameter" and box.uses > BUSY for box in sketch.boxes)
            rolled = Sketch(tape, replace(options, roll=True), modules) if busy and "roll" in free else sketch
            return rolled if rolled.rolls else sketch
    assert limit is not None
    return _reduce(tape, options, limit, free, modules)


def _reduce(tape: Tape, options: Options, limit: int, free: Sequence[str], modules: ModuleTree) -> Sketch:
    """Rolled and folded, and with modules closed from the deepest on, until it fits; else in parts of its size."""
    options = replace(options, roll=options.roll or "roll" in free, fold=options.fold or "fold" in free)
    tries = [options]
    if "depth" in free:
        deepest = max((len(call.parts) for call in modules.calls), default=0)
        tries = [replace(options, leaves=True)]
        tries += [replace(options, leaves=True, depth=depth) for depth in range(deepest - 1, 0, -1)]
    for chosen in tries:
        sketch = Sketch(tape, chosen, modules)
        if len(sketch.boxes) <= limit and (sketch.height() <= MAX_HEIGHT or chosen is tries[-1]):
            return sketch
    if "depth" not in free or options.collapse or options.expand:
        return sketch
    return Sketch(tape, replace(options, parts=max(2, -(-len(tape) // max(1, limit // 2)))), modules)
