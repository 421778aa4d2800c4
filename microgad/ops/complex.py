"""Complex numbers: their parts, their conjugates, and numbers made of parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DtypeError
from ..function import Function

if TYPE_CHECKING:
    from ..tensor import Tensor


class Conj(Function):
    """The complex conjugate."""

    symbol, numpy = "conj", np.conjugate

    def forward(self, x):
        return np.conjugate(x)

    def grad_x(self, grad):
        return np.conjugate(grad)


class Real(Function):
    """The real part."""

    symbol, numpy, may_share = "real", np.real, True

    def forward(self, x):
        return np.real(x)

    def grad_x(self, grad):
        return grad


class Imag(Function):
    """The imaginary part."""

    symbol, numpy, may_share = "imag", np.imag, True

    def forward(self, x):
        return np.imag(x)

    def grad_x(self, grad):
        return grad * -1j  # which the engine conjugates: uphill is along i


def real(input: Tensor) -> Tensor:
    """The real part, a view; real numbers as they are. Source: torch.real.

    >>> torch.real(torch.tensor([1 + 2j]))
    tensor([1.])
    """
    return Real.apply(input) if input.is_complex() else input


def imag(input: Tensor) -> Tensor:
    """The imaginary part, a view. Source: torch.imag.

    Raises RuntimeError for real numbers.

    >>> torch.imag(torch.tensor([1 + 2j]))
    tensor([2.])
    """
    if not input.is_complex():
        raise DtypeError("imag: is not implemented for tensors with non-complex dtypes, got " + repr(input.dtype))
    return Imag.apply(input)


def conj(input: Tensor) -> Tensor:
    """The complex conjugate; real numbers as they are. Source: torch.conj.

    >>> torch.conj(torch.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    return Conj.apply(input) if input.is_complex() else input
