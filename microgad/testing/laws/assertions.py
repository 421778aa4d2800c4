"""Assertions that two arrays agree, which were computed in different ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend
from ...type_aliases import Array

ROUNDINGS = 256  # how many rounding errors, each of the largest term of a sum, may accumulate


def inner_terms(a: Any, b: Any) -> Any:
    """Return the terms of an inner product; for complex numbers the real part of conj(a) · b, as gradients have it."""
    return (np.conj(a) * b).real if "c" in (a.dtype.kind, b.dtype.kind) else a * b


def assert_agree(found: Array, expected: Array, tolerance: float | Callable[[], float], what: str) -> None:
    """Raise AssertionError, with the worst entry, unless the arrays agree up to a tolerance.

    Infinity and NaN agree with each other, since one way of computing may add 0 · inf where another does not. The
    tolerance may be a function, which is called only if the arrays are not equal.
    """
    _check_shape(found, expected, what)
    if (found == expected).all():
        return
    tolerance = tolerance() if callable(tolerance) else tolerance
    gap = np.abs(found - expected)
    if float(gap.max()) <= tolerance:
        return
    same = (gap <= tolerance) | (found == expected) | ~(np.isfinite(found) | np.isfinite(expected))
    if not same.all():
        excess = backend.to_numpy(np.where(same, -1.0, gap))
        at = tuple(int(i) for i in np.unravel_index(int(excess.argmax()), excess.shape))  # NaN counts as the largest
        one, other = (backend.to_numpy(x[at]).item() for x in (found, expected))
        digits = 10 if f"{one:.10g}" != f"{other:.10g}" else 17
        raise AssertionError(
            f"{what} differs in {int((~same).sum())} of {found.size} entries, most at {list(at)}: "
            f"{one:.{digits}g} in place of {other:.{digits}g} (tolerance {tolerance:.3g})"
        )


def assert_equal(found: Any, expected: Any, what: str) -> None:
    """Raise AssertionError unless the arrays have the same shape, dtype and values."""
    if found.dtype != expected.dtype and found.size:
        raise AssertionError(f"{what} is {found.dtype}, expected {expected.dtype}")
    _check_shape(found, expected, what)
    if wrong := np.argwhere(found != expected).tolist():  # as floats, large integers would lose digits
        at = tuple(wrong[0])
        raise AssertionError(
            f"{what} differs in {len(wrong)} of {found.size} entries, first at {wrong[0]}: "
            f"{found[at]} in place of {expected[at]}"
        )


def _check_shape(found: Array, expected: Array, what: str) -> None:
    if found.shape != expected.shape:
        raise AssertionError(f"{what} has shape {found.shape}, expected {expected.shape}")
