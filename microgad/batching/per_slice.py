"""Calls of a function with one slice of `BatchedArray`s after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from ..backend import is_array, owner
from ..duck_arrays import Fallback
from ..pytree import rebuilt
from ..type_aliases import Array
from .array import BatchedArray, Level, is_batched_at, ndim_of

np: Any = numpy  # NumPy's stubs don't know BatchedArray


def call_per_slice(func: Any, level: Level, args: Any, kwargs: Any) -> Any:
    """Call a function once for each slice, and stack the results."""
    results = [func(*take_slice(args, level, i), **take_slice(kwargs, level, i)) for i in range(level.count)]
    if (out := kwargs.get("out")) is not None:
        return out[0] if type(out) is tuple and len(out) == 1 else out
    return stack_results(results, level, args)


def take_slice(x: Any, level: Level, i: int) -> Any:
    """Take slice i of batched arrays, also in tuples, lists and dicts; return anything else as it is."""
    if is_batched_at(x, level):
        return x.whole[i, ...]
    if isinstance(x, dict):
        return {name: take_slice(value, level, i) for name, value in x.items()}
    return type(x)(take_slice(value, level, i) for value in x) if type(x) in (tuple, list) else x


def stack_results(results: Sequence[Any], level: Level, args: Any = ()) -> Any:
    """Stack the slices' results.

    Raises Fallback for different shapes, different numbers, views of an argument, and what isn't of one slice alone.
    """
    first = results[0]
    if isinstance(first, (tuple, list)):
        return rebuilt(first, [stack_results(each, level, args) for each in zip(*results, strict=True)])
    if is_array(first) or isinstance(first, np.generic):
        if any(x.shape != first.shape or is_batched_at(x, level) for x in results) or _shares_memory(first, args):
            raise Fallback
        return BatchedArray(np.stack(results), level)
    if any(x != first for x in results):
        raise Fallback
    return first


def _shares_memory(result: Array, args: Any) -> bool:
    """Whether a result is a view of an argument's memory."""
    if type(args) in (tuple, list):
        return any(_shares_memory(result, x) for x in args)
    return type(args) is BatchedArray and ndim_of(result) > 0 and owner(result) is owner(args.whole)
