"""torch.autograd.graph: gradient edges, hooks on saved Tensors, and hooks on several gradients at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import errors
from ..engine import backward_pass
from ..engine.hooks import RemovableHandle
from ..function import Function as Node
from ..function import Output
from ..lazy import define_getattr as _define_getattr
from ..state.contexts import binding
from ..tensor import Tensor
from .saved_tensors import allow_mutation_on_saved_tensors, disabled, innermost, save_on_cpu, saved_tensors_hooks

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


class GradientEdge(NamedTuple):
    """A Tensor's place in the graph: `grad` and `backward` take it in place of the Tensor, which may be gone.

    Source: torch.autograd.graph.GradientEdge.

    >>> x = torch.ones(2, requires_grad=True)
    >>> edge = torch.autograd.graph.GradientEdge(x.exp().grad_fn, 0)
    >>> torch.autograd.grad(edge, x, torch.ones(2))
    (tensor([2.7183, 2.7183]),)
    """

    node: Node
    output_nr: int
    ownership_token: Any = None

    @property
    def array(self) -> Any:
        """An array that stands for the Tensor's, whose device is assumed to be the CPU."""
        return np.zeros(())


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Return a Tensor's place in the graph. Raises RuntimeError if it doesn't require grad.

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
    # An AccumulateGrad refers to its Tensor weakly, and a node to its results: the edge's token keeps them alive.
    node = tensor.node
    return GradientEdge(tensor.grad_fn or node, tensor.output_nr, tensor if tensor.is_leaf else node)


class _Handles(RemovableHandle):
    """The handle of several hooks that are removed together."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Remove the hooks."""
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: Literal["all", "any"] = "all"
) -> _Handles:
    """Call `fn` once in each backward pass: with a list of all gradients or, in mode "any", with the first that comes.

    In the list, Tensors that the pass doesn't reach have None. All have to require grad; mode "any" ignores those that
    don't. Returns a handle with `remove()`. Raises AssertionError for Tensors that don't require grad, ValueError for
    another mode. Source: torch.autograd.graph.register_multi_grad_hook.

    >>> a, b = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    >>> handle = torch.autograd.graph.register_multi_grad_hook((a, b), print)
    >>> (a * b).backward()
    [tensor(2.), tensor(1.)]
    """
    if mode not in ("all", "any"):
        raise errors.ArgumentError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    if mode == "any":
        tensors = [x for x in tensors if x.requires_grad]
    elif not all(x.requires_grad for x in tensors):
        raise errors.CallError("register_multi_grad_hook: Expected gradient function to be set")
    task: list[Any] = [None, 0]  # the pass that runs, and how many gradients it brings: in another one all starts anew
    grads: dict[int, Tensor | None] = {}
    count = len(tensors)  # the hook must not refer to the Tensors, which hold it
    nodes = [_numbers_at(tensor.node) for tensor in tensors]

    def hook_of(i: int) -> Callable[[Tensor], None]:
        def hook(grad: Tensor) -> None:
            running: Any = backward_pass.current_pass()
            if task[0] is not running:
                expected = running.visits(set[int]().union(*nodes))
                task[:] = running, sum(not expected.isdisjoint(numbers) for numbers in nodes)
                grads.clear()
            if mode == "any":
                if not grads:
                    grads[i] = None  # the gradient itself isn't kept alive
                    fn(grad)
                return
            grads[i] = grad
            if len(grads) == task[1]:
                found = [grads.get(k) for k in range(count)]
                grads.clear()
                fn(found)

        return hook

    return _Handles([tensor.register_hook(hook_of(i)) for i, tensor in enumerate(tensors)])


def _numbers_at(node: Node | None) -> set[int]:
    """The numbers of the nodes whose visit runs a node's hooks: of one of several results, also the operation's."""
    return set() if node is None else {x.number for x in (node, *(node.edges if type(node) is Output else ()))}


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """In a block, let `saved_tensors_hooks` raise RuntimeError with this message; raise it now if hooks are active.

    Source: torch.autograd.graph.disable_saved_tensors_hooks.

    >>> with torch.autograd.graph.disable_saved_tensors_hooks("not here"):
    ...     with torch.autograd.graph.save_on_cpu(): pass
    Traceback (most recent call last):
    RuntimeError: not here
    """
    if innermost() is not None:
        raise RuntimeError(error_message)
    with binding(disabled, error_message):
        yield


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Record that Tensors have been written to in a way that autograd didn't see.

    Raises ValueError for what is no Tensor. Source: torch.autograd.graph.increment_version.

    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> kept = x * 1
    >>> y = kept * kept
    >>> torch.autograd.graph.increment_version(kept)
    >>> y.backward()
    Traceback (most recent call last):
    microgad.errors.GraphError: Mul: one of the variables needed for gradient computation has been modified by ...
    """
    tensors = tuple(tensor) if isinstance(tensor, Iterable) and not isinstance(tensor, Tensor) else (tensor,)
    if not all(isinstance(each, Tensor) for each in tensors):
        raise errors.ArgumentError("increment_version expects a Tensor, or an Iterable[Tensor], as input")
    for each in tensors:
        if not each.is_inference():
            each._bump()


_define_getattr(globals())
