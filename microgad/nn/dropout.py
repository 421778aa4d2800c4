"""Dropout layers."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional as F
from .module import Module


class Dropout(Module):
    """In training, each element is zero with probability p, and the others are divided by 1 - p; else the input itself.

    Raises ValueError unless p is in [0, 1]. Source: torch.nn.Dropout; Srivastava et al. (2014).

    >>> _ = torch.manual_seed(0)
    >>> drop = nn.Dropout(0.5)
    >>> drop(torch.ones(6)), drop.eval()(torch.ones(3))
    (tensor([0., 0., 2., 0., 0., 0.]), tensor([1., 1., 1.]))
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
