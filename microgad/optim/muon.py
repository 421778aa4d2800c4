"""Muon: steps along the orthogonal matrix nearest to the momentum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..type_aliases import Array
from .optimizer import Group, Optimizer, Params, require_nonnegative
from .update_helpers import init_state, lerp_

LR_RATIOS = {
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


class Muon(Optimizer):
    """Muon, Jordan et al. (2024), for matrices. Source: torch.optim.Muon.

    X starts as m, a running average of the gradient g, or with `nesterov` as an average of g and m. It is divided by
    its norm. Its singular values are brought near 1 by `ns_steps` steps of the Newton-Schulz iteration,
    X = a · X + (b · XXᵀ + c · (XXᵀ)²) · X, where a, b and c are `ns_coefficients`. Then
    p = (1 − lr · weight_decay) · p − lr · r · X, where r is √max(1, rows/columns), or with
    adjust_lr_fn="match_rms_adamw" 0.2 · √max(rows, columns). As in PyTorch, the iteration rounds to bfloat16.

    Raises ValueError for a parameter that isn't a matrix, a negative lr, momentum or weight_decay, and another
    adjust_lr_fn; `step` raises RuntimeError for complex parameters.

    >>> w = torch.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    >>> optimizer = torch.optim.Muon([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.shape
    torch.Size([2, 2])
    """

    param_shaped = ("momentum_buffer",)
    real_only = True

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
        nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        for p in (p for group in self.param_groups for p in group["params"]):
            if p.ndim != 2:
                raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}")

    def check(self, options: dict[str, Any]) -> None:
        require_nonnegative(options)
        for what, name in (("Learning rate", "lr"), ("momentum", "momentum"), ("weight decay", "weight_decay")):
            if not options[name] >= 0:
                raise ValueError(f"{what} should be >= 0 but is: {options[name]}")
        if options["adjust_lr_fn"] not in (None, *LR_RATIOS):
            raise ValueError(
                f"Adjust learning rate function {options['adjust_lr_fn']} is not supported: only {', '.join(LR_RATIOS)}"
            )
        if options["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(options["ns_coefficients"]) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, momentum, decay, eps = (float(group[name]) for name in ("lr", "momentum", "weight_decay", "eps"))
        coefficients = tuple(map(float, group["ns_coefficients"]))
        for p in params:
            assert p.grad is not None
            values, grad = p.array, p.grad.array
            mean = init_state(self.state[p], p.grad, self.param_shaped)["momentum_buffer"].array
            lerp_(mean, grad, 1 - momentum, np.empty_like(values))
            step = mean
            if group["nesterov"]:
                step = grad.copy()
                lerp_(step, mean, momentum, np.empty_like(values))
            step = orthogonalize(step, coefficients, group["ns_steps"], eps)
            values *= 1 - lr * decay
            values -= step.astype(values.dtype) * (lr * LR_RATIOS[group["adjust_lr_fn"] or "original"](*values.shape))


def orthogonalize(x: Array, coefficients: tuple[float, ...], steps: int, eps: float) -> Array:
    """Return a matrix with the singular vectors of x and singular values near 1, rounded to bfloat16.

    >>> x = orthogonalize(np.array([[3.0, 0.0], [0.0, 4.0]]), (3.4445, -4.7750, 2.0315), 5, 1e-7)
    >>> bool(np.abs(x - np.eye(2)).max() < 0.35)
    True
    """
    a, b, c = coefficients
    wide = x if len(x) <= len(x.T) else x.T
    wide = round_to_bfloat16(wide)
    wide = round_to_bfloat16(wide / np.maximum(round_to_bfloat16(np.linalg.norm(wide, None, None, True)), eps))
    for _ in range(steps):
        gram = round_to_bfloat16(wide @ wide.T)
        change = round_to_bfloat16(b * gram + c * (gram @ gram))
        wide = round_to_bfloat16(a * wide + change @ wide)
    return wide if len(x) <= len(x.T) else wide.T


def round_to_bfloat16(x: Array) -> Array:
    """Round x to bfloat16 (eight bits of precision), and return it as float32.

    >>> round_to_bfloat16(np.array([1.001, 3.14159]))
    array([1.      , 3.140625], dtype=float32)
    """
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)
