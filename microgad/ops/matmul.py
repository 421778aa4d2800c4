"""Matrix products."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..errors import ShapeError
from ..function import Function

if TYPE_CHECKING:
    from ..tensor import Tensor


class MatMul(Function):
    """(..., n, k), (..., k, m) -> (..., n, m), leading axes broadcast."""

    symbol, numpy, promote, broadcasts = "@", np.matmul, dtypes.promote, True

    def forward(self, a, b):
        if a.shape[-1] != b.shape[-2]:
            raise ShapeError(
                f"mat1 and mat2 shapes cannot be multiplied: a has {a.shape[-1]} columns, but b has {b.shape[-2]} rows"
            )
        return np.matmul(a, b)

    def grad_a(self, grad, b):
        return np.matmul(grad, np.swapaxes(b, -1, -2))

    def grad_b(self, grad, a):
        return np.matmul(np.swapaxes(a, -1, -2), grad)


class Linear(Function):
    """(..., in), (out, in), (out) -> (..., out): x Wᵀ + b, one matrix product for all leading axes."""

    symbol = "linear"

    def forward(self, x, weight, bias):
        if x.ndim == 0 or weight.ndim != 2 or x.shape[-1] != weight.shape[1]:
            raise ShapeError(
                "mat1 and mat2 shapes cannot be multiplied: the last size of x must be that of weight, in_features"
            )
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ShapeError(f"bias has shape {bias.shape}, but weight has {weight.shape[0]} rows")
        out = np.matmul(_rows(x), weight.T)
        if bias is not None:
            out += bias
        return out.reshape(*x.shape[:-1], weight.shape[0])

    def grad_x(self, grad, weight):
        return np.matmul(_rows(grad), weight).reshape((*grad.shape[:-1], weight.shape[1]))

    def grad_weight(self, grad, x):
        return np.matmul(_rows(grad).T, _rows(x))

    def grad_bias(self, grad):
        return _rows(grad).sum(0)


def _rows(x: Any) -> Any:
    """(..., n) -> (rows, n)"""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, of vectors too, leading axes broadcast. Source: torch.matmul.

    Raises RuntimeError where the inner sizes differ.

    >>> torch.matmul(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if input.ndim == 0 or other.ndim == 0:
        raise ShapeError(f"matmul: both arguments need at least 1 dimension, got {input.ndim} and {other.ndim}")
    a = input.unsqueeze(0) if input.ndim == 1 else input
    b = other.unsqueeze(1) if other.ndim == 1 else other
    out = linear(a, b.transpose(0, 1)) if a.ndim > 2 and b.ndim == 2 else MatMul.apply(a, b)
    if input.ndim == 1:
        out = out.squeeze(-2)
    return out.squeeze(-1) if other.ndim == 1 else out


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(..., in), (out, in), (out) -> (..., out): input weightᵀ + bias. Source: torch.nn.functional.linear.

    Raises RuntimeError where the sizes don't fit.

    >>> F.linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([0.5]))
    tensor([[11.5000]])
    """
    return Linear.apply(input, weight, bias)
