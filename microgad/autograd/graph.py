"""What PyTorch offers as torch.autograd.graph: hooks on what is kept, and on several gradients at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import errors
from ..engine import leaves
from ..engine.hooks import RemovableHandle
from ..function import Function as Node
from ..lazy import define_getattr as _define_getattr
from ..state.contexts import binding
from ..tensor import Tensor
from .saved_tensors import (
    allow_mutation_on_saved_tensors,
    disabled_message,
    innermost,
    save_on_cpu,
    saved_tensors_hooks,
)

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """A place in the graph, without the Tensor that was there: `grad` and `backward` take it in a Tensor's place.

    Source: torch.autograd.graph.GradientEdge.
    """

    node: Node
    output_nr: int
    ownership_token: Any = None

    @property
    def array(self) -> Any:
        """Any array: without a Tensor, the computer's memory is supposed to be where it was."""
        return np.zeros(())


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where in the graph a Tensor is. Raises RuntimeError where it doesn't require grad.

    Source: torch.autograd.graph.get_gradient_edge.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> torch.autograd.grad(y, torch.autograd.graph.get_gradient_edge(x))
    (tensor(6.),)
    """
    if tensor.node is None:
        raise errors.GraphError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    # A Leaf knows its Tensor weakly, and a node its results: the edge holds them.
    node = tensor.node
    return GradientEdge(tensor.grad_fn or node, tensor.output_nr, tensor if tensor.is_leaf else node)


class _Handles(RemovableHandle):
    """Several hooks that are removed together."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Call the hook no more."""
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all") -> _Handles:
    """Call `fn` once a backward pass: with all gradients when the last has come, or with "any" with the first one.

    The gradient of a Tensor that the pass doesn't come to is None.
    Gives a handle with `remove()`. Source: torch.autograd.graph.register_multi_grad_hook.

    >>> a, b = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    >>> handle = torch.autograd.graph.register_multi_grad_hook((a, b), print)
    >>> (a * b).backward()
    [tensor(2.), tensor(1.)]
    """
    if mode not in ("all", "any"):
        raise errors.ArgumentError(f"register_multi_grad_hook: mode must be 'all' or 'any', got '{mode}'")
    task: list[Any] = [None]  # each backward pass has its own
    grads: dict[int, Tensor | None] = {}
    count = len(tensors)  # which the hook doesn't refer to: they hold it
    numbers, expected = [tensor.node.number for tensor in tensors if tensor.node is not None], set[int]()

    def hook_of(i: int) -> Callable[[Tensor], None]:
        def hook(grad: Tensor) -> None:
            if task[0] is not leaves.current_pass():
                task[0] = leaves.current_pass()
                grads.clear()
                expected.clear()
                expected.update(task[0].visits(numbers))
            if mode == "any":
                if not grads:
                    grads[i] = None  # the gradient itself isn't held
                    fn(grad)
                return
            grads[i] = grad
            if len(grads) == sum(number in expected for number in numbers):
                found = [grads.get(k) for k in range(count)]
                grads.clear()
                fn(found)

        return hook

    return _Handles([tensor.register_hook(hook_of(i)) for i, tensor in enumerate(tensors)])


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """In a block, `saved_tensors_hooks` raises RuntimeError with this message; and here, where they are in force.

    Source: torch.autograd.graph.disable_saved_tensors_hooks.

    >>> with torch.autograd.graph.disable_saved_tensors_hooks("not here"):
    ...     with torch.autograd.graph.save_on_cpu(): pass
    Traceback (most recent call last):
    RuntimeError: not here
    """
    if innermost() is not None:
        raise RuntimeError(error_message)
    with binding(disabled_message, error_message):
        yield


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Say that a Tensor has been written to in a way that wasn't seen. Source: torch.autograd.graph.increment_version.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> kept = x * 1
    >>> y = kept * kept
    >>> torch.autograd.graph.increment_version(kept)
    >>> y.backward()
    Traceback (most recent call last):
    microgad.errors.GraphError: Mul: one of the values needed for gradient computation has been modified by ...
    """
    for each in (tensor,) if isinstance(tensor, Tensor) else tensor:
        each._bump()


_define_getattr(globals())
