"""Arithmetic, broadcast as NumPy and PyTorch do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..function import Function

if TYPE_CHECKING:
    from ..tensor import Operand, Tensor


class Add(Function):
    """a + b, broadcast."""

    symbol, numpy, promote = "+", np.add, dtypes.promote

    def forward(self, a, b):
        return a + b

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad):
        return grad


def add(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """input + alpha · other, broadcast. Source: torch.add.

    >>> torch.add(torch.tensor([1, 2]), 10)
    tensor([11, 12])
    """
    return Add.apply(input, other if alpha == 1 else other * alpha)


class Sub(Function):
    """a - b, broadcast."""

    symbol, numpy, promote = "−", np.subtract, dtypes.promote

    def forward(self, a, b):
        return a - b

    def grad_a(self, grad):
        return grad

    def grad_b(self, grad):
        return -grad


def sub(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """input - alpha · other, broadcast. Source: torch.sub.

    >>> torch.sub(torch.tensor([1, 2]), torch.tensor([3]), alpha=2)
    tensor([-5, -4])
    """
    return Sub.apply(input, other if alpha == 1 else other * alpha)


class Mul(Function):
    """a · b, broadcast."""

    symbol, numpy, promote = "×", np.multiply, dtypes.promote

    def forward(self, a, b):
        return a * b

    def grad_a(self, grad, b):
        return grad * b

    def grad_b(self, grad, a):
        return grad * a


def mul(input: Tensor, other: Operand) -> Tensor:
    """input · other, broadcast. Source: torch.mul.

    >>> torch.mul(torch.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """
    return Mul.apply(input, other)


class Div(Function):
    """a / b, broadcast; integers give the default floating dtype."""

    symbol, numpy, promote = "÷", np.true_divide, dtypes.promote_floating

    def forward(self, a, b):
        return a / b

    def grad_a(self, grad, b):
        return grad / b

    def grad_b(self, grad, a, b):
        return -grad * (a / b) / b


def div(input: Tensor, other: Operand) -> Tensor:
    """input / other, broadcast; integers give floating-point numbers. Source: torch.div.

    >>> torch.div(torch.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
    """
    return Div.apply(input, other)


class Neg(Function):
    """-x."""

    symbol, numpy = "−", np.negative

    def forward(self, x):
        return -x

    def grad_x(self, grad):
        return -grad


def neg(input: Tensor) -> Tensor:
    """-input. Source: torch.neg.

    >>> torch.neg(torch.tensor([1, -2]))
    tensor([-1,  2])
    """
    return Neg.apply(input)


class Pow(Function):
    """x to the power p, broadcast. Small constant powers are products, as in PyTorch: exact and fast."""

    symbol, numpy, promote = "xᵖ", np.power, dtypes.promote

    def forward(self, x, p):
        return _power(x, p)

    def write(self, out, x, p):
        np.copyto(out, _power(x, p), casting="same_kind")  # np.power knows no products

    def grad_x(self, grad, x, p):
        if isinstance(p, (int, float)):
            return grad * (p * _power(x, p - 1)) if p != 0 else np.zeros_like(grad)
        undefined = (x == 0) & (p == 0)  # 0 · 0⁻¹; elsewhere p = 0 gives 0 by itself, and the right second derivative
        return grad * np.where(undefined, 0.0, p * x ** np.where(undefined, 1.0, p - 1))

    def grad_p(self, grad, x, p, out):
        known_zero = (x == 0) & (p >= 0)
        return grad * np.where(known_zero, 0.0, out * np.log(np.where(known_zero, 1.0, x)))


def pow(input: Operand, exponent: Operand) -> Tensor:
    """input to the power exponent, broadcast; one of the two may be a number. Source: torch.pow.

    >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    return Pow.apply(input, exponent)


def _power(x: Any, p: Any) -> Any:
    if isinstance(p, (int, float)):
        if p == 1:
            return x * 1
        if p == 2:
            return x * x
        if p == 3:
            return x * x * x
        if p == 0.5:
            return np.sqrt(x)
        if p == -1:
            return 1 / x
    return x**p


class Abs(Function):
    """|x|."""

    symbol, numpy = "|x|", np.absolute

    def forward(self, x):
        return np.absolute(x)

    def grad_x(self, grad, x):
        return grad * np.sign(x)


def abs(input: Tensor) -> Tensor:
    """|input|; the derivative at 0 is 0. Source: torch.abs.

    >>> torch.abs(torch.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])
    """
    return Abs.apply(input)


class Sign(Function):
    """-1, 0 or 1."""

    symbol, numpy = "sign", np.sign

    def forward(self, x):
        return np.sign(x)

    def grad_x(self, grad):
        return np.zeros_like(grad)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; its derivative is 0. Source: torch.sign.

    >>> torch.sign(torch.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return Sign.apply(input)


def square(input: Tensor) -> Tensor:
    """input · input. Source: torch.square.

    >>> torch.square(torch.tensor([2.0, -3.0]))
    tensor([4., 9.])
    """
    return Mul.apply(input, input)
