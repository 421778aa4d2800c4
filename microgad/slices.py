"""What every operation may have to know of a mapping over slices, `torch.func.vmap`, that goes on: see batching/."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ClassVar


class Apart(BaseException):  # no error: programs that catch those mustn't see it
    """Slices can't be computed together here: they go different ways, or something takes an array of NumPy's alone."""

    # What the engine and operations go on with, one slice after another. They stand on a floor above, in batching/.
    forward: ClassVar[Callable[..., Any]]
    derivatives: ClassVar[Callable[..., Any]]


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
    """Raise Apart where something is about to be written that slices have in common: each would write it anew.

    Or what is on a graph outside, where each write is a node.
    """
    if going_on := levels.get():
        level: Any = going_on[-1]
        array: Any = getattr(tensor, "array", None)
        own = getattr(array, "level", None) is level
        if not own or any(x is array or x is array.base for x in level.on_graphs):
            raise Apart
