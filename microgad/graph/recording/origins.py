"""Which operation or source each Tensor's values came from during a recording, and who wrote to its memory."""

from __future__ import annotations

import weakref
from itertools import chain
from typing import Any

from ...function import AccumulateGrad, Function
from ...state.inference import count
from ...tensor import Tensor


class Origin:
    """Where a Tensor's values came from: result `index` of the operation, or source, with this `number`.

    `writer` is the last recorded operation that had written to the Tensor's memory by then, and `unseen` the number of
    writes by no recorded operation.
    """

    __slots__ = ("index", "leaf", "number", "strides", "tensor", "unseen", "writer")

    def __init__(self, tensor: Tensor, number: int, index: int, unseen: int, writer: int | None) -> None:
        self.tensor, self.strides, self.writer = weakref.ref(tensor), tensor.array.strides, writer
        self.number, self.index, self.unseen, self.leaf = number, index, unseen, type(tensor.node) is AccumulateGrad

    def holds(self, tensor: Tensor) -> bool:
        """Whether this still describes `tensor`, which may be another of the same id, or have become a view or leaf."""
        same = self.tensor() is tensor and self.strides == tensor.array.strides
        return same and self.leaf == (type(tensor.node) is AccumulateGrad)


class Origins:
    """A table of the Origin of each recorded Tensor, by its id, and of the writes to memory that were recorded."""

    def __init__(self) -> None:
        self._origins: dict[int, Origin] = {}
        self._by_array: dict[int, Origin] = {}  # the same, by the id of the array
        self._writes: dict[int, tuple[Any, int]] = {}  # id of a version counter -> it, and its recorded writes
        self._writers: dict[int, int] = {}  # id of a version counter -> number of the operation that wrote last

    def find(self, x: Tensor) -> Origin | None:
        """Return the Origin that was noted for this id, which may belong to an earlier Tensor: see `Origin.holds`."""
        return self._origins.get(id(x))

    def place(self, x: Tensor, number: int, index: int) -> Origin:
        """Note that a Tensor's values come from a result of an operation, or from a source."""
        origin = self._origins[id(x)] = Origin(x, number, index, self.unseen(x), self.writer(x))
        self._by_array[id(x.array)] = origin
        return origin

    def unseen(self, x: Tensor) -> int:
        """Return how many writes to a Tensor's memory were made by no operation on the tape."""
        counter = x._counter()
        return int(count(counter) - self._writes.get(id(counter), (None, 0))[1])

    def count_write(self, x: Tensor) -> None:
        """Count a write to a Tensor, which has an Origin, as made by an operation on the tape."""
        counter = x._counter()
        self._writes[id(counter)] = counter, count(counter) - self._origins[id(x)].unseen

    def writer(self, x: Tensor) -> int | None:
        """Return the number of the operation that last wrote to a Tensor's memory."""
        return self._writers.get(id(x._counter()))

    def set_writer(self, x: Tensor, number: int) -> None:
        self._writers[id(x._counter())] = number

    def original_of(self, x: Tensor) -> Tensor | None:
        """Return the program's Tensor that shares its array and node with `x`, a Tensor that a derivative made."""
        first = self._by_array.get(id(x.array))  # it is the one, or has another node: a detached Tensor, say
        for origin in chain([first] if first is not None else [], self._origins.values() if x.node is not None else []):
            tensor = origin.tensor()
            if tensor is not None and tensor.node is x.node and tensor.array is x.array and origin.holds(tensor):
                return tensor
        return None

    def at_node(self, node: Function) -> Origin | None:
        """Return the Origin of the Tensor that has this node, as it may after an in-place write; None without one."""
        return next((x for x in self._origins.values() if getattr(x.tensor(), "node", None) is node), None)
