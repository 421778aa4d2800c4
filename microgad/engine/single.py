"""The backward pass of a single operation on leaves, as gradient checks run it: without routes, a queue or a state."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from typing import Any

from numpy import ndarray

from ..backend.copies import copied
from ..duck_arrays import levels
from ..function import AccumulateGrad, Function, Packed
from ..function.plan import Plan
from ..type_aliases import Array
from .backward_pass import reported
from .derivatives import derivatives, fit_to_input
from .kept_values import free, read
from .leaves import accumulate, total
from .node_hooks import calling

FEW = 8  # targets that are faster found in a list than in a set


def run_single(
    roots: Sequence[Function],
    seeds: Sequence[Array | None],
    targets: Collection[Function] | None,
    retain_graph: bool,
    given: Container[int],
) -> dict[int, Array] | None:
    """Do what `run` does, where a pass calls one operation's derivatives on the CPU and nothing else, else return None.

    The derivatives, which get bare arrays, run in the caller's state, recording or not. Users' derivatives may look at
    it, so only microgad's own operations are run.
    """
    if len(roots) != 1 or type(grad := seeds[0]) is not ndarray or levels.get():
        return None
    (node,) = roots
    onward: list[Any] = []
    if targets is not None and len(targets) > FEW:
        targets = frozenset(targets)
    for edge in node.edges:
        if edge is not None and (type(edge) is not AccumulateGrad or edge.hooks):
            return None
        onward.append(edge if targets is None or edge in targets else None)
    if not onward or node.hooks or node.calls_back or (calling if targets is None else node in targets):
        return None
    if type(node.plan) is not Plan or isinstance(node.kept, Packed) or type(node).__module__[:9] != "microgad.":
        return None
    if not any(onward):
        return {}
    found: dict[int, Array] = {}
    leaf: Any
    sums: dict[int, Any] = {}  # by number: leaf, gradient, whether the engine alone refers to that array
    try:
        for i, g in enumerate(derivatives(node, node.plan, read(node, node.plan), grad, onward, False)):
            if (leaf := onward[i]) is not None and g is not None:
                g, owned = fit_to_input(node, i, g, False)
                if leaf.number in sums:
                    g, owned = total(sums[leaf.number][1], g), True
                sums[leaf.number] = leaf, g, owned
        if not retain_graph:
            free(node)
        if targets is None:
            for number in sorted(sums, reverse=True):  # as the walk
                leaf, g, owned = sums[number]
                accumulate(leaf, g, owned, False)
        else:
            for number, (_, g, owned) in sums.items():
                found[number] = g if owned or id(g) in given else copied(g)
    except Exception as error:
        raise reported(error, node, None, False)  # noqa: B904 - it is this error, or has it as its cause
    return found
