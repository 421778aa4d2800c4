"""Directional derivatives with estimates of their own errors, which also detect kinks.

The method is Richardson extrapolation of central differences, and the complex step where the two agree.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...tensor import Tensor
from ...type_aliases import Array
from ..calls import Direction, Vector, moved

EPS = float(np.finfo(np.float64).eps)
LEAST = float(np.finfo(np.float64).smallest_subnormal)
STEPS = (1e-2, 1e-4, 1e-6)  # tried in turn until one is accurate, in units of `step_unit`
VERIFY_STEP = 1e-5  # where the errors of the difference itself and of rounding are about the same
RATIOS = (1.0, 0.5303, 0.2876)  # of the three steps: incommensurable, or an oscillation could look smooth
CONVERGED = 1e-5  # relative: extrapolations that differ by more have not converged
ACCURATE = 1e-7  # error relative to the derivative and the result
ANALYTIC = 1e-6  # relative: how far a difference may be from the complex step of an analytic function
SMOOTH = 1e-2  # relative: how far the one-sided differences may be apart where there is no kink
SIGNIFICANT = 1e-3  # relative: values further apart agree only within rounding errors, which proves nothing


class Estimate(NamedTuple):
    """The derivative of every result along a direction; each field is (m,)."""

    value: Vector
    error: Vector  # bound of the value's error, infinite where the value is unknown
    rounding: Vector  # the part of the error that is rounding, which grows as the step shrinks
    below: Vector  # the one-sided derivatives
    above: Vector
    kinked: Vector  # bool: whether these two differ


class Line(NamedTuple):
    """The function values() restricted to a line through the current inputs, along `directions` of the Tensors.

    `here` are the values at the current inputs, `noise` their rounding error if it is larger than their size implies.
    """

    values: Callable[[], Vector]
    here: Vector
    tensors: Sequence[Tensor]
    directions: Sequence[Direction | None]
    noise: Any = 0.0

    def at(self, step: float) -> Vector:
        """Return the values at the current inputs + step · directions."""
        return moved(self.values, self.tensors, self.directions, step)

    def largest_move(self) -> float:
        """Return the largest element of the directions, by magnitude."""
        return max((largest(d) for d in self.directions if d is not None), default=0.0)

    def absorbed(self, found: Estimate, others: Iterable[Array]) -> Array:
        """Mask of the results that don't change only because the step is absorbed in the rounding of larger values."""
        still = (found.value == 0) & (found.below == 0) & (found.above == 0)
        size, moving = max(map(largest, others), default=0.0), self.largest_move()
        if not still.any() or not 0 < 1e6 * moving < size < np.inf:
            return np.zeros_like(still)
        return still & (self.at(size / moving) != self.here)


def estimate(line: Line, scale: float) -> Estimate:
    """Estimate the derivative of the values along a line, at 0.

    Central differences at three steps are extrapolated twice (Richardson). The error is the sum of what the last
    extrapolation changed, of odd-order terms that it doesn't remove, and of the rounding error of the differences.
    There is a kink where the difference of the one-sided derivatives doesn't shrink with the step. Where the steps
    disagree, as they do near a kink, two smaller triples of steps have to agree. A jump, or an oscillation shorter than
    the smallest step, never converges and counts as a kink too. All steps are multiplied by `scale`.
    """
    best = _richardson(line, STEPS[0] * scale)
    if not _is_accurate(best, line.here):
        second = _richardson(line, STEPS[1] * scale)
        if _is_accurate(second, line.here) and not np.isinf(best.error).any():
            best = _more_accurate(best, second)
        else:
            third = _richardson(line, STEPS[2] * scale)
            agree = np.abs(second.value - third.value) <= 10 * (second.error + third.error)
            second = _more_accurate(second, third)
            second = second._replace(error=np.where(agree & np.isfinite(second.error), second.error, np.inf))
            best = _more_accurate(best, second)
    jumps = np.isfinite(best.value) & ~np.isfinite(best.error)
    absorbed = line.absorbed(best, [t.array for t in line.tensors])
    return best._replace(kinked=best.kinked | jumps, error=np.where(absorbed, np.inf, best.error))


def verified(exact: Vector, line: Line, scale: float) -> Estimate | None:
    """Return the complex step `exact` as an Estimate if one small step to either side agrees with it, else None.

    Agreement shows that the function is analytic there. None, as at a kink, means that `estimate` is needed. The
    remaining difference is part of the error, since a function that takes complex numbers need not be analytic.
    """
    h, here = VERIFY_STEP * scale, line.here
    after, before = line.at(h), line.at(-h)
    with np.errstate(all="ignore"):
        up, down = (after - here) / h, (here - before) / h
        rounding = (8 * (EPS * _max_abs(here, after, before) + LEAST) + line.noise) / h
        size = np.abs(up) + np.abs(down)
        off = np.abs((up + down) / 2 - exact)
        agree = off <= ANALYTIC * size + np.minimum(10 * rounding, SIGNIFICANT * size)
        smooth = np.abs(up - down) <= SMOOTH * size + 10 * rounding
        if not (agree & smooth).all():
            return None
    error = off + h * rounding + 64 * EPS * np.abs(exact)
    found = Estimate(exact, error, rounding, down, up, np.zeros(exact.shape, bool))
    absorbed = line.absorbed(found, [t.array for t in line.tensors])
    unseen = line.absorbed(found, [here])  # agreement on 0 then proves nothing
    return found._replace(error=np.where(absorbed, np.inf, found.error + np.where(unseen, rounding, 0.0)))


