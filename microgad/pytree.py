"""Nested lists, tuples and mappings ("pytrees"), as arguments and results come in: their leaves, and maps over these.

This is the small version that the library itself uses; `utils._pytree` has PyTorch's interface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


def tree_leaves(tree: Any) -> Iterator[Any]:
    """Go through the leaves of a tree, from left to right.

    >>> from microgad.pytree import tree_leaves
    >>> list(tree_leaves([1, (2, {"a": 3}), 4]))
    [1, 2, 3, 4]
    """
    if not isinstance(tree, (list, tuple)):  # asked first: it takes a tenth of the time of the next question
        if not isinstance(tree, Mapping):
            yield tree
            return
        tree = list(tree.values())
    for part in tree:
        yield from tree_leaves(part)


def contains(tree: list[Any] | tuple[Any, ...], kind: type) -> bool:
    """Whether nested lists or tuples have a leaf of type `kind`. Long lists of numbers are not walked in Python.

    >>> from microgad.pytree import contains
    >>> contains([1, (2, 3.0)], float), contains([1, (2, 3.0)], str)
    (True, False)
    """
    types = set(map(type, tree))
    if any(issubclass(found, kind) for found in types):
        return True
    nested = any(issubclass(found, (list, tuple)) for found in types)
    return nested and any(contains(part, kind) for part in tree if isinstance(part, (list, tuple)))


def tree_map(func: Callable[[Any], Any], tree: Any) -> Any:
    """Apply `func` to each leaf, from left to right, and return a tree of the results; mappings become dicts.

    >>> from microgad.pytree import tree_map
    >>> tree_map(lambda x: -x, [1, (2, {"a": 3}), 4])
    [-1, (-2, {'a': -3}), -4]
    """
    if isinstance(tree, Mapping):
        return {name: tree_map(func, part) for name, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return rebuilt(tree, [tree_map(func, part) for part in tree])
    return func(tree)


def rebuilt(like: Any, parts: Sequence[Any]) -> Any:
    """Return a list, tuple or named tuple of the type of `like` with other parts."""
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
