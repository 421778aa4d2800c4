"""Adam and AdamW: steps scaled by running averages of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from .chunks import chunks, descent
from .optimizer import Group, Optimizer, Params, refuse_differentiable, require

MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
OPTIONS = ("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay")


class Adam(Optimizer):
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

    shaped = MOMENTS

    def __init__(
        self, params: Params, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        refuse_differentiable(differentiable)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        """Raise ValueError where an option is out of range."""
        check_options(options)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        """Move `params` in place."""
        options = {name: group[name] for name in OPTIONS}
        for p in params:
            descend(p, self.state[p], **options)


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
        self, params: Params, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
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


def check_options(options: dict[str, Any]) -> None:
    """Raise ValueError where lr, eps, weight_decay or one of the betas is out of range."""
    require(options["lr"] >= 0, "learning rate", options["lr"], "must be >= 0")
    require(options["eps"] >= 0, "epsilon value", options["eps"], "must be >= 0")
    require(options["weight_decay"] >= 0, "weight_decay value", options["weight_decay"], "must be >= 0")
    for i, beta in enumerate(options["betas"]):
        require(0 <= beta < 1, f"beta parameter at index {i}", beta, "must be in [0, 1)")


def descend(
    p: Tensor, state: dict[str, Any], lr: Any, betas: tuple[Any, Any], eps: float, weight_decay: float,
    amsgrad: bool = False, maximize: bool = False, decoupled_weight_decay: bool = False,
) -> None:  # fmt: skip
    """One step of Adam with one parameter, in place."""
    lr, weight_decay, beta1, beta2 = float(lr), float(weight_decay), float(betas[0]), float(betas[1])
    names = MOMENTS if amsgrad else MOMENTS[:2]
    if not state:
        counter = dtypes.float64 if dtypes.get_default_dtype() == dtypes.float64 else dtypes.float32
        state["step"] = Tensor._made(np.zeros((), counter.dtype))
        state.update({name: Tensor._made(np.zeros_like(p.array)) for name in names})
    state["step"].array += 1
    step = float(state["step"].array)
    root = math.sqrt(1 - beta2**step)
    step_size = lr * root / (1 - beta1**step)
    moments = [state[name].array for name in names]
    for values, grad, m, v, *largest, a, b, c in chunks(p.array, p.grad.array, *moments, scratch=3):  # type: ignore[union-attr]
        if decoupled_weight_decay and weight_decay:
            values *= 1 - lr * weight_decay
        grad = descent(grad, values, c, 0 if decoupled_weight_decay else weight_decay, maximize)
        _mix(m, grad, 1 - beta1, a)
        v *= beta2
        np.multiply(grad, 1 - beta2, out=a)
        a *= grad
        v += a
        if largest:
            v = np.maximum(largest[0], v, out=largest[0])
        np.sqrt(v, out=a)
        a += eps * root  # the division by root is in step_size: one pass less, as Kingma and Ba have it (section 2)
        np.multiply(m, -step_size, out=b)
        b /= a
        values += b


def _mix(start: Any, end: Any, weight: float, out: Any) -> None:
    """start + weight · (end − start), in place; reckoned from the nearer side, as torch.lerp does."""
    np.subtract(end, start, out=out)
    if weight < 0.5:
        out *= weight
        start += out
    else:
        out *= 1 - weight
        np.subtract(end, out, out=start)
