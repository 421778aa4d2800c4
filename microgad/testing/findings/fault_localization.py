"""Fault localization: run a function with a wrong gradient again, and check each operation in it alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ... import state
from ...autograd.function import CustomNode
from ...errors import MicrogadError
from ...function import Function
from ...tensor import Tensor
from ..calls import GradcheckError, floating, nodes_behind
from ..check_grads import check_grads


class CallTrace(state.Observer):
    """Records one run of a function: its outputs, and each operation with its inputs and settings.

    >>> class Square(torch.Function):
    ...     def forward(self, x): return x * x
    ...     def grad_x(self, grad, x): return grad * x  # 2 is missing
    >>> x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    >>> trace = CallTrace(lambda x: Square.apply(x.exp()), [x])
    >>> [node.symbol or type(node).__name__ for node in trace.faulty(order=1)]
    ['Square']
    """

    outputs: list[Tensor]

    def __init__(self, function: Callable[..., Any], inputs: Sequence[Any]) -> None:
        self.calls: list[tuple[Function, list[Any], dict[str, Any]]] = []
        with state.scope(observer=self):
            self.outputs = floating(function(*inputs))

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Record a call. An operation off the graph is skipped: it has no derivative."""
        if hasattr(node, "edges"):
            self.calls.append((node, [_detached_copy(x) for x in inputs], dict(vars(node))))

    def faulty(self, order: int) -> list[Function]:
        """Return the operations whose derivatives, up to `order`, are wrong at their own inputs; oldest first."""
        return [node for node, inputs, settings in self.calls if _is_wrong(type(node), inputs, settings, order)]

    def unchecked(self) -> list[Function]:
        """Return the operations that can't be called alone: autograd.Functions, of which only the node is known."""
        return [node for node in nodes_behind(self.outputs) if isinstance(node, CustomNode)]


def _detached_copy(x: Any) -> Any:
    """Return a copy of an input that is detached from the graph."""
    if not isinstance(x, Tensor):
        return x
    copy: Tensor = Tensor._wrap(x.array.copy())
    return copy.requires_grad_(x.requires_grad)


def _is_wrong(op: type[Function], inputs: list[Any], settings: dict[str, Any], order: int) -> bool:
    try:
        check_grads(lambda *args: op.apply(*args, **settings), inputs, order=order, kinks="accept", full=False)
    except GradcheckError:
        return True
    except MicrogadError:  # it can't be checked alone, as with a complex input
        return False
    return False
