"""torch.utils.weak: dicts whose keys are Tensors, compared by identity and held weakly."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from copy import deepcopy
from typing import Any, Self


class WeakIdKeyDictionary(MutableMapping[Any, Any]):
    """A dict that compares keys by identity, and holds them weakly: an entry is removed when its key dies.

    Source: torch.utils.weak.WeakIdKeyDictionary.

    >>> from microgad.utils.weak import WeakTensorKeyDictionary
    >>> x = torch.ones(2)
    >>> names = WeakTensorKeyDictionary({x: "x"})
    >>> names[x], torch.ones(2) in names
    ('x', False)
    >>> del x
    >>> len(names)
    0
    """

    def __init__(self, dict: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None) -> None:
        self._entries: Any = {}
        self.update(dict or {})

    def __getitem__(self, key: Any) -> Any:
        weakref.ref(key)  # a key that can't be held weakly raises a TypeError here, too
        if id(key) not in self._entries:
            raise KeyError(key)
        return self._entries[id(key)][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        i, entries = id(key), self._entries
        entries[i] = weakref.ref(key, lambda _: entries.pop(i, None)), value

    def __delitem__(self, key: Any) -> None:
        self[key]
        del self._entries[id(key)]

    def __contains__(self, key: Any) -> bool:
        return id(key) in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Any]:
        return (key for ref, _ in list(self._entries.values()) if (key := ref()) is not None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x}>"

    def items(self) -> list[tuple[Any, Any]]:  # type: ignore[override]
        """The entries at this moment, each with its key held, so that none goes while they are read."""
        return [(key, value) for ref, value in list(self._entries.values()) if (key := ref()) is not None]

    def copy(self) -> Self:
        return type(self)(self.items())

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same keys, with copies of their values."""
        return type(self)([(key, deepcopy(value, memo)) for key, value in self.items()])

    def __or__(self, other: Any) -> Self:
        new = self.copy()
        new.update(other)
        return new

    def __ror__(self, other: Any) -> Self:
        return type(self)(other) | self

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self


WeakTensorKeyDictionary = WeakIdKeyDictionary
