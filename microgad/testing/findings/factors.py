"""Recognizers of mistakes that scale the derivative or lose it: zeros, rounding, ties, constant factors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import chain, combinations
from typing import Any

import numpy as np

from ... import backend
from ...engine import stretches
from .jacobian_pair import JacobianPair, expanded, fraction_text, near_fraction, nearest_fraction

MANY = 5  # entries with the error of a float32: of fewer it may be the error of an approximation


def ratio_text(k: float) -> str:
    return f"the analytical derivative is {fraction_text(k)} × the numerical one"


def not_finite(pair: JacobianPair) -> str | None:
    """Recognize 0 · ∞, 0 / 0 or an overflow in backward."""
    bad = ~np.isfinite(pair.a) & np.isfinite(pair.n) & pair.wrong
    if not bad.any():
        return None
    value, rows, where = pair.a[bad][0], bad.any(1), "where the numerical one is finite"
    if pair.x is not None and (pair.x[rows] == 0).all():
        where = f"{'' if rows.all() else 'only '}where {pair.name} is 0, but the numerical one is finite"
        if np.isnan(value):
            where += ". There backward computes 0 / 0 or 0 · ∞; np.where doesn't prevent it, since both branches run"
    return f"the analytical derivative is {value} {where}"


def nothing_arrives(pair: JacobianPair) -> str | None:
    """Recognize a detached value, or a gradient of None or zeros."""
    nothing = np.abs(pair.a) <= np.where(np.isinf(pair.error), 0.0, pair.error)
    return None if not nothing.all() else f"the analytical derivative is 0 everywhere: {pair.name} may be detached"


def no_influence(pair: JacobianPair) -> str | None:
    """Recognize a gradient for an input that the output doesn't depend on."""
    return None if pair.n_nonzero.any() else f"the output doesn't change with {pair.name}, but the gradient isn't 0"


def rounding(pair: JacobianPair) -> str | None:
    """Recognize a constant, a cast or a buffer in float32."""
    wrong = pair.wrong & np.isfinite(pair.n)
    gap, size = np.abs(pair.a - pair.n)[wrong], np.abs(pair.n)[wrong]
    share = float(np.median(gap / size)) if gap.size else 0.0
    if not (1e-9 <= share <= 1e-6 and gap.max() <= 1e-5 * np.abs(pair.n[np.isfinite(pair.n)]).max()):
        return None
    few = " or cut off, as a series is" if wrong.sum() < MANY else ""
    return f"the two differ by {share:.0e} of their size, as if something had been computed in float32{few}"


def ties(pair: JacobianPair) -> str | None:
    """Recognize < in place of ≤, or a gradient that goes in full to each of several equal maxima."""
    if pair.x is None:
        return None
    rows = pair.wrong.any(1)
    _, which, counts = np.unique(pair.x, return_inverse=True, return_counts=True)
    where = {"is 0": pair.x == 0, "has equal values": counts[which] > 1}
    for i, name, value in pair.values():
        if i != pair.at and stretches(value.shape, pair.x_shape):
            where[f"is equal to {name}" if value.ndim else f"is {value:g}"] = pair.x == expanded(value, pair.x_shape)
    fitting = [
        condition
        for condition, at in where.items()
        if at[rows].all() and (pair.only_here or not pair.no_effect[~at].all())  # and right somewhere else
    ]
    return f"wrong only where {pair.name} {' or '.join(fitting)}" if fitting else None


def sign(pair: JacobianPair) -> str | None:
    """Recognize a wrong sign."""
    return ratio_text(-1) if pair.factor == -1 else None


def conjugated(pair: JacobianPair) -> str | None:
    """Recognize the conjugate of the right derivative. Real and imaginary parts lie along the last axis."""
    value: Any = pair.arguments[pair.at][1] if 0 <= pair.at < len(pair.arguments) else None
    if not backend.is_array(value) or value.dtype.kind != "c":
        return None
    signs = np.ones(pair.x_shape)
    signs[..., 1] = -1
    for of_output in (True, False) if pair.y_shape[-1:] == (2,) else (False,):
        both = np.multiply.outer(signs, np.ones(pair.y_shape))
        if of_output:
            both[..., 1] *= -1
        if pair.explains(pair.n * both.reshape(pair.n.shape), pair.error):
            return (
                "the analytical derivative is the conjugate of the numerical one: a Function or a vjp gives grad · "
                "f'(z), which the engine conjugates, an autograd.Function gives grad · conj(f'(z))"
            )
    return None


