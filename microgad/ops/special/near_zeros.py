"""Functions near their zeros, to all digits.

A zero is the sum of two float64 numbers, which are subtracted from x one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...type_aliases import Array
from .evaluation import polynomial, table_rows


def polynomial_with_zeros(zeros: Any, center: float, coefficients: tuple[float, ...]) -> Callable[..., Any]:
    """Return the formula Π (x - zero) · polynomial(x - center), of which x is the first argument."""

    def formula(x: Array, *_: Array) -> Array:
        out = polynomial(x - center, coefficients)
        for high, low in zeros:
            out *= (x - high) - low
        return out

    return formula


def taylor_at_zero(x: Array, table: Any, index: Array) -> Array:
    """The Taylor series Σ cₙ (x - zero)ⁿ, n >= 1. A row of the table has the zero, in two parts, and c₁, c₂, ..."""
    rows = table_rows(table, index)
    delta = (x - rows[:, 0]) - rows[:, 1]
    out = rows[:, -1]
    for n in range(rows.shape[1] - 2, 1, -1):
        out = out * delta + rows[:, n]
    return out * delta
