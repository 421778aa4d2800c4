"""UniformBuffer: uniform numbers one at a time, for rejection sampling, which takes a random number of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from operator import length_hint
from typing import Any

from ..type_aliases import Array
from .fills import CHUNK, FLOAT64
from .stream import Generator

NUMBERS = 1 << 11  # elements of an array that are Python's numbers at a time: these take much memory
FEW = 64  # up to here it is faster to draw nothing ahead, as giving back takes long


class UniformBuffer:
    """The next uniform float64 numbers in [0, 1), which `next()` returns. They are drawn ahead in blocks.

    `rewind` must be called at the end: it gives back what was drawn ahead. `draws` is the number of values to be made
    of the numbers; where there are more than FEW, blocks are first put through `change`.
    """

    def __init__(self, source: Generator, draws: int, change: Callable[[Any], Any] = lambda block: block) -> None:
        self.source, self.block, self.start, self.next = source, min(8 * draws, 1024), None, source.unit
        self.change = change
        if draws > FEW:
            self.start = source.snapshot()
            self.drawn, self.ahead = 0, iter(list[float]())
            self.next = chain.from_iterable(self._blocks()).__next__  # runs no Python function for each number

    def _blocks(self) -> Iterator[Iterator[float]]:
        while True:
            self.drawn += self.block
            self.ahead = iter(self.change(self.source.uniform(self.block, FLOAT64)).tolist())
            yield self.ahead

    def rewind(self) -> None:
        """Put the generator where it would be without drawing ahead."""
        if self.start is not None:
            give_back(self.source, self.start, self.drawn - length_hint(self.ahead))
            del self.next  # it refers to the buffer


def give_back(source: Generator, start: Array, used: int) -> None:
    """Put the generator where it is after `used` uniform numbers from the state `start` on."""
    cached_normal = source.cached_normal
    source.set_state(start)
    for first in range(0, used, CHUNK):
        source.random64(min(CHUNK, used - first))
    source.cached_normal = cached_normal


def numbers(*arrays: Array) -> Iterator[tuple[float, ...]]:
    """Zip 1-d arrays of one size, as Python's numbers."""
    return chain.from_iterable(
        zip(*(x[first : first + NUMBERS].tolist() for x in arrays), strict=True)
        for first in range(0, arrays[0].size, NUMBERS)
    )
