"""Writes of slices that are computed one after another into Tensors that they share, made outside of the mapping.

As in PyTorch such a write is made once, so all slices must write the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..backend.memory_layout import address
from ..duck_arrays import slice_writes
from ..errors import GraphError
from ..state.contexts import binding
from ..view_writes.registry import base_of


class _Before(NamedTuple):
    """A Tensor that was written to, with its values and the node of its base from before."""

    tensor: Any
    values: Any
    node: Any


class SharedWrites:
    """What slices write to. Memory that both of the first two write to was made outside, so they share it.

    The second has then been computed with what the first wrote, so the mapping has to start again, knowing it.
    """

    def __init__(self) -> None:
        self.shared: dict[Any, _Before] = {}  # by place in memory, in the order of the writes
        self.start_again = False

    def note(self, tensor: Any) -> None:
        """Keep the values of a Tensor that is about to be written."""
        array = tensor.array
        place = address(getattr(array, "innermost", array)), array.shape, array.strides
        if not (place in self.shared or place in self.now or tensor.is_meta):
            self.now[place] = _Before(tensor, array.copy(), base_of(tensor).node)

    @contextmanager
    def by_slice(self, i: int) -> Iterator[None]:
        """Watch the writes of slice i in a block. Raises RuntimeError if they can't be made once for all slices."""
        if i:
            _undo(self.shared)
        self.now: dict[Any, _Before] = {}
        with binding(slice_writes, (*slice_writes.get(), self)):
            yield
        if not i:
            self.first, self.start_again = self.now, False
            self.after = [each.tensor.array.copy() for each in self.shared.values()]
        found = {place: each for place, each in self.first.items() if i and place in self.now}
        known = list(self.shared.values())
        same = all(np.array_equal(x.tensor.array, y, equal_nan=True) for x, y in zip(known, self.after, strict=True))
        recorded = any(base_of(x.tensor).node is not x.node for x in (*known, *found.values()))
        if found or not same or recorded:
            for writes in (self.now, self.first, self.shared):
                _undo(writes)
        if not same or recorded or (found and i > 1):
            raise GraphError(
                "vmap: an inplace operation is not possible on a Tensor made outside of the mapped function, where "
                "slices write different values, or the writes are recorded for backward. Please try to use "
                "out-of-place operators, or write to a Tensor of which each slice has its own"
            )
        self.shared |= found
        self.start_again = bool(found)


def _undo(writes: dict[Any, _Before]) -> None:
    """Restore what was there before the writes."""
    for tensor, values, node in reversed(writes.values()):
        tensor.array[...], base_of(tensor).node = values, node
