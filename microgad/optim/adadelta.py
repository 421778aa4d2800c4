"""Adadelta: steps scaled by the ratio of the root mean squares of past steps and past gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .differentiable import ema
from .optimizer import Group, Optimizer, Params, require
from .update_helpers import ema_square_, increment_step, init_state, update_chunks


class Adadelta(Optimizer):
    """Adadelta, Zeiler (2012). Source: torch.optim.Adadelta.

    v and u are running averages of the squares of the gradient g (+ weight_decay · p) and of the steps Δ:
    v = ρ · v + (1 − ρ) · g², Δ = √(u + eps) / √(v + eps) · g, u = ρ · u + (1 − ρ) · Δ², p = p − lr · Δ.
    With `maximize` it ascends. `foreach` has no effect; `capturable` needs a GPU.

    Raises ValueError for a negative lr, eps or weight_decay, and for a rho outside of [0, 1].

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.Adadelta([w], eps=1e-2)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.6877, 1.6848], requires_grad=True)
    """

    param_shaped = ("square_avg", "acc_delta")
    nonnegative = ("lr", "eps", "weight_decay")

    def __init__(
        self, params: Params, lr: float | Tensor = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        require(0 <= options["rho"] <= 1, "rho value", options["rho"], "must be in [0, 1]")

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, rho, eps = (float(group[name]) for name in ("lr", "rho", "eps"))
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            increment_step(state)
            averages = state["square_avg"], state["acc_delta"]
            for values, grad, v, u, delta, a in update_chunks(p, group, *averages, scratch=2):
                ema_square_(v, grad, rho, a)
                np.sqrt(np.add(u, eps, out=delta), out=delta)
                delta /= np.sqrt(np.add(v, eps, out=a), out=a)
                delta *= grad
                ema_square_(u, delta, rho, a)
                delta *= lr
                values -= delta

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        increment_step(init_state(state, p, self.param_shaped, step=0))
        v = ema(state, "square_avg", grad * grad, group["rho"])
        delta = (state["acc_delta"] + group["eps"]).sqrt() / (v + group["eps"]).sqrt() * grad
        ema(state, "acc_delta", delta * delta, group["rho"])
        return delta * group["lr"]
