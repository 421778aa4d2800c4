"""AdaBound and AMSBound: Adam with bounds on its step sizes that converge to the learning rate of SGD."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import Tensor
from .adam import MOMENTS, AdamBase
from .optimizer import Group, Params, require
from .update_helpers import ema_square_, increment_step, init_state, lerp_, update_chunks


class AdaBound(AdamBase):
    """AdaBound, Luo et al. (2019, arXiv:1902.09843): Adam with a bounded step size per element. Not in PyTorch.

    With Adam's m and v, p = p − clip(lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) / (√v + eps), low, high) · m, where low and high
    are f · (1 − 1 / (gamma t + 1)) and f · (1 + 1 / (gamma t)), and f is final_lr, scaled as a scheduler scales lr.
    This follows the authors' program; the paper's Algorithm 2 has no bias correction, and divides by √t for its proof.
    With `amsbound` the largest v so far replaces v. With `maximize` it ascends.

    Raises ValueError for a negative lr, final_lr, eps or weight_decay, and for betas or gamma outside of [0, 1).

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.AdaBound([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    param_shaped = MOMENTS

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        final_lr: float = 0.1, gamma: float = 1e-3, eps: float = 1e-8, weight_decay: float = 0, amsbound: bool = False,
        *, maximize: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "betas": betas, "final_lr": final_lr, "gamma": gamma, "eps": eps, "weight_decay": weight_decay,
            "amsbound": amsbound, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        require(options["final_lr"] >= 0, "final learning rate", options["final_lr"], "must be >= 0")
        require(0 <= options["gamma"] < 1, "gamma parameter", options["gamma"], "must be in [0, 1)")

    def add_param_group(self, param_group: Group) -> None:
        """Add a parameter group, and note its learning rate: `update` scales final_lr by later changes of it."""
        super().add_param_group(param_group)
        param_group.setdefault("base_lr", float(param_group["lr"]))

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        beta1, beta2 = group["betas"]
        lr, base = float(group["lr"]), group["base_lr"]
        final = group["final_lr"] * (lr / base if base else 1)
        names = MOMENTS if group["amsbound"] else MOMENTS[:2]
        for p in params:
            state = init_state(self.state[p], p, names, step=0)
            step = increment_step(state)
            rate = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
            near = group["gamma"] * step
            low, high = final * (1 - 1 / (near + 1)), final * (1 + 1 / near) if near else math.inf
            kept = [state[name] for name in names]
            for values, grad, m, v, *max_v, a in update_chunks(p, group, *kept, scratch=1):
                lerp_(m, grad, 1 - beta1, a)
                ema_square_(v, grad, beta2, a)
                if max_v:
                    v = np.maximum(max_v[0], v, out=max_v[0])
                np.sqrt(v, out=a)
                a += group["eps"]
                np.divide(rate, a, out=a)
                np.minimum(np.maximum(a, low, out=a), high, out=a)
                a *= m
                values -= a


class AMSBound(AdaBound):
    """AdaBound with `amsbound=True`, Luo et al. (2019, arXiv:1902.09843). Not in PyTorch.

    Arguments and errors are AdaBound's.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.AMSBound([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        final_lr: float = 0.1, gamma: float = 1e-3, eps: float = 1e-8, weight_decay: float = 0, *,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, final_lr, gamma, eps, weight_decay, True, maximize=maximize)
