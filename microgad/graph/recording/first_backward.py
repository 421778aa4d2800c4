"""Record a program until its first backward pass has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ... import state
from ...autograd.function_hooks import remove_observer
from ...engine import backward_pass
from ...engine.paths import producer
from ...function import Function
from ..tape import Input, Op, Result, Source, Tape
from .recorder import Recorder, RecordOptions


class FirstBackwardRecorder(Recorder):
    """A recorder that stops after the first backward pass, and calls `callback` with the tape of that pass.

    If there was no backward pass, the tape has all operations.
    """

    def __init__(self, callback: Callable[[Tape], None], options: RecordOptions) -> None:
        super().__init__(options, {}, state.current().observer)
        self.callback = callback
        self.roots: list[tuple[int, int]] = []
        self.failures: list[int] = []  # numbers of the operations whose derivatives raised an error
        self.done = False
        state.variable.set(state.changed(observer=self))

    def start_backward(self, roots: Sequence[Function], seeds: Sequence[Any], ends: Any = None) -> None:
        """Note where the first backward pass starts. A second one ends the recording."""
        if self.roots and backward_pass.current_pass() is None:
            self.end()
        elif not self.roots:
            self.roots = [(node.number, index) for node, index in map(producer, roots)]
        super().start_backward(roots, seeds, ends)

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Any = None) -> None:
        """End the recording at the first operation after the backward pass."""
        if self.roots and backward_pass.current_pass() is None:
            self.end()
        super().begin(node, inputs, target)

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Put an operation on the tape, unless the recording has ended."""
        if self.done:
            super(Recorder, self).forward(node, inputs, out)
        else:
            super().forward(node, inputs, out)

    def failed(self, node: Function) -> None:
        """Note where the backward pass fails, as where a kept value was modified in place."""
        super().failed(node)
        self.failures.append(node.number)

    def end(self) -> None:
        """Stop recording and pass on the tape. Later calls do nothing."""
        if self.done:
            return
        self.done = True
        remove_observer(self)
        self.close()
        with state.scope(observer=None):
            self.callback(backward_subgraph(self.tape, self.roots) if self.roots else self.tape)


def backward_subgraph(tape: Tape, roots: Sequence[tuple[int, int]]) -> Tape:
    """Return the part of a tape through which gradients flow back from `roots`, (operation, result) numbers.

    What these operations read from the rest of the tape becomes Sources.
    """
    kept: set[int] = set()
    stack = [number for number, _ in roots]
    while stack:
        op = tape.find(stack.pop())
        if isinstance(op, Op) and op.recorded and op.number not in kept:
            kept.add(op.number)
            stack += [n for x in op.inputs if x.wanted for n in (x.source, x.written) if n is not None]
    sources: dict[tuple[int, int], Source] = {}
    lowest = min((source.number for source in tape.sources), default=0)

    def input(x: Input) -> Input:
        if x.written not in kept:
            x = replace(x, written=None)
        if x.source is None or x.source in kept:
            return x
        source = sources.get((x.source, x.index))
        if source is None:
            found = tape.find(x.source)
            if not isinstance(found, Source):  # the result of an operation that isn't in the part
                number = min(lowest, 0) - 1 - len(sources)
                found = Source(number, "leaf" if x.wanted else "constant", x.name, x.shape, x.dtype)
            source = sources[x.source, x.index] = found
        return replace(x, source=source.number)

    ops = [replace(op, inputs=[input(x) for x in op.inputs]) for op in tape if op.number in kept]
    results = []
    for number, index in roots:
        op = tape.find(number)
        if isinstance(op, Op):
            results.append(Result(number, index, "", op.shapes[index], op.dtypes[index]))
    return Tape(ops, list(sources.values()), results)
