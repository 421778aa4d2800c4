"""Activations for microgad: a Function, an autograd.Function, a NumPy function with its derivative, and a module."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import microgad as torch
from microgad import nn


class Softplus(torch.Function):
    """log(1 + eˣ)"""

    def forward(self, x: Any) -> Any:
        return np.logaddexp(0, x)

    def grad_x(self, grad: Any, x: Any) -> Any:
        return grad / (1 + np.exp(-x))


class Bent(torch.autograd.Function):
    """(√(x² + 1) − 1) / 2 + x, in PyTorch's form."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return ((x * x + 1).sqrt() - 1) / 2 + x

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return grad * (x / (2 * (x * x + 1).sqrt()) + 1)


def softsign(x: Any) -> Any:
    """x / (1 + |x|), in NumPy."""
    return x / (1 + np.abs(x))


def softsign_vjp(grad: Any, x: Any) -> Any:
    return grad / (1 + np.abs(x)) ** 2


class Swish(nn.Module):
    """x · σ(βx), with a learned β for each feature."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.beta * x)


class Slip(torch.Function):
    """x³. If ACTIVATIONS_FAULT is set, the derivative is wrong, to show what a failure looks like."""

    def forward(self, x: Any) -> Any:
        return x * x * x

    def grad_x(self, grad: Any, x: Any) -> Any:
        return grad * (2 if os.environ.get("ACTIVATIONS_FAULT") else 3) * x * x
