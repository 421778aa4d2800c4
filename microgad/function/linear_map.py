"""LinearMap: a linear operation with its transpose. Each is the derivative of the other."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import function
from . import Function


class LinearMap(Function):
    """A linear operation of one input: `forward(self, x)` and its transpose `adjoint(self, grad)`, both on bare arrays.

    Each is recorded as the other's derivative, to every order. `self.x_shape` is the shape of x in both. Not in
    PyTorch.

    >>> import microgad
    >>> class Double(microgad.LinearMap):
    ...     def forward(self, x): return x + x
    ...     def adjoint(self, grad): return grad + grad
    >>> x = microgad.ones(2, requires_grad=True)
    >>> microgad.autograd.grad(Double.apply(x).sum(), x)
    (tensor([2., 2.]),)
    """

    keeps_shape = True
    transposed: ClassVar[type[LinearMap]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "adjoint" in vars(cls) and "transposed" not in vars(cls):
            body = {
                "forward": cls.adjoint,
                "adjoint": cls.forward,
                "transposed": cls,
                "may_share": True,
                "apply": vars(Function)["apply"],  # not that of a View
                "native_half": False,  # the transpose of a movement adds elements up
                "zero_link": None,
                "operator": None,
                "__module__": cls.__module__,
                "__doc__": f"The adjoint of {cls.__name__}.",
            }
            cls.transposed = type(f"{cls.__name__}Adjoint", (cls,), body)
        cls.derivatives = (cls.grad_x,)
        cls.differentiable = True

    def adjoint(self, grad: Any) -> Any:
        """The transpose of `forward`, on bare arrays."""
        raise NotImplementedError(f"{type(self).__name__} has no adjoint")

    def grad_x(self, grad: Any) -> Any:
        return self.transposed.apply(grad, **vars(self)) if isinstance(grad, function.Tensor) else self.adjoint(grad)
