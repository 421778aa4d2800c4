"""Rprop: a step size per element, which adapts to changes of the gradient's sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.elementwise import where
from ..tensor import Tensor
from .optimizer import Group, Optimizer, Params
from .update_helpers import increment_step, init_state, update_chunks


class Rprop(Optimizer):
    """Resilient backpropagation, Riedmiller and Braun (1993). Source: torch.optim.Rprop.

    Each element has a step size, at first lr, in state[p]["step_size"]. Where the gradient keeps its sign, the step
    size is multiplied by etas[1]. Where the sign changes, it is multiplied by etas[0], and the gradient counts as 0.
    Step sizes are clamped to `step_sizes`. p = p − sign(g) · step size. With `maximize` it ascends. `foreach` has
    no effect; `capturable` needs a GPU.

    Raises ValueError for a negative lr and for etas that aren't 0 < etas[0] < 1 < etas[1].

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.Rprop([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    param_shaped = ("prev", "step_size")
    nonnegative = ("lr",)

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        low, high = options["etas"][0], options["etas"][1]
        if not 0 < low < 1 < high:
            raise ValueError(f"Invalid eta values: {low}, {high} (must be 0 < {low} < 1 < {high})")

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        (shrink, grow), (least, most) = group["etas"], map(float, group["step_sizes"])
        group = {**group, "weight_decay": 0}  # Rprop has none, even if a group sets it
        for p in params:
            state = self.state[p]
            if not state:
                start = float(group["lr"]) * (1 + 1j if p.is_complex() else 1)
                sizes = Tensor._wrap(np.full_like(p.grad.array, start))  # type: ignore[union-attr]
                init_state(state, p, ("prev",), step=0)["step_size"] = sizes
            increment_step(state)
            for values, grad, before, sizes, a in update_chunks(p, group, state["prev"], state["step_size"], scratch=1):
                np.multiply(grad, before, out=a)
                same_sign, sign_changed = a > 0, a < 0  # false for NaN, as in PyTorch
                a[...] = 1
                a[same_sign] = grow
                a[sign_changed] = shrink
                sizes *= a
                np.clip(sizes, least, most, out=sizes)
                before[...] = grad
                before[sign_changed] = 0
                np.subtract(before > 0, before < 0, out=a, dtype=a.dtype)  # the sign, 0 for NaN
                a *= sizes
                values -= a

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        (shrink, grow), (least, most) = group["etas"], group["step_sizes"]
        if not state:
            init_state(state, p, self.param_shaped, step=0)["step_size"] += group["lr"]
        increment_step(state)
        sizes, product = state["step_size"], grad * state["prev"]
        same_sign, sign_changed = product > 0, product < 0
        sizes = where(same_sign, sizes * grow, where(sign_changed, sizes * shrink, sizes)).clamp(least, most)
        state["step_size"], state["prev"] = sizes, grad.masked_fill(sign_changed, 0)
        return state["prev"].sign() * sizes
