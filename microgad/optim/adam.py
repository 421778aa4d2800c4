"""Adam and AdamW: steps scaled by running averages of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ops.elementwise import maximum
from ..tensor import Tensor
from .differentiable import ema
from .optimizer import Group, Optimizer, Params, require
from .update_helpers import ema_square_, increment_step, init_state, lerp_, update_chunks

MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


class AdamBase(Optimizer):
    """What Adam and its kin have in common: lr, eps, weight_decay and betas."""

    nonnegative: tuple[str, ...] = ("lr", "eps", "weight_decay")

    def check(self, options: dict[str, Any]) -> None:
        """Raise ValueError where an option is out of range."""
        super().check(options)
        for i, beta in enumerate(options["betas"]):
            require(0 <= beta < 1, f"beta parameter at index {i}", beta, "must be in [0, 1)")


class Adam(AdamBase):
    """Adam, Kingma and Ba (2015); with `amsgrad`, Reddi et al. (2018). Source: torch.optim.Adam.

    m and v are running averages of the gradient g (+ weight_decay · p) and of g²; at step t
    p = p − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + eps), where `amsgrad` puts the largest v so far for v.
    `maximize` climbs; `decoupled_weight_decay` is AdamW.

    `foreach`, `capturable` and `fused` say how PyTorch is to compute this; here they are only kept. Results differ
    from PyTorch's by rounding: it fuses multiplications and additions where NumPy rounds both, divides once more, and
    its square root of float32 is off by a unit in the last place in one case of six.

    Raises ValueError for a negative lr, eps or weight_decay, and for betas outside of [0, 1).

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    param_shaped = MOMENTS

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "betas": _numbers(betas, bool(foreach) and not capturable), "eps": eps,
            "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise ValueError where an option is out of range."""
        if isinstance(options["lr"], Tensor) and options["foreach"] and not options["capturable"]:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        super().check(options)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        """Move `params` in place."""
        for p in params:
            adam_step(p, self.state[p], group)

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        beta1, beta2 = group["betas"]
        step = increment_step(init_state(state, p, _state_names(group), step=0))
        m, v = ema(state, "exp_avg", grad, beta1), ema(state, "exp_avg_sq", grad * grad, beta2)
        if group["amsgrad"]:
            v = state["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
        return m * (group["lr"] / (1 - beta1**step)) / ((v / (1 - beta2**step)).sqrt() + group["eps"])


class AdamW(Adam):
    """Adam whose weight decay shrinks p by lr · weight_decay · p and stays out of the averages.

    Source: torch.optim.AdamW; Loshchilov and Hutter (2019). Arguments and errors as for Adam.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8500, 1.8000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state: see `Optimizer.load_state_dict`. From Adam too; the weight decay stays decoupled."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


class AMSGrad(Adam):
    """Adam with `amsgrad`: Reddi et al. (2018), with PyTorch's bias correction. microgad's own name for it.

    Arguments and errors as for Adam.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.AMSGrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad=True, maximize=maximize)


def _numbers(betas: tuple[Any, Any], plain: bool) -> tuple[float, ...]:
    """Betas may be two Tensors, as in PyTorch, but where they must be plain numbers."""
    tensors = [isinstance(beta, Tensor) for beta in betas]
    if not all(tensors) and not all(isinstance(beta, float) for beta in betas):
        raise ValueError(f"betas must be either both floats or both Tensors, but are {betas}")
    if any(tensors) and plain:
        raise ValueError("betas[0] as a Tensor is not supported for capturable=False and foreach=True")
    if any(tensors) and any(beta.numel() != 1 for beta in betas):
        raise ValueError("Tensor betas must be 1-element")
    return tuple(float(beta) for beta in betas)


def _state_names(group: Mapping[str, Any]) -> tuple[str, ...]:
    return MOMENTS if group.get("amsgrad") else MOMENTS[:2]


def adam_step(p: Tensor, state: dict[str, Any], group: Mapping[str, Any]) -> None:
    """One step of Adam with one parameter, in place."""
    beta1, beta2 = map(float, group["betas"])
    names = _state_names(group)
    step = increment_step(init_state(state, p, names, step=0))
    root = math.sqrt(1 - beta2**step)
    step_size = float(group["lr"]) * root / (1 - beta1**step)
    eps = group["eps"] * root  # the division of √v by root is in step_size: a pass less (Kingma and Ba, section 2)
    for values, grad, m, v, *largest, a, b in update_chunks(p, group, *(state[name] for name in names), scratch=2):
        lerp_(m, grad, 1 - beta1, a)
        ema_square_(v, grad, beta2, a)
        if largest:
            v = np.maximum(largest[0], v, out=largest[0])
        np.sqrt(v, out=a)
        a += eps
        np.multiply(m, -step_size, out=b)
        b /= a
        values += b
