"""What every operation may have to know of a mapping over slices, `torch.func.vmap`, that goes on: see batching/."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ClassVar

from .state import current


class Apart(BaseException):  # no error: programs that catch those mustn't see it
    """Slices can't be computed together here: they go different ways, or something takes an array of NumPy's alone."""

    # What the engine and operations go on with, one slice after another. They stand on a floor above, in batching/.
    forward: ClassVar[Callable[..., Any]]
    derivatives: ClassVar[Callable[..., Any]]
    hooked: ClassVar[Callable[..., Any]]


class Stand:
    """What is an array in all but its class, as NumPy's functions take it: batching/array.py has the one there is."""

    __slots__ = ()
    innermost: Any  # NumPy's or CuPy's
    as_strided: Callable[..., Any]
    made_of: Callable[..., Any]
    gradient_for: Callable[..., Any]


levels: ContextVar[tuple[Any, ...]] = ContextVar("microgad mappings", default=())  # that go on, the innermost last

# Whether a function that is called slice by slice is called again: until then each backward keeps its graph.
called_again: ContextVar[bool] = ContextVar("microgad called again", default=False)


def check_write(tensor: Any) -> None:
    """Raise Apart where a write in a mapping can't be made for all slices at once: into what is on a graph outside.

    An array that all slices share is written once, as if each wrote the same, and so is what has come into a mapping
    for all at once. It may turn out later that slices go apart, so each mapping that goes on notes what was there
    before, and can put it back.
    """
    if going_on := levels.get():
        array: Any = getattr(tensor, "array", None)
        own: Any = getattr(array, "level", None)
        if array is None or (own and any(x is array.base for x in own.on_graphs)):
            raise Apart
        if own in going_on:
            array.note_write()
        if own is going_on[-1]:
            return
        if current().grad_enabled and any(x is not None and x.node is not None for x in (tensor, tensor.base)):
            raise Apart
        for level in going_on[going_on.index(own) + 1 if own in going_on else 0 :]:
            level.note(array)
