"""The limits of finite differences: where they can't resolve a derivative, it isn't reported as wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from ...type_aliases import Array
from ..findings.finding import Finding
from .check import Check
from .checked_function import CheckedFunction
from .estimates import largest, step_unit
from .perturbation import perturbed
from .projection import project

ISOLATED = 1e-3  # a derivative that oscillates is nearby not less than this share of that here, or of the numerical one
FEW_ROUNDINGS = 4e-15  # relative
NEARBY = 16  # points: a value that ties with both bounds of clamp lies between them at a sixth of the points nearby


def is_unresolvable(check: Check, fn: CheckedFunction, at: slice, finding: Finding, kinked: Array) -> bool:
    """Whether finite differences can't resolve the derivatives that a finding calls wrong.

    There are four cases. The function may change over a distance much smaller than the step: among inputs of 1e20, an
    input of 0 may matter on a scale of 1, or of 1e-20 if it is multiplied by one of them. Then a smaller step agrees
    with the derivative. The function may oscillate faster than any step: then the analytical derivative changes
    completely over a millionth of the input. Rounding errors may change it as much as it is wrong, as near a singular
    matrix. Or the input may tie with two others, as the middle one of three equal
    values, which moving it alone can't show. Entries with a kink (`kinked`) are resolved: both one-sided derivatives
    are known.
    """
    i, wrong = finding.input, finding.excess() > 0
    x = fn.tensors[i].array
    if not any(y.requires_grad for y in fn.outputs) or (wrong & kinked).any():
        return False
    rows = wrong.any(1).reshape(x.shape)
    weights = check.weights(x.size).reshape(x.shape) * rows
    u = np.zeros(fn.here.size)
    u[at] = check.weights(finding.analytical.shape[1]) * wrong.any(0)
    if _a_smaller_step_agrees(check, fn, i, u, weights):
        return True
    sizes = np.abs(backend.to_numpy(x))
    tied = np.isin(sizes, sizes[rows])
    if tied.sum() > rows.sum() and _moves_differently_tied(check, fn, i, u, at, tied, finding):
        return True
    direction = step_unit(x) * backend.like(weights, x)
    products = _nearby(check, fn, u, {i: direction})
    moves = np.abs(backend.to_numpy(direction).reshape(-1))
    here = max((moves * np.abs(j @ u[at])).sum() for j in (finding.analytical, np.where(wrong, finding.numerical, 0)))
    there = np.abs(products).max(0).sum()
    if np.ptp(products, axis=0).sum() > 0.5 * there > ISOLATED * here:
        return True
    off = moves @ np.where(wrong, finding.analytical - finding.numerical, 0) @ u[at]
    return is_rounding(check, fn, u, {i: direction}, abs(float(off)))


def _a_smaller_step_agrees(check: Check, fn: CheckedFunction, i: int, u: Array, weights: Array) -> bool:
    """Whether the analytical derivative agrees with a step of input i along `weights`, or with a much smaller one.

    If the largest input is above 1, steps are tried down to its inverse square.
    """
    tensor = fn.tensors[i]
    scale = max(largest(t.array) for t in fn.tensors)
    for power in range(0, 1 + int(2 * math.log10(scale)), 3) if 1 < scale < math.inf else (0,):
        direction = backend.like(weights / 10.0**power, tensor.array)
        found = fn.along(fn.only(i, direction))
        if not (found.kinked | ~np.isfinite(found.error))[u != 0].any():
            seen = project(u, found, [direction], check.vjp(fn.outputs, [tensor], u), True)
            off, all_of_it = abs(seen.numerical - seen.analytical), abs(seen.analytical)
            if off <= 1e-10 * all_of_it > 0 or (seen.agrees and seen.tolerance <= 1e-2 * all_of_it):
                return True
    return False


def _moves_differently_tied(
    check: Check, fn: CheckedFunction, i: int, u: Any, at: slice, tied: Any, finding: Finding
) -> bool:
    """Whether moving tied values together changes the results otherwise than moving them one by one."""
    tensor = fn.tensors[i]
    moves = check.direction(tensor) * backend.like(tied, tensor.array)
    found = fn.along(fn.only(i, moves))
    one_by_one = np.zeros(u.size)
    one_by_one[at] = backend.to_numpy(moves).reshape(-1) @ finding.numerical
    off = np.abs(found.value - one_by_one) > 1e-3 * (np.abs(found.value) + np.abs(one_by_one))
    return bool((found.kinked | ~np.isfinite(found.error) | off)[u != 0].all())


def is_rounding(check: Check, fn: CheckedFunction, u: Array, directions: dict[int, Any], off: float) -> bool:
    """Whether the analytical derivative along the directions is wrong by `off` only through rounding errors.

    Then it changes by a good part of that when the inputs move by a few roundings, though not when they don't move. At
    most moves, that is: a derivative that is wrong where values are equal changes only at those few that leave them so.
    """
    seen = _nearby(check, fn, u, directions, FEW_ROUNDINGS).sum(1)
    change = np.median(np.abs(seen - np.median(seen)))
    return bool(change > 0.02 * off) and not np.ptp(_nearby(check, fn, u, directions, 0.0).sum(1))


def oscillates(check: Check, fn: CheckedFunction, u: Any, directions: dict[int, Any]) -> bool:
    """Whether the analytical derivative along the directions changes completely over a millionth of the inputs.

    At ties the terms may jump, but their sum may not. A sum that nearly cancels proves nothing.
    """
    products = _nearby(check, fn, u, directions)
    seen = products.sum(1)
    return bool(np.ptp(seen) > 0.5 * np.abs(seen).max() > 1e-3 * np.abs(products).sum(1).max())


def _nearby(check: Check, fn: CheckedFunction, u: Array, directions: dict[int, Array], share: float = 1e-6) -> Array:
    """Return the terms of the analytical derivative along the directions, a row for each of NEARBY points."""
    rows = []
    for _ in range(NEARBY):
        with perturbed(check.tensors, check.rng, share):
            grads = check.vjp(fn.recorded(), [fn.tensors[i] for i in directions], u)
            products = [g * d for g, d in zip(grads, directions.values(), strict=True) if g is not None]
            rows.append(np.concatenate([np.zeros(0), *(backend.to_numpy(p).reshape(-1) for p in products)]))
    return np.stack(rows)
