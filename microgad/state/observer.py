"""Observer: what is told of every operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Observer:
    """Sees every operation as it happens, forward and backward: anomaly detection, recorders, profilers.

    A subclass overrides what it wants to see, and calls the same method here, which tells the observer around it. An
    operation that isn't recorded is seen as well: its node has settings, and no edges.
    """

    outer: Observer | None = None

    def begin(self, node: Any, inputs: tuple[Any, ...], target: Any = None) -> None:
        """An operation is about to compute; `target` is the Tensor that it writes to, if it works in place."""
        if self.outer is not None:
            self.outer.begin(node, inputs, target)

    def forward(self, node: Any, inputs: tuple[Any, ...], out: Any) -> None:
        """It has: `out` is its result, a tuple where there are several, or the Tensor that was written to."""
        if self.outer is not None:
            self.outer.forward(node, inputs, out)

    def enter(self, module: Any, path: str) -> None:
        """A module inside another is called."""
        if self.outer is not None:
            self.outer.enter(module, path)

    def inside(self, node: Any) -> Observer | None:
        """Who sees what a user's autograd.Function does in its forward."""
        return self

    def start_backward(self, roots: Sequence[Any], seeds: Sequence[Any], ends: Sequence[Any] | None = None) -> None:
        """A backward pass starts at these nodes, with these gradients: arrays, or Tensors under create_graph.

        It goes to all leaves, or only to its `ends`.
        """
        if self.outer is not None:
            self.outer.start_backward(roots, seeds, ends)

    def begin_backward(self, node: Any, grad: Any) -> None:
        """A node's derivatives are about to be computed from the gradient of its result."""
        if self.outer is not None:
            self.outer.begin_backward(node, grad)

    def backward(self, node: Any, gradients: list[Any]) -> None:
        """They have been: a gradient an input, None where nobody wants it."""
        if self.outer is not None:
            self.outer.backward(node, gradients)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a public function that is made of several operations, or computes on bare arrays in between."""
        return function(*args, **kwargs) if self.outer is None else self.outer.call(function, args, kwargs)
