"""Parameter: what modules learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes, torch_function
from .backend.devices import device
from .hypothesis_types import register as _register_hypothesis_types
from .tensor import Tensor


class _ParameterMeta(type):
    """Of a Parameter made of a subclass of Tensor, which is of that class, `isinstance` says that it is one."""

    def __instancecheck__(cls, instance: Any) -> bool:
        marked = cls is Parameter and isinstance(instance, Tensor) and "_is_param" in vars(instance)
        return marked or super().__instancecheck__(instance)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A Tensor that a module learns: assigned to one, it is registered there. Source: torch.nn.Parameter.

    Made of a Tensor of another class, it is of that class, as far as its `detach` is.

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
        self = cls._made(np.empty(0, dtypes.get_default_dtype()) if data is None else data.array)
        if data is not None:
            self.version = data._counter()
        if cls is Parameter:
            return self.requires_grad_(requires_grad)
        with torch_function.disable_torch_function():  # of what is being made nobody is asked
            return self.requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """Without the gradient."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        copied: Parameter = memo[id(self)]
        return copied

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


def zero_grad(p: Tensor, set_to_none: bool) -> None:
    """Let a gradient go, or fill it with zeros, off the graph.

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
