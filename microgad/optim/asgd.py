"""ASGD: gradient descent that also averages the parameters over its steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import Group, Optimizer, Params
from .update_helpers import increment_step, init_state, scalar_tensor, update_chunks


class ASGD(Optimizer):
    """Averaged stochastic gradient descent, Polyak and Juditsky (1992). Source: torch.optim.ASGD.

    p = (1 − lambd · η) · p − η · g for the gradient g (+ weight_decay · p), where η = lr at first and
    lr / (1 + lambd · lr · t)^alpha after step t. state[p]["ax"] is the average of p over the steps after `t0` + 1, and
    before that p itself. With `maximize` it ascends. `foreach` has no effect; `capturable` needs a GPU.

    Raises ValueError for a negative lr or weight_decay.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.ASGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8000, 1.6000], requires_grad=True)
    """

    param_shaped = ("ax",)
    nonnegative = ("lr", "weight_decay")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, lambd = float(group["lr"]), float(group["lambd"])
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0, eta=lr, mu=1)
            step, eta, mu = increment_step(state), float(state["eta"].array), float(state["mu"].array)
            for values, grad, mean, a in update_chunks(p, group, state["ax"], scratch=1):
                values *= 1 - lambd * eta
                values -= np.multiply(grad, eta, out=a)
                if mu == 1:
                    mean[...] = values
                else:
                    np.subtract(values, mean, out=a)
                    a *= mu
                    mean += a
            state["eta"].array[...] = scalar_tensor(lr / (1 + lambd * lr * step) ** group["alpha"]).item()
            state["mu"].array[...] = scalar_tensor(1 / max(1, step - group["t0"])).item()

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        lr, lambd = group["lr"], group["lambd"]
        if not state:
            init_state(state, p, self.param_shaped, step=0, mu=1)["eta"] = _as_tensor(lr)
        step, eta, mu = increment_step(state), state["eta"], float(state["mu"].array)
        change = (p * lambd + grad) * eta
        moved = p - change
        state["ax"] = moved if mu == 1 else state["ax"] + (moved - state["ax"]) * mu
        state["eta"] = _as_tensor(lr / (1 + lambd * lr * step) ** group["alpha"])
        state["mu"] = scalar_tensor(1 / max(1, step - group["t0"]))
        return change


def _as_tensor(x: float | Tensor) -> Tensor:
    return x if isinstance(x, Tensor) else scalar_tensor(x)
