"""Functions with zeros, and all their digits next to these: a zero is in two parts, taken off one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .numeric import polynomial, table_rows


def polynomial_with_zeros(zeros: Any, centre: float, coefficients: tuple[float, ...]) -> Callable[..., Any]:
    """The formula: x less each zero, times a polynomial in x less the centre. Of several arguments x is the first."""

    def formula(x: Any, *_: Any) -> Any:
        out = polynomial(x - centre, coefficients)
        for zero, rest in zeros:
            out *= (x - zero) - rest
        return out

    return formula


def taylor_at_zero(x: Any, table: Any, index: Any) -> Any:
    """A power series in x less a zero: the table has rows of that and of coefficients, of the first power on."""
    rows = table_rows(table, index)
    delta = (x - rows[:, 0]) - rows[:, 1]
    out = rows[:, -1]
    for n in range(rows.shape[1] - 2, 1, -1):
        out = out * delta + rows[:, n]
    return out * delta
