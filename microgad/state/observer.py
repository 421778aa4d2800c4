"""Observer: the interface of what watches every operation, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar


class Stopped(Exception):  # no BaseException: as in PyTorch, `except Exception` in the code that is left catches it
    """Raised by an observer to leave what it observes in an operation, which has computed its `results`."""

    def __init__(self, results: tuple[Any, ...]) -> None:
        self.results = results


class Observer:
    """The base class of anomaly detection, tape recorders and profilers. Its methods are called as operations happen.

    A subclass overrides the methods that it needs, and calls the base method, which passes the event on to the
    enclosing observer. Operations that aren't recorded are reported as well: their nodes have settings, but no edges.
    """

    outer: Observer | None = None
    takes_batches: ClassVar[bool] = False  # whether operations may be computed for several slices at once

    def begin(self, node: Any, inputs: tuple[Any, ...], target: Any = None) -> None:
        """Called before an operation computes. `target` is the Tensor that it writes to, if it works in place."""
        if self.outer is not None:
            self.outer.begin(node, inputs, target)

    def forward(self, node: Any, inputs: tuple[Any, ...], out: Any) -> None:
        """Called after an operation computed. `out` is its result, a tuple of several, or the Tensor written to."""
        if self.outer is not None:
            self.outer.forward(node, inputs, out)

    def write(self, tensor: Any) -> None:
        """Called before a Tensor's memory is written to, by an operation or otherwise."""
        if self.outer is not None:
            self.outer.write(tensor)

    def records(self, inputs: Sequence[Any]) -> bool:
        """Whether a write that computes with these inputs, the first of which it is to, is recorded like others."""
        return self.outer is None or self.outer.records(inputs)

    def release(self, node: Any) -> None:
        """Called when an operation no longer holds what it keeps, because a checkpoint computes it again."""
        if self.outer is not None:
            self.outer.release(node)

    def enter(self, module: Any, path: str) -> None:
        """Called when a module inside another one is called; `path` is its own."""
        if self.outer is not None:
            self.outer.enter(module, path)

    def inside(self, node: Any) -> Observer | None:
        """The observer for the operations in the forward of a user's autograd.Function: this one, or None."""
        return self

    def start_backward(self, roots: Sequence[Any], seeds: Sequence[Any], ends: Sequence[Any] | None = None) -> None:
        """Called when a backward pass starts from `roots` with the gradients `seeds`: arrays, or recorded Tensors.

        The pass goes to all leaves, or, where `ends` are given, to those nodes.
        """
        if self.outer is not None:
            self.outer.start_backward(roots, seeds, ends)

    def end_backward(self, found: dict[int, Any]) -> None:
        """Called when a backward pass is complete; `found` has the gradients at its ends, by the nodes' numbers."""
        if self.outer is not None:
            self.outer.end_backward(found)

    def begin_backward(self, node: Any, grad: Any) -> None:
        """Called before a node's derivatives are computed; `grad` is the gradient of its result."""
        if self.outer is not None:
            self.outer.begin_backward(node, grad)

    def backward(self, node: Any, gradients: list[Any]) -> None:
        """Called after a node's derivatives are computed: one gradient for each input, or None."""
        if self.outer is not None:
            self.outer.backward(node, gradients)

    def failed(self, node: Any) -> None:
        """Called when a node's derivatives raised an error."""
        if self.outer is not None:
            self.outer.failed(node)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make the call of a public function that is made of several operations, or computes on bare arrays."""
        return function(*args, **kwargs) if self.outer is None else self.outer.call(function, args, kwargs)
