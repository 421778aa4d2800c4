"""Forward mode: Tensors that carry a tangent. Source: torch.autograd.forward_ad.

What an operation does is recorded, and `unpack_dual` finds the tangent of a result by a backward pass through the
backward pass: PyTorch's numbers, from no other derivatives than those of backward.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import Any, NamedTuple

from .. import errors, gradients, state
from ..function import Function, Leaf
from ..lazy import define_getattr as _define_getattr
from ..ops.elementwise import Flat
from ..ops.movement import clone
from ..state.contexts import binding
from ..tensor import Tensor
from .function import Function as CustomFunction
from .functional import jvp_of
from .grad_mode import enable_grad


class UnpackedDualTensor(NamedTuple):
    """A value and its tangent, None where it has none."""

    primal: Tensor
    tangent: Tensor | None


class _Dual(NamedTuple):
    """A place in the graph, as `grad` takes it in a Tensor's place, and its tangent.

    The Tensor may be written to: it is elsewhere then.
    """

    node: Function
    output_nr: int
    tangent: Tensor
    on_graph: bool  # whether it depends on what requires grad


class dual_level:
    """In a block Tensors may carry tangents. One level at a time, as in PyTorch.

    Operations are recorded in it, so that tangents can be found, and so is what `grad` does of what carries some: in a
    `no_grad` block inside there are none.

    >>> from microgad.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(torch.tensor(3.0), torch.tensor(1.0))
    ...     forward_ad.unpack_dual(x * x).tangent
    tensor(6.)
    """

    def __enter__(self) -> int:
        if gradients.dual_level.get() is not None:
            raise errors.GraphError("Nested forward mode AD is not supported at the moment")
        self.duals: list[_Dual] = []
        self._mode = enable_grad()
        self._mode.__enter__()
        gradients.dual_level.set(self)
        return 0

    def __exit__(self, *_: object) -> None:
        gradients.dual_level.set(None)
        self._mode.__exit__()

    def duals_of(self, tensor: Tensor) -> list[_Dual]:
        """What has been given tangents and goes into the Tensor."""
        duals = {dual.node.number: dual for dual in self.duals}
        oldest, seen, stack = min(duals, default=math.inf), set(), [tensor.node]
        while stack:
            node = stack.pop()
            if (
                node is None
                or node.number < oldest
                or node.number in seen
                or isinstance(node, _WithoutTangent.node_class)
            ):
                continue
            seen.add(node.number)
            stack += node.edges
        return [dual for number, dual in duals.items() if number in seen]

    def wanted(self, tensor: Tensor) -> bool:
        """Whether a Tensor with a tangent depends on what requires grad, as that tangent does then."""
        of_graphs = {dual.node.number: dual.on_graph or dual.tangent.node is not None for dual in self.duals}
        oldest, seen, stack = min(of_graphs), set(), [tensor.node]
        while stack:
            node = stack.pop()
            if node is None or node.number in seen or isinstance(node, _OnlyTangent.node_class):
                continue
            seen.add(node.number)
            if node.number in of_graphs:
                if of_graphs[node.number]:
                    return True
            elif node.number < oldest or type(node) is Leaf:
                return True
            else:
                stack += node.edges
        return False

    @staticmethod
    def as_printed(tensor: Tensor) -> tuple[bool, Tensor | None]:
        """Whether a Tensor requires grad, a dual one for itself and not for its tangent's sake, and its tangent."""
        with state.scope(observer=None):
            primal, tangent = unpack_dual(tensor)
        return primal.requires_grad, tangent

    @staticmethod
    def constant(gradient: Tensor | None) -> Tensor | None:
        """A gradient that has a tangent, and no derivative."""
        return gradient if gradient is None or gradient.node is None else _OnlyTangent.apply(gradient)


def enter_dual_level() -> int:
    """Begin what `dual_level` does for a block."""
    return dual_level().__enter__()


def exit_dual_level(*, level: int | None = None) -> None:
    """End it. Raises RuntimeError outside of a level."""
    if (now := gradients.dual_level.get()) is None:
        raise errors.GraphError("Trying to exit a forward AD level that was not entered")
    now.__exit__()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """`tensor` with a tangent, of its shape and dtype.

    Raises RuntimeError outside of a level and where either has a tangent already, ValueError where the two differ in
    shape or aren't floating-point.
    """
    now = gradients.dual_level.get()
    if now is None:
        raise errors.GraphError("Trying to create a dual Tensor for forward AD but no level exists: use dual_level()")
    for name, x in (("primal", tensor), ("tangent", tangent)):
        if not (x.is_floating_point() or x.is_complex()):
            raise errors.ArgumentError(f"make_dual: expected {name} to be floating point or complex, got {x.dtype}")
        if _duals_of(x):
            raise errors.GraphError(f"make_dual: {name} has a tangent itself: at one level that isn't supported")
    if tuple(tensor.shape) != tuple(tangent.shape):
        raise errors.ShapeError(
            f"make_dual: tensor has shape {tuple(tensor.shape)}, but tangent has {tuple(tangent.shape)}"
        )
    with state.scope(grad_enabled=True):
        dual = clone(tensor if tensor.node is not None else tensor.detach().requires_grad_())
    now.duals.append(_Dual(dual.node, 0, tangent, tensor.node is not None))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A Tensor's value and its tangent, which both have derivatives where what they come from requires grad.

    >>> from microgad.autograd import forward_ad
    >>> forward_ad.unpack_dual(torch.tensor(3.0))
    UnpackedDualTensor(primal=tensor(3.), tangent=None)
    """
    duals = _duals_of(tensor)
    if not duals:
        return UnpackedDualTensor(tensor, None)
    for dual in duals:
        if dual.node is tensor.node:
            return UnpackedDualTensor(_WithoutTangent.apply(tensor) if dual.on_graph else tensor.detach(), dual.tangent)
    wanted = gradients.dual_level.get().wanted(tensor)
    with binding(_computing_tangent, True), binding(gradients.dual_level, None):
        (tangent,) = jvp_of([tensor], duals, [dual.tangent for dual in duals], wanted)
    if not wanted:
        return UnpackedDualTensor(tensor.detach(), tangent)
    if tangent.node is None:
        tangent = Flat.apply(tangent, tensor)  # of what is linear: its derivative is 0, and not none
    return UnpackedDualTensor(_WithoutTangent.apply(tensor), _WithoutTangent.apply(tangent))


class _WithoutTangent(CustomFunction):
    """A value, or a tangent, on the graph that has no tangent itself."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor | None:
        return None if _computing_tangent.get() else grad


class _OnlyTangent(CustomFunction):
    """A value on the graph that has a tangent alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor | None:
        return grad if _computing_tangent.get() else None


_computing_tangent: ContextVar[bool] = ContextVar("pushing", default=False)


def _duals_of(tensor: Tensor) -> list[_Dual]:
    """What has been given tangents at this level, if the Tensor depends on any of it."""
    now = gradients.dual_level.get()
    return [] if now is None else now.duals_of(tensor)


_define_getattr(globals())
