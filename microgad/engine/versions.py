"""Version counters, which find out whether a kept value was overwritten before backward read it.

All Tensors on the same memory share one counter: a list of the number of writes so far, followed by the memory regions
of the latest writes where those are remembered (for writes through `.data`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import errors
from ..backend import is_array
from ..backend.memory_layout import address
from ..function import SCALARS
from ..function.plan import argument
from ..state.inference import count
from ..type_aliases import Array

REMEMBERED = 64  # how many of the latest writes' regions are remembered
WORK = 10_000  # how many steps NumPy may take to find out whether two strided arrays share an element

# By the id of a memory's owner: a reference to it, and the counters of copies that follow writes to it (conjugates).
mirrors: dict[int, tuple[Any, Any]] = {}


class _Region:
    """The memory region of an array, as an array interface: it doesn't keep the memory alive, and is never read."""

    def __init__(self, x: Array) -> None:
        facts = {"shape": x.shape, "strides": x.strides, "typestr": x.dtype.str, "data": (address(x), True)}
        self.__array_interface__ = {**facts, "version": 3}


def record_write(counter: list[Any], array: Array) -> None:
    """Remember the region of the latest write, which went into `array`, and how many were remembered before."""
    before = list.__getitem__(counter, -1)[2] + 1 if len(counter) > 1 else 0
    counter.append((count(counter), _Region(array), before))
    del counter[1:-REMEMBERED]


def tracked(counter: list[Any]) -> int:
    """The number of the writes that PyTorch counts, too: not through `.data`."""
    return count(counter) - (list.__getitem__(counter, -1)[2] + 1 if len(counter) > 1 else 0)


def check(node: Any, counter: list[Any], then: int) -> None:
    """Raise GraphError if a value that `node` keeps may have been overwritten since version `then`.

    Writes through `.data` whose regions are disjoint from all kept values are allowed: PyTorch doesn't count writes
    through `.data` at all.
    """
    since = [place for version, place, _ in counter[1:] if version > then]
    known = type(node.kept) is list and len(since) == counter[0] - then  # nothing is known of packed values
    if not known or any(_may_overlap(place, x) for place in since for x in node.kept):
        raise errors.GraphError(
            f"{errors.place(type(node).__name__, node.path)}: one of the variables needed for gradient computation has "
            f"been modified by an inplace operation: {_name(node, counter)} is at version {counter[0]}, but version "
            f"{then} was kept. Clone it before the write, or write out of place"
        )


def keep_result(node: Any, counter: list[Any]) -> None:
    """Let `node` accept the latest change of its result's version: the result got another array, it keeps the former.

    In PyTorch a kept result has the former memory, too. A kept input is the Tensor itself, whose values change.
    """
    seen: Any = getattr(node, "versions", ())
    plan = getattr(node, "plan", None)
    kept = type(seen) is list and seen and plan is not None and plan.out  # its result, whose version is the last one
    if kept and seen[-2] is counter and seen[-1] == counter[0] - 1:
        seen[-1] = counter[0]


def check_all(node: Any) -> None:
    """Raise GraphError if any value that `node` keeps may have been overwritten. The engine has these lines inlined."""
    for counter, then in zip(node.versions[::2], node.versions[1::2], strict=True):
        if counter[0] != then:
            check(node, counter, then)


def numbers(node: Any) -> list[Any]:
    """Return the numbers that a node keeps, each at the place of its kept value; None for arrays."""
    kept = node.kept
    if not kept:
        packed = getattr(kept, "hooks", ())  # arrays, even where a hook returned a number
        kept = [None if i in packed else x for i, x in enumerate(kept.values)]
    return [x if type(x) in SCALARS else None for x in kept]


def _name(node: Any, counter: list[Any]) -> str:
    """Return what messages call a kept value with this counter; "it" if that isn't known."""
    plan: Any = getattr(node, "plan", None)
    counters = node.versions[::2]
    known = plan is not None and type(node.kept) is list and len(counters) == len(plan.inputs) + plan.out
    if not known:  # the value is packed, or belongs to an autograd.Function; numbers have no counters
        return "it"
    at = next(i for i, each in enumerate(counters) if each is counter)
    name = argument(node, plan.inputs[at]) if at < len(plan.inputs) else "its result"
    return f"{name} {node.kept[at].shape}" if is_array(node.kept[at]) else name


def _may_overlap(place: _Region, kept: Array) -> bool:
    """Whether a kept value may share an element with a region."""
    if not is_array(kept):
        return isinstance(kept, tuple)  # the results of a Function with several: assume so
    try:
        return bool(np.shares_memory(np.asarray(place), np.asarray(_Region(kept)), WORK))  # type: ignore[arg-type]
    except RuntimeError:  # it would take more than WORK steps
        return True
