"""Products with a logarithm that are 0 where the other factor is 0: entr and xlog1py."""

from __future__ import annotations

import math

import numpy as np

from ...function import Function
from ...type_aliases import Tensor
from ..elementwise import XLogY
from ..elementwise.operands import require_one_tensor
from ..elementwise.selection import finite_at
from ..support import layouts
from ..support.out import into
from .evaluation import promote


class Entr(Function):
    """-x log x, which is 0 at 0 and -∞ for negative x."""

    symbol, operator, promote = "−x log x", "special_entr", promote

    def forward(self, x):
        return np.where(x < 0, -math.inf, np.where(x == 0, 0.0, -x * np.log(np.where(x > 0, x, 1))))

    def grad_x(self, grad, x):
        return grad * (-1 - np.log(x))


def entr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-input · log(input), which is 0 at 0 and -∞ for negative numbers.

    Elementwise, of any shape; complex numbers raise RuntimeError. Source: torch.special.entr.

    >>> torch.special.entr(torch.tensor([-1.0, 0.0, 0.5]))
    tensor([  -inf, 0.0000, 0.3466])
    """
    return into(out, Entr.apply(input))


class XLog1PY(Function):
    """x · log(1 + y), broadcast; it is 0 where x is 0 and y isn't NaN."""

    symbol, promote, elementwise = "x log(1 + y)", staticmethod(XLogY.promote), True
    operator = "special_xlog1py"

    def forward(self, x, y):
        return (x + 0.0) * np.log1p(np.where((x == 0) & (y == y), 0, y))  # x + 0 makes 0 of -0

    def grad_x(self, grad, x, y):
        undefined = (x == 0) & (y <= -1)  # as in XLogY
        return layouts.in_rows(XLog1PY.apply(finite_at(undefined, grad), np.where(undefined, 0, y)))

    def grad_y(self, grad, x, y):
        return grad * (x / (y + 1))


def xlog1py(input: Tensor | float, other: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """input · log(1 + other), broadcast; 0 where input is 0 and other isn't NaN.

    Raises RuntimeError for complex numbers. Source: torch.special.xlog1py.

    >>> torch.special.xlog1py(torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    return into(out, XLog1PY.apply(*require_one_tensor("xlog1py", input, other)))
