"""How special functions are computed: in float64, block by block, each piece of the domain by its own formula.

Coefficients are fits of our own, highest power first: rational minimax ones, by weighted linear least squares on
Chebyshev points with Lawson's weights, or interpolation in such points, in 50 to 110 digits (mpmath), each so close
that what is made of it errs by less than 1e-16, or by less than 3e-8 where float32 is all it serves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...function import Function
from ..blocks import in_blocks, in_double

promote = dtypes.only("f", dtypes.promote_floating).__func__  # complex numbers are refused


def evaluate(formula: Callable[..., Any], single: Callable[..., Any], x: Any) -> Any:
    """formula(x) computed in float64, but for float32 by a formula of fewer terms."""
    return in_blocks(single, x) if x.dtype == np.float32 else in_double(formula, x)


def non_differentiable(name: str, formula: Callable[..., Any], single: Any = None) -> type[Function]:
    """A Function of one or two inputs that PyTorch gives no derivative either; of one float32 input by `single`."""
    count = formula.__code__.co_argcount

    def one(self: Function, x: Any) -> Any:
        return in_double(single if single and x.dtype == np.float32 else formula, x)

    def two(self: Function, x: Any, n: Any) -> Any:
        return in_double(formula, x, n)

    body = {"forward": one if count == 1 else two, "promote": staticmethod(promote), "__doc__": formula.__doc__}
    return type(name, (Function,), {**body, "__module__": formula.__module__})


def piecewise(inputs: tuple[Any, ...], *cases: tuple[Any, Callable[..., Any]]) -> Any:
    """formula(*inputs) of the one case (condition, formula) whose condition holds; NaN where none does."""
    if backend.is_gpu(inputs[0]):  # without a look at the conditions, which would have to wait for them
        out = np.full_like(inputs[0], np.nan)
        for condition, formula in cases:
            out = np.where(condition, formula(*inputs), out)
        return out
    size = left = inputs[0].size
    out = None
    for condition, formula in cases:
        (where,) = condition.nonzero()
        if len(where) == size:
            return formula(*inputs)
        if len(where):
            out = np.full_like(inputs[0], np.nan) if out is None else out
            out[where] = formula(*[x[where] for x in inputs])
            left -= len(where)
            if not left:
                break
    return np.full_like(inputs[0], np.nan) if out is None else out


def replace_where(out: Any, inputs: tuple[Any, ...], *cases: tuple[Any, Callable[..., Any]]) -> Any:
    """`out`, but formula(*inputs) where the condition of a case (condition, formula) holds, which is seldom."""
    for condition, formula in cases:
        if backend.is_gpu(out):
            out = np.where(condition, formula(*inputs), out)
        elif len(where := np.flatnonzero(condition)):
            out[where] = formula(*[x[where] for x in inputs])
    return out


def polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial in x by Horner's rule."""
    first, second, *rest = coefficients
    if first == 1:
        out = x + second
    else:
        out = x * first
        out += second
    for c in rest:
        out *= x
        out += c
    return out


def rational(x: Any, above: tuple[float, ...], below: tuple[float, ...]) -> Any:
    """The quotient of two polynomials in x."""
    out = polynomial(x, above)
    out /= polynomial(x, below)
    return out


def table_rows(table: Any, index: Any) -> Any:
    """The rows of a table, in float64, at the whole part of an index; where it lies outside, the nearest ones."""
    return backend.like(table, index, np.float64)[np.clip(index, 0, len(table) - 1).astype(np.int64)]


def square_with_error(x: Any) -> tuple[Any, Any]:
    """x² as a rounded square and what the rounding left out."""
    return x * x, product_error(x, x)


def product_error(a: Any, b: Any) -> Any:
    """What the rounding of a · b left out, of numbers below 1e300 in size: exactly, unless it is below 1e-307."""
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return ((a_high * b_high - a * b) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: Any) -> tuple[Any, Any]:
    """a in two parts of 26 bits, whose products are exact."""
    stretched = a * (2.0**27 + 1)
    high = stretched - (stretched - a)
    return high, a - high


def sum_error(a: Any, b: Any) -> Any:
    """What the rounding of a + b left out."""
    total = a + b
    b_part = total - a
    return (a - (total - b_part)) + (b - b_part)
