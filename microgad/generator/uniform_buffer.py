"""UniformBuffer: uniform numbers one at a time, for rejection sampling, which takes a random number of them."""

from __future__ import annotations

import math

from .fills import FLOAT64, SMALL_LOOP
from .stream import Generator


class UniformBuffer:
    """A callable that returns the next uniform float64 in [0, 1). It draws ahead in blocks.

    `rewind` must be called at the end: it gives back what was drawn ahead. `draws` is the number of values to be made
    of the numbers; for a few nothing is drawn ahead, as giving back takes longer.
    """

    def __init__(self, source: Generator, draws: int) -> None:
        self.source, self.cached_normal = source, source.cached_normal
        self.block = min(8 * draws, 1024) if draws >= SMALL_LOOP else 1
        self.start = source.snapshot() if self.block > 1 else None
        self.used, self.ahead = 0, list[float]()

    def __call__(self) -> float:
        if not self.ahead:
            self.ahead = self.source.uniform(self.block, FLOAT64).tolist()[::-1]
        self.used += 1
        return self.ahead.pop()

    def normal(self) -> float:
        """Return the next value of N(0, 1). Values come in pairs; the second one is cached."""
        found = self.cached_normal
        if found is None:
            angle, radius = self() * (2 * math.pi), math.sqrt(math.log1p(-self()) * -2)
            self.cached_normal = radius * math.sin(angle)
            return radius * math.cos(angle)
        self.cached_normal = None
        return found

    def rewind(self) -> None:
        """Put the generator where it would be without drawing ahead."""
        if self.start is not None:
            self.source.set_state(self.start)
            self.source.random64(self.used)
        self.source.cached_normal = self.cached_normal
