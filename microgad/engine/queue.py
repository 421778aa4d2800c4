"""The queue of a backward pass."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from ..duck_arrays import DuckArray
from ..function import Function
from ..type_aliases import Array
from .leaves import total


class Queue:
    """The nodes that wait for their turn, the newest of which comes first, and the sums of their gradients so far."""

    __slots__ = ("create_graph", "heap", "pending", "positions")

    def __init__(self, positions: dict[int, float], create_graph: bool) -> None:
        self.heap: list[float] = []  # negated positions: node numbers, but for leaves in `positions`
        self.pending: dict[float, list[Any]] = {}  # node, gradient, whether the engine alone refers to that array
        self.positions, self.create_graph = positions, create_graph

    def add(self, node: Function, grad: Any, owned: bool) -> None:
        """Add to a node's gradient."""
        position = self.positions.get(node.number, node.number) if self.positions else node.number
        waiting = self.pending.get(position)
        if waiting is None:
            heappush(self.heap, -position)
            self.pending[position] = [node, grad, owned]
        elif grad is not None:
            if waiting[2] and not self.create_graph and not isinstance(grad, DuckArray):  # vmap's slices may share it
                waiting[1] += grad
            else:
                waiting[1:] = total(waiting[1], grad), True

    def add_part(self, node: Function, index: int, grad: Array | None) -> None:
        """Add to the gradient of result `index` of a node with several results."""
        if node.number not in self.pending:
            self.add(node, [None] * len(node.shape), False)
        grads = self.pending[node.number][1]
        held = grads[index]  # another Output of the same result has contributed: see Function.result
        grads[index] = held if grad is None else grad if held is None else total(held, grad)

    def pop(self) -> list[Any]:
        """Take out the newest node: all that use its result have had their turn, so its gradient is complete."""
        return self.pending.pop(-heappop(self.heap))
