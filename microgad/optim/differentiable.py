"""Steps that are recorded, with `differentiable=True`: gradients go through them, as learning to learn wants it.

An optimizer that can has a `_recorded_update`: by how much a parameter is to fall, in plain operations, as its
docstring has
it. Unlike PyTorch's, SGD's first momentum is not detached, and what is remembered is never written in place, so that
gradients go through any number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..ops.elementwise import view_as_complex, view_as_real
from ..tensor import Tensor

State = dict[str, Any]


def step(
    decrease: Callable[..., Tensor], param_shaped: Sequence[str], group: Mapping[str, Any], state: State, p: Tensor
) -> None:
    """A step with one parameter, which is written to, and recorded; of complex ones both parts by themselves."""
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
        p.sub_(decrease(group, state, p, grad))
        return
    parts = {name: view_as_real(x) if name in param_shaped else x for name, x in state.items()}
    p.sub_(view_as_complex(decrease(group, parts, view_as_real(p), view_as_real(grad))))
    state.update({name: view_as_complex(x) if name in param_shaped else x for name, x in parts.items()})


def ema(state: State, name: str, x: Tensor, beta: float) -> Any:
    """A running average, x counted in."""
    state[name] = state[name] * beta + x * (1 - beta)
    return state[name]
