"""What differences can't show: there a derivative that looks wrong isn't said to be."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..tensor import Tensor
from .check import Check
from .elsewhere import away
from .finding import Finding
from .level import Level
from .projection import project


def out_of_reach(check: Check, level: Level, outputs: list[Tensor], at: slice, finding: Finding) -> bool:
    """Whether differences can't show what a finding says: its input has not the size at which the results change.

    Among values of 1e20 a zero may sit where the function changes over a distance of 1: steps of that size then
    agree with the derivative. Or the function is a wave much shorter than any step.
    """
    i, wrong = finding.input, finding.excess() > 0
    x = level.tensors[i].array
    if not any(y.requires_grad for y in outputs):
        return False
    direction = check.weights(x.size).reshape(x.shape) * wrong.any(1).reshape(x.shape)
    found = level.along(level.only(i, backend.like(direction, x)))
    u = np.zeros(found.value.size)
    u[at] = check.weights(finding.analytical.shape[1]) * wrong.any(0)
    if not (found.kinked | ~np.isfinite(found.error))[u != 0].any():
        seen = project(u, found, [direction], check.pulled(outputs, [level.tensors[i]], u), True)
        if seen.agrees and seen.tolerance <= 1e-2 * abs(seen.analytical):
            return True
    return is_wave(check, level, u, i, x)


def is_wave(check: Check, level: Level, u: Any, i: int, direction: Any) -> bool:
    """Whether the written derivative changes beyond recognition over a millionth of its input."""
    seen = []
    for _ in range(4):
        with away(check.tensors, check.rng, 1e-6):
            (g,) = check.pulled(level.recorded(), [level.tensors[i]], u)
            seen.append(0.0 if g is None else float((g * direction).sum()))
    return bool(np.ptp(seen) > 0.5 * np.abs(seen).max())
