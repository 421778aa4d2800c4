"""RAdam: Adam that divides by √v only once v, an estimate of variance, has become reliable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import Tensor
from .adam import AdamBase
from .differentiable import ema
from .optimizer import Group, Params
from .update_helpers import ema_square_, increment_step, init_state, lerp_, update_chunks


class RAdam(AdamBase):
    """Rectified Adam, Liu et al. (2020). Source: torch.optim.RAdam.

    m and v are running averages of the gradient g (+ weight_decay · p) and of g², as in Adam. At step t, with
    ρ∞ = 2 / (1 − β₂) − 1 and ρ = ρ∞ − 2t · β₂ᵗ / (1 − β₂ᵗ), p = p − lr · m / (1 − β₁ᵗ) while ρ <= 5, and then
    p = p − lr · m / (1 − β₁ᵗ) · r · √(1 − β₂ᵗ) / (√v + eps) with
    r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ)). With `decoupled_weight_decay` p shrinks by
    lr · weight_decay · p instead. With `maximize` it ascends. `foreach` has no effect; `capturable` needs a GPU.

    Raises ValueError as Adam does.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8000, 1.6000], requires_grad=True)
    """

    param_shaped = ("exp_avg", "exp_avg_sq")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        (beta1, beta2), eps = map(float, group["betas"]), float(group["eps"])
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            step = increment_step(state)
            step_size = float(group["lr"]) / (1 - beta1**step)
            rectification = _rectification(beta2, step)
            for values, grad, m, v, a, b in update_chunks(p, group, state["exp_avg"], state["exp_avg_sq"], scratch=2):
                lerp_(m, grad, 1 - beta1, a)
                ema_square_(v, grad, beta2, a)
                np.multiply(m, step_size * (rectification or 1), out=b)
                if rectification:
                    np.sqrt(v, out=a)
                    a += eps
                    b /= a
                values -= b

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        beta1, beta2 = group["betas"]
        step = increment_step(init_state(state, p, self.param_shaped, step=0))
        m, v = ema(state, "exp_avg", grad, beta1), ema(state, "exp_avg_sq", grad * grad, beta2)
        change, rectification = m * (group["lr"] / (1 - beta1**step)), _rectification(beta2, step)
        return change if rectification is None else change * rectification / (v.sqrt() + group["eps"])


def _rectification(beta2: float, step: float) -> float | None:
    """Return r · √(1 − β₂ᵗ), or None while ρ <= 5."""
    correction = 1 - beta2**step
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * step * beta2**step / correction
    if rho <= 5:
        return None
    return math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho) * correction)
