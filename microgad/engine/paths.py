"""Which nodes a backward pass visits."""

from __future__ import annotations

from collections.abc import Sequence

from ..function import Function


def reachable(roots: Sequence[Function | None], oldest: float) -> dict[int, Function]:
    """The nodes that can be reached from `roots`, by number, without those that are older than `oldest`."""
    found: dict[int, Function] = {}
    stack: list[Function | None] = list(roots)
    while stack:
        node = stack.pop()
        if node is not None and node.number >= oldest and node.number not in found:
            found[node.number] = node
            stack += node.edges
    return found


def routes(roots: Sequence[Function], ends: frozenset[int], oldest: float) -> dict[int, Sequence[Function | None]]:
    """Find the nodes from which a target in `ends` can be reached.

    For each, by number: its edges, with None in place of those that lead to no target.
    """
    reached = reachable(roots, oldest)
    found: dict[int, Sequence[Function | None]] = dict.fromkeys(ends, ())
    for number in sorted(reached):
        if edges := reached[number].edges:
            leading = [edge if edge is not None and edge.number in found else None for edge in edges]
            if leading.count(None) < len(leading):
                found[number] = leading
    return found
