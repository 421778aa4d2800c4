"""What PyTorch calls the node of a public function that shares its Function with others: see torch_names.py."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def called(name: str, result: T) -> T:
    """A result that was just made, by a function that goes by this name in printed Tensors where PyTorch made it."""
    node = getattr(result, "node", None)
    if node is not None:
        node.called = name
    return result
