"""The transforms of torch.func that run, which the engine must tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from contextvars import ContextVar

from ..function import Function
from ..state.contexts import binding


class Transform:
    """A running transform of torch.func, known by the nodes that it differentiates by."""

    def __init__(self, entries: Iterable[Function], forward: bool) -> None:
        self.numbers, self.forward = {node.number for node in entries}, forward

    def running(self) -> AbstractContextManager[None]:
        """A context in which this is the innermost transform."""
        return binding(transforms, (*transforms.get(), self))


transforms: ContextVar[tuple[Transform, ...]] = ContextVar("microgad transforms", default=())  # innermost last
# Whether the backward pass that runs is the first one of the double-backward trick: its derivative will be a tangent.
computing_jvp: ContextVar[bool] = ContextVar("microgad computing jvp", default=False)


def transposes_tangent() -> bool:
    """Whether a derivative is computed for a tangent, which is found from its transpose.

    Few derivatives ask: those that for gradients return, as in PyTorch, something else than the function's derivative.
    """
    return computing_jvp.get()
