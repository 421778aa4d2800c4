"""What lies in nests of lists, tuples and mappings, as arguments and results come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def leaves(nest: Any) -> Iterator[Any]:
    """All that lies in it, from left to right.

    >>> from microgad.nests import leaves
    >>> list(leaves([1, (2, {"a": 3}), 4]))
    [1, 2, 3, 4]
    """
    if isinstance(nest, Mapping):
        nest = list(nest.values())
    if isinstance(nest, (list, tuple)):
        for part in nest:
            yield from leaves(part)
    else:
        yield nest


def rebuilt(nest: Any, change: Callable[[Any], Any]) -> Any:
    """The same nest with every leaf changed, from left to right; mappings become dicts.

    >>> from microgad.nests import rebuilt
    >>> rebuilt([1, (2, {"a": 3}), 4], lambda x: -x)
    [-1, (-2, {'a': -3}), -4]
    """
    if isinstance(nest, Mapping):
        return {name: rebuilt(part, change) for name, part in nest.items()}
    if isinstance(nest, (list, tuple)):
        parts = [rebuilt(part, change) for part in nest]
        return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)
    return change(nest)
