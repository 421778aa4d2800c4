"""An operation with a fault that shows for complex numbers only."""

from __future__ import annotations

import microgad as torch


class WithoutConj(torch.autograd.Function):
    """z², whose derivative lacks the conjugate."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    def backward(ctx, grad):
        (z,) = ctx.saved_tensors
        return grad * 2 * z
