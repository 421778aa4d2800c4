"""Forward mode under `no_grad`: what is computed there has a tangent, but no gradients.

The gradients of such a tangent itself, as in `jacrev(jacfwd(f))`, differ from PyTorch's: they go on to what the
tangent was computed with, which PyTorch takes for constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from .. import gradients, state
from ..engine.paths import reachable
from ..engine.transforms import transforms, transposes_tangent
from ..function import Function
from ..tensor import Tensor
from ..view_writes.registry import base_of
from .grad_mode import TangentsOnly
from .saved_tensors import CopyingObserver


class TangentGate(Function):
    """What was computed under `no_grad`, for tangents; what was there before a write under `no_grad`, for gradients."""

    symbol = "x"

    def forward(self, x, before):  # type: ignore[no-untyped-def]
        return x

    def backward(self, grad):  # type: ignore[no-untyped-def]
        return (grad, None) if transposes_tangent() else (None, grad)


def gradient_edges(node: Function) -> Sequence[Function | None]:
    """The edges of a node by which gradients go on."""
    return node.edges[1:] if type(node) is TangentGate else node.edges


class ForwardObserver(CopyingObserver):
    """Lets functions overwrite what was saved, and cuts what is computed under `no_grad` from all but tangents."""

    def __init__(self, outer: Any) -> None:
        super().__init__(outer)
        self._target: Tensor | None = None  # what is being written to
        self._before: Function | None = None  # the node that its memory has had

    def records(self, inputs: Sequence[Any]) -> bool:
        """Under `no_grad` a write is recorded if it has a tangent."""
        if type(state.current()) is not TangentsOnly:
            return super().records(inputs)
        return any(_has_tangent(x.node) for x in inputs if isinstance(x, Tensor)) and super().records(inputs)

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Any = None) -> None:
        """Note what gradients go to, where an operation writes under `no_grad`."""
        super().begin(node, inputs, target)
        self._target, self._before = target, None if target is None else base_of(target).node

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Cut the results of an operation under `no_grad`."""
        super().forward(node, inputs, out)
        if type(state.current()) is not TangentsOnly:
            return
        if self._target is not None:
            base, before, self._target, self._before = base_of(out), self._before, None, None
            if base.node is not before:
                base._rebind(TangentGate.recorded([base.node, before], base.array))
            return
        for x in out if type(out) is tuple else (out,):
            if x.node is not None:
                x.node = TangentGate.recorded([x.node, None], x.array) if _has_tangent(x.node) else None


def observing() -> AbstractContextManager[None]:
    """A context for the function that forward mode differentiates."""
    return state.scope(observer=ForwardObserver(state.current().observer))


def _roots() -> Iterator[float]:
    """The numbers of the nodes that have tangents."""
    if (level := gradients.dual_level.get()) is not None:
        yield from level.duals
    for transform in transforms.get():
        if transform.forward:
            yield from transform.numbers


def _has_tangent(node: Function | None) -> bool:
    """Whether what a node has computed depends on a Tensor that has a tangent."""
    if node is None or any(type(edge) is TangentGate for edge in node.edges):
        return node is not None
    roots = set(_roots())
    return not roots.isdisjoint(reachable([node], min(roots, default=float("inf"))))
