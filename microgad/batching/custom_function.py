"""`torch.func.vmap` over an `autograd.Function` that has a `vmap` of its own: it is called once, for all slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..duck_arrays import levels
from ..generator.vmap_randomness import randomness
from ..pytree import tree_leaves, tree_map
from ..state.contexts import binding
from .array import Level, innermost_level, is_batched_at
from .dims import RemoveBatchDim
from .vmap import add_batch_dim


class VmapInfo(NamedTuple):
    """What a static `vmap` is told: the number of slices, and `vmap`'s randomness, "different", "same" or "error"."""

    batch_size: int
    randomness: str


def apply_vmap_rule(rule: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Call `rule(info, in_dims, *args)` once for all slices; NotImplemented if no argument is batched.

    The rule returns its results, and the batch dimension of each, None for one that the slices share.
    """
    level, active = innermost_level([getattr(x, "array", None) for x in tree_leaves(args)]), levels.get()
    if level not in active:
        return NotImplemented

    def is_batched(x: Any) -> bool:
        return is_batched_at(getattr(x, "array", None), level)

    dims = tree_map(lambda x: 0 if is_batched(x) else None, args)
    given = tree_map(lambda x: RemoveBatchDim.apply(x, level=level, dim=0) if is_batched(x) else x, args)
    with binding(levels, active[: active.index(level)]):
        results, out_dims = rule(VmapInfo(level.count, randomness()), dims, *given)
    return _add_batch_dims(results, out_dims, level)


def _add_batch_dims(x: Any, dims: Any, level: Level) -> Any:
    if isinstance(x, (tuple, list)):
        several = dims if isinstance(dims, (tuple, list)) else [dims] * len(x)
        return type(x)([_add_batch_dims(part, d, level) for part, d in zip(x, several, strict=True)])
    if dims is None and getattr(x, "node", None) is not None:  # shared, but each slice adds to its gradient
        x, dims = np.broadcast_to(x, (level.count, *x.shape)), 0
    return x if dims is None else add_batch_dim(x, level, dims)
