"""Adagrad: steps scaled by the sum of all squared gradients so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .optimizer import Group, Optimizer, Params
from .update_helpers import increment_step, init_state, update_chunks


class Adagrad(Optimizer):
    """Adagrad, Duchi et al. (2011). Source: torch.optim.Adagrad.

    s, which starts at `initial_accumulator_value`, sums the squares of the gradient g (+ weight_decay · p). At step t
    p = p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps).
    With `maximize` it ascends. `fused` computes steps of float16 in float32; otherwise it and `foreach` have no effect.

    Raises ValueError for a negative lr, lr_decay, weight_decay, initial_accumulator_value or eps.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    param_shaped = ("sum",)
    nonnegative = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:  # PyTorch, too, has sums for parameters that never get a gradient
            for p in group["params"]:
                self._init_state(p)

    def share_memory(self) -> None:
        """Move the sums to memory that processes share."""
        for p in self.state:
            self.state[p]["sum"].share_memory_()

    def _init_state(self, p: Tensor) -> dict[str, Any]:
        state = self.state[p]
        if not state:
            start = self.defaults["initial_accumulator_value"] * (1 + 1j if p.is_complex() else 1)
            init_state(state, p, self.param_shaped, step=0)["sum"].array[...] = start
        return state

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, lr_decay, eps = (float(group[name]) for name in ("lr", "lr_decay", "eps"))
        for p in params:
            state = self._init_state(p)
            rate = lr / (1 + (increment_step(state) - 1) * lr_decay)
            for values, grad, s, a, b in update_chunks(p, group, state["sum"], scratch=2):
                s += np.multiply(grad, grad, out=a)
                np.sqrt(s, out=a)
                a += eps
                np.multiply(grad, rate, out=b)  # in this order it rounds as PyTorch does
                b /= a
                values -= b

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        rate = group["lr"] / (1 + (increment_step(state) - 1) * group["lr_decay"])
        state["sum"] = state["sum"] + grad * grad
        return grad * rate / (state["sum"].sqrt() + group["eps"])
