"""The backward pass of a single operation on leaves, as gradient checks run it: without routes, a queue or a state."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from typing import Any

from numpy import ndarray

from ..backend.copies import copied
from ..duck_arrays import levels
from ..function import AccumulateGrad, Function, Packed
from ..function.plan import Plan
from ..state import State, variable
from ..type_aliases import Array
from .backward_pass import reported
from .derivatives import derivatives, fit_to_input
from .kept_values import free, read
from .leaves import accumulate, total
from .node_hooks import calling


def is_single(roots: Sequence[Function], seeds: Sequence[Array | None], ends: Collection[int]) -> bool:
    """Whether a pass calls the derivatives of one operation, on the CPU, and nothing else: no hook or custom backward.

    `ends` has the numbers of the targets; without any, gradients are accumulated.
    """
    if len(roots) != 1 or type(seeds[0]) is not ndarray or levels.get():
        return False
    (node,) = roots
    if node.hooks or node.calls_back or not node.edges or node.number in ends or (not ends and calling):
        return False
    for edge in node.edges:
        if edge is not None and (type(edge) is not AccumulateGrad or edge.hooks):
            return False
    return type(node.plan) is Plan and not isinstance(node.kept, Packed)


def run_single(
    node: Function, grad: Array, ends: Container[int] | None, retain_graph: bool, given: Container[int], outer: State
) -> dict[int, Array]:
    """Do what `run` does from one root for which `is_single` holds. `ends` has the numbers of targets, if there are.

    `outer` is the current state; that of the derivatives doesn't record.
    """
    onward = node.edges
    if ends is not None:
        onward = [edge if edge is not None and edge.number in ends else None for edge in onward]
        if not any(onward):
            return {}
    found: dict[int, Array] = {}
    leaf: Any
    sums: dict[int, Any] = {}  # by number: leaf, gradient, whether the engine alone refers to that array
    token = variable.set(outer.recording(False))
    try:
        for i, g in enumerate(derivatives(node, node.plan, read(node, node.plan), grad, onward, False)):
            if (leaf := onward[i]) is not None and g is not None:
                g, owned = fit_to_input(node, i, g, False)
                if leaf.number in sums:
                    g, owned = total(sums[leaf.number][1], g), True
                sums[leaf.number] = leaf, g, owned
        if not retain_graph:
            free(node)
        if ends is None:
            for number in sorted(sums, reverse=True):  # as the walk
                leaf, g, owned = sums[number]
                accumulate(leaf, g, owned, False)
        else:
            for number, (_, g, owned) in sums.items():
                found[number] = g if owned or id(g) in given else copied(g)
    except Exception as error:
        raise reported(error, node, None, False)  # noqa: B904 - it is this error, or has it as its cause
    finally:
        variable.reset(token)
    return found
