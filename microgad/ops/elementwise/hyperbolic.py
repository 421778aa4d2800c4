"""Hyperbolic functions and their inverses."""

from __future__ import annotations

import numpy as np

from ... import dtypes
from ...function import Function
from ...type_aliases import Tensor
from ..support.out import apply_into
from .complex_numbers import is_complex


class Sinh(Function):
    """The hyperbolic sine."""

    symbol, numpy, promote = "sinh", np.sinh, dtypes.promote_floating

    def forward(self, x):
        return np.sinh(x)

    def grad_x(self, grad, x):
        return grad * np.cosh(x)


def sinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic sine. Of any shape; integers become floating-point. Source: torch.sinh.

    >>> torch.sinh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """
    return apply_into(out, Sinh, input)


class Cosh(Function):
    """The hyperbolic cosine."""

    symbol, numpy, promote = "cosh", np.cosh, dtypes.promote_floating

    def forward(self, x):
        return np.cosh(x)

    def grad_x(self, grad, x):
        return grad * np.sinh(x)


def cosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic cosine. Of any shape; integers become floating-point. Source: torch.cosh.

    >>> torch.cosh(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """
    return apply_into(out, Cosh, input)


class Tanh(Function):
    """The hyperbolic tangent."""

    symbol, numpy, promote = "tanh", np.tanh, dtypes.promote_floating

    def forward(self, x):
        return np.tanh(x)

    def grad_x(self, grad, out):
        return grad * (1 - out * out)


def tanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic tangent. Of any shape; integers become floating-point. Source: torch.tanh.

    >>> torch.tanh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return apply_into(out, Tanh, input)


class Asinh(Function):
    """The inverse hyperbolic sine."""

    symbol, numpy, promote = "asinh", np.arcsinh, dtypes.promote_floating

    def forward(self, x):
        return np.arcsinh(x)

    def grad_x(self, grad, x):
        return grad / np.sqrt(x * x + 1)


def asinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic sine. Of any shape; integers become floating-point. Source: torch.asinh.

    >>> torch.asinh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """
    return apply_into(out, Asinh, input)


class Acosh(Function):
    """The inverse hyperbolic cosine."""

    symbol, numpy, promote = "acosh", np.arccosh, dtypes.promote_floating

    def forward(self, x):
        return np.arccosh(x)

    def grad_x(self, grad, x):
        x = x if is_complex(x) else np.absolute(x)  # finite below -1 as in PyTorch: a masked gradient of 0 stays 0
        return grad / np.sqrt(x - 1) / np.sqrt(x + 1)  # for complex x this isn't √(x² - 1)


def acosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic cosine. Of any shape; integers become floating-point. Source: torch.acosh.

    >>> torch.acosh(torch.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """
    return apply_into(out, Acosh, input)


class Atanh(Function):
    """The inverse hyperbolic tangent."""

    symbol, numpy, promote = "atanh", np.arctanh, dtypes.promote_floating

    def forward(self, x):
        return np.arctanh(x)

    def grad_x(self, grad, x):
        return grad / (1 - x * x)


def atanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic tangent. Of any shape; integers become floating-point. Source: torch.atanh.

    >>> torch.atanh(torch.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """
    return apply_into(out, Atanh, input)


arcsinh, arccosh, arctanh = asinh, acosh, atanh
