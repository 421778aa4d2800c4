"""Mistakes that change the numbers: nothing arrives, a rounding, a tie, a constant factor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import chain, combinations

import numpy as np

from ...engine import stretches
from .evidence import Case, simple, small, spread, text


def times(k: float) -> str:
    return f"the analytical derivative is {text(k)} × the numerical one"


def not_finite(case: Case) -> str | None:
    """0 · ∞, 0 / 0 or an overflow on the way back."""
    bad = ~np.isfinite(case.a) & np.isfinite(case.n) & case.wrong
    if not bad.any():
        return None
    rows = bad.any(1)
    at_zero = case.x is not None and not rows.all() and (case.x[rows] == 0).all()
    where = f", only where {case.name} is 0" if at_zero else ""
    return f"the analytical derivative is {case.a[bad][0]} where the numerical one is finite{where}"


def nothing_arrives(case: Case) -> str | None:
    """A value that is off the graph, a gradient of None or zeros."""
    nothing = np.abs(case.a) <= np.where(np.isinf(case.error), 0.0, case.error)
    return None if not nothing.all() else f"the analytical derivative is 0 everywhere: {case.name} may be detached"


def no_influence(case: Case) -> str | None:
    """A gradient for what the output doesn't depend on."""
    return None if case.there.any() else f"the output doesn't change with {case.name}, but the gradient isn't 0"


# Rounding and ties


def rounding(case: Case) -> str | None:
    """A constant, a cast or a buffer in float32."""
    wrong = case.wrong & np.isfinite(case.n)
    gap, size = np.abs(case.a - case.n)[wrong], np.abs(case.n)[wrong]
    share = float(np.median(gap / size)) if gap.size else 0.0
    if not (1e-9 <= share <= 1e-6 and gap.max() <= 1e-5 * np.abs(case.n[np.isfinite(case.n)]).max()):
        return None
    return f"the two differ by {share:.0e} of their size, as if something had been computed in float32"


def ties(case: Case) -> str | None:
    """< for ≤, all of several winners for one."""
    if case.x is None:
        return None
    rows = case.wrong.any(1)
    _, which, counts = np.unique(case.x, return_inverse=True, return_counts=True)
    where = {"is 0": case.x == 0, "has equal values": counts[which] > 1}
    for i, name, value in case.values():
        if i != case.at and stretches(value.shape, case.x_shape):
            where[f"is equal to {name}" if value.ndim else f"is {value:g}"] = case.x == spread(value, case.x_shape)
    for said, at in where.items():
        if at[rows].all() and not case.dead[~at].all():  # and it is right somewhere else
            return f"wrong only where {case.name} {said}"
    return None


def sign(case: Case) -> str | None:
    """A minus that is missing, or one too many."""
    return times(-1) if case.factor == -1 else None


def mask_twice(case: Case) -> str | None:
    """Dropout's mask, with its scale, applied again to what had been masked."""
    scale = _scale_of_mask(case)
    if not scale or not case.factor or not math.isclose(case.factor, scale, rel_tol=1e-5):
        return None
    # Where nothing is seen to be held back, twice may be just that.
    if not case.dead.any() and scale == 2 and not any(word in case.operations for word in ("drop", "mask")):
        return None
    return f"{times(scale)}, and {text(scale)} is the mask's own scale"


def mask_unscaled(case: Case) -> str | None:
    """Dropout's mask without its scale 1/(1 - p)."""
    scale = _scale_of_mask(case)
    if not scale or not case.factor or not math.isclose(case.factor * scale, 1, rel_tol=1e-5):
        return None
    return f"{times(case.factor)}: the mask's scale, 1/(1 - p) = {text(scale)}, may be missing"


def _scale_of_mask(case: Case) -> float | None:
    """s > 1 where the numerical derivative is s for some elements of the input and 0 for the others."""
    if not case.elementwise or not case.there.any():
        return None
    scale = simple(float(np.median(case.n[case.there])))
    same = np.abs(case.n - scale)[case.there] <= case.error[case.there]
    return scale if scale > 1 + 1e-5 and same.all() else None


def averaged(case: Case) -> str | None:
    """A mean over what was broadcast, in place of the sum."""
    if not case.factor or len(case.n) >= len(case.n.T):
        return None
    for axes in subsets(case.summed):
        size = math.prod(case.shape[axis] for axis in axes)
        if size > 1 and math.isclose(case.factor * size, 1, rel_tol=1e-6):
            return (
                f"{times(case.factor)}, and N = {size} is the size of {case.shared(axes)}: a mean in place of the sum"
            )
    return None


def one_over_n(case: Case) -> str | None:
    """The 1/N of a mean, the 1/√N of a scale, N - 1 for N."""
    if not case.factor or abs(case.factor) == 1:
        return None
    if abs(case.factor) in (2, 0.5) and case.reduced != 2:  # more often just that
        return None
    reading = _in_sizes(case, abs(case.factor))
    return f"{times(case.factor)}: {reading}" if reading else None


def factor(case: Case) -> str | None:
    """Any other constant."""
    k = case.factor
    if not k or (case.there.sum() < 2 and case.alone and float(small(k)) != k):  # one number is always a multiple
        return None
    reading = _in_sizes(case, abs(k))
    if k == _scale_of_mask(case):
        reading = f"a mask is applied twice, since {text(k)} is its scale"
    return times(k) + (f"; or {reading}" if reading else "")


IN_SIZES: dict[str, Callable[[int], float]] = {
    "1/N is missing": lambda n: n,
    "1/N is too much": lambda n: 1 / n,
    "1/√N is missing": lambda n: math.sqrt(n),
    "1/√N is too much": lambda n: 1 / math.sqrt(n),
    "1/(N - 1) stands for 1/N": lambda n: n / (n - 1),
    "1/N stands for 1/(N - 1)": lambda n: (n - 1) / n,
}


def _in_sizes(case: Case, k: float) -> str | None:
    """What a factor may mean if it comes from a size, and whose size that is."""
    for said, expected in IN_SIZES.items():
        for axes in chain(subsets(case.x_axes), subsets(case.y_axes)):
            size = math.prod(case.shape[axis] for axis in axes)
            if size > 1 and math.isclose(k, expected(size), rel_tol=1e-6):
                return f"{said}, where N = {size} is the size of {case.axes(axes)}"
    return None


def subsets(axes: list[int]) -> Iterable[tuple[int, ...]]:
    """Some of the axes, few first."""
    return chain.from_iterable(combinations(axes, count) for count in range(1, len(axes) + 1))
