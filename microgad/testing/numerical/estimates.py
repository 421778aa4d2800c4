"""Derivatives along a direction that know how good they are, and where there is none because of a kink."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...tensor import Tensor
from ..calls import Direction, Vector, moved

EPS = float(np.finfo(np.float64).eps)
LEAST = float(np.finfo(np.float64).smallest_subnormal)
STEPS = (1e-2, 1e-4, 1e-6)  # in turn, until one is good: directions are in units of their tensors' own sizes
VERIFY_STEP = 1e-5  # where the errors of the difference itself and of rounding are about the same
RATIOS = (1.0, 0.5303, 0.2876)  # of the three steps: no multiples, at which a wave would look smooth
CONVERGED = 1e-5  # relative: with a larger error an estimate agrees with itself by chance
GOOD = 1e-7  # beside the derivative and the result itself
ANALYTIC, SMOOTH = 1e-6, 1e-2  # relative: how far one step may be off a complex one, and its two sides from each other
SIGNIFICANT = 1e-3  # relative: what is further apart than this agrees by rounding errors alone, which says nothing


class Estimate(NamedTuple):
    """The derivative of every result along a direction, (m,) each."""

    value: Vector
    error: Vector  # how far the value may be off: infinite where nothing can be said
    rounding: Vector  # how much of that would only be more with smaller steps
    below: Vector  # the one-sided derivatives
    above: Vector
    kinked: Vector  # bool: whether those two differ


class Line(NamedTuple):
    """`values()`, which is `here` now, along `directions` of the Tensors that it is computed from.

    `noise` is the rounding error of the values, where it's larger than they show.
    """

    values: Callable[[], Vector]
    here: Vector
    tensors: Sequence[Tensor]
    directions: Sequence[Direction | None]
    noise: Any = 0.0

    def at(self, step: float) -> Vector:
        """The values so many directions further on."""
        return moved(self.values, self.tensors, self.directions, step)

    def largest_move(self) -> float:
        """How far an element is moved by one direction, at the most."""
        return max((largest(d) for d in self.directions if d is not None), default=0.0)

    def absorbed(self, found: Estimate, beside: Iterable[Any]) -> Any:
        """Which results stay the same only because the step drowns in the rounding of what is larger."""
        still = (found.value == 0) & (found.below == 0) & (found.above == 0)
        size, moving = max(map(largest, beside), default=0.0), self.largest_move()
        if not still.any() or not 0 < 1e6 * moving < size < np.inf:
            return np.zeros_like(still)
        return still & (self.at(size / moving) != self.here)


def estimate(line: Line, scale: float = 1.0) -> Estimate:
    """How the values change along a line.

    Central differences at three steps are extrapolated twice (Richardson).
    The error is what the last extrapolation changed, what it wouldn't have seen, and what rounding does to a difference
    over so small a step.
    Where both sides were smooth, the difference of the two one-sided derivatives would halve with the step: where it
    stays, there is a kink. Where the steps do not agree, as near a kink, smaller ones have to agree twice. A jump, or a
    wave shorter than any step, is steady at none: it counts as a kink too. All steps are times `scale`.
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


def verified(exact: Vector, line: Line, scale: float = 1.0) -> Estimate | None:
    """What the complex step gives, where one small step to either side agrees with it: there the function is analytic.

    None where a result doesn't, as at a kink: then it takes an estimate to say more. By how much they agree is part of
    the error: of a function that takes complex numbers and isn't analytic the complex step may be off by so much.
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
    unseen = line.absorbed(found, [here])  # to agree on 0 then says nothing
    return found._replace(error=np.where(absorbed, np.inf, found.error + np.where(unseen, rounding, 0.0)))


def refined(found: Estimate, exact: Vector) -> Estimate:
    """An estimate with what the complex step gives in its place, if the two agree wherever there is one.

    Where they don't the function isn't analytic, and may be off by less elsewhere. What is left of the error is by how
    much they agree, and rounding, which differences magnify a hundredfold.
    """
    known = np.isfinite(found.error) & ~found.kinked
    off = np.abs(exact - found.value)
    if (known & (off > 10 * found.error)).any():
        return found
    agree = known & (off <= SIGNIFICANT * np.abs(found.value))
    error = off + found.error / 100 + 64 * EPS * np.abs(exact)
    return found._replace(value=np.where(agree, exact, found.value), error=np.where(agree, error, found.error))


def largest(x: Any) -> float:
    """The largest magnitude in an array, 0 where it is empty."""
    return float(np.abs(x).max()) if x.size else 0.0


def _is_accurate(found: Estimate, here: Vector) -> bool:
    small = found.error <= GOOD * (np.abs(found.below) + np.abs(found.above) + np.abs(here))
    good = small | (found.error <= 2 * found.rounding)
    return bool(np.all(good | ~np.isfinite(here)))


def _more_accurate(a: Estimate, b: Estimate) -> Estimate:
    first = ~(b.error < a.error)
    return Estimate(*(np.where(first, x, y) for x, y in zip(a, b, strict=True)))


def _max_abs(*values: Vector) -> Vector:
    """The largest magnitude of each result among its values."""
    return functools.reduce(np.maximum, map(np.abs, values))


def _richardson(line: Line, step: float) -> Estimate:
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
        # of results, and of inputs: those that move by their own size are rounded to that size
        rounding = (8 * (EPS * _max_abs(here, after[0], before[0]) + LEAST) + 4 * EPS * np.abs(value) + line.noise) / h2
        # Where the second derivative jumps, the differences' error has odd powers of the step too.
        slope, steeper = (central[1] - central[2]) / (h1 - h2), (central[0] - central[1]) / (h0 - h1)
        odd = np.abs(slope - (steeper - slope) * (h1 + h2) / (h0 - h2))
        changed = np.abs(value - fine)
        steady = (changed <= CONVERGED * np.abs(value)) | (changed <= 10 * rounding)
        above, below = (_extrapolate(side[1], side[2], h1, h2) for side in (up, down))
        gap, wider = np.abs(above - below), np.abs(_extrapolate(up[0] - down[0], up[1] - down[1], h0, h1))
        # of a smooth function the gap is of third order in the step: a sixth of the wider one
        kinked = (gap > 0.4 * wider) & (gap > 1e-4 * (np.abs(above) + np.abs(below)) + 10 * rounding)
        error = np.where(np.isfinite(value) & steady, changed + odd * h2 + rounding, np.inf)
    return Estimate(value, error, rounding, below, above, kinked)


def _extrapolate(coarse: Vector, fine: Vector, h: float, smaller: float) -> Vector:
    """What is found at h and at a smaller h, extrapolated along a line to h = 0."""
    return fine + (fine - coarse) * (smaller / (h - smaller))


def step_unit(x: Any) -> Any:
    """For each element a size that is small enough to move it by: its own, or a thousandth of the largest one's.

    At least 1e-300: of smaller ones a step would have no digits.
    """
    size = np.abs(x)
    largest = float(size.max()) if size.size else 0.0
    if not math.isfinite(largest):
        size = np.where(np.isfinite(size), size, 0)
        largest = float(size.max())
    return np.maximum(size, max(1e-3 * (largest or 1.0), 1e-300))
