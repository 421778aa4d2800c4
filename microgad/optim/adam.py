"""Adam: steps scaled by running averages of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ops.elementwise import maximum
from ..tensor import Tensor
from .differentiable import ema
from .optimizer import Group, Optimizer, Params, functional_step, require
from .update_helpers import ema_square_, increment_step, init_state, lerp_, update_chunks

MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


class AdamBase(Optimizer):
    """Base class of Adam and its variants: it checks lr, eps, weight_decay and betas."""

    nonnegative: tuple[str, ...] = ("lr", "eps", "weight_decay")

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        for i in (0, 1):
            beta = options["betas"][i]
            require(0 <= beta < 1, f"beta parameter at index {i}", beta, "must be in [0, 1)")


class Adam(AdamBase):
    """Adam, Kingma and Ba (2015); with `amsgrad`, Reddi et al. (2018). Source: torch.optim.Adam.

    m and v are running averages of the gradient g (+ weight_decay · p) and of g²; at step t
    p = p − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + eps). With `amsgrad` the largest v so far replaces v.
    With `maximize` it ascends. `decoupled_weight_decay` makes it AdamW.

    `foreach` and `fused` choose one of PyTorch's implementations. Here `fused` computes steps of float16 in float32;
    otherwise they have no effect. `capturable` needs a GPU.
    Results differ from PyTorch's by rounding: PyTorch fuses multiplications and additions where NumPy rounds both,
    divides once more, and its square root of float32 is off by a unit in the last place in one case of six.

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
            "lr": lr, "betas": _checked_betas(betas, bool(foreach) and not capturable), "eps": eps,
            "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        if isinstance(options["lr"], Tensor) and options["foreach"] and not options["capturable"]:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        super().check(options)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        for p in params:
            adam_step(p, self.state[p], group)

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        beta1, beta2 = group["betas"]
        step = increment_step(init_state(state, p, _state_names(group), step=0))
        m, v = ema(state, "exp_avg", grad, beta1), ema(state, "exp_avg_sq", grad * grad, beta2)
        if group["amsgrad"]:
            v = state["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
        return m * (group["lr"] / (1 - beta1**step)) / ((v / (1 - beta2**step)).sqrt() + group["eps"])


class AMSGrad(Adam):
    """Adam with `amsgrad=True`, Reddi et al. (2018), with PyTorch's bias correction. Not in PyTorch under this name.

    Arguments and errors are Adam's.

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


def adam(
    params: list[Tensor], grads: list[Tensor], exp_avgs: list[Tensor], exp_avg_sqs: list[Tensor],
    max_exp_avg_sqs: list[Tensor], state_steps: list[Tensor], foreach: bool | None = None, capturable: bool = False,
    differentiable: bool = False, fused: bool | None = None, grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None, has_complex: bool = False, decoupled_weight_decay: bool = False, *,
    amsgrad: bool, beta1: float | Tensor, beta2: float | Tensor, lr: float | Tensor, weight_decay: float, eps: float,
    maximize: bool,
) -> None:  # fmt: skip
    """Update Tensors, and the running averages and step counts that belong to them, by a step of `Adam`.

    Raises NotImplementedError for `differentiable`, grad_scale and found_inf. Source: torch.optim.adam.adam.

    >>> from microgad.optim.adam import adam
    >>> w, step = torch.tensor([1.0, 2.0]), torch.tensor(0.0)
    >>> options = {"amsgrad": False, "weight_decay": 0, "eps": 1e-8, "maximize": False}
    >>> adam([w], [2 * w], [torch.zeros(2)], [torch.zeros(2)], [], [step], beta1=0.9, beta2=0.99, lr=0.1, **options)
    >>> w, step
    (tensor([0.9000, 1.9000]), tensor(1.))
    """
    lists = state_steps, exp_avgs, exp_avg_sqs, *([max_exp_avg_sqs] if amsgrad else [])
    states = [dict(zip(("step", *MOMENTS), each, strict=False)) for each in zip(*lists, strict=True)]
    functional_step(
        Adam, params, grads, states,
        {"differentiable": differentiable, "grad_scale": grad_scale, "found_inf": found_inf},
        lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize,
        capturable=capturable, fused=fused, decoupled_weight_decay=decoupled_weight_decay,
    )  # fmt: skip


def _checked_betas(betas: tuple[Any, Any], refuse_tensors: bool) -> tuple[Any, ...]:
    """Return betas, which may be two floats or (unless `refuse_tensors`) two 1-element Tensors; those become 0-d."""
    tensors = [isinstance(beta, Tensor) for beta in (betas[0], betas[1])]
    if not all(tensors) and not all(isinstance(beta, float) for beta in betas):
        raise ValueError(f"betas must be either both floats or both Tensors, but are {betas}")
    if any(tensors) and refuse_tensors:
        raise ValueError("betas[0] as a Tensor is not supported for capturable=False and foreach=True")
    if any(tensors) and any(beta.numel() != 1 for beta in betas):
        raise ValueError("Tensor betas must be 1-element")
    return tuple(beta.squeeze() for beta in betas) if any(tensors) else tuple(betas)


def _state_names(group: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the state Tensors that a group's options need."""
    return MOMENTS if group.get("amsgrad") else MOMENTS[:2]


def adam_step(p: Tensor, state: dict[str, Any], group: Mapping[str, Any]) -> None:
    """Update one parameter in place by a step of Adam."""
    beta1, beta2 = map(float, group["betas"])
    names = _state_names(group)
    step = increment_step(init_state(state, p, names, step=0))
    root = math.sqrt(1 - beta2**step)
    step_size = float(group["lr"]) * root / (1 - beta1**step)
    # step_size holds the division of √v by root, which saves a pass (Kingma and Ba, section 2).
    eps = float(group["eps"]) * root
    for values, grad, m, v, *max_v, a in update_chunks(p, group, *(state[name] for name in names), scratch=1):
        lerp_(m, grad, 1 - beta1, a)
        ema_square_(v, grad, beta2, a)
        if max_v:
            v = np.maximum(max_v[0], v, out=max_v[0])
        np.sqrt(v, out=a)
        a += eps
        np.divide(m, a, out=a)
        a *= -step_size
        values += a
