"""Line search for the strong Wolfe conditions, which LBFGS uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..tensor import Tensor


class Point(NamedTuple):
    """A point at start + t · direction: t, the loss, its gradient, and its slope along the direction."""

    t: float
    loss: float
    grad: Any
    slope: float


class _WolfeConditions(NamedTuple):
    """The strong Wolfe conditions relative to a start point."""

    start: Point
    c1: float
    c2: float

    def insufficient_decrease(self, point: Point) -> bool:
        return point.loss > self.start.loss + self.c1 * point.t * self.start.slope

    def flat_enough(self, point: Point) -> bool:
        return abs(point.slope) <= -self.c2 * self.start.slope


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, reach: float, max_rounds: int, c1: float = 1e-4,
    c2: float = 0.9, tolerance: float = 1e-9,
) -> tuple[Point, int]:  # fmt: skip
    """Find a point that fulfills the strong Wolfe conditions; return it and the number of evaluations.

    The conditions: the loss is at most loss + c1 · t · slope of the start, and the slope's size at most c2 times that
    of the start. `t` is the first step tried. The search ends after max_rounds, or when the bracket, times the largest
    entry of the direction (`reach`), is below `tolerance`. Source: Nocedal and Wright (2006), algorithms 3.5 and 3.6.

    >>> def parabola(t):
    ...     return Point(t, (t - 3.0) ** 2, None, 2 * (t - 3.0))
    >>> point, evaluations = strong_wolfe(parabola, parabola(0.0), 10.0, 1.0, 25)
    >>> float(point.t), evaluations
    (3.0, 2)
    """
    conditions = _WolfeConditions(start, c1, c2)
    bracket, rounds = _find_bracket(evaluate, conditions, t, max_rounds)
    best = bracket[0]
    if len(bracket) == 2:
        best, rounds = _zoom(evaluate, conditions, bracket, reach, tolerance, rounds, max_rounds)
    return best, rounds + 1


def _find_bracket(
    evaluate: Callable[[float], Point], conditions: _WolfeConditions, t: float, max_rounds: int
) -> tuple[list[Point], int]:
    """Extend the step until two points bracket one that fulfills the conditions (or one itself does).

    Returns those points and the number of rounds. Algorithm 3.5.
    """
    before, now = conditions.start, evaluate(t)
    for rounds in range(max_rounds):
        if conditions.insufficient_decrease(now) or (rounds > 1 and now.loss >= before.loss):
            return [before, now], rounds
        if conditions.flat_enough(now):
            return [now], rounds
        if now.slope >= 0:
            return [before, now], rounds
        before, now = now, evaluate(_cubic_minimum(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10))
    return [conditions.start, now], max(max_rounds, 0)


def _zoom(
    evaluate: Callable[[float], Point], conditions: _WolfeConditions, bracket: list[Point], reach: float,
    tolerance: float, rounds: int, max_rounds: int,
) -> tuple[Point, int]:  # fmt: skip
    """Shrink a bracket until a point fulfills the conditions; return the best point and the rounds. Algorithm 3.6."""
    low = 0 if bracket[0].loss <= bracket[1].loss else 1
    near_end = False
    while rounds < max_rounds:
        left, right = sorted(point.t for point in bracket)
        if (right - left) * reach < tolerance:
            break
        t = _cubic_minimum(bracket[0], bracket[1], left, right)
        margin = 0.1 * (right - left)
        at_end = min(right - t, t - left) < margin
        if at_end and (near_end or t >= right or t <= left):  # the second time, or at the very end: move inwards
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            at_end = False
        near_end = at_end
        now = evaluate(t)
        rounds += 1
        if conditions.insufficient_decrease(now) or now.loss >= bracket[low].loss:
            bracket[1 - low] = now
            low = 0 if bracket[0].loss <= bracket[1].loss else 1
            continue
        if not conditions.flat_enough(now) and now.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = now
        if conditions.flat_enough(now):
            break
    return bracket[low], rounds


def _cubic_minimum(a: Point, b: Point, left: float, right: float) -> float:
    """Return where in [left, right] the cubic through both points with their slopes is least; the middle if unknown."""
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (left + right) / 2.0
    d2 = np.sqrt(square)
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, left), right)


def _strong_wolfe(
    obj_func: Any, x: Any, t: Any, d: Tensor, f: Any, g: Tensor, gtd: Any, c1: float = 1e-4, c2: float = 0.9,
    tolerance_change: float = 1e-9, max_ls: int = 25,
) -> tuple[Any, Tensor, Any, int]:  # fmt: skip
    """`strong_wolfe` with the signature of PyTorch's function of this name; returns loss, gradient, t, evaluations."""

    def evaluate(t: Any) -> Point:
        loss, grad = obj_func(x, t, d)
        return Point(t, loss, grad.clone(), grad.dot(d))

    start, reach = Point(0, f, g, gtd), float(d.abs().max())
    best, evaluations = strong_wolfe(evaluate, start, t, reach, max_ls, c1, c2, tolerance_change)
    return best.loss, best.grad, best.t, evaluations


def _cubic_interpolate(
    x1: Any, f1: Any, g1: Any, x2: Any, f2: Any, g2: Any, bounds: tuple[Any, Any] | None = None
) -> Any:
    left, right = bounds or ((x1, x2) if x1 <= x2 else (x2, x1))
    return _cubic_minimum(Point(x1, f1, None, g1), Point(x2, f2, None, g2), left, right)
