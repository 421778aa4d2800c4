"""AdaBelief: Adam with the gradient's variance around its moving average in place of its square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import Tensor
from .adam import AdamBase
from .optimizer import Group, Params
from .update_helpers import increment_step, init_state, lerp_, update_chunks


class AdaBelief(AdamBase):
    """AdaBelief, Zhuang et al. (2020, arXiv:2010.07468): Adam with a variance in place of the square. Not in PyTorch.

    m = β₁ m + (1 − β₁) g, with g the gradient (+ weight_decay · p); s = β₂ s + (1 − β₂) (g − m)² + eps; at step t
    p = p − lr · m / (1 − β₁ᵗ) / (√(s / (1 − β₂ᵗ)) + eps). With `decoupled_weight_decay` the decay shrinks p, as in
    AdamW. With `maximize` it ascends.

    Raises ValueError for a negative lr, eps or weight_decay, and for betas outside of [0, 1).

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.AdaBelief([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8889, 1.8889], requires_grad=True)
    """

    param_shaped = ("exp_avg", "exp_avg_var")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-16,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        beta1, beta2 = group["betas"]
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            step = increment_step(state)
            rate, root = float(group["lr"]) / (1 - beta1**step), math.sqrt(1 - beta2**step)
            kept = [state[name] for name in self.param_shaped]
            for values, grad, m, s, a in update_chunks(p, group, *kept, scratch=1):
                lerp_(m, grad, 1 - beta1, a)
                np.subtract(grad, m, out=a)
                a *= a
                a *= 1 - beta2
                a += group["eps"]
                s *= beta2
                s += a
                np.sqrt(s, out=a)
                a /= root
                a += group["eps"]
                np.divide(m, a, out=a)
                a *= rate
                values -= a
