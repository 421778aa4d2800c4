"""PassRecorder: where backward passes meet the world outside of a tape, so that they can be gone through again."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Literal

from ...function import Function, Output
from ...nn.hooks import BackwardHookFunction
from ...tensor import Tensor
from ..replay_data import BackwardPass, BoundaryPoint
from ..strided_copy import strided_copy
from ..tape import Op, Source, Tape
from .node_reader import producer
from .origins import Origins


class PassRecorder:
    """Keeps what a tape's passes start with, what hooks make of gradients, and where the passes end."""

    def __init__(self, tape: Tape, origins: Origins) -> None:
        self.tape, self.origins = tape, origins
        self.passed = 0  # how many backward passes have started
        self.wanting: list[tuple[weakref.ref[Tensor], Source]] = []  # Tensors from outside that want a gradient
        self._looked = 0, 0  # in which pass, and among how many of these, for
        self._nodes: dict[int, list[tuple[weakref.ref[Tensor], Source]]] = {}  # those that have a node, by its id
        self._hooked: dict[tuple[int, int], Function] = {}  # by an operation and which of its several results

    def op(self, node: Function) -> Op | None:
        """The operation on the tape that a node is of."""
        found = self.tape.find(node.number)
        return found if isinstance(found, Op) else None

    def start(self, roots: Sequence[Function], seeds: Sequence[Any], ends: Any) -> None:
        """A pass starts, with these gradients; it will end at `ends`, or at all leaves."""
        self.tape.passes.append(BackwardPass(len(self.tape), ends is not None, []))
        for root, seed in zip(roots, seeds, strict=True):
            self._meet("start", root, strided_copy(seed))
            self._look_for_hooks(root)
        for end in ends or ():
            if self.op(producer(end)[0]) is not None:
                self._meet("end", end)  # others are met when a gradient comes to them

    def begin(self, node: Function, grad: Any) -> None:
        """A node's derivatives begin: keep what hooks have made of the gradients of its results."""
        if type(grad) is not tuple:
            if node.hooks:
                self._meet("hook", node, strided_copy(grad))
            return
        for i, g in enumerate(grad):
            edge = self._hooked.pop((node.number, i), None)
            if edge is not None and g is not None:
                self._meet("hook", edge, strided_copy(g))

    def end(self, node: Function, gradients: list[Any]) -> None:
        """A node's derivatives are computed: some may go where the pass ends."""
        current = self.tape.passes[-1]
        for edge, g in zip(node.edges, gradients, strict=True):
            self._look_for_hooks(edge)
            if g is not None and current.bounded and self.op(producer(edge)[0]) is None:
                self._meet("end", edge)
        if type(node) is BackwardHookFunction:  # is replayed as if hooks of its results had given this
            points = [(i, g) for i, g in enumerate(gradients) if g is not None]
            current.points += [BoundaryPoint(node.number, i, False, "hook", strided_copy(g)) for i, g in points]

    def _meet(self, role: Literal["start", "hook", "end"], edge: Function, gradient: Any = None) -> None:
        """The pass meets the world outside of the tape at a node."""
        points = self.tape.passes[-1].points
        node, index = producer(edge)
        if self.op(node) is not None:
            points.append(BoundaryPoint(node.number, index, False, role, gradient))
            return
        found = [source for tensor, source in self._at_node(edge) if (x := tensor()) is not None and x.node is edge]
        points += [
            BoundaryPoint(x.number, 0, False, role, gradient) for x in found
        ]  # a leaf, before and after each step
        if not found and (origin := self.origins.at_node(edge)) is not None:
            points.append(BoundaryPoint(origin.number, origin.index, True, role, gradient))

    def _at_node(self, edge: Function) -> Sequence[tuple[weakref.ref[Tensor], Source]]:
        """Of Tensors from outside those that had this node when the pass began, and that may have it still."""
        seen = self.passed, len(self.wanting)
        if self._looked != seen:
            self._looked, self._nodes = seen, {}
            for tensor, source in self.wanting:
                if (x := tensor()) is not None:
                    self._nodes.setdefault(id(x.node), []).append((tensor, source))
        return self._nodes.get(id(edge), ())

    def _look_for_hooks(self, edge: Function) -> None:
        """Note which of several results has hooks: its node is not one of those whose derivatives are computed."""
        if type(edge) is Output and edge.hooks:
            self._hooked[producer(edge)[0].number, edge.index] = edge
