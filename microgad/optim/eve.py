"""Eve: Adam with a learning rate that adapts to changes of the loss."""

from __future__ import annotations

import math
from typing import Any

from ..tensor import Tensor
from .adam import MOMENTS, AdamBase, adam_step
from .optimizer import Group, Params, require


class Eve(AdamBase):
    """Eve, Koushik and Hayashi (2016, arXiv:1611.01505): Adam with the learning rate lr / d. Not in PyTorch.

    d starts as 1. From the second step on, with f the loss and f' that of the step before,
    d = β₃ · d + (1 − β₃) · clip(|f − f'| / (min(f, f') − f_star), 1/c, c): steps get smaller when the loss jumps, and
    larger when it hardly changes. `f_star` is the least value that the loss can have. Each group keeps its own "d" and
    "previous_loss" among its options, so that `state_dict` has them.

    The step needs the loss: `step(closure)`. It raises TypeError without a closure, and ValueError for a loss that
    isn't finite or is below f_star; no parameter is updated then. The constructor raises ValueError as Adam does, and
    for c < 1.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.Eve([w], lr=0.1)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     return loss
    >>> [round(optimizer.step(closure).item(), 4) for _ in range(3)]
    [5.0, 4.42, 3.8808]
    >>> round(optimizer.param_groups[0]["d"], 6)  # the changes: |4.42 - 5| / 4.42, |3.88 - 4.42| / 3.88
    0.998271
    """

    param_shaped = MOMENTS[:2]

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[float, float, float] = (0.9, 0.999, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, c: float = 10.0, f_star: float = 0.0,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "c": c, "f_star": f_star,
            "d": 1.0, "previous_loss": None,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        require(len(options["betas"]) == 3, "betas", options["betas"], "must be three: β₁, β₂ and β₃")
        require(0 <= options["betas"][2] < 1, "beta parameter at index 2", options["betas"][2], "must be in [0, 1)")
        require(options["c"] >= 1, "c", options["c"], "must be >= 1: d's changes are clipped to [1/c, c]")

    def _update_all(self, loss: Any) -> None:
        if loss is None:
            raise TypeError("Eve: step needs a closure that computes the gradients and returns the loss")
        now, least = _number(loss), max(group["f_star"] for group in self.param_groups)
        if not math.isfinite(now):
            raise ValueError(f"Eve: the loss is {now}, but must be finite")
        if now < least:
            raise ValueError(f"Eve: the loss is {now}, but must be >= f_star = {least}: lower f_star")
        super()._update_all(loss)

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        now, before, c = _number(loss), group["previous_loss"], group["c"]
        if before is not None:
            change, height = abs(now - before), min(now, before) - group["f_star"]
            ratio = change / height if height else math.inf if change else 0.0
            beta3 = group["betas"][2]
            group["d"] = beta3 * group["d"] + (1 - beta3) * min(max(ratio, 1 / c), c)
        group["previous_loss"] = now
        options = {**group, "lr": group["lr"] / group["d"], "betas": group["betas"][:2]}
        for p in params:
            adam_step(p, self.state[p], options)


def _number(loss: Any) -> float:
    return float(loss.detach() if isinstance(loss, Tensor) else loss)
