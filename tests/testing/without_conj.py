"""A fault that shows in complex numbers alone."""

from __future__ import annotations

import microgad as torch


class WithoutConj(torch.autograd.Function):
    """z², of whose gradient the conjugate is missing."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    def backward(ctx, grad):
        (z,) = ctx.saved_tensors
        return grad * 2 * z
