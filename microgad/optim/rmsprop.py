"""RMSprop: steps scaled by a running average of the gradient's square."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .differentiable import ema
from .optimizer import Group, Optimizer, Params
from .update_helpers import ema_square_, increment_step, init_state, lerp_, update_chunks


class RMSprop(Optimizer):
    """RMSprop, Hinton's lecture 6a (2012). Source: torch.optim.RMSprop.

    v is a running average of the square of the gradient g (+ weight_decay · p): v = alpha · v + (1 − alpha) · g², and
    p = p − lr · g / (√v + eps). With `centered` the variance, v minus the square of g's running average, replaces v
    (Graves, 2013). With momentum, buffer = momentum · buffer + g / (√v + eps) and p = p − lr · buffer. With `maximize`
    it ascends. `foreach` has no effect; `capturable` needs a GPU.

    Raises ValueError for a negative lr, eps, momentum, weight_decay or alpha.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    param_shaped = ("square_avg", "momentum_buffer", "grad_avg")
    nonnegative = ("lr", "eps", "momentum", "weight_decay", "alpha")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, alpha, eps, momentum = (float(group[name]) for name in ("lr", "alpha", "eps", "momentum"))
        names = _state_names(group)
        for p in params:
            state = init_state(self.state[p], p, names, step=0)
            increment_step(state)
            for values, grad, v, *rest, a in update_chunks(p, group, *(state[name] for name in names), scratch=1):
                ema_square_(v, grad, alpha, a)
                if group["centered"]:
                    lerp_(rest[-1], grad, 1 - alpha, a)
                    np.multiply(rest[-1], rest[-1], out=a)
                    np.sqrt(np.subtract(v, a, out=a), out=a)
                else:
                    np.sqrt(v, out=a)
                a += eps
                np.divide(grad, a, out=a)
                if momentum > 0:
                    rest[0] *= momentum
                    rest[0] += a
                    np.multiply(rest[0], lr, out=a)
                else:
                    a *= lr
                values -= a

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        momentum = group["momentum"]
        increment_step(init_state(state, p, _state_names(group), step=0))
        v = ema(state, "square_avg", grad * grad, group["alpha"])
        if group["centered"]:
            v = v - ema(state, "grad_avg", grad, group["alpha"]) ** 2
        change = grad / (v.sqrt() + group["eps"])
        if momentum > 0:
            change = state["momentum_buffer"] = state["momentum_buffer"] * momentum + change
        return change * group["lr"]


def _state_names(group: Group) -> list[str]:
    """Return the names of the state Tensors that a group's options need."""
    return ["square_avg"] + ["momentum_buffer"] * (group["momentum"] > 0) + ["grad_avg"] * bool(group["centered"])
