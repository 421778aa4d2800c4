"""The bare arrays of Tensors: for what a derivative only decides by, and for computations that nothing can observe."""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from ... import function, state
from ...pytree import tree_leaves
from ...torch_function import has_torch_function, overrides_functions


def bare(x: Any) -> Any:
    """Return the array of a Tensor, or what isn't one. It is for decisions only: operations on it are not recorded."""
    return x.array if isinstance(x, function.Tensor) else x


def tensors_in(tree: Any) -> list[Any]:
    """Return the Tensors among the leaves of nested lists, tuples and mappings, in order."""
    return [x for x in tree_leaves(tree) if isinstance(x, function.Tensor)]


def is_recorded(*operands: Any) -> bool:
    """Whether an operation on these operands is recorded, so that a graph keeps its settings."""
    if state.current().grad_enabled:
        for x in operands:
            if not isinstance(x, function.Tensor) or getattr(x, "fresh_node", x) is None:
                continue  # quick; `fresh_node` is not set on views that may require grad as their base does
            if x.node is not None or x.requires_grad:
                return True
    return False


def unseen(*tensors: Any) -> list[Any] | None:
    """Return the arrays of Tensors, if operations on the arrays can stand for operations on these.

    None if an array isn't NumPy's own, or if anything sees each operation: an observer, `graph.fine`, a class or mode
    that overrides functions. The caller makes sure that no gradient is wanted.
    """
    for x in tensors:
        kind = type(x)
        if kind is not function.Tensor and (not isinstance(x, function.Tensor) or overrides_functions(kind)):
            return None
        if type(x.array) is not ndarray:
            return None
    now = state.current()
    if now.observer is not None or now.fine is not None or has_torch_function(()):
        return None
    return [x.array for x in tensors]


def unrecorded(*tensors: Any) -> list[Any] | None:
    """Return the arrays of Tensors, as `unseen` does, if nothing is recorded of them."""
    return None if is_recorded(*tensors) else unseen(*tensors)
