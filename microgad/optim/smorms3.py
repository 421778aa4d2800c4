"""SMORMS3: steps scaled down where the gradient is noisy, with an averaging window that adapts per element."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import Group, Optimizer, Params
from .update_helpers import increment_step, init_state, update_chunks


class SMORMS3(Optimizer):
    """Squared mean over root mean squared cubed: Funk (2015), "RMSprop loses to SMORMS3". Not in PyTorch.

    r = 1 / (mem + 1); a and b are running averages of the gradient g (+ weight_decay · p) and of g², with weight r of
    the newest; x = a² / (b + eps); p = p − g · min(lr, x) / (√b + eps), and mem = 1 + mem · (1 − x). mem starts as 1.
    With `maximize` it ascends.

    Raises ValueError for a negative lr, eps or weight_decay.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.SMORMS3([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8586, 1.8586], requires_grad=True)
    """

    param_shaped = ("mem", "grad_avg", "square_avg")
    nonnegative = ("lr", "eps", "weight_decay")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, eps: float = 1e-16, weight_decay: float = 0, *,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, eps = float(group["lr"]), group["eps"]
        for p in params:
            first_step = not self.state[p]
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            if first_step:
                state["mem"].array += 1
            increment_step(state)
            kept = [state[name] for name in self.param_shaped]
            for values, grad, mem, mean, square, a, b in update_chunks(p, group, *kept, scratch=2):
                np.add(mem, 1, out=a)
                np.divide(1, a, out=a)  # r
                np.subtract(grad, mean, out=b)
                b *= a
                mean += b
                np.multiply(grad, grad, out=b)
                b -= square
                b *= a
                square += b
                np.multiply(mean, mean, out=a)
                np.add(square, eps, out=b)
                a /= b  # x
                np.subtract(1, a, out=b)
                mem *= b
                mem += 1
                np.minimum(a, lr, out=a)
                a *= grad
                np.sqrt(square, out=b)
                b += eps
                a /= b
                values -= a
