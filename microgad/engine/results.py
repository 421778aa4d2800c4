"""The gradients of a node with several results, of which some may be unused."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .. import backend
from ..function import Function
from ..function.plan import Plan
from ..type_aliases import Array
from . import node_hooks


def run_hooks(node: Function, grads: list[Array | None], ran: Collection[int]) -> list[Array | None]:
    """Run the hooks of a node's results, and return the gradients as they leave them.

    The result whose hook was registered first comes first. A result that no gradient reaches has None. The Outputs with
    the numbers `ran` have had their hooks run.
    """
    outputs = [(i, output) for i, reference in node.results.items() if (output := reference()) and output.hooks]
    for i, output in sorted(outputs, key=lambda each: min(each[1].hooks or ())):
        if output.number not in ran:
            grads[i] = node_hooks.run_hooks(output, grads[i])
    return grads


def gathered(node: Function, plan: Plan, grads: Sequence[Array | None]) -> tuple[Array | None, ...] | None:
    """The gradients of several results as the node's derivatives take them; None if no result has one."""
    if all(g is None for g in grads) and plan.fills:
        return None
    for shape in node.shape:
        if type(shape) is not tuple and hasattr(shape, "in_one_slice"):  # of a result that vmap has batched
            grads = shape.in_one_slice(grads, node.shape)
    return with_zeros(node, grads) if node.materializes and plan.fills else tuple(grads)


def with_zeros(node: Function, grads: Sequence[Array | None]) -> tuple[Array, ...]:
    """The gradients of several results, with zeros in place of None."""
    known = next(g for g in grads if g is not None)
    facts = zip(grads, node.shape, node.dtype, strict=True)
    return tuple([backend.zeros(shape, known, dtype) if g is None else g for g, shape, dtype in facts])
