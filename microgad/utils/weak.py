"""torch.utils.weak: dicts whose keys are Tensors, compared by identity and held weakly."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from ..lazy import define_getattr as _define_getattr


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

    def __init__(self, dict: Mapping[Any, Any] | None = None) -> None:
        self._entries: Any = {}
        self.update(dict or {})

    def __getitem__(self, key: Any) -> Any:
        if id(key) not in self._entries:
            raise KeyError(key)
        return self._entries[id(key)][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        i, entries = id(key), self._entries
        entries[i] = weakref.ref(key, lambda _: entries.pop(i, None)), value

    def __delitem__(self, key: Any) -> None:
        if self._entries.pop(id(key), None) is None:
            raise KeyError(key)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Any]:
        return (key for ref, _ in list(self._entries.values()) if (key := ref()) is not None)


WeakTensorKeyDictionary = WeakIdKeyDictionary

_define_getattr(globals())
