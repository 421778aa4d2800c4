"""What PyTorch calls the node of a public function that shares its Function with others: see torch_names.py."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def called(name: str, result: T) -> T:
    """A result that was just made, by a function that goes by this name in printed Tensors where PyTorch made it."""
    node = getattr(result, "node", None)
    if node is not None:
        node.called = name
    return result


def called_in_place(name: str, tensor: T, before: Any) -> T:
    """A Tensor that may just have been written to, whose node was `before`; a view goes by how it shows its base."""
    node: Any = getattr(tensor, "node", None)
    return tensor if node is before or getattr(tensor, "base", None) is not None else called(name, tensor)


def called_as_in_place(node: Any) -> None:
    """A node of a view that a Tensor becomes goes by a number beyond those of the views: "SqueezeBackward3"."""
    name = node.name()
    node.called = f"{name[:-1]}{int(name[-1]) + (3 if name.startswith('Squeeze') else 1)}"
