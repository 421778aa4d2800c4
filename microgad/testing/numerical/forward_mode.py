"""Forward mode: check directional derivatives computed by double backward."""

from __future__ import annotations

import numpy as np

from ...engine.transforms import computing_jvp
from ...gradients import grad
from ...state.contexts import binding
from ...tensor import Tensor
from ...type_aliases import Array
from ..calls import GradcheckError, flat
from .check import SCALES, Check
from .checked_function import CheckedFunction
from .estimates import Estimate
from .projection import ROUNDING, SAFETY
from .resolution import is_rounding, oscillates


def check_forward_mode(check: Check, fn: CheckedFunction) -> None:
    """Compare derivatives along random directions, by a backward pass through the backward pass, with differences."""
    recorded = np.concatenate([np.full(y.numel(), y.requires_grad) for y in fn.outputs])
    outputs = [y for y in fn.outputs if y.requires_grad]
    for i, t in enumerate(fn.tensors):
        # Not zeros, as in `DoubleBackward`: with them a vjp off the graph gives 0, which passes for a constant.
        seeds = [Tensor._wrap(np.ones_like(y.array)).requires_grad_() for y in outputs]
        with binding(computing_jvp, True):
            (pulled,) = grad(outputs, [t], seeds, create_graph=True, allow_unused=True, retain_graph=True)
        if pulled is None or not pulled.requires_grad:
            continue
        for scale in SCALES:
            v = check.direction(t)
            found = grad([pulled], seeds, [Tensor._wrap(v)], retain_graph=True, allow_unused=True)
            jvp = flat([y * 0 if g is None else g for g, y in zip(found, outputs, strict=True)])
            expected = Estimate(*(column[recorded] for column in fn.along(fn.only(i, v), scale)))
            right = _agree(jvp, expected)
            if right.all():
                break
        else:
            u, off = np.zeros(recorded.size), np.where(right, 0, jvp - expected.value)
            u[recorded] = check.weights(right.size) * ~right
            if oscillates(check, fn, u, {i: v}) or is_rounding(check, fn, u, {i: v}, abs(float(u[recorded] @ off))):
                continue
            raise GradcheckError(
                f"{check.name}: in forward mode the {fn.derivative_name} along a direction of {fn.names[i]} is "
                f"{jvp}, but by finite differences {expected.value}"
            )


def _agree(jvp: Array, expected: Estimate) -> Array:
    value, finite = expected.value, np.isfinite(expected.value)
    tolerance = SAFETY * expected.error + ROUNDING * (np.abs(value) + np.abs(value[finite]).max(initial=0.0))
    unknown = expected.kinked | ~np.isfinite(expected.error)
    if not finite.all():
        unknown |= ~np.isfinite(jvp)
    return (np.abs(jvp - value) <= tolerance) | unknown
