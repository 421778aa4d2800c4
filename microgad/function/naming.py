"""PyTorch's names for the nodes of public functions that share one Function here: see grad_fn/torch_names.py."""

from __future__ import annotations

from typing import Any, TypeVar

from ..state.links import NO_LINKS

T = TypeVar("T")
backward_name: Any = None  # a function of the node, set by grad_fn, which knows PyTorch's names of all operations


def node_name(node: Any) -> str:
    """PyTorch's name for a node: "MulBackward0". The class of a program's operation may have another `name`."""
    name = backward_name(node)
    return name if "Backward" in name else f"torch::autograd::{name}"


def with_torch_name(name: str, result: T) -> T:
    """Give the node of a new result the name that PyTorch prints for it, and return the result."""
    node = getattr(result, "fresh_node", None)  # not `node`, which searches for that of a view made under no_grad
    if node is not None:
        node.torch_name = name
    return result


def with_in_place_name(name: str, tensor: T, before: Any) -> T:
    """Name the node of a Tensor written in place, unless it is still `before`. Views keep their view's name."""
    node, links = getattr(tensor, "node", None), getattr(tensor, "_links", NO_LINKS)
    return tensor if node is before or links.base is not None else with_torch_name(name, tensor)


def set_in_place_view_name(node: Any) -> None:
    """Name the node of an in-place view (`squeeze_`). PyTorch numbers it after the views': "SqueezeBackward3"."""
    name = node_name(node)
    node.torch_name = f"{name[:-1]}{int(name[-1]) + (3 if name.startswith('Squeeze') else 1)}"
