"""Leaves in a backward pass: when they get their gradients, and how those are added up.

As in PyTorch, wherever hooks may see it a leaf gets its gradient as soon as that is complete.
"""

from __future__ import annotations

from _thread import RLock  # the one of threading, without its import, which takes a millisecond
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend, errors, function
from ..backend.axis_order import outermost_first
from ..backend.copies import copied_like
from ..backend.memory_layout import has_gaps
from ..errors.wording import in_torchs_words
from ..function import AccumulateGrad, Function
from ..function.naming import with_torch_name
from ..state.inference import check_inference
from ..type_aliases import Array
from .hooks import LAST
from .node_hooks import calling, run_hooks, run_post_accumulate_hooks
from .paths import reachable

accumulate_lock = RLock()  # held while adding to `.grad`: several threads' passes may end at one leaf


def leaf_of_new_array(tensor: Any) -> AccumulateGrad:
    """The leaf node of a Tensor whose array was replaced: a new one with the same hooks if shape or dtype changed."""
    leaf: AccumulateGrad = tensor.node
    if (leaf.shape, leaf.dtype) == (tensor.array.shape, tensor.array.dtype):
        return leaf
    new = AccumulateGrad(tensor)
    new.hooks = leaf.hooks
    if leaf in calling:
        calling.add(new)
    return new


def check_leaf(tensor: Any) -> None:
    """Raise RuntimeError if the Tensor is an operation's result."""
    if not tensor.is_leaf:
        raise errors.GraphError(
            "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a "
            "subgraph that doesn't require differentiation use var_no_grad = var.detach()."
        )


def set_requires_grad(tensor: Any, wanted: bool) -> AccumulateGrad | None:
    """The node of a leaf Tensor after `requires_grad_(wanted)`.

    Switched off, it is None, and the Tensor remembers the node. Switched on again, it is that same node, so that graphs
    recorded before still lead to the Tensor.
    """
    if not wanted:
        if type(tensor.node) is AccumulateGrad:
            tensor._own_links().idle_leaf = tensor.node
        return None
    check_inference(tensor._version_counter, "Setting requires_grad=True on inference tensor")
    links = tensor._links
    tensor.node = links.idle_leaf or AccumulateGrad(tensor)
    if links.idle_leaf is not None:
        links.idle_leaf = None
    return leaf_of_new_array(tensor)


def positions(roots: Sequence[Function], oldest: float) -> dict[int, float]:
    """The positions of leaves in the walk from `roots`, by node number, where a user's code may look at their `.grad`.

    Leaves are older than the nodes that use them, often than all, so the engine would reach them late. Each is to come
    right after the oldest node that uses it: its position is that node's number minus a fraction. The leaves of one
    node come in the order of its inputs, or in reverse. Nodes older than `oldest` aren't visited.
    """
    found: dict[int, float] = {}
    for number, node in reachable(roots, oldest).items():
        for i, edge in enumerate(node.edges):
            if type(edge) is AccumulateGrad:
                before = -i if node.last_first else i
                place = number - 0.5 - before / (2 * len(node.edges) + 2)
                found[edge.number] = min(found.get(edge.number, place), place)
    return found


def accumulate(leaf: AccumulateGrad, grad: Array, owned: bool, create_graph: bool) -> None:
    """Add to a leaf's `.grad`. The first gradient isn't copied if it is `owned` and has the leaf's strides."""
    tensor = leaf.tensor()
    if tensor is not None and tensor.node is None:  # it no longer requires grad
        return
    if leaf.hooks:
        grad, owned = run_hooks(leaf, grad, start=LAST), False
    if tensor is None:  # it was deleted
        return
    if grad is not None:
        with accumulate_lock:
            held = tensor._links.grad  # the property `.grad` would check what is assigned
            if create_graph:
                # It is copied: other leaves may have the same gradient, and clipping one must not clip the others.
                tensor._own_links().grad = first_gradient(tensor, grad) if held is None else held + grad
            elif held is None:
                fits = owned and grad.strides == tensor.array.strides
                tensor._own_links().grad = function.Tensor._wrap(grad if fits else copied_like(tensor.array, grad))
            else:  # in place, also if it is from an earlier create_graph pass: a constant changes no derivative
                add_to_gradient(held, grad)
    if tensor._links.post_accumulate_grad_hooks:
        run_post_accumulate_hooks(tensor)


def total(a: Array, b: Array) -> Array:
    """Return the sum of two gradients, of which the first may be None, as a new array."""
    found = np.copy(b) if a is None else a + b
    return backend.as_array(found) if isinstance(found, np.generic) else found  # NumPy adds 0-d arrays to a scalar


def add_to_gradient(held: Any, grad: Array) -> None:
    """Add a bare gradient to a `.grad` in place. Raises RuntimeError if `.grad` is expanded or of another shape."""
    if 0 in held.array.strides:
        held._check_writable("AccumulateGrad", False)
    try:
        held.array += grad
    except ValueError as error:
        raise errors.ShapeError(in_torchs_words(str(error))) from error
    held._bump()


def first_gradient(leaf: Any, grad: Any) -> Any:
    """A recorded copy of a leaf Tensor's first gradient, with the leaf's axis order, or row-major if that has gaps."""
    if has_gaps(leaf.array):
        return np.copy(grad, order="C")
    order: Any = "C" if leaf.array.flags.c_contiguous else tuple(outermost_first(leaf.array.strides))
    return with_torch_name("torch::autograd::CopyBackwards", np.copy(grad, order=order))
