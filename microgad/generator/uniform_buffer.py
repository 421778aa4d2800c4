"""Numbers one at a time, for draws that take as many as luck will have it: drawn ahead in blocks, and given back."""

from __future__ import annotations

import math

from .fills import FEW, FLOAT64
from .stream import Generator


class UniformBuffer:
    """The next uniform float64 of [0, 1) at each call; `rewind` gives back those that were drawn ahead.

    It is told how many draws are to be made of them: for a few none is drawn ahead, as going back takes longer.
    """

    def __init__(self, source: Generator, draws: int) -> None:
        self.source, self.waiting = source, source.cached_normal
        self.block = min(8 * draws, 1024) if draws >= FEW else 1
        self.start = source.snapshot() if self.block > 1 else None
        self.used, self.ahead = 0, list[float]()

    def __call__(self) -> float:
        if not self.ahead:
            self.ahead = self.source.uniform(self.block, FLOAT64).tolist()[::-1]
        self.used += 1
        return self.ahead.pop()

    def normal(self) -> float:
        """The next of N(0, 1), which come by two: a second one left over waits in the generator."""
        found = self.waiting
        if found is None:
            turn, length = self() * (2 * math.pi), math.sqrt(math.log1p(-self()) * -2)
            self.waiting = length * math.sin(turn)
            return length * math.cos(turn)
        self.waiting = None
        return found

    def rewind(self) -> None:
        if self.start is not None:
            self.source.set_state(self.start)
            self.source.random64(self.used)
        self.source.cached_normal = self.waiting
