"""Steps for `differentiable=True`: they are recorded, so that gradients flow through them, as in meta-learning.

An optimizer that supports this has a method `_recorded_update`, which returns the amount to subtract from a parameter,
computed by recorded operations. Gradients flow through any number of steps: unlike PyTorch's, SGD's first momentum is
not detached, and no state but the step count is written in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..ops.elementwise import view_as_complex, view_as_real
from ..tensor import Tensor

State = dict[str, Any]


def step(
    update: Callable[..., Tensor], param_shaped: Sequence[str], group: Mapping[str, Any], state: State, p: Tensor
) -> None:
    """Update one parameter by a recorded in-place subtraction. A complex one is treated as pairs of real numbers."""
    grad = p.grad
    assert grad is not None
    if group.get("maximize"):
        grad = -grad
    if decay := group.get("weight_decay"):
        if group.get("decoupled_weight_decay"):
            p.mul_(1 - group["lr"] * decay)
        else:
            grad = grad + p * decay
    if not p.is_complex():
        p.sub_(update(group, state, p, grad))
        return
    parts = {name: view_as_real(x) if name in param_shaped else x for name, x in state.items()}
    p.sub_(view_as_complex(update(group, parts, view_as_real(p), view_as_real(grad))))
    state.update({name: view_as_complex(x) if name in param_shaped else x for name, x in parts.items()})


def ema(state: State, name: str, x: Tensor, beta: float) -> Any:
    """Update the exponential moving average `state[name]` with x, and return it."""
    state[name] = state[name] * beta + x * (1 - beta)
    return state[name]
