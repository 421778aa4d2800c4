"""Duck arrays: what passes for an array in operations. `torch.func.vmap` and the device "meta" have one each.

This is all that the core knows of them. vmap's is in batching/, that of "meta" in backend/.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np

from .state import current

# The NumPy functions that write into their first argument.
WRITERS = frozenset((np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask))


class Fallback(BaseException):  # no Exception, so that programs that catch those don't catch it
    """Raised where a duck array can't do what is asked: under vmap, what can't be computed for all slices at once.

    `Function.apply` or the engine catches it, and goes on with the exception's own functions.
    """

    # Other ways to compute an operation or a node's derivatives, or to call a hook: batching/ sets those of vmap,
    # which take one slice after another if they must.
    forward: ClassVar[Callable[..., Any]]
    derivatives: ClassVar[Callable[..., Any]]
    hooked: ClassVar[Callable[..., Any]]


class DuckArray:
    """The base class of duck arrays: they implement NumPy's protocols, so that NumPy's functions take them."""

    __slots__ = ()
    innermost: Any  # the NumPy or CuPy array behind it
    as_strided: Callable[..., Any]
    map_innermost: Callable[..., Any]
    gradient_for: Callable[..., Any]


levels: ContextVar[tuple[Any, ...]] = ContextVar("microgad vmap levels", default=())  # running vmaps, innermost last

# Whether a function that vmap calls slice by slice will be called for a further slice: backward passes then retain the
# graph, which the slices may have in common.
called_again: ContextVar[bool] = ContextVar("microgad called again", default=False)

# What watches the writes of running vmaps that compute slice by slice: see batching/shared_writes.py.
slice_writes: ContextVar[tuple[Any, ...]] = ContextVar("microgad slice writes", default=())


def check_write(tensor: Any) -> None:
    """Raise Fallback if a write under vmap can't be made for all slices at once, as into a Tensor on a graph outside.

    With None it always raises under vmap. An array that all slices share is written once, as if each slice wrote the
    same. vmap may fall back to one slice after another later, so each running vmap saves what is overwritten.
    """
    if (watching := slice_writes.get()) and tensor is not None:
        for writes in watching:
            writes.note(tensor)
    if going_on := levels.get():
        array = getattr(tensor, "array", None)
        own = getattr(array, "level", None)
        if array is None or (own and any(x is array.base for x in own.on_graphs)):
            raise Fallback
        if own in going_on:
            array.record_write()
        if own is going_on[-1]:
            return
        if current().grad_enabled and any(x is not None and x.node is not None for x in (tensor, tensor._links.base)):
            raise Fallback
        for level in going_on[going_on.index(own) + 1 if own in going_on else 0 :]:
            level.note(array)
