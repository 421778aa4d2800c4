"""The proof that a tape holds all of what happened: replayed, forward and backward, it gives the same bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from .. import engine, state
from ..function import Function
from ..tensor import Tensor
from .recording import digest
from .replaying import Replaying
from .tape import Op, Seed, Tape


@dataclass(frozen=True)
class Verification:
    """True where all was the same. `wrong` has the operations that weren't, each with what differed."""

    ops: int
    gradients: int
    wrong: tuple[tuple[Op, str], ...]

    def __bool__(self) -> bool:
        return not self.wrong

    def __repr__(self) -> str:
        if not self.wrong:
            return f"<verified: {self.ops:,} operations and {self.gradients:,} gradients are the same, bit for bit>"
        op, what = self.wrong[0]
        return f"<{len(self.wrong)} differ, first {what} of {op.name}{f' ({op.path})' if op.path else ''}>"


def verify(tape: Tape) -> Verification:
    """Replay a tape recorded with `replay=True`, and compare each result and gradient bit for bit."""
    replaying = _Compared(tape)
    replaying.run({}, {})
    gradients = replaying.gradients
    return Verification(len(tape), sum(gradients.times.values()), tuple(replaying.wrong + gradients.wrong))


class _Compared(Replaying):
    """A replay that compares as it goes."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape, None, None)
        self.wrong: list[tuple[Op, str]] = []
        self.nodes: dict[tuple[int, int], Function] = {}  # as they were made: a write in place gives another
        self.ops: dict[int, Op] = {}  # by the number of the new node
        self.gradients = _Gradients(self.ops)
        self.seeds: dict[int, list[Seed]] = {}  # by how many operations were done
        for seed in tape.seeds:
            self.seeds.setdefault(seed.place, []).append(seed)

    def reach(self, place: int) -> None:
        """The backward passes that began here: later operations may write to what they read."""
        seeds = self.seeds.get(place, ())
        for number in sorted({seed.passed for seed in seeds}):
            starts = [(self.node(seed), seed.values) for seed in seeds if seed.passed == number]
            found = [(node, values) for node, values in starts if node is not None]
            with state.scope(observer=self.gradients):
                engine.run([node for node, _ in found], [values for _, values in found], retain_graph=True)

    def see(self, op: Op, results: list[Tensor]) -> None:
        assert op.recipe is not None
        for i, (x, expected) in enumerate(zip(results, op.recipe.digests, strict=True)):
            if digest(x.array) != expected:
                self.wrong.append((op, "the result"))
            if x.node is not None:
                self.nodes[op.number, i] = x.node

    def step(self, op: Op) -> list[Tensor]:
        last = _Last()
        with state.scope(observer=last):
            results = super().step(op)
        if hasattr(last.node, "number"):
            self.ops[last.node.number] = op
        return results

    def node(self, seed: Seed) -> Function | None:
        """Where backward started."""
        at = seed.op, seed.index
        node = self.made[at].node if seed.written else self.nodes.get(at)
        if node is None:
            self.wrong.append((self.tape[seed.op], "the graph"))
        return node


class _Last(state.Observer):
    """Sees which node was made: a view that is written to shows another."""

    node: Any = None

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        self.node = node


class _Gradients(state.Observer):
    """Compares what each operation gives its inputs."""

    def __init__(self, ops: dict[int, Op]) -> None:
        self.ops = ops
        self.wrong: list[tuple[Op, str]] = []
        self.times: Counter[int] = Counter()

    def backward(self, node: Function, gradients: list[Any]) -> None:
        op = self.ops.get(node.number)
        if op is None or op.recipe is None:
            return
        time = self.times[op.number]
        self.times[op.number] += 1
        expected = op.recipe.gradients[time] if time < len(op.recipe.gradients) else None
        if [None if g is None else digest(g) for g in gradients] != expected:
            self.wrong.append((op, "a gradient"))
