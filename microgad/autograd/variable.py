"""What PyTorch called a Tensor with a gradient before 0.4; programs still say it."""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import DtypeError
from ..tensor import Tensor


class _AnyTensor(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_AnyTensor):
    """A Tensor on the memory of `data`, without its history; every Tensor is an instance.

    Raises TypeError where `data` is no Tensor, RuntimeError where whole numbers are to require a gradient.
    Source: torch.autograd.Variable.

    >>> x = torch.autograd.Variable(torch.ones(2), requires_grad=True)
    >>> x, isinstance(x, torch.Tensor), isinstance(torch.ones(1), torch.autograd.Variable)
    (tensor([1., 1.], requires_grad=True), True, True)
    """

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: bool | None = None) -> Any:
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.", stacklevel=2
            )
        if data is None:
            return Tensor()
        if not isinstance(data, Tensor):
            raise DtypeError(f"Variable: data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
