"""The full check: compare every entry of every Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ... import backend
from ...autograd.function import CustomNode
from ..calls import GradcheckError, jacobians, nodes_behind, slices
from ..findings.finding import Finding, worst_of
from ..findings.messages import describe, operations
from .check import SCALES, Check
from .checked_function import CheckedFunction
from .estimates import Estimate, step_unit
from .perturbation import on_both_sides
from .projection import ROUNDING, SAFETY
from .resolution import is_unresolvable

CLOSING = 0.8  # of a third of the step, the gap between one-sided derivatives that have one limit


def check_entries(check: Check, fn: CheckedFunction, inputs: Sequence[int] | None = None) -> bool:
    """Check every entry of every Jacobian. Return whether some are unknown: at a kink, or below the resolution.

    Raises GradcheckError for the worst entry that is wrong. Outputs off the graph are skipped, unless all are off it.
    """
    wrong, unknown = _find_wrong(check, fn, range(len(fn.tensors)) if inputs is None else inputs)
    if wrong:
        worst = worst_of(wrong)
        fn.draws.rewind()
        own = check.outputs()
        names = dict.fromkeys((*operations(own), *worst.operations))
        custom = dict.fromkeys(type(node).__name__ for node in nodes_behind(own) if isinstance(node, CustomNode))
        worst = replace(_with_elsewhere(check, fn, worst), operations=(*names,), custom_functions=(*custom,))
        error = GradcheckError(describe(worst))
        error.finding, error.call = worst, (check.call, tuple(check.args))
        raise error
    return unknown


def _find_wrong(check: Check, fn: CheckedFunction, inputs: Sequence[int]) -> tuple[list[Finding], bool]:
    """Return a finding for each wrong Jacobian, and whether some entries are unknown."""
    some, unknown, wrong = any(y.requires_grad for y in fn.outputs), False, []
    for i in inputs:
        rows = _jacobian(fn, i, SCALES[0])
        unknown |= bool(rows.kinked.any())
        for k, at in enumerate(slices(fn.outputs)):
            if some and not fn.outputs[k].requires_grad:
                continue
            finding = _wrong_at_every_step(check, fn, k, at, i, rows)
            if check.full and check.kinks == "move":
                finding = _with_undefined(fn, at, finding, rows)
            if finding.excess().any():
                if is_unresolvable(check, fn, at, finding, rows.kinked[:, at]):
                    unknown = True
                else:
                    wrong.append(finding)
    return wrong, unknown


def _wrong_at_every_step(check: Check, fn: CheckedFunction, k: int, at: slice, i: int, rows: Estimate) -> Finding:
    """Return the finding of output k and input i in which only entries count that are wrong at every step size."""
    finding = _make_finding(check, fn, k, i, _columns(rows, at))
    for scale in SCALES[1:]:
        if finding.excess().any():
            again = _make_finding(check, fn, k, i, _columns(_jacobian(fn, i, scale), at))
            right = (finding.excess() > 0) & (again.excess() == 0)
            finding = replace(finding, error=np.where(right, np.inf, finding.error))
    return finding


def _with_undefined(fn: CheckedFunction, at: slice, finding: Finding, rows: Estimate) -> Finding:
    """Count a NaN at a kink as wrong too, where the one-sided derivatives are finite: no convention is one.

    They are if they don't depend on the step, as those of a square root at 0 do. All of a row have to be, since
    0 · inf is NaN. There is no kink at all if the two approach each other with smaller steps, as those of |x|^1.5 do.
    """
    suspects = rows.kinked[:, at] & ~np.isfinite(finding.analytical)
    if not suspects.any() or not np.isfinite(fn.outputs[finding.output].array).all():
        return finding
    again, last = (_jacobian(fn, finding.input, scale) for scale in SCALES[1:])
    with np.errstate(invalid="ignore"):
        sides = ((rows.below, again.below), (rows.above, again.above))
        steady = np.all([np.abs(a - b) <= 1e-3 * (np.abs(a) + np.abs(b)) for a, b in sides], 0)
        gaps = [np.abs(found.above - found.below) for found in (rows, again, last)]
        closing = (gaps[1] <= CLOSING * gaps[0]) & (gaps[2] <= CLOSING * gaps[1]) & (gaps[2] > 0)
    known = (steady | closing | (~rows.kinked & np.isfinite(rows.error))).all(1, keepdims=True)
    wrong = suspects & known
    return replace(finding, error=np.where(wrong, 0.0, finding.error), at_kink=bool((wrong & ~closing[:, at]).any()))


def _with_elsewhere(check: Check, fn: CheckedFunction, finding: Finding) -> Finding:
    """Add to a finding what is wrong at perturbed inputs, if anything is, or a derivative of lower order there.

    No zeros or equal values hide the nature of the mistake there. A kink has two sides, of which one may be right.
    """
    right = bool(finding.operations)
    for there in on_both_sides(check.tensors, check.rng, 0.4):
        with there:
            try:
                found, unknown = _find_wrong_there(check, fn, finding)
            except Exception:  # another failure than the one to explain
                found, unknown = None, True
        if found is not None:
            return replace(finding, elsewhere=found)
        right &= not unknown
    return replace(finding, only_here=right)


def _find_wrong_there(check: Check, fn: CheckedFunction, finding: Finding) -> tuple[Finding | None, bool]:
    """Return what corresponds to a finding at the current inputs, if anything is wrong, and whether much is unknown."""
    names = fn.names[: len(check.tensors)]
    there = CheckedFunction(1, check.outputs, check.outputs, check.tensors, names, fn.draws)
    while there.order < fn.order:
        wrong, _ = _find_wrong(check, there, range(len(there.tensors)))
        if wrong:
            return worst_of(wrong), False
        above = there.derivative(check.tensors, check.rng)
        if above is None:
            return None, True
        there = above
    wrong, unknown = _find_wrong(check, there, [finding.input])
    return next((other for other in wrong if other.output == finding.output), None), unknown


def _jacobian(fn: CheckedFunction, i: int, scale: float) -> Estimate:
    """Estimate the derivatives of all results by each element of input i; each field is (x.size, m)."""
    x = fn.tensors[i].array
    sizes, rows = backend.to_numpy(step_unit(x)).reshape(-1), []
    for j, size in enumerate(sizes):
        direction = np.zeros_like(x, order="C")
        direction.reshape(-1)[j] = size
        *parts, kinked = fn.along(fn.only(i, direction), scale)
        rows.append(Estimate._make([*(part / size for part in parts), kinked]))
    if not rows:
        return Estimate(*(np.zeros((0, fn.values().size), kind) for kind in (*[float] * 5, bool)))
    return Estimate(*(np.stack(parts) for parts in zip(*rows, strict=True)))


def _make_finding(check: Check, fn: CheckedFunction, output: int, i: int, rows: Estimate) -> Finding:
    value, error, _, below, above, kinked = rows
    y, x = fn.outputs[output], fn.tensors[i]
    (analytical,) = jacobians(y, [x])
    largest = float(np.abs(value[np.isfinite(value)]).max(initial=0.0))
    error = SAFETY * error + ROUNDING * (np.abs(value) + 1e-3 * largest)
    if check.kinks == "accept":  # accept any value between the one-sided derivatives
        with np.errstate(invalid="ignore"):
            between = np.clip(analytical, np.minimum(below, above) - error, np.maximum(below, above) + error)
        value = np.where(kinked & np.isfinite(between), between, value)
    else:
        error = np.where(kinked, np.inf, error)
    unknown = ~np.isfinite(value) | ~np.isfinite(error)
    # Where one result or derivative is infinite, 0 · inf makes the others NaN.
    infinite = ~np.isfinite(analytical).all(1, keepdims=True) & unknown.any(1, keepdims=True)
    if infinite.any() or not np.isfinite(y.array).all():
        unknown |= ~np.isfinite(analytical) & (infinite | (not np.isfinite(y.array).all()))
    found = Finding(
        check.name, fn.order, output, i, tuple(fn.names), tuple(x.shape), tuple(y.shape),
        value, analytical, np.where(unknown, np.inf, error), check.call_arguments(), operations([y]), (),
        check.unwrapped.module, (check.unwrapped.args, check.unwrapped.keywords), check.unwrapped.adapter,
        kinks=check.kinks,
    )  # fmt: skip
    excess = found.excess()
    return replace(found, at_kink=bool(excess.any() and kinked.reshape(-1)[excess.argmax()]))


def _columns(rows: Estimate, at: slice) -> Estimate:
    return Estimate(*(column[:, at] for column in rows))