def mask_twice(pair: JacobianPair) -> str | None:
    """Recognize dropout's mask, with its scale, applied twice."""
    scale = _scale_of_mask(pair)
    if not scale or not pair.factor or not math.isclose(pair.factor, scale, rel_tol=1e-5) or _any_two(pair, scale):
        return None
    return f"{ratio_text(scale)}, and {fraction_text(scale)} is the mask's own scale"


def mask_unscaled(pair: JacobianPair) -> str | None:
    """Recognize dropout's mask without its scale 1/(1 - p)."""
    scale = _scale_of_mask(pair)
    if not scale or not pair.factor or not math.isclose(pair.factor * scale, 1, rel_tol=1e-5) or _any_two(pair, scale):
        return None
    return f"{ratio_text(pair.factor)}: the mask's scale, 1/(1 - p) = {fraction_text(scale)}, may be missing"


def _scale_of_mask(pair: JacobianPair) -> float | None:
    """Return s > 1 if the numerical derivative is s for some elements of the input and 0 for the others, else None."""
    if not pair.elementwise or not pair.n_nonzero.any():
        return None
    scale = near_fraction(float(np.median(pair.n[pair.n_nonzero])))
    same = np.abs(pair.n - scale)[pair.n_nonzero] <= pair.error[pair.n_nonzero]
    return scale if scale > 1 + 1e-5 and same.all() else None


def _any_two(pair: JacobianPair, scale: float) -> bool:
    """Whether the scale of a mask may be any factor of 2, since the mask dropped nothing."""
    dropped = pair.no_effect.any() or any(word in pair.operations for word in ("drop", "mask"))
    return scale == 2 and not dropped


def averaged(pair: JacobianPair) -> str | None:
    """Recognize a mean over a broadcast axis in place of the sum."""
    if not pair.factor or len(pair.n) >= len(pair.n.T):
        return None
    for axes in subsets(pair.summed):
        size = math.prod(pair.shape[axis] for axis in axes)
        if size > 1 and math.isclose(pair.factor * size, 1, rel_tol=1e-6):
            where = f"N = {size} is the size of {pair.shared(axes)}"
            return f"{ratio_text(pair.factor)}, and {where}: a mean in place of the sum"
    return None


def one_over_n(pair: JacobianPair) -> str | None:
    """Recognize a missing or extra 1/N of a mean or 1/√N of a scale, and N - 1 in place of N."""
    if not pair.factor or abs(pair.factor) == 1 or (pair.elementwise and pair.n.size > 1):
        return None
    if abs(pair.factor) in (2, 0.5) and pair.reduced != 2:  # more often a plain 2 than a size
        return None
    reading = _in_sizes(pair, abs(pair.factor))
    return f"{ratio_text(pair.factor)}: {reading}" if reading else None


def factor(pair: JacobianPair) -> str | None:
    """Recognize any other constant factor."""
    k = pair.factor
    # A single number is always some multiple of another.
    if not k or (pair.n_nonzero.sum() < 2 and pair.only and float(nearest_fraction(k)) != k):
        return None
    reading = _in_sizes(pair, abs(k))
    if k == _scale_of_mask(pair):
        reading = f"a mask is applied twice, since {fraction_text(k)} is its scale"
    return ratio_text(k) + (f"; or {reading}" if reading else "")


IN_SIZES: dict[str, Callable[[int], float]] = {
    "1/N is missing": lambda n: n,
    "1/N is too much": lambda n: 1 / n,
    "1/√N is missing": lambda n: math.sqrt(n),
    "1/√N is too much": lambda n: 1 / math.sqrt(n),
    "1/(N - 1) stands for 1/N": lambda n: n / (n - 1),
    "1/N stands for 1/(N - 1)": lambda n: (n - 1) / n,
}


def _in_sizes(pair: JacobianPair, k: float) -> str | None:
    """Return what a factor means if it comes from the size of some axes, and which axes; else None."""
    for meaning, expected in IN_SIZES.items():
        for axes in chain(subsets(pair.x_axes), subsets(pair.y_axes)):
            size = math.prod(pair.shape[axis] for axis in axes)
            if size > 1 and math.isclose(k, expected(size), rel_tol=1e-6):
                return f"{meaning}, where N = {size} is the size of {pair.axes(axes)}"
    return None


def subsets(axes: list[int]) -> Iterable[tuple[int, ...]]:
    """Yield all non-empty subsets of the axes, small ones first."""
    return chain.from_iterable(combinations(axes, count) for count in range(1, len(axes) + 1))
