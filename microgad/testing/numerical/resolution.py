"""What differences can't show: there a derivative that looks wrong isn't said to be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from ...tensor import Tensor
from ..findings.finding import Finding
from .check import Check
from .checked_function import CheckedFunction
from .estimates import largest, step_unit
from .perturbation import perturbed
from .projection import project

ALONE = 1e-3  # where the written derivative is less than this nearby of what it is here, that is no wave: it is wrong


def is_unresolvable(
    check: Check, fn: CheckedFunction, outputs: list[Tensor], at: slice, finding: Finding, kinked: Any
) -> bool:
    """Whether differences can't show what a finding says: its input has not the size at which the results change.

    Among values of 1e20 a zero may sit where the function changes over a distance of 1, or of 1e-20 if it is multiplied
    by one of them: steps of some such size then agree with the derivative. Or it is a wave much shorter than any step:
    what is written changes beyond recognition over a millionth of the input. Or it ties with two others at a kink
    between which it goes nowhere by itself. At a kink of its own, where `kinked`, both sides are known.
    """
    i, wrong = finding.input, finding.excess() > 0
    x = fn.tensors[i].array
    if not any(y.requires_grad for y in outputs) or (wrong & kinked).any():
        return False
    rows = wrong.any(1).reshape(x.shape)
    weights = check.weights(x.size).reshape(x.shape) * rows
    u = np.zeros(fn.here.size)
    u[at] = check.weights(finding.analytical.shape[1]) * wrong.any(0)
    if _a_smaller_step_agrees(check, fn, outputs, i, u, weights):
        return True
    sizes = np.abs(backend.to_numpy(x))
    tied = np.isin(sizes, sizes[rows])
    if tied.sum() > rows.sum() and _moves_differently_tied(check, fn, i, u, at, tied, finding):
        return True
    direction = step_unit(x) * backend.like(weights, x)
    products = _nearby(check, fn, u, {i: direction})
    here = np.abs(backend.to_numpy(direction).reshape(-1) * (finding.analytical @ u[at])).sum()
    there = np.abs(products).max(0).sum()
    return bool(np.ptp(products, axis=0).sum() > 0.5 * there > ALONE * here)


def _a_smaller_step_agrees(
    check: Check, fn: CheckedFunction, outputs: list[Tensor], i: int, u: Any, weights: Any
) -> bool:
    """Whether a step down input i along weights, or a much smaller one, shows the derivative that is written.

    Smaller ones, by the square of the largest input, are tried where that is above 1.
    """
    tensor = fn.tensors[i]
    scale = max(largest(t.array) for t in fn.tensors)
    for power in range(0, 1 + int(2 * math.log10(scale)), 3) if 1 < scale < math.inf else (0,):
        direction = backend.like(weights / 10.0**power, tensor.array)
        found = fn.along(fn.only(i, direction))
        if not (found.kinked | ~np.isfinite(found.error))[u != 0].any():
            seen = project(u, found, [direction], check.pulled(outputs, [tensor], u), True)
            off, all_of_it = abs(seen.numerical - seen.analytical), abs(seen.analytical)
            if off <= 1e-10 * all_of_it > 0 or (seen.agrees and seen.tolerance <= 1e-2 * all_of_it):
                return True
    return False


def _moves_differently_tied(
    check: Check, fn: CheckedFunction, i: int, u: Any, at: slice, tied: Any, finding: Finding
) -> bool:
    """Whether tied values do something else moved together than one by one: the middle one of three equal values."""
    tensor = fn.tensors[i]
    moves = check.direction(tensor) * backend.like(tied, tensor.array)
    found = fn.along(fn.only(i, moves))
    one_by_one = np.zeros(u.size)
    one_by_one[at] = backend.to_numpy(moves).reshape(-1) @ finding.numerical
    off = np.abs(found.value - one_by_one) > 1e-3 * (np.abs(found.value) + np.abs(one_by_one))
    return bool((found.kinked | ~np.isfinite(found.error) | off)[u != 0].all())


def oscillates(check: Check, fn: CheckedFunction, u: Any, directions: dict[int, Any]) -> bool:
    """Whether what the written derivatives of inputs add up to changes beyond recognition over their millionth.

    Where they tie, each one's may jump, but the sum may not. Terms that cancel to nearly nothing say nothing.
    """
    products = _nearby(check, fn, u, directions)
    seen = products.sum(1)
    return bool(np.ptp(seen) > 0.5 * np.abs(seen).max() > 1e-3 * np.abs(products).sum(1).max())


def _nearby(check: Check, fn: CheckedFunction, u: Any, directions: dict[int, Any]) -> Any:
    """What the written derivative along directions adds up, at some places nearby: a row for each."""
    rows = []
    for _ in range(4):
        with perturbed(check.tensors, check.rng, 1e-6):
            grads = check.pulled(fn.recorded(), [fn.tensors[i] for i in directions], u)
            products = [g * d for g, d in zip(grads, directions.values(), strict=True) if g is not None]
            rows.append(np.concatenate([np.zeros(0), *(backend.to_numpy(p).reshape(-1) for p in products)]))
    return np.stack(rows)
