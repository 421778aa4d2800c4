"""What lies in nests of lists, tuples and mappings, as arguments and results come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


def taken(x: Any, leaves: list[Any], kind: type = object) -> Callable[[Sequence[Any]], Any]:
    """What builds the same nest of other leaves; its own of a kind, in place of which those come, go to a list.

    No closure: one that calls itself would hold the leaves.

    >>> from microgad.nests import taken
    >>> leaves = []
    >>> build = taken({"a": (1, None)}, leaves, int)
    >>> leaves, build([2])
    ([1], {'a': (2, None)})
    """
    if isinstance(x, dict):
        parts = {name: taken(part, leaves, kind) for name, part in x.items()}
        return lambda found: type(x)((name, build(found)) for name, build in parts.items())
    if isinstance(x, (tuple, list)):
        builds = [taken(part, leaves, kind) for part in x]
        if hasattr(x, "_fields"):
            return lambda found: type(x)(*(build(found) for build in builds))
        return lambda found: type(x)(build(found) for build in builds)
    if not isinstance(x, kind):
        return lambda found: x
    place = len(leaves)
    leaves.append(x)
    return lambda found: found[place]
