"""From Tensors to nodes, and from nodes to those that a backward pass visits."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from ..function import Function, Output


def node_at(x: Any) -> Any:
    """The node of a Tensor or GradientEdge, if any; of a node with several results, the one at `output_nr`."""
    try:
        node = x.fresh_node  # a Tensor's `node` is a property, which takes longer
    except AttributeError:
        node = getattr(x, "node", None)
    return node.result(x.output_nr) if node is not None and type(node.shape) is list else node


def producer(node: Any) -> tuple[Any, int]:
    """The operation's node behind a Tensor's node, and which result of it the Tensor is.

    The node of one of several results is an Output, which points to the operation's node.
    """
    return (node.edges[0], node.index) if type(node) is Output else (node, 0)


def reachable(roots: Sequence[Function | None], oldest: float, barred: Any = ()) -> dict[int, Function]:
    """The nodes that can be reached from `roots`, by number, not through any that is older, or of a `barred` class."""
    found: dict[int, Function] = {}
    stack: list[Function | None] = list(roots)
    while stack:
        node = stack.pop()
        if node is not None and node.number >= oldest and node.number not in found and not isinstance(node, barred):
            found[node.number] = node
            stack += node.edges
    return found


def routes(
    roots: Sequence[Function], ends: Set[int], oldest: float, passed: Set[int] = frozenset()
) -> dict[int, Sequence[Function | None]]:
    """Find the nodes from which a target in `ends` can be reached.

    For each, by number: its edges, with None in place of those that lead to no target. Those with the numbers `passed`
    are visited even if none does.
    """
    reached = reachable(roots, oldest)
    found: dict[int, Sequence[Function | None]] = dict.fromkeys(ends, ())
    for number in sorted(reached):
        if edges := reached[number].edges:
            leading = [edge if edge is not None and edge.number in found else None for edge in edges]
            if number in passed or leading.count(None) < len(leading):
                found[number] = leading
    return found
