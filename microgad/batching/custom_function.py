"""`torch.func.vmap` over an `autograd.Function` that has a `vmap` of its own: it is called once, for all slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import function
from ..backend import owner
from ..duck_arrays import Fallback, levels, slice_writes
from ..errors import GraphError, UnsupportedError
from ..generator.vmap_randomness import randomness
from ..pytree import rebuilt, tree_leaves, tree_map
from ..state.contexts import binding
from .array import Level, innermost_level, is_batched_at
from .dims import AddBatchDim, WholeBatch
from .vmap import add_batch_dim


class VmapInfo(NamedTuple):
    """What a static `vmap` is told: the number of slices, and `vmap`'s randomness, "different", "same" or "error"."""

    batch_size: int
    randomness: str


def apply_vmap_rule(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the rule of a Function once for all slices; NotImplemented if no argument is batched.

    The rule returns its results, and the batch dimension of each, None for one that the slices share. It is given
    Tensors on the memory of the arguments, so what it writes there is written to these. `is_final` knows this module:
    no error that passes through it makes `vmap` start again, slice by slice.
    """
    level, active = innermost_level([getattr(x, "array", None) for x in tree_leaves((args, kwargs))]), levels.get()
    if level not in active:
        return NotImplemented
    if cls.generate_vmap_rule:
        raise GraphError(
            f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden vmap "
            "staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid "
            "ambiguity."
        )
    if any(isinstance(x, function.Tensor) for x in tree_leaves(kwargs)):
        raise UnsupportedError(
            "Run vmap on autograd.Function with kwarg-only Tensor args. Please do not pass kwarg-only Tensors to "
            f"autograd.Function. Got: {list(kwargs)}"
        )
    batch: list[tuple[Any, Any, Any]] = []  # of each argument: itself, all its slices, and the node of these

    def is_batched(x: Any) -> bool:
        return is_batched_at(getattr(x, "array", None), level)

    def all_slices(x: Any) -> Any:
        if not is_batched(x):
            return x
        whole = WholeBatch.apply(x, level=level, dim=0)
        whole._version_counter = x._counter()
        batch.append((x, whole, whole.node))
        return whole

    dims, given = tree_map(lambda x: 0 if is_batched(x) else None, args), tree_map(all_slices, args)
    writes = (*slice_writes.get(), _Writes(level))
    with binding(levels, active[: active.index(level)]), binding(slice_writes, writes):
        result = cls.vmap(VmapInfo(level.count, randomness()), dims, *given, **kwargs)
    if not (isinstance(result, tuple) and len(result) == 2):
        got = f"{len(result)} returns" if isinstance(result, tuple) else f"a {type(result)}"
        raise GraphError(
            "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure "
            f"compatible with the output. Got {got} instead"
        )
    for x, whole, node in batch:
        if whole.node is not node:  # the rule has written to it
            x._check_history(cls.__name__, True)
            x._rebind(AddBatchDim.recorded([whole.node], x.array, level=level, dim=0))
    return _batched(*result, level, batch)


class _Writes(NamedTuple):
    """Watches the writes of a rule, which a mapping that starts again has to undo."""

    level: Level

    def note(self, tensor: Any) -> None:
        """Keep what a write overwrites. Raises Fallback where it would miss the graph of a Tensor outside."""
        array = tensor.array
        memory = owner(getattr(array, "innermost", array))
        if any(owner(base.innermost) is memory for base in self.level.on_graphs):
            raise Fallback
        self.level.note(array)


def _batched(x: Any, dims: Any, level: Level, batch: list[tuple[Any, Any, Any]]) -> Any:
    """Give a tree of results batch dimensions, which are a tree that begins like it."""
    if isinstance(dims, _TREES) and (type(dims) is not type(x) or {*_keys(dims)} != {*_keys(x)}):
        raise GraphError(
            "The autograd.Function's vmap staticmethod returned an incompatible (output, out_dims) tuple. Expected "
            f"out_dims={dims} to be compatible with the structure of `output`, which is a {type(x).__name__}"
        )
    if isinstance(x, _TREES):
        each = dims if isinstance(dims, _TREES) else dict.fromkeys(_keys(x), dims)
        parts = {key: _batched(x[key], each[key], level, batch) for key in _keys(x)}
        if isinstance(x, Mapping):
            return parts
        return rebuilt(x, [*parts.values()])
    if not isinstance(x, function.Tensor):
        return x
    for argument, whole, _ in batch:
        if x is whole:
            return argument
        if dims is not None and owner(x.array) is owner(whole.array):
            x = x.clone()  # a write to it wouldn't reach the argument's graph
    if dims is None and x.node is not None:  # shared, but each slice adds to its gradient
        x, dims = np.broadcast_to(x, (level.count, *x.shape)), 0
    return x if dims is None else add_batch_dim(x, level, dims)


_TREES = (tuple, list, Mapping)


def _keys(tree: Any) -> list[Any]:
    return list(tree if isinstance(tree, Mapping) else range(len(tree)))
