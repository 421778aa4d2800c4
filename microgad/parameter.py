"""Parameter: a Tensor that a module registers as one to be learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes, torch_function
from .backend.devices import device
from .hypothesis_types import register as _register_hypothesis_types
from .tensor import Tensor


class _ParameterMeta(type):
    """Lets `isinstance(x, Parameter)` hold for Parameters made of a subclass of Tensor, which keep that class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        marked = cls is Parameter and isinstance(instance, Tensor) and "_is_param" in vars(instance)
        return marked or super().__instancecheck__(instance)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A Tensor that is registered as a parameter when it is assigned to a module. Source: torch.nn.Parameter.

    A Parameter made of a Tensor of a subclass keeps that class, if the subclass's `detach` does.

    >>> nn.Parameter(torch.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    _keeps_class = False

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if type(data) not in (Tensor, Parameter) and isinstance(data, Tensor):
            detached = data.detach()
            if type(detached) is not Tensor:
                vars(detached)["_is_param"] = True
                return detached.requires_grad_(requires_grad)
        self = cls._wrap(np.empty(0, dtypes.get_default_dtype()) if data is None else data.array)
        if data is not None:
            self.version = data._counter()
        if cls is Parameter:
            return self.requires_grad_(requires_grad)
        with torch_function.disable_torch_function():  # nobody overrides functions of an unfinished object
            return self.requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """Copy the values and requires_grad, without the gradient."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        copied: Parameter = memo[id(self)]
        return copied

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


def zero_grad(p: Tensor, set_to_none: bool) -> None:
    """Set a parameter's gradient to None, or detach it and fill it with zeros.

    >>> p = nn.Parameter(torch.zeros(2))
    >>> p.sum().backward()
    >>> zero_grad(p, set_to_none=False)
    >>> p.grad
    tensor([0., 0.])
    """
    if set_to_none:
        p.grad = None
    elif p.grad is not None:
        if p.grad.node is not None:
            p.grad.detach_()
        p.grad.zero_()


_register_hypothesis_types(Tensor, Parameter, dtypes.dtype, device)