def refined(found: Estimate, exact: Vector) -> Estimate:
    """Replace the values of an estimate by the complex step `exact`, if they agree wherever the estimate is known.

    If they disagree somewhere, the function isn't analytic and the estimate is returned unchanged. The new error is
    the difference of the two plus a hundredth of the old error, most of which is rounding that differences magnify.
    """
    known = np.isfinite(found.error) & ~found.kinked
    off = np.abs(exact - found.value)
    if (known & (off > 10 * found.error)).any():
        return found
    agree = known & (off <= SIGNIFICANT * np.abs(found.value))
    error = off + found.error / 100 + 64 * EPS * np.abs(exact)
    return found._replace(value=np.where(agree, exact, found.value), error=np.where(agree, error, found.error))


def largest(x: Array) -> float:
    """Return the largest magnitude in an array, 0 if it is empty."""
    return float(np.abs(x).max()) if x.size else 0.0


def _is_accurate(found: Estimate, here: Vector) -> bool:
    """Whether each finite result has a small error, or one as small as rounding allows."""
    small = found.error <= ACCURATE * (np.abs(found.below) + np.abs(found.above) + np.abs(here))
    good = small | (found.error <= 2 * found.rounding)
    return bool(np.all(good | ~np.isfinite(here)))


def _more_accurate(a: Estimate, b: Estimate) -> Estimate:
    """Take, for each result, the estimate with the smaller error."""
    first = ~(b.error < a.error)
    return Estimate(*(np.where(first, x, y) for x, y in zip(a, b, strict=True)))


def _max_abs(*values: Vector) -> Vector:
    """Return the elementwise maximum of magnitudes."""
    return functools.reduce(np.maximum, map(np.abs, values))


def _richardson(line: Line, step: float) -> Estimate:
    """Estimate the derivative from central differences at three steps, extrapolated twice."""
    here = line.here
    h0, h1, h2 = (step * ratio for ratio in RATIOS)
    with np.errstate(all="ignore"):
        after, before = ([line.at(sign * h) for h in (h0, h1, h2)] for sign in (1, -1))
        up = [(there - here) / h for there, h in zip(after, (h0, h1, h2), strict=True)]
        down = [(here - there) / h for there, h in zip(before, (h0, h1, h2), strict=True)]
        central = [(a + b) / 2 for a, b in zip(up, down, strict=True)]
        coarse, fine = (
            _extrapolate(central[0], central[1], h0**2, h1**2),
            _extrapolate(central[1], central[2], h1**2, h2**2),
        )
        value = _extrapolate(coarse, fine, h0**2, h2**2)
        # of the results, and of the inputs: moving an input rounds it to its own precision
        rounding = (8 * (EPS * _max_abs(here, after[0], before[0]) + LEAST) + 4 * EPS * np.abs(value) + line.noise) / h2
        # Where the second derivative jumps, the error of central differences has odd powers of the step, too.
        slope, steeper = (central[1] - central[2]) / (h1 - h2), (central[0] - central[1]) / (h0 - h1)
        odd = np.abs(slope - (steeper - slope) * (h1 + h2) / (h0 - h2))
        changed = np.abs(value - fine)
        steady = (changed <= CONVERGED * np.abs(value)) | (changed <= 10 * rounding)
        above, below = (_extrapolate(side[1], side[2], h1, h2) for side in (up, down))
        gap, wider = np.abs(above - below), np.abs(_extrapolate(up[0] - down[0], up[1] - down[1], h0, h1))
        # For a smooth function the gap is of third order in the step, so that it is about a sixth of the wider one.
        kinked = (gap > 0.4 * wider) & (gap > 1e-4 * (np.abs(above) + np.abs(below)) + 10 * rounding)
        error = np.where(np.isfinite(value) & steady, changed + odd * h2 + rounding, np.inf)
    return Estimate(value, error, rounding, below, above, kinked)


def _extrapolate(coarse: Vector, fine: Vector, h: float, smaller: float) -> Vector:
    """Extrapolate linearly from the values at h and at a smaller h to h = 0."""
    return fine + (fine - coarse) * (smaller / (h - smaller))


def step_unit(x: Array) -> Array:
    """Return the unit of steps for each element of x: its magnitude, but at least a thousandth of the largest one.

    It is at least 1e-300, since a step of less would be subnormal.
    """
    size = np.abs(x)
    largest = float(size.max()) if size.size else 0.0
    if not math.isfinite(largest):
        size = np.where(np.isfinite(size), size, 0)
        largest = float(size.max())
    return np.maximum(size, max(1e-3 * (largest or 1.0), 1e-300))
