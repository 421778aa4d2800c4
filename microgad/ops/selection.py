"""Choosing between values, elementwise: maximum, minimum, clamp, where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, dtypes
from ..errors import ArgumentError
from ..function import Function

if TYPE_CHECKING:
    from ..tensor import Operand, Tensor


class Maximum(Function):
    """The larger of a and b, broadcast; at a tie each takes half of the gradient."""

    symbol, numpy, promote = "max", np.maximum, dtypes.promote

    def forward(self, a, b):
        return np.maximum(a, b)

    def grad_a(self, grad, a, b):
        return _winner(grad, a < b, a == b)

    def grad_b(self, grad, a, b):
        return _winner(grad, b < a, a == b)


def maximum(input: Tensor, other: Operand) -> Tensor:
    """The larger of the two, broadcast; at a tie each takes half of the gradient. Source: torch.maximum.

    >>> torch.maximum(torch.tensor([1.0, 4.0]), torch.tensor([3.0, 2.0]))
    tensor([3., 4.])
    """
    return Maximum.apply(input, other)


class Minimum(Function):
    """The smaller of a and b, broadcast; at a tie each takes half of the gradient."""

    symbol, numpy, promote = "min", np.minimum, dtypes.promote

    def forward(self, a, b):
        return np.minimum(a, b)

    def grad_a(self, grad, a, b):
        return _winner(grad, a > b, a == b)

    def grad_b(self, grad, a, b):
        return _winner(grad, b > a, a == b)


def minimum(input: Tensor, other: Operand) -> Tensor:
    """The smaller of the two, broadcast; at a tie each takes half of the gradient. Source: torch.minimum.

    >>> torch.minimum(torch.tensor([1.0, 4.0]), torch.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return Minimum.apply(input, other)


def _winner(grad: Any, lost: Any, tie: Any) -> Any:
    return Select.apply(np.logical_not(lost), np.where(tie, 0.5 * grad, grad))


class Clamp(Function):
    """x held between low and high; each of the two may be None. On the bounds the gradient is x's."""

    symbol, promote = "clamp", dtypes.promote

    def forward(self, x, low, high):
        return np.clip(x, low, high)

    def grad_x(self, grad, x, low, high):
        return Select.apply(_inside(x, low, high), grad)

    def grad_low(self, grad, x, low, high):
        return Select.apply((x < low) if high is None else (x < low) & (low < high), grad)

    def grad_high(self, grad, x, low, high):
        if low is None:
            return Select.apply(x > high, grad)
        return Select.apply((x > high) | (low > high) | ((low == high) & (x < high)), grad)


def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """input held between min and max: numbers or broadcastable Tensors, one of them may be None. Source: torch.clamp.

    >>> torch.clamp(torch.tensor([-2.0, 0.5, 3.0]), min=0, max=1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max must not be None")
    return Clamp.apply(input, min, max)


def _inside(x: Any, low: Any, high: Any) -> Any:
    if low is None:
        return x <= high
    return x >= low if high is None else (x >= low) & (x <= high)


class Where(Function):
    """a where the condition holds, b elsewhere; broadcast."""

    symbol, numpy = "where", np.where

    @staticmethod
    def promote(arrays):
        return [arrays[0], *dtypes.promote(arrays[1:])]

    def forward(self, condition, a, b):
        return np.where(condition, a, b)

    def grad_a(self, grad, condition):
        return Select.apply(condition, grad)

    def grad_b(self, grad, condition):
        return Select.apply(np.logical_not(condition), grad)


def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """input where the boolean condition holds, other elsewhere; all three broadcast. Source: torch.where.

    >>> x = torch.tensor([-1.0, 2.0])
    >>> torch.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    return Where.apply(condition, input, other)


class Select(Function):
    """x where the mask holds, exactly zero elsewhere, whatever x is there: inf · 0 would be NaN."""

    symbol = "select"

    def forward(self, mask, x):
        if x.size < 5000 or x.dtype != np.float32 or mask.shape != x.shape or backend.is_gpu(x):
            return np.where(mask, x, x.dtype.type(0))
        bits = np.negative(mask.view(np.int8)).astype(np.int32)  # all ones or all zeros: much faster than np.where
        bits &= np.ascontiguousarray(x).view(np.int32)
        return bits.view(np.float32)

    def grad_x(self, grad, mask):
        return Select.apply(mask, grad)
