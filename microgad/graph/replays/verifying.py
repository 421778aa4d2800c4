"""Verify a tape: a replay, forward and backward, must give the same bytes as the program did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ... import state
from ...function import Function
from ...tensor import Tensor
from ...type_aliases import Array
from ..recording.recorder import digest
from ..replay_data import BackwardPass
from ..tape import Op, Tape
from .replaying import BackwardReplaying


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`, true if all was the same. `wrong` has the operations that differed, and what did."""

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
    wrong = replaying.wrong + gradients.wrong + replaying.missing()
    return Verification(len(tape), sum(gradients.times.values()), tuple(wrong))


class _Compared(BackwardReplaying):
    """A replay that compares each result with the recorded hash."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.wrong: list[tuple[Op, str]] = []
        self.ops: dict[int, Op] = {}  # number of a node in the replay -> its operation
        self.gradients = _Gradients(self.ops)

    def backward(self, passed: BackwardPass) -> None:
        for point in passed.points:
            if point.role != "end" and self.node(point) is None:
                self.wrong.append((self.tape[point.source], "the graph"))
        with state.scope(observer=self.gradients):
            super().backward(passed)

    def after_op(self, op: Op, results: list[Tensor]) -> None:
        super().after_op(op, results)
        assert op.recipe is not None
        for x, expected in zip(results, op.recipe.digests, strict=True):
            if digest(x.array) != expected:
                self.wrong.append((op, "the result"))

    def step(self, op: Op) -> list[Tensor]:
        results = super().step(op)
        if hasattr(self.last.node, "number"):
            self.ops[self.last.node.number] = op
        return results

    def missing(self) -> list[tuple[Op, str]]:
        """Return the operations through which fewer backward passes went than in the program."""
        times = self.gradients.times
        return [(op, "a gradient") for op in self.tape if times[op.number] < len(op.recipe.gradients)]  # type: ignore[union-attr]


class _Gradients(state.Observer):
    """An observer that compares the gradients of each operation's inputs with the recorded hashes."""

    def __init__(self, ops: dict[int, Op]) -> None:
        self.ops = ops
        self.wrong: list[tuple[Op, str]] = []
        self.times: Counter[int] = Counter()

    def backward(self, node: Function, gradients: list[Array | None]) -> None:
        op = self.ops.get(node.number)
        if op is None or op.recipe is None:
            return
        time = self.times[op.number]
        self.times[op.number] += 1
        expected = op.recipe.gradients[time] if time < len(op.recipe.gradients) else None
        if [None if g is None else digest(g) for g in gradients] != expected:
            self.wrong.append((op, "a gradient"))
