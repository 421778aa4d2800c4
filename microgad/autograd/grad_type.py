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
    ) -> dict[K, Tensor]:  # fmt: skip
        """Return the gradients of the sum of `outputs` with respect to `inputs`, without storing them in `.grad`.

        They have the shapes and dtypes of the inputs, and are a tuple, or a dict with the keys of `inputs` if that is
        one. `grad_outputs` are the gradients of the outputs, which scalars don't need. create_graph makes the result
        differentiable; retain_graph keeps the graph for another call. Raises RuntimeError for an input that the outputs
        don't depend on; with allow_unused its gradient is None, with materialize_grads zeros. Source:
        torch.autograd.grad.
        """

    @overload
    def __call__(
        self, outputs: Outputs, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
        create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
        is_grads_batched: bool = False, materialize_grads: bool = False,
    ) -> tuple[Tensor, ...]: ...  # fmt: skip
