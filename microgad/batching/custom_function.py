"""`torch.func.vmap` over an `autograd.Function` that has a `vmap` of its own: it is called once, for all slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..duck_arrays import levels
from ..generator.vmap_randomness import randomness
from ..state.contexts import binding
from .array import Level
from .functions import innermost_level, is_batched_at
from .vmap import RemoveBatchDim, add_batch_dim


class VmapInfo(NamedTuple):
    """How many slices there are, and whether they draw "different" values, the "same", or raise an "error"."""

    batch_size: int
    randomness: str


def apply_vmap_rule(rule: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """rule(info, in_dims, *args) of all slices, as of one; NotImplemented where no argument has slices.

    The rule gives its results and where these have the slices' dimension, None for what they have in common.
    """
    arrays: list[Any] = []
    _map_leaves(lambda x: arrays.append(getattr(x, "array", None)), args)
    level, going_on = innermost_level(arrays), levels.get()
    if level not in going_on:
        return NotImplemented

    def outside(x: Any) -> Any:
        if not hasattr(x, "array"):
            return x
        return RemoveBatchDim.apply(x, level=level, dim=0) if is_batched_at(x.array, level) else x

    dims = _map_leaves(lambda x: 0 if is_batched_at(getattr(x, "array", None), level) else None, args)
    given = _map_leaves(outside, args)
    with binding(levels, going_on[: going_on.index(level)]):
        results, places = rule(VmapInfo(level.count, randomness()), dims, *given)
    return _add_batch_dims(results, places, level)


def _map_leaves(function: Callable[[Any], Any], x: Any) -> Any:
    """The same structure of what a function gives of each leaf."""
    if isinstance(x, dict):
        return {name: _map_leaves(function, part) for name, part in x.items()}
    return type(x)([_map_leaves(function, part) for part in x]) if type(x) in (tuple, list) else function(x)


def _add_batch_dims(x: Any, dims: Any, level: Level) -> Any:
    if isinstance(x, (tuple, list)):
        several = dims if isinstance(dims, (tuple, list)) else [dims] * len(x)
        return type(x)([_add_batch_dims(part, d, level) for part, d in zip(x, several, strict=True)])
    if dims is None and getattr(x, "node", None) is not None:  # each slice has a part in its gradient
        x, dims = np.broadcast_to(x, (level.count, *x.shape)), 0
    return x if dims is None else add_batch_dim(x, level, dims)
