"""Forward mode: Tensors that carry a tangent. Source: torch.autograd.forward_ad.

What an operation does is recorded, and `unpack_dual` finds the tangent of a result by a backward pass through the
backward pass: PyTorch's numbers, from no other derivatives than those of backward.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

from .. import errors, state
from ..lazy import absent as _absent
from ..leaves import reached
from ..ops.elementwise import Flat
from ..ops.movement import clone
from ..tensor import Tensor
from .functional import along, captures
from .grad_mode import enable_grad


class UnpackedDualTensor(NamedTuple):
    """A value and its tangent, None where it has none."""

    primal: Tensor
    tangent: Tensor | None


class dual_level:
    """In a block Tensors may carry tangents. One level at a time, as in PyTorch.

    Operations are recorded in it, so that tangents can be found: in a `no_grad` block inside there are none.

    >>> from microgad.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(torch.tensor(3.0), torch.tensor(1.0))
    ...     forward_ad.unpack_dual(x * x).tangent
    tensor(6.)
    """

    def __enter__(self) -> int:
        if _level.get() is not None:
            raise errors.GraphError("Nested forward mode AD is not supported at the moment")
        self.duals: list[tuple[Tensor, Tensor]] = []  # values with their tangents
        self._mode = enable_grad()
        self._mode.__enter__()
        _level.set(self)
        return 0

    def __exit__(self, *_: object) -> None:
        _level.set(None)
        self._mode.__exit__()


_level: ContextVar[dual_level | None] = ContextVar("level", default=None)


def enter_dual_level() -> int:
    """Begin what `dual_level` does for a block."""
    return dual_level().__enter__()


def exit_dual_level(*, level: int | None = None) -> None:
    """End it. Raises RuntimeError outside of a level."""
    if (now := _level.get()) is None:
        raise errors.GraphError("Trying to exit a forward AD level that was not entered")
    now.__exit__()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """`tensor` with a tangent, of its shape and dtype.

    Raises RuntimeError outside of a level, ValueError where the two differ in shape or aren't floating-point.
    """
    now = _level.get()
    if now is None:
        raise errors.GraphError("Trying to create a dual Tensor for forward AD but no level exists: use dual_level()")
    for name, x in (("primal", tensor), ("tangent", tangent)):
        if not (x.is_floating_point() or x.is_complex()):
            raise errors.ArgumentError(f"make_dual: expected {name} to be floating point or complex, got {x.dtype}")
    if tuple(tensor.shape) != tuple(tangent.shape):
        raise errors.ShapeError(
            f"make_dual: tensor has shape {tuple(tensor.shape)}, but tangent has {tuple(tangent.shape)}"
        )
    with state.scope(grad_enabled=True):
        dual = clone(tensor) if tensor.node is not None else clone(tensor.detach()).requires_grad_()
    now.duals.append((dual, tangent))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A Tensor's value and its tangent, which both have derivatives where what they come from requires grad.

    >>> from microgad.autograd import forward_ad
    >>> forward_ad.unpack_dual(torch.tensor(3.0))
    UnpackedDualTensor(primal=tensor(3.), tangent=None)
    """
    now = _level.get()
    duals = now.duals if now is not None and tensor.node is not None else []
    for dual, tangent in duals:
        if dual is tensor:
            return UnpackedDualTensor(tensor.detach() if tensor.is_leaf else tensor, tangent)
    numbers = [dual.node.number for dual, _ in duals]
    if not duals or reached([tensor.node], min(numbers)).keys().isdisjoint(numbers):
        return UnpackedDualTensor(tensor, None)
    values, tangents = zip(*duals, strict=True)
    on_graph = any(t.node is not None for t in tangents) or any(not x.is_leaf for x in values)
    wanted = on_graph or captures([tensor], values)
    (tangent,) = along([tensor], values, tangents, wanted)
    if wanted and tangent.node is None:
        tangent = Flat.apply(tangent, tensor)  # of what is linear: its derivative is 0, and not none
    return UnpackedDualTensor(tensor if wanted else tensor.detach(), tangent)


_absent(globals())
