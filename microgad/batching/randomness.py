"""Random draws inside `vmap`, by its `randomness`: one draw for all slices, or one of the whole batch's shape."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..backend import is_array
from ..generator.fills import empty_like
from ..generator.vmap_randomness import VmapDraws, same_randomness_error
from ..type_aliases import Array
from .array import BatchedArray, Level, align, is_batched_at
from .rules.common import expand_to_batch


class BatchedDraws(VmapDraws):
    """Makes each draw for all slices of a level at once."""

    level: Level

    def of(self, level: Level) -> AbstractContextManager[None]:
        """Return a context in which the slices of a level draw from this object."""
        self.level = level
        return self.active()

    def shared(self, array: Array) -> Array:
        own = self.randomness == "same" and is_batched_at(array, self.level)
        return empty_like(array.whole[0, ...]) if own else array

    def made(self, draw: Any, given: tuple[Any, ...], options: dict[str, Any]) -> Array:
        make = self._one_for_all if self.randomness == "same" else self._one_each
        return make(draw, *given, **options)

    def _one_for_all(self, draw: Any, first: Any, *rest: Any, **options: Any) -> Array:
        """Make one slice's draw for all of them. It may fill a batched array, but its parameters can't be batched."""
        if any(is_batched_at(x, self.level) for x in ((first, *rest) if draw.reads else rest)):
            raise same_randomness_error()
        if not is_batched_at(first, self.level):
            return draw(first, *rest, **options)
        found = draw(np.empty_like(first.whole[0, ...], order="C"), *rest, **options)
        if not draw.fills:
            return found
        first[...] = found
        return first

    def _one_each(self, draw: Any, first: Any, *rest: Any, **options: Any) -> Array:
        """Make one draw of the batch's shape."""
        level, fills = self.level, draw.fills
        if not is_array(first):  # of randperm: n, so each slice draws a permutation
            return BatchedArray(np.stack([draw(first, *rest, **options) for _ in range(level.count)]), level)
        if not draw.by_axes:
            whole = expand_to_batch(first, level)
            whole = empty_like(whole) if fills and not is_batched_at(first, level) else whole
        else:  # dropout's noise, which in PyTorch lies in memory slice after slice
            whole = np.empty((level.count, *first.shape), first.dtype)
        by = (np.broadcast_to(align(x, level, first.ndim), whole.shape) if is_array(x) else x for x in rest)
        if draw.by_rows and first.ndim == 2:
            found = draw(whole.reshape(-1, whole.shape[-1]), *by, **options).reshape(*whole.shape[:2], -1)
        else:
            found = draw(whole, *by, **options)
        return first if fills and is_batched_at(first, level) else BatchedArray(found, level)
