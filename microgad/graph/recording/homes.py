"""Where the arrays of a recording come from that operations read in other ways than as inputs: for replays."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from ... import backend
from ..replay_data import Call, Home


class Homes:
    """A table of the Home of each array that the tape has seen, by its id.

    Of a Tensor that a call made off the tape it has (Call, number among the results), as long as nothing reads it.
    """

    def __init__(self) -> None:
        self._homes: dict[int, tuple[weakref.ref[Any], Home | tuple[Call, int] | None]] = {}

    def __contains__(self, array: Any) -> bool:
        known = self._homes.get(id(array))
        return known is not None and known[0]() is array

    def find(self, array: Any) -> Home | tuple[Call, int] | None:
        """Return where an array comes from; None if it isn't known, or is constant."""
        return self._homes[id(array)][1] if array in self else None

    def set(self, array: Any, home: Home | tuple[Call, int] | None) -> None:
        """Note where an array comes from."""
        self._homes[id(array)] = weakref.ref(array), home

    def add(self, number: int, role: Any, arrays: Iterable[tuple[Any, Any]]) -> None:
        """Note where those of the arrays come from, each with its place, of which that isn't known yet."""
        for place, array in arrays:
            if backend.is_array(array) and array not in self:
                self.set(array, Home(number, role, place))


def arrays_in(values: Iterable[tuple[Any, Any]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Go through the arrays in settings, each with its path: ("index", 1) for one in a tuple.

    >>> from microgad.graph.recording.homes import arrays_in
    >>> [path for path, _ in arrays_in({"axis": 0, "index": (None, np.zeros(2))}.items())]
    [('index', 1)]
    """
    for name, value in values:
        if backend.is_array(value):
            yield (name,), value
        elif type(value) is tuple:
            for path, array in arrays_in(enumerate(value)):
                yield (name, *path), array
