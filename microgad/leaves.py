"""Leaves whose gradients are looked at: each is given its gradient as soon as that is complete, as in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakSet

from .function import Function, Leaf

hooked: WeakSet[Leaf] = WeakSet()  # that have, or had, a hook


def places(roots: Sequence[Function]) -> dict[int, float]:
    """For hooked leaves, by number, where in the walk from `roots` they come: right after the last node that uses them.

    Of one node's, in the order of its inputs; other leaves come when all nodes are done, which nobody sees.
    """
    found: dict[int, float] = {}
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        number, edges = node.number, node.edges
        if number in seen:
            continue
        seen.add(number)
        for i, edge in enumerate(edges):
            if edge is None:
                continue
            if type(edge) is not Leaf:
                stack.append(edge)
            elif edge in hooked:
                before = i if type(node).__name__ != "Linear" else -i  # PyTorch's addmm begins with the bias
                place = number - 0.5 - before / (2 * len(edges) + 2)
                found[edge.number] = min(found.get(edge.number, place), place)
    return found
