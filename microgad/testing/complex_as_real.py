"""ComplexAsReal: a function of complex Tensors, as a function of their real and imaginary parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ops.elementwise import view_as_complex, view_as_real
from ..tensor import Tensor


class ComplexAsReal:
    """A function that takes pairs of real numbers in place of the complex Tensors that require grad.

    `args` are the arguments to call it with: real and imaginary parts lie along a last axis, in memory of their own.
    The function's results are not changed.

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
        return self.function(*self.complex_args(args))

    def complex_args(self, args: Sequence[Any]) -> list[Any]:
        """Return the arguments of the wrapped function, complex again: a Tensor that is passed twice is still one."""
        whole = {id(x): view_as_complex(x) for x, split in zip(args, self.in_parts, strict=True) if split}
        return [whole.get(id(x), x) for x in args]
