"""A drawing as plain data: boxes, frames around them, and edges. DOT and Mermaid are written from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise, zip_longest
from typing import Any

from .. import text
from ..module_tree import Member, ModuleCall, ModuleTree
from ..repeats import Read, StructureIds, last_name, ops_in, reads, sources_in, split_run, where_different
from ..tape import Input, Op, Result, Source, Tape

MAX_HIDDEN = 24  # operations of a module that `leaves` keeps closed
MAX_ALIKE = 4  # arguments of an operation that are drawn each although they read the same box
_RESIDUAL_JOINS = {"Add", "Cat"}  # operations at which residual connections end


@dataclass(slots=True, eq=False)
class Box:
    """One box: an operation, a chain of operations, a closed module, a source, or a result."""

    name: str  # identifier in DOT and Mermaid: "op3"
    kind: str  # "op", "chain", "module", "part", "parameter", "buffer", "leaf", "constant", "result"
    title: str
    ops: list[Op] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    times: int = 1
    uses: int = 1  # of a source: how many operations read it


@dataclass(slots=True, eq=False)
class Frame:
    """A frame around boxes: an open module, or a sequence that is repeated."""

    name: str
    title: str
    items: list[Box | Frame] = field(default_factory=list)
    times: int = 1
    derivative: bool = False


@dataclass(slots=True, eq=False)
class Edge:
    """An edge between boxes, which stands for all edges that would look the same."""

    tail: Box
    head: Box
    argument: int | None  # position of the input, if the head is an operation
    what: Input | Result
    later: int  # how many repetitions later it ends, if it leads to a later one of something that is drawn once
    wrote: bool = False  # whether the tail didn't make the value, but wrote to its memory later
    dashed: bool = False  # whether no gradient flows along it
    joins: bool = False  # whether it may be a residual connection: its end adds or concatenates what is alike


@dataclass(frozen=True, slots=True)
class Options:
    """Which modules are opened, and what is merged into one box. See `Tape.draw`."""

    depth: int | None = None  # modules at this level are closed
    collapse: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()
    roll: bool = False  # draw what repeats once
    fold: bool = False  # merge chains of operations with one input into one box
    leaves: bool = False  # close modules that call no others
    parts: int = 0  # if not 0, the number of operations in each box

    def opens(self, call: ModuleCall) -> bool:
        if any(_leads_to(call.parts, pattern.split(".")) for pattern in self.expand):
            return True
        if any(fnmatchcase(call.path, pattern) for pattern in self.collapse):
            return False
        if self.depth is not None and len(call.parts) >= self.depth:
            return False
        return not self.leaves or len(call.members) > MAX_HIDDEN or any(isinstance(x, ModuleCall) for x in call.members)


def _leads_to(parts: tuple[str, ...], pattern: list[str]) -> bool:
    return len(parts) <= len(pattern) and all(map(fnmatchcase, parts, pattern))


class Sketch:
    """A tape as boxes, frames and edges."""

    def __init__(self, tape: Tape, options: Options, modules: ModuleTree) -> None:
        self.tape, self.options, self.modules = tape, options, modules
        self.structure = StructureIds()
        self.boxes: list[Box] = []
        self.at: dict[int, Box] = {}  # number of an Op or Source -> its box
        self.representative: dict[int, int] = {}  # number of an Op or Source -> that of the one drawn in its place
        # Number of an Op -> (run, repetition) for each run around it, from the outside in.
        self.repetitions: dict[int, tuple[tuple[int, int], ...]] = {}
        self.gathered: dict[int, dict[int, None]] = {}  # number of a Source -> those in its box, outside of any frame
        self.rolls: list[int] = []  # how many times each run that is drawn once occurs
        self.uses = Counter(x.origin for op in tape for x in op.inputs)
        self.direct_uses = Counter(x.source for op in tape for x in op.inputs)  # of written values, too
        self.read: dict[int | None, Counter[int]] = {}  # number of an Op -> how often each of its results is read
        for op in tape:
            for x in op.inputs:
                self.read.setdefault(x.origin, Counter())[x.index] += 1
        self.place = {op.number: i for i, op in enumerate(tape.ops)}
        self.place |= {source.number: i for i, source in enumerate(tape.sources)}
        self.module_count = 0  # modules drawn so far
        # Paths of the repeated modules that are being drawn, and their titles. The paths are cut off the names inside.
        self.repeated: dict[str, str] = {}
        self.items = self.split_evenly(options.parts) if options.parts else self.open_call(self.modules.root)
        self.results = self.result_boxes()

    def open_call(self, call: ModuleCall) -> list[Box | Frame]:
        """Draw what is in an open module."""
        items = self.sequence(call.members)
        return [*self.inputs(call.sources), *items]

    def result_boxes(self) -> list[Box]:
        """Return the boxes of results. Those of what is drawn once, such as the losses of a loop, are one box."""
        alike: dict[Any, Box] = {}
        for i, x in enumerate(self.tape.results):
            drawn = self.box(x.source) if self.options.parts else self.representative_of(x.source)
            alone = None if self.options.parts or x.source in self.repetitions else i
            box = Box(f"result{i}", "result", x.name or "result", times=0)
            box = alike.setdefault((drawn, x.index, x.name, x.shape, alone), box)
            box.results.append(x)
            box.times += 1
        return list(alike.values())

    def inputs(self, sources: Sequence[Source]) -> list[Box | Frame]:
        found: list[Box | Frame] = []
        for source in sources:
            if source.number in self.representative:
                continue
            buffer = source.kind == "constant" and "." in source.name
            box = Box(f"source{self.place[source.number]}", "buffer" if buffer else source.kind, "", sources=[source])
            several = [self.tape[number] for number in self.gathered.get(source.number, {source.number: None})]
            box.title, box.times = text.spread(text.called(x, self.short_path(x.name)) for x in several), len(several)
            box.uses = self.direct_uses[source.number]
            self.add(box)
            found.append(box)
        return found

    def sequence(self, members: Sequence[Member]) -> list[Box | Frame]:
        """Draw members in order; with `roll`, runs among them once."""
        if not self.options.roll or len(members) < 2:
            return self.singles(members)
        items: list[Box | Frame] = []
        alone: list[Member] = []
        for start, end, length, times in self.structure.runs_among(members):
            repetitions = [members[i : min(i + length, end)] for i in range(start, end, length)]
            if times == 1 or not _is_repetition(repetitions):
                alone += members[start:end]
                continue
            read = self.reads(repetitions)
            for first, after in split_run(read):
                alike = repetitions[first:after]
                whole = len(alike) - (len(alike[-1]) < length)
                if whole < (2 if length == 1 and isinstance(alike[0][0], ModuleCall) else 3):
                    alone += [member for each in alike for member in each]
                    continue
                items += self.singles(alone)
                alone = []
                items.append(self.repetition(alike, read[first:after]))
        return items + self.singles(alone)

    def reads(self, repetitions: Sequence[Sequence[Member]]) -> list[list[Read | None]]:
        """Return what each repetition of a run reads."""
        ops = [list(ops_in(each)) for each in repetitions]
        depth = len(self.repetitions.get(ops[0][0].number, ()))  # the number of runs around this one

        def source(number: int) -> Source | None:
            found = self.tape.find(number)
            return found if isinstance(found, Source) else None

        def outside(number: int, index: int) -> tuple[Any, int]:
            op: Any = self.tape.find(number)
            if len(runs := self.repetitions.get(number, ())) > depth:
                return (self.representative_of(number), index), runs[-1][1]
            return (number, index) if len(op.shapes) > 1 else (("like", self.structure.id_of(op)), 0)

        return reads(ops, source, self.uses, outside)

    def repetition(self, repetitions: list[Sequence[Member]], read: list[list[Read | None]]) -> Box | Frame:
        """Draw a run once, with its count."""
        self.rolls.append(len(repetitions))
        self.merge_repetitions(repetitions)
        self.merge_sources(read, {source.number for source in sources_in(repetitions[0])})
        (first, *others), run, around = repetitions[0], len(self.rolls), self.repeated
        last = next(each for each in reversed(repetitions) if len(each) == len(repetitions[0]))
        pairs = [where_different(a, b) for a, b in zip(repetitions[0], last, strict=True) if isinstance(a, ModuleCall)]
        titles = {a.path: f"{self.short_path(a.path)} … {last_name(a.parts, b.parts)}" for a, b in pairs if a is not b}
        self.repeated = around | titles
        inside = self.sequence(repetitions[0]) if others else self.singles([first])
        self.repeated = around
        (item, *more) = inside
        if more or (isinstance(item, Box) and item.kind != "op" and not isinstance(first, ModuleCall)):
            item = Frame(f"roll{run}", "", inside)
        item.times *= len(repetitions)
        return item

    def merge_repetitions(self, repetitions: list[Sequence[Member]]) -> None:
        """Make operations of the first repetition the representatives of those of later ones."""
        ops = [list(ops_in(each)) for each in repetitions]
        for k, mine in enumerate(ops):
            for a, b in zip(ops[0], mine, strict=False):  # the last repetition may be incomplete
                self.repetitions[b.number] = (*self.repetitions.get(b.number, ()), (len(self.rolls), k))
                if k:
                    self.representative[b.number] = a.number

    def merge_sources(self, read: list[list[Read | None]], inside: set[int]) -> None:
        """Draw sources that are read by one repetition each, such as the inputs of time steps, as one box."""
        others = {i for row in read for i, x in enumerate(row) if x is None or x.own is None}
        first: dict[int, int] = {}  # position of an input -> number of the first source
        for row in read:
            for i, x in enumerate(row):
                if i in others or x is None or not x.alone or x.own is None:
                    continue
                if (mine := first.setdefault(i, x.own)) != x.own:
                    self.representative[x.own] = mine
                    if mine not in inside:
                        self.gathered.setdefault(mine, {mine: None})[x.own] = None

    def singles(self, members: Sequence[Member]) -> list[Box | Frame]:
        """Draw members that don't repeat; with `fold`, chains among them as one box each."""
        if not self.options.fold:
            return [self.single(member) for member in members]
        items: list[Box | Frame] = []
        for chain in self.chains(members):
            items += [self.merged_box("chain", chain)] if len(chain) > 1 else map(self.single, chain)
        return items

    def single(self, member: Member) -> Box | Frame:
        if isinstance(member, ModuleCall):
            return self.call(member)
        return self.add(Box(f"op{self.place[member.number]}", "op", "", [member]))

    def call(self, call: ModuleCall) -> Box | Frame:
        """Draw a module call: a frame if it is opened, else one box."""
        name, self.module_count = self.module_count, self.module_count + 1
        if self.options.opens(call):
            items = self.open_call(call)
            (item, *more) = items
            if not more and item.title and item.times == 1 and getattr(item, "kind", "module") == "module":
                if item.title.endswith("()"):  # of a function that the module calls; others' paths say more
                    item.title = self.short_path(call.path)
                return item
            return Frame(f"cluster{name}", self.short_path(call.path), items, derivative=call.derivative)
        sources = [source for source in sources_in([call]) if source.number not in self.representative]
        return self.add(Box(f"module{name}", "module", self.short_path(call.path), list(ops_in([call])), sources))

    def split_evenly(self, size: int) -> list[Box | Frame]:
        """Draw everything as boxes of `size` operations each, with the sources that they read first."""
        items: list[Box | Frame] = []
        waiting = {source.number: source for source in self.tape.sources}
        for i in range(0, len(self.tape), size):
            box = self.merged_box("part", self.tape.ops[i : i + size])
            read = dict.fromkeys(x.origin for op in box.ops for x in op.inputs)
            box.sources = [waiting.pop(number) for number in read if number in waiting]
            self.at.update((source.number, box) for source in box.sources)
            items.append(box)
        return items

    def merged_box(self, kind: str, members: Sequence[Member]) -> Box:
        ops = list(ops_in(members))
        first, last = self.place[ops[0].number], self.place[ops[-1].number]
        sources = [source for source in sources_in(members) if source.number not in self.representative]
        return self.add(Box(f"{kind}{first}", kind, f"operations {first} … {last}", ops, sources))

    def chains(self, row: Sequence[Member]) -> list[list[Member]]:
        """Split members into chains, each of which is one box.

        A member continues a chain if it is the only reader of the member before, reads nothing else, and keeps the
        shape. Two operations are too short a chain, unless one is a module.
        """
        found: list[list[Member]] = []
        before: Op | None = None
        for member in row:
            op = self.only_op(member)
            read = [x for x in op.inputs if x.origin in self.modules.call_of] if op else []
            goes_on = (
                op is not None and before is not None and len(read) == 1 and read[0].origin == before.number
                and self.uses[before.number] == 1 and read[0].shape == op.shapes[0]
                and (op.derives is None) == (before.derives is None)
                and (isinstance(member, ModuleCall) or len([x for x in op.inputs if x.origin is not None]) == 1)
            )  # fmt: skip
            if goes_on:
                found[-1].append(member)
            else:
                found.append([member])
            before = op
        cut: list[list[Member]] = []
        for chain in found:
            whole = len(chain) > 2 or any(isinstance(member, ModuleCall) for member in chain)
            cut += [chain] if whole else [[member] for member in chain]
        return cut

    def only_op(self, member: Member) -> Op | None:
        """Return the member if it is an operation, or the only operation of a closed module; else None."""
        if isinstance(member, Op):
            return member
        if self.options.opens(member) or len(member.members) != 1:
            return None
        (inner,) = member.members
        return inner if isinstance(inner, Op) else None

    def short_path(self, path: str) -> str:
        """Return a path without the path of the repeated module around it, or that module's title."""
        around = max((x for x in self.repeated if f"{path}.".startswith(f"{x}.")), key=len, default="")
        return self.repeated[around] if path == around != "" else path.removeprefix(f"{around}.")

    def add(self, box: Box) -> Box:
        self.boxes.append(box)
        self.at |= {op.number: box for op in box.ops} | {source.number: box for source in box.sources}
        return box

    def box(self, number: int | None) -> Box | None:
        """Return the box in which an operation or a source is drawn."""
        return None if number is None else self.at.get(self.representative_of(number))

    def representative_of(self, number: int) -> int:
        """Return the number of the operation or source that is drawn in place of this one."""
        while number in self.representative:
            number = self.representative[number]
        return number

    def drawn_as(self, x: Op | Source) -> list[Any]:
        """Return an operation or a source with all those that are drawn as it."""
        return [x, *self.others.get(x.number, ())]

    def repetitions_of(self, box: Box) -> Iterator[Box]:
        """Iterate over boxes with what a box stands for: what it shows, and each later repetition of that."""
        shown: list[Op | Source] = [*box.ops, *box.sources]
        for entries in zip_longest(*map(self.drawn_as, shown)):
            ops, sources = [x for x in entries if isinstance(x, Op)], [x for x in entries if isinstance(x, Source)]
            yield Box(box.name, box.kind, box.title, ops, sources)

    def variables(self, ops: Sequence[Op]) -> list[str]:
        """Return lines with the names, values and gradients of the Tensors in `params` that operations computed."""
        numbers = {op.number for op in ops}
        if not (found := [x for x in self.tape.variables if x.number in numbers]):
            return []
        ways = (lambda x: x.name), text.value, text.gradient
        return [text.spread(words) for way in ways if (words := list(filter(None, map(way, found))))]

    @cached_property
    def others(self) -> dict[int, list[Op | Source]]:
        """The operations and sources that aren't drawn, by the number of the one drawn in their place, in order."""
        found: dict[int, list[Op | Source]] = {}
        for number in sorted(self.representative, key=self.place.__getitem__):
            found.setdefault(self.representative_of(number), []).append(self.tape[number])
        return found

    def edge_label(self, edge: Edge, times: int = 1) -> str:
        """Return the label of an edge: which of several results it is, its shape, and how many edges it stands for."""
        x, often = edge.what, f" ×{times}" if times > 1 else ""
        if edge.later:
            return f"{edge.later} times later" if edge.later > 1 else ""
        if edge.wrote:
            return f"has written{often}"
        places = (f"[{i}]" for i in self.indices.get(edge, (x.index,)))
        which = f"{text.spread(places)} " if len(self.read.get(x.origin, ())) > 1 or x.index else ""
        return which + text.shape_of(x.shape, x.dtype) + often + self.when(edge)

    def when(self, edge: Edge) -> str:
        """Return which repetitions an edge comes from, unless it is the last one, or each in its turn."""
        ends = list(self.ends.get(edge, ()))
        if len({k for _, k, _ in ends}) == 1:
            run, k, _ = ends[0]
            often = f" ×{len(ends)}" if len(ends) > 1 else ""
            return f"{often} of time {k + 1}" if often or k + 1 < self.rolls[run - 1] else ""
        places = [(k, head) for _, k, head in ends if head is not None]
        return " in reverse" if any(k < before for (before, _), (k, _) in pairwise(places)) else ""

    def end(self, tail: int, head: int | None) -> tuple[int, int, int | None] | None:
        """Return the run, and the repetition in it, that an edge leaves, and the repetition of another that it enters.

        None if it leaves no run.
        """
        mine = self.repetitions.get(head, ()) if head is not None else ()
        for level, (run, k) in enumerate(self.repetitions.get(tail, ())):
            if mine[level : level + 1] != ((run, k),):
                return run, k, mine[level][1] if level < len(mine) else None
        return None

    def edges(self) -> Counter[Edge]:
        """Return the edges, with the number of edges that each stands for."""
        found: Counter[Edge] = Counter()
        alike: dict[Any, Edge] = {}
        counted: set[Any] = set()
        self.ends: dict[Edge, dict[tuple[int, int, int | None], None]] = {}
        self.indices: dict[Edge, dict[int, None]] = {}  # of the results that repetitions read in turn
        reads = ((op, i, n) for op in self.tape for i, x in enumerate(op.inputs) for n in (x.source, x.written))
        for op, i, number in reads:
            if number is None or (edge := self.edge(op, i, number)) is None:
                continue
            edge, joins = alike.setdefault(self.edge_key(edge, number, op.number), edge), edge.joins
            edge.joins |= joins
            self.indices.setdefault(edge, {})[op.inputs[i].index] = None
            _, counts = self.crosses(number, op.number)
            use = edge, number, op.inputs[i].index, self.repetitions.get(op.number)
            inside = number in self.representative and number not in self.modules.call_of  # in the frame of the run
            inside = inside and self.representative_of(number) not in self.gathered
            found[edge] += edge not in found or (counts and not inside and use not in counted)
            counted.add(use)
            if number in self.repetitions and (end := self.end(number, op.number)) is not None:
                self.ends.setdefault(edge, {})[end] = None
        for source in self.tape.sources:  # leaves that the program made of results, as by requires_grad_()
            tail, head = self.box(source.made_by), self.box(source.number)
            if source.made_by is not None and tail is not None and head is not None and tail is not head:
                made = Result(source.made_by, 0, "", source.shape or (), source.dtype or "")
                found[alike.setdefault((tail, head), Edge(tail, head, None, made, 0, dashed=True))] = head.times
        for box in self.results:
            if (tail := self.box(box.results[0].source)) is not None:
                found[edge := Edge(tail, box, None, box.results[0], 0)] += box.times
                ends = [self.end(x.source, None) for x in box.results]
                self.ends[edge] = {end: None for end in ends if end is not None}
        return found

    def edge(self, op: Op, i: int, number: int) -> Edge | None:
        """Make the edge to input i of an operation from what made it, or wrote to it. None if both are in one box."""
        tail, head = self.box(number), self.box(op.number)
        later, _ = self.crosses(number, op.number)
        if tail is None or head is None or (tail is head and not later):  # a step reads what the step before made
            return None
        argument, x = (0 if self.reads_in_turn(op) else i) if head.kind == "op" else None, op.inputs[i]
        wrote = number == x.written
        alike = op.shapes[0] != () and all(y.shape == op.shapes[0] for y in op.inputs)  # losses are added up otherwise
        joins = op.name in _RESIDUAL_JOINS and op.derives is None and (op.name == "Cat" or alike)
        joins = joins and self.read[x.origin][x.index] > 1
        return Edge(tail, head, argument, x, later, wrote, wrote or not (x.wanted and op.recorded), joins)

    def reads_in_turn(self, op: Op) -> bool:
        """Whether an operation, such as Stack, reads each repetition of something that is drawn once, and nothing else.

        Its arguments are drawn as one.
        """
        made = {(self.representative_of(x.origin), x.index, x.shape) for x in op.inputs if x.origin is not None}
        return len(op.inputs) > MAX_ALIKE and len(made) == 1 and op.inputs[1].origin in self.representative

    def edge_key(self, edge: Edge, number: int, head: int) -> tuple[Any, ...]:
        """Return a key that is equal for edges to be merged. It tells sources in one box apart, but not operations."""
        source = None if number in self.modules.call_of else self.representative_of(number)
        inside = len(self.repetitions.get(head, ())) > len(self.repetitions.get(number, ()))  # of a run, the tail not
        x, index = edge.what, edge.what.index if len(edge.tail.ops) == 1 and not inside else 0
        looks = edge.argument, edge.later, edge.wrote, edge.dashed
        return edge.tail, edge.head, looks, source, x.shape, x.dtype, index

    def crosses(self, tail: int, head: int) -> tuple[int, bool]:
        """Return how many repetitions later an edge ends, and whether it adds to the count on its label."""
        mine, other = self.repetitions.get(head, ()), self.repetitions.get(tail, ())
        shared = 0
        for (roll, k), (same, j) in zip(mine, other, strict=False):
            if roll != same:
                break
            if k != j:
                return k - j, k == 1
            shared += 1
            if k:
                return 0, False
        return 0, not other[shared:] or not mine[shared:]

    def residual_edges(self, edges: Counter[Edge]) -> set[Edge]:
        """Return the residual connections: edges parallel to a longer path between the same boxes."""
        into: dict[Box, dict[Box, Edge]] = {}  # a box -> its predecessors, and the edges from them
        for edge in edges:
            passes = not (edge.later or edge.wrote) and edge.what.origin in self.modules.call_of
            if edge.tail.ops and edge.head.ops and passes:
                into.setdefault(edge.head, {})[edge.tail] = edge
        ends = [before for before in into.values() if len(before) > 1 and any(edge.joins for edge in before.values())]
        return {before[tail] for before in ends for tail in _shortcuts(before, into) if before[tail].joins}


def _shortcuts(boxes: Mapping[Box, Any], into: Mapping[Box, Mapping[Box, Any]]) -> set[Box]:
    """Return those of some boxes from which a path leads to another of them, within the nearest 2,000 boxes."""
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


def _is_repetition(repetitions: Sequence[Sequence[Member]]) -> bool:
    """Whether a run is worth drawing once: it has modules, or each repetition reads the result of the one before."""
    if any(isinstance(member, ModuleCall) for member in repetitions[0]):
        return True
    before = {member.number for member in repetitions[0] if isinstance(member, Op)}
    second = repetitions[min(1, len(repetitions) - 1)]
    return any(x.origin in before for member in second for x in getattr(member, "inputs", ()))
