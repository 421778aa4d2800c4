"""Counters of writes, one for all Tensors of one memory: a list of how many there were, and where some of them went."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import errors
from ..backend import is_array
from ..backend.placement import address
from ..state.inference import count

NOTED = 64  # writes of which it is known where they went: the last ones
WORK = 10_000  # steps that NumPy may take to find whether strided arrays share an element


class _Place:
    """Where an array lies, as NumPy's array interface tells of it: no memory is kept alive, and none is read."""

    def __init__(self, x: Any) -> None:
        facts = {"shape": x.shape, "strides": x.strides, "typestr": x.dtype.str, "data": (address(x), True)}
        self.__array_interface__ = {**facts, "version": 3}


def note(counter: list[Any], array: Any) -> None:
    """Remember where the last write went."""
    counter.append((count(counter), _Place(array)))
    del counter[1:-NOTED]


def check(node: Any, counter: list[Any], then: int) -> None:
    """Raise GraphError unless all writes since version `then` went through `.data`, and past what the node keeps.

    PyTorch counts no write through `.data`, which programs use where they know what they do.
    """
    since = [place for version, place in counter[1:] if version > then]
    known = type(node.kept) is list and len(since) == counter[0] - then  # nothing of what a hook has packed
    if not known or any(_meet(place, x) for place in since for x in node.kept):
        raise errors.GraphError(
            f"{errors.place(type(node).__name__, node.path)}: one of the values needed for gradient computation has "
            f"been modified by an inplace operation: it is at version {counter[0]}, but version {then} was kept. Clone "
            "it before the write, or write out of place"
        )


def _meet(place: _Place, kept: Any) -> bool:
    """Whether what lies there and what a node keeps may share an element."""
    if not is_array(kept):
        return isinstance(kept, tuple)  # several results
    try:
        return bool(np.shares_memory(np.asarray(place), np.asarray(_Place(kept)), WORK))  # type: ignore[arg-type]
    except RuntimeError:  # which takes too long to find
        return True
