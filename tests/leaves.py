"""Leaves that require grad, and what optimizers take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import microgad as torch


def leaf(*values: Any, dtype: Any = torch.float64) -> Any:
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def parameter(*values: float, dtype: Any = torch.float32) -> Any:
    return leaf(*values, dtype=dtype)


def with_gradient(*values: float) -> Any:
    """A parameter with the gradient of the sum of its squares."""
    p = parameter(*values)
    (p * p).sum().backward()
    return p


def uniform_leaf(*shape: int, seed: int = 0) -> Any:
    return torch.tensor(np.random.default_rng(seed).uniform(0.5, 2, shape), requires_grad=True)


def closure_of(optimizer: Any) -> Callable[[], Any]:
    """A closure that computes the sum of squares of an optimizer's only parameter, and its gradient."""
    (p,) = optimizer.param_groups[0]["params"]

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    return closure
