"""Record where backward passes start and end, and what hooks change, so that a replay can repeat them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Literal

from ...engine.hooks import RemovableHandle
from ...engine.paths import producer
from ...function import AccumulateGrad, Function, Output
from ...nn.modules.module.hooks import BackwardHookFunction
from ...tensor import Tensor
from ...type_aliases import Array
from ..replay_data import BackwardPass, BoundaryPoint
from ..strided_copy import strided_copy
from ..tape import Op, Source, Tape
from .origins import Origins


class PassRecorder:
    """Adds a BackwardPass to a tape for each backward pass, with its BoundaryPoints."""

    def __init__(self, tape: Tape, origins: Origins) -> None:
        self.tape, self.origins = tape, origins
        self.passed = 0  # number of backward passes that have started
        self.differentiable: list[tuple[weakref.ref[Tensor], Source]] = []  # Tensors from outside that require grad
        self._last: dict[int, tuple[weakref.ref[Tensor], Source]] = {}  # by id of the Tensor: the latest of its entries
        self._by_node: dict[int, list[tuple[weakref.ref[Tensor], Source]]] = {}  # the same, by the id of their node
        self._by_node_state = 0, 0  # `passed` and the length of `differentiable` when `_by_node` was made
        self._hooked: dict[tuple[int, int], Function] = {}  # (operation, result) -> the Output with hooks
        self._readers: dict[Function, RemovableHandle] = {}  # hooks that read what a leaf's others return
        self._reached: set[int] = set()  # numbers of the leaves that have got a gradient

    def op(self, node: Function) -> Op | None:
        """Return the operation on the tape that belongs to a node, or None."""
        found = self.tape.find(node.number)
        return found if isinstance(found, Op) else None

    def start(self, roots: Sequence[Function], seeds: Sequence[Array], ends: Any) -> None:
        """Begin a pass from `roots` with the gradients `seeds`, which ends at `ends`, or at all leaves."""
        self.stop_reading()
        self.tape.passes.append(BackwardPass(len(self.tape), ends is not None, self._at_leaves()))
        for root, seed in zip(roots, seeds, strict=True):
            self._add_point("start", root, strided_copy(seed))
            self._note_hooks(root)
        for end in ends or ():
            if self.op(producer(end)[0]) is not None:
                self._add_point("end", end)  # ends that aren't on the tape are added when a gradient reaches them

    def add_leaf(self, x: Tensor, source: Source) -> None:
        """Note a Tensor from outside that requires grad; again when an optimizer's step has given it another Source."""
        self.differentiable.append((weakref.ref(x), source))
        self._last[id(x)] = self.differentiable[-1]

    def leaves(self) -> list[tuple[Tensor, Source]]:
        """Return the Tensors from outside that require grad, each with its Source; of a stepped one the last."""
        return [(x, source) for tensor, source in self._last.values() if (x := tensor()) is not None]

    def _at_leaves(self) -> list[BoundaryPoint]:
        """Return points at leaves that got a gradient before and have none now, and at those with hooks of `.grad`."""
        points = []
        for x, source in self.leaves():
            held = x._links.grad
            if source.number in self._reached and (held is None or not held.array.any()):
                points.append(BoundaryPoint(source.number, 0, False, "fresh"))
            if x._links.post_accumulate_grad_hooks:
                points.append(BoundaryPoint(source.number, 0, False, "after"))
        return points

    def begin(self, node: Function, grad: Any) -> None:
        """Before a node's derivatives are computed, keep the gradients of its results as its hooks returned them."""
        if type(grad) is not tuple:
            if node.hooks:
                self._add_point("hook", node, strided_copy(grad))
            return
        for i, g in enumerate(grad):
            edge = self._hooked.pop((node.number, i), None)
            if edge is not None and g is not None:
                self._add_point("hook", edge, strided_copy(g))

    def end(self, node: Function, gradients: list[Array | None]) -> None:
        """After a node's derivatives are computed, note which of its inputs are ends of the pass."""
        current = self.tape.passes[-1]
        for edge, g in zip(node.edges, gradients, strict=True):
            if edge is not None:
                self._note_hooks(edge)
            if g is not None and type(edge) is AccumulateGrad:
                self._reached.update(source.number for _, source in self._at_node(edge))
            if g is not None and current.bounded and self.op(producer(edge)[0]) is None:
                self._add_point("end", edge)
        if type(node) is BackwardHookFunction:  # replayed as if hooks of its results had run
            points = [(i, g) for i, g in enumerate(gradients) if g is not None]
            current.points += [BoundaryPoint(node.number, i, False, "hook", strided_copy(g)) for i, g in points]

    def _add_point(self, role: Literal["start", "hook", "end"], edge: Function, gradient: Array | None = None) -> None:
        """Add a BoundaryPoint at a node to the current pass."""
        points = self.tape.passes[-1].points
        node, index = producer(edge)
        if self.op(node) is not None:
            points.append(BoundaryPoint(node.number, index, False, role, gradient))
            return
        found = [source for tensor, source in self._at_node(edge) if (x := tensor()) is not None and x.node is edge]
        # A leaf that an optimizer steps has one source for its values before the step, and one for those after it.
        points += [BoundaryPoint(x.number, 0, False, role, gradient) for x in found]
        if not found and (origin := self.origins.at_node(edge)) is not None:
            points.append(BoundaryPoint(origin.number, origin.index, True, role, gradient))

    def _at_node(self, edge: Function) -> Sequence[tuple[weakref.ref[Tensor], Source]]:
        """Return the Tensors from outside that had this node when the pass began. They may have another one now."""
        state = self.passed, len(self.differentiable)
        if self._by_node_state != state:
            self._by_node_state, self._by_node = state, {}
            for tensor, source in self.differentiable:
                if (x := tensor()) is not None:
                    self._by_node.setdefault(id(x.node), []).append((tensor, source))
        return self._by_node.get(id(edge), ())

    def _note_hooks(self, edge: Function) -> None:
        """Note the hooks of a node that `begin` isn't called for: an Output, or one not on the tape, such as a leaf.

        The gradient that hooks of the latter return is read by another one, which comes last and removes itself.
        """
        if not edge.hooks or edge in self._readers:
            return
        known = self.op(producer(edge)[0]) is not None
        if known and type(edge) is Output:
            self._hooked[producer(edge)[0].number, edge.index] = edge
        elif not known:

            def read(grad: Tensor | None) -> None:
                self._readers.pop(edge).remove()
                if grad is not None:
                    self._add_point("hook", edge, strided_copy(grad.array))

            last = 0 if self.tape.passes[-1].bounded else 99  # the others of a leaf belong to its accumulation
            self._readers[edge] = RemovableHandle(edge.hooks, read, last)

    def stop_reading(self) -> None:
        """Remove the hooks that read gradients, where no gradient came."""
        for handle in self._readers.values():
            handle.remove()
        self._readers.clear()
