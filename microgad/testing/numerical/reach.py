"""What differences can't show: there a derivative that looks wrong isn't said to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import backend
from ...tensor import Tensor
from ..findings.finding import Finding
from .check import Check
from .elsewhere import away
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
    seen, _ = _nearby(check, level, u, {i: direction})
    return bool(np.ptp(seen) > 0.5 * np.abs(seen).max())


def are_waves(check: Check, level: Level, u: Any, directions: Sequence[Any]) -> bool:
    """The same of all inputs together: where they tie, each one's derivative may jump, but what they add up to may not.

    Terms that cancel to nearly nothing say nothing.
    """
    seen, sizes = _nearby(check, level, u, dict(enumerate(directions)))
    return bool(np.ptp(seen) > 0.5 * np.abs(seen).max() > 1e-3 * np.max(sizes))


def _nearby(check: Check, level: Level, u: Any, directions: dict[int, Any]) -> tuple[list[float], list[float]]:
    """The written derivative along directions at some places nearby, and the sizes of what it adds up."""
    seen, sizes = [], []
    for _ in range(4):
        with away(check.tensors, check.rng, 1e-6):
            grads = check.pulled(level.recorded(), [level.tensors[i] for i in directions], u)
            products = [g * d for g, d in zip(grads, directions.values(), strict=True) if g is not None]
            seen.append(sum(float(p.sum()) for p in products))
            sizes.append(sum(float(np.abs(p).sum()) for p in products))
    return seen, sizes
