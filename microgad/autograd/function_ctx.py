"""FunctionCtx: the `ctx` of Functions in PyTorch's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import GraphError
from ..errors.notices import warn
from ..tensor import Tensor

_NODE_ATTRIBUTES = (
    "_raw_saved_tensors", "metadata", "name", "next_functions", "register_hook", "register_prehook", "saved_tensors",
)  # fmt: skip


class FunctionCtx:
    """The `ctx` by which a Function's forward passes Tensors and settings to its backward.

    Source: torch.autograd.function.FunctionCtx.
    """

    needs_input_grad: tuple[bool, ...] = ()
    # Set while jvp runs; otherwise the node's, which unpacks them when read. There is None where None was saved, but
    # backward knows where, so type checkers see only Tensors, as with PyTorch.
    saved_tensors: tuple[Tensor, ...]
    saved_for_forward: tuple[Tensor | None, ...] | None = None  # set in forward, and while jvp runs
    _node: Callable[[], Any] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self.to_save: tuple[Tensor | None, ...] = ()
        self.non_differentiable: set[int] = set()
        self.dirty: tuple[Tensor, ...] = ()
        self.materialize_grads = True
        self._materialize_non_diff_grads = True
        self._locations: tuple[Any, ...] = ()  # where in the graph each saved Tensor is: see `_location_of`
        self._num_outputs = 1
        self._tensor_outputs: list[int] = [0]  # which of the outputs are Tensors
        self._constant_outputs: list[int] = []  # which of the outputs are marked as non-differentiable
        self._devices: list[Any] = []  # those of the arguments that are Tensors, None for the others
        self._zero_tangents: list[Tensor | None] = []  # a zero tangent for each argument, if there is a static jvp
        self._modifies_inputs = False  # whether forward writes to arguments, so that jvp may write to tangents
        self._example: Any = None  # an array of the results' kind, on their device
        self._num_saved = 0  # how many of the kept Tensors, the first ones, are for backward
        self._jvp_indices: tuple[int, ...] = ()  # which of the kept Tensors are for jvp

    def __getattr__(self, name: str) -> Any:
        """Look up the node's attributes: in PyTorch ctx is the node itself."""
        node = self._node() if name in _NODE_ATTRIBUTES else None
        if node is None and name in _NODE_ATTRIBUTES and "_node" in vars(self):
            raise GraphError(f"ctx.{name}: what was saved is gone with the results of `apply`; hold one of them")
        if node is None and name == "saved_tensors":
            return ()
        if node is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(node, name)

    @property
    def saved_variables(self) -> tuple[Tensor, ...]:
        """The name of `saved_tensors` before PyTorch 0.4. Reading it gives a DeprecationWarning."""
        warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning)
        return self.saved_tensors

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Save inputs, outputs or intermediate results for backward, which finds them in `saved_tensors`."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Save Tensors for a static `jvp`, which finds them in `saved_tensors` and in `saved_for_forward`."""
        self.saved_for_forward = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Mark outputs that have no gradient."""
        self.non_differentiable = {id(t) for t in tensors}

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Mark arguments that forward has written to. Forward has to return them."""
        self.dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Set whether backward is given zeros for unused outputs, which is the default, or None."""
        self.materialize_grads = value


def saved_by(ctx: Any) -> tuple[Any, ...]:
    """Return `ctx.saved_tensors`, which stay also where reading that lets go of them."""
    node = ctx._node() if isinstance(ctx, FunctionCtx) else None
    return ctx.saved_tensors if node is None else node._all_saved_tensors()[: ctx._num_saved]
