"""Adamax: Adam with a decaying maximum of the gradient in place of the average square."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.elementwise import maximum
from ..tensor import Tensor
from .adam import AdamBase
from .differentiable import ema
from .optimizer import Group, Params
from .update_helpers import increment_step, init_state, lerp_, update_chunks


class Adamax(AdamBase):
    """Adamax, Kingma and Ba (2015), section 7.1. Source: torch.optim.Adamax.

    m is a running average of the gradient g (+ weight_decay · p), u its decaying maximum, max(β₂ · u, |g| + eps); at
    step t p = p − lr / (1 − β₁ᵗ) · m / u. With `maximize` it ascends. `foreach` has no effect; `capturable`
    needs a GPU.

    Raises ValueError as Adam does.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    param_shaped = ("exp_avg", "exp_inf")

    def __init__(
        self, params: Params, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        (beta1, beta2), eps = map(float, group["betas"]), float(group["eps"])
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            step_size = float(group["lr"]) / (1 - beta1 ** increment_step(state))
            for values, grad, m, u, a in update_chunks(p, group, state["exp_avg"], state["exp_inf"], scratch=1):
                lerp_(m, grad, 1 - beta1, a)
                u *= beta2
                np.abs(grad, out=a)
                a += eps
                np.maximum(u, a, out=u)
                np.multiply(m, step_size, out=a)
                a /= u
                values -= a

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        beta1, beta2 = group["betas"]
        step = increment_step(init_state(state, p, self.param_shaped, step=0))
        m = ema(state, "exp_avg", grad, beta1)
        u = state["exp_inf"] = maximum(state["exp_inf"] * beta2, grad.abs() + group["eps"])
        return m * (group["lr"] / (1 - beta1**step)) / u
