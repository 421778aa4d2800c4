"""Trigonometric functions and their inverses, sinc, and the conversion of angles."""

from __future__ import annotations

import math

import numpy as np

from ... import dtypes
from ...errors import DtypeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..support.out import apply_into, into
from .operands import require_tensors
from .selection import finite_at


class Sin(Function):
    """The sine."""

    symbol, numpy, promote = "sin", np.sin, dtypes.promote_floating

    def forward(self, x):
        return np.sin(x)

    def grad_x(self, grad, x):
        return grad * np.cos(x)


def sin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sine of angles in radians. Of any shape; integers become floating-point. Source: torch.sin.

    >>> torch.sin(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])
    """
    return apply_into(out, Sin, input)


class Cos(Function):
    """The cosine."""

    symbol, numpy, promote = "cos", np.cos, dtypes.promote_floating

    def forward(self, x):
        return np.cos(x)

    def grad_x(self, grad, x):
        return -grad * np.sin(x)


def cos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The cosine of angles in radians. Of any shape; integers become floating-point. Source: torch.cos.

    >>> torch.cos(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """
    return apply_into(out, Cos, input)


class Tan(Function):
    """The tangent."""

    symbol, numpy, promote = "tan", np.tan, dtypes.promote_floating

    def forward(self, x):
        return np.tan(x)

    def grad_x(self, grad, out):
        return grad * (1 + out * out)


def tan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The tangent of angles in radians. Of any shape; integers become floating-point. Source: torch.tan.

    >>> torch.tan(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    return apply_into(out, Tan, input)


class Asin(Function):
    """The inverse sine."""

    symbol, numpy, promote = "asin", np.arcsin, dtypes.promote_floating

    def forward(self, x):
        return np.arcsin(x)

    def grad_x(self, grad, x):
        return grad / np.sqrt(1 - x * x)


def asin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse sine, in radians. Of any shape; integers become floating-point. Source: torch.asin.

    >>> torch.asin(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """
    return apply_into(out, Asin, input)


class Acos(Function):
    """The inverse cosine."""

    symbol, numpy, promote = "acos", np.arccos, dtypes.promote_floating

    def forward(self, x):
        return np.arccos(x)

    def grad_x(self, grad, x):
        return -grad / np.sqrt(1 - x * x)


def acos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse cosine, in radians. Of any shape; integers become floating-point. Source: torch.acos.

    >>> torch.acos(torch.tensor([0.0, 1.0]))
    tensor([1.5708, 0.0000])
    """
    return apply_into(out, Acos, input)


class Atan(Function):
    """The inverse tangent."""

    symbol, numpy, promote = "atan", np.arctan, dtypes.promote_floating

    def forward(self, x):
        return np.arctan(x)

    def grad_x(self, grad, x):
        return grad / (1 + x * x)


def atan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse tangent, in radians. Of any shape; integers become floating-point. Source: torch.atan.

    >>> torch.atan(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """
    return apply_into(out, Atan, input)


class Atan2(Function):
    """The angle of the point (x, y) = (b, a), in [-π, π]."""

    symbol, numpy, promote = "atan2", np.arctan2, dtypes.only("biuf", dtypes.promote_floating)

    def forward(self, a, b):
        return np.arctan2(a, b)

    def grad_a(self, grad, a, b):
        return grad * (b / _squared_length(a, b))

    def grad_b(self, grad, a, b):
        return -grad * (a / _squared_length(a, b))


def _squared_length(a: Array, b: Array) -> Array:
    """a² + b², or ∞ at the origin, which has no angle: the derivatives are 0 there, as in PyTorch."""
    length = a * a + b * b
    return np.where(length == 0, math.inf, length)


def atan2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The angle of the point (other, input), in radians from -π to π; broadcast.

    Raises RuntimeError if the shapes don't broadcast, and for complex numbers. Source: torch.atan2.

    >>> torch.atan2(torch.tensor([1.0, -1.0]), torch.tensor([1.0, -1.0]))
    tensor([ 0.7854, -2.3562])
    """
    return apply_into(out, Atan2, *require_tensors("atan2", input, other))


class Sinc(Function):
    """sin(πx) / (πx), and 1 at 0."""

    symbol, numpy, promote = "sinc", np.sinc, dtypes.promote_floating

    def forward(self, x):
        zero = x == 0
        u = math.pi * np.where(zero, 1, x)
        if x.dtype != np.float64:
            return np.where(zero, 1, np.sin(u) / u)
        # sin(πx) = (-1)ⁿ sin(π (x - n)): near the zeros of the sine, integers n, the rounding of πx would cost digits
        n = np.rint(x)
        sign = 1 - 4 * abs(n / 2 - np.rint(n / 2))  # (-1)ⁿ, faster than by n % 2
        return np.where(zero, 1, np.sin(math.pi * (x - n)) * sign / u)

    def grad_x(self, grad, x):
        # π (cos u - sin u / u) / u with u = πx. Near 0 the terms cancel, so it is computed by its power series
        # π Σₖ (-1)ᵏ 2k u^(2k - 1) / (2k + 1)!, whose own derivatives are right at 0 as well.
        near = np.absolute(x) < 0.2
        u = math.pi * np.where(near, 0.5, x)
        far = (np.cos(u) - np.sin(u) / u) / u
        u = math.pi * np.where(near, x, 0.0)
        series = 0.0
        for k in range(8, 0, -1):
            series = series * (u * u) + (-1) ** k * 2 * k / math.factorial(2 * k + 1)
        return finite_at(x == 0, grad) * (math.pi * np.where(near, u * series, far))


def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """sin(πx) / (πx), and 1 at 0. Elementwise, of any shape; integers become floating-point. Source: torch.sinc.

    >>> torch.sinc(torch.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    return apply_into(out, Sinc, input)


@composite
def deg2rad(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Convert degrees to radians.

    Of any shape; integers become floating-point; complex numbers raise RuntimeError. Source: torch.deg2rad.

    >>> torch.deg2rad(torch.tensor([180.0, 90.0]))
    tensor([3.1416, 1.5708])
    """
    _refuse_complex("deg2rad", input)
    return into(out, input * (math.pi / 180))


@composite
def rad2deg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Convert radians to degrees.

    Of any shape; integers become floating-point; complex numbers raise RuntimeError. Source: torch.rad2deg.

    >>> torch.rad2deg(torch.tensor([3.1416, 1.5708]))
    tensor([180.0004,  90.0002])
    """
    _refuse_complex("rad2deg", input)
    return into(out, input * (180 / math.pi))


def _refuse_complex(op: str, input: Tensor) -> None:
    if input.is_complex():
        raise DtypeError(f"{op}: is not supported for complex tensors, got {input.dtype}")


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
