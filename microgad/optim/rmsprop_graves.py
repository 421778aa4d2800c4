"""RMSprop as Graves defined it: with momentum, and scaled by the gradient's variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import Group, Optimizer, Params
from .update_helpers import ema_square_, increment_step, init_state, lerp_, update_chunks


class RMSpropGraves(Optimizer):
    """Graves' RMSprop (2013, arXiv:1308.0850, equations 38 to 45). Not in PyTorch.

    n and ḡ are running averages of the square of the gradient g (+ weight_decay · p) and of g, with factor alpha;
    buffer = momentum · buffer − lr · g / √(n − ḡ² + eps), and p = p + buffer. In RMSprop with `centered`, eps is
    outside of the root, and the learning rate outside of the buffer. With `maximize` it ascends.

    Raises ValueError for a negative lr, eps, momentum, weight_decay or alpha.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.RMSpropGraves([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5413, 1.5412], requires_grad=True)
    """

    param_shaped = ("square_avg", "grad_avg", "momentum_buffer")
    nonnegative = ("lr", "alpha", "momentum", "eps", "weight_decay")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-4, alpha: float = 0.95, momentum: float = 0.9, eps: float = 1e-4,
        weight_decay: float = 0, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "alpha": alpha, "momentum": momentum, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, alpha = float(group["lr"]), group["alpha"]
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            increment_step(state)
            kept = [state[name] for name in self.param_shaped]
            for values, grad, n, mean, buffer, a in update_chunks(p, group, *kept, scratch=1):
                ema_square_(n, grad, alpha, a)
                lerp_(mean, grad, 1 - alpha, a)
                np.multiply(mean, mean, out=a)
                np.subtract(n, a, out=a)
                a += group["eps"]
                np.sqrt(a, out=a)
                np.divide(grad, a, out=a)
                a *= lr
                buffer *= group["momentum"]
                buffer -= a
                values += buffer
