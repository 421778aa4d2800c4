"""Parameter: what modules learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .from_type import know
from .tensor import Tensor


class Parameter(Tensor):
    """A Tensor that a module learns: assigned to one, it is registered there. Source: torch.nn.Parameter.

    >>> nn.Parameter(torch.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    _keeps_class = False

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        self = cls._made(np.empty(0, dtypes.get_default_dtype()) if data is None else data.array)
        if data is not None:
            self.version = data._counter()
        return self.requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """Without the gradient."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        copied: Parameter = memo[id(self)]
        return copied

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


know(Tensor, Parameter)
