"""ComplexAsReal: a function of complex Tensors, as a function of their real and imaginary parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ops.elementwise import view_as_complex, view_as_real
from ..tensor import Tensor


class ComplexAsReal:
    """A function, and `args` to call it with: of complex Tensors that require grad pairs of real numbers.

    The parts lie along a last axis, in memory of their own. What the function returns stays as it is.

    >>> z = torch.tensor([3 + 4j], requires_grad=True)
    >>> call = ComplexAsReal(torch.abs, [z])
    >>> call.args, call(*call.args)
    ([tensor([[3., 4.]], requires_grad=True)], tensor([5.], grad_fn=<AbsBackward0>))
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any]) -> None:
        self.function = function
        self.in_parts = [isinstance(x, Tensor) and x.requires_grad and x.is_complex() for x in args]
        made: dict[int, Tensor] = {}
        for x, split in zip(args, self.in_parts, strict=True):
            if split and id(x) not in made:
                made[id(x)] = view_as_real(x.detach().clone()).requires_grad_()
        self.args = [made.get(id(x), x) for x in args]

    def __call__(self, *args: Any) -> Any:
        return self.function(*self.whole(args))

    def whole(self, args: Sequence[Any]) -> list[Any]:
        """The arguments that the function itself gets."""
        return [view_as_complex(x) if split else x for x, split in zip(args, self.in_parts, strict=True)]
