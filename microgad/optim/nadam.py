"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .adam import AdamBase
from .differentiable import ema
from .optimizer import Group, Params
from .update_helpers import ema_square_, increment_step, init_state, lerp_, update_chunks


class NAdam(AdamBase):
    """NAdam, Dozat (2016). Source: torch.optim.NAdam.

    m and v are running averages of the gradient g (+ weight_decay · p) and of g², as in Adam. The momentum grows:
    μₜ = β₁ · (1 − 0.96^(t · momentum_decay) / 2), and with M = μ₁ · … · μₜ at step t
    p = p − lr · ((1 − μₜ) / (1 − M) · g + μₜ₊₁ / (1 − M · μₜ₊₁) · m) / (√(v / (1 − β₂ᵗ)) + eps).
    With `decoupled_weight_decay` p shrinks by lr · weight_decay · p instead. With `maximize` it ascends. `foreach`
    has no effect; `capturable` needs a GPU.

    Raises ValueError as Adam does, and for a negative momentum_decay.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8944, 1.8944], requires_grad=True)
    """

    param_shaped = ("exp_avg", "exp_avg_sq")
    nonnegative = (*AdamBase.nonnegative, "momentum_decay")

    def __init__(
        self, params: Params, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, eps, decay = (float(group[name]) for name in ("lr", "eps", "momentum_decay"))
        beta1, beta2 = map(float, group["betas"])
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0, mu_product=1)
            step = increment_step(state)
            mu, next_mu = (_momentum(beta1, decay, t) for t in (step, step + 1))
            state["mu_product"].array *= mu
            product = float(state["mu_product"].array)
            grad_rate = -lr * (1 - mu) / (1 - product)
            mean_rate = -lr * next_mu / (1 - product * next_mu)
            for values, grad, m, v, a, b in update_chunks(p, group, state["exp_avg"], state["exp_avg_sq"], scratch=2):
                lerp_(m, grad, 1 - beta1, a)
                ema_square_(v, grad, beta2, a)
                np.multiply(grad, grad_rate, out=b)
                b += np.multiply(m, mean_rate, out=a)
                np.sqrt(np.divide(v, 1 - beta2**step, out=a), out=a)
                a += eps
                b /= a
                values += b

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        beta1, beta2 = group["betas"]
        step = increment_step(init_state(state, p, self.param_shaped, step=0, mu_product=1))
        mu, next_mu = (_momentum(beta1, group["momentum_decay"], t) for t in (step, step + 1))
        state["mu_product"] = state["mu_product"] * mu
        product = state["mu_product"].double()
        m, v = ema(state, "exp_avg", grad, beta1), ema(state, "exp_avg_sq", grad * grad, beta2)
        change = grad * ((1 - mu) / (1 - product)) + m * (next_mu / (1 - product * next_mu))
        return change * group["lr"] / ((v / (1 - beta2**step)).sqrt() + group["eps"])


def _momentum(beta1: float, decay: float, step: float) -> float:
    """Return μ at a step."""
    return beta1 * (1 - 0.5 * 0.96 ** (step * decay))
