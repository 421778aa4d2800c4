"""The signature of `autograd.grad`, which gradients.py defines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, overload

from ..tensor import Tensor

if TYPE_CHECKING:
    from .graph import GradientEdge

K = TypeVar("K")
Outputs: TypeAlias = "Tensor | GradientEdge | Iterable[Tensor | GradientEdge]"


class Grad(Protocol):
    """The type of `grad`: its result has the keys of `inputs`, if that is a dict. Only type checkers read it."""

    @overload
    def __call__(
        self, outputs: Outputs, inputs: dict[K, Any], grad_outputs: Any = None, retain_graph: bool | None = None,
        create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
        is_grads_batched: bool = False, materialize_grads: bool = False,
    ) -> dict[K, Tensor]: ...  # fmt: skip
    @overload
    def __call__(
        self, outputs: Outputs, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
        create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
        is_grads_batched: bool = False, materialize_grads: bool = False,
    ) -> tuple[Tensor, ...]: ...  # fmt: skip
