"""Adafactor: steps scaled by the gradient's mean square, stored as row and column averages only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..function.half import norm
from ..tensor import Tensor
from ..type_aliases import Array
from .optimizer import Group, Optimizer, Params, require_nonnegative
from .update_helpers import effective_grad, increment_step, init_state, lerp_, scalar_tensor


class Adafactor(Optimizer):
    """Adafactor, Shazeer and Stern (2018). Source: torch.optim.Adafactor.

    V estimates the gradient's square. For matrices (the last two dimensions) it is V = r · c / mean(r), with moving
    averages r of the rows' means and c of the columns' means; for fewer dimensions V is a moving average itself. The
    newest square has the weight t^beta2_decay at step t. The step is u = g / √V, clipped to a root mean square of `d`;
    p = (1 − lr · weight_decay) · p − max(eps[1], rms(p)) · min(lr, 1/√t) · u. eps[0], which keeps mean(r) and V from 0,
    is the dtype's by default. With `maximize` it ascends. `foreach` has no effect.

    Raises ValueError for a negative lr, eps or weight_decay, for beta2_decay > 0 and for d < 1; `step` raises
    RuntimeError for complex parameters.

    >>> w = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> optimizer = torch.optim.Adafactor([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([[0.8419, 1.8419]], requires_grad=True)
    """

    param_shaped = ("variance",)
    real_only = True

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
        foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        require_nonnegative(options)
        eps1, eps2 = options["eps"][0], options["eps"][1]
        for what, value, ok, rule in (
            ("Learning rate", options["lr"], options["lr"] >= 0, ">= 0"),
            ("beta2_decay", options["beta2_decay"], options["beta2_decay"] <= 0, "<= 0"),
            ("epsilon1", eps1, eps1 is None or eps1 >= 0, ">= 0"),
            ("epsilon2", eps2, eps2 >= 0, ">= 0"),
            ("Clipping threshold d", options["d"], options["d"] >= 1, ">= 1"),
            ("weight_decay", options["weight_decay"], options["weight_decay"] >= 0, ">= 0"),
        ):
            if not ok:
                raise ValueError(f"{what} should be {rule} but is: {value}")

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, decay, beta2_decay = (float(group[name]) for name in ("lr", "weight_decay", "beta2_decay"))
        eps1, eps2 = group["eps"]
        eps1, eps2 = None if eps1 is None else float(eps1), float(eps2)
        for p in params:
            if eps1 is None:
                eps1 = float(np.finfo(p.array.dtype).eps)
            values = p.array
            grad = effective_grad(p.grad.array, values, np.empty_like(values), 0, group["maximize"])  # type: ignore[union-attr]
            state = self._init_state(p)
            step = increment_step(state)
            alpha = max(eps2, _rms(values)) * min(lr, 1 / math.sqrt(step))
            if decay:
                values *= 1 - lr * decay
            square = _estimate_square(state, grad, step**beta2_decay, eps1)
            update = grad / np.sqrt(np.maximum(square, eps1 * eps1))
            values -= update * (alpha / max(1.0, _rms(update) / group["d"]))

    def _init_state(self, p: Tensor) -> dict[str, Any]:
        state = self.state[p]
        if state or p.ndim < 2:
            return init_state(state, p, self.param_shaped, step=0)
        parts = {"row_var": p.array[..., :1], "col_var": p.array[..., :1, :]}
        averages = {name: Tensor._wrap(np.zeros_like(part, order="C")) for name, part in parts.items()}
        state.update({"step": scalar_tensor(0)} | averages)
        return state


def _estimate_square(state: dict[str, Any], grad: Array, weight: float, eps: float) -> Array:
    """Update the moving averages of the gradient's square, and return the estimate V."""
    square = np.multiply(grad, grad, out=np.empty_like(grad))
    if "variance" in state:
        lerp_(state["variance"].array, square, weight, np.empty_like(grad))
        return state["variance"].array
    rows, columns = state["row_var"].array, state["col_var"].array
    for average, axis in ((rows, -1), (columns, -2)):
        lerp_(average, square.mean(axis, keepdims=True), weight, np.empty_like(average))
    return rows * columns / np.maximum(rows.mean(-2, keepdims=True), eps)


def _rms(x: Array) -> float:
    """Return the root mean square of an array."""
    return float(norm(x)) / math.sqrt(x.size or 1)
