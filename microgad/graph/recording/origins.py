"""Origins: where the values of Tensors come from while a tape is recorded, and who wrote to their memory."""

from __future__ import annotations

import weakref
from typing import Any

from ...function import Function, Leaf
from ...state.inference import count
from ...tensor import Tensor


class Origin:
    """Where the values of a Tensor come from, as noted: from result `index` of the operation, or source, `number`.

    And the state of its memory then: `writer`, the last operation that wrote to it, and how many writes were `unseen`.
    """

    __slots__ = ("index", "leaf", "number", "strides", "tensor", "unseen", "writer")

    def __init__(self, tensor: Tensor, number: int, index: int, unseen: int, writer: int | None) -> None:
        self.tensor, self.strides, self.writer = weakref.ref(tensor), tensor.array.strides, writer
        self.number, self.index, self.unseen, self.leaf = number, index, unseen, type(tensor.node) is Leaf

    def holds(self, tensor: Tensor) -> bool:
        """Whether this is still about the Tensor: not another of the same id, nor one that became a view or a leaf."""
        same = self.tensor() is tensor and self.strides == tensor.array.strides
        return same and self.leaf == (type(tensor.node) is Leaf)


class Origins:
    """The Origin of each Tensor that was seen, by its id; and the writes to memory that were seen."""

    def __init__(self) -> None:
        self._origins: dict[int, Origin] = {}
        self._writes: dict[int, tuple[Any, int]] = {}  # by a version counter's id: it, and how many writes were seen
        self._writers: dict[int, int] = {}  # by the same, the operation that wrote last

    def find(self, x: Tensor) -> Origin | None:
        """The Origin that a Tensor, or one that had its id, was given."""
        return self._origins.get(id(x))

    def place(self, x: Tensor, number: int, index: int) -> Origin:
        """Note that a Tensor's values come from a result of an operation, or from a source."""
        origin = self._origins[id(x)] = Origin(x, number, index, self.unseen(x), self.writer(x))
        return origin

    def unseen(self, x: Tensor) -> int:
        """How many writes to its memory were made by no operation on the tape."""
        counter = x._counter()
        return int(count(counter) - self._writes.get(id(counter), (None, 0))[1])

    def see_write(self, x: Tensor) -> None:
        """Count a write by an operation on the tape, into a Tensor that has a Origin, as seen."""
        counter = x._counter()
        self._writes[id(counter)] = counter, count(counter) - self._origins[id(x)].unseen

    def writer(self, x: Tensor) -> int | None:
        """The operation that wrote last to its memory."""
        return self._writers.get(id(x._counter()))

    def written_by(self, x: Tensor, number: int) -> None:
        """Note the operation that wrote last to its memory."""
        self._writers[id(x._counter())] = number

    def shown_by(self, x: Tensor) -> Tensor | None:
        """The Tensor that a derivative has as a Tensor of its own, x: of the same array, and the node of a write."""
        for origin in self._origins.values():
            shown = origin.tensor()
            if shown is not None and shown.node is x.node and shown.array is x.array and origin.holds(shown):
                return shown
        return None

    def at_node(self, node: Function) -> Origin | None:
        """The Origin of a Tensor with this node, which a write in place gave it."""
        return next(
            (origin for origin in self._origins.values() if getattr(origin.tensor(), "node", None) is node), None
        )
