"""How special functions are evaluated: in float64, block by block, each interval of the domain by its own formula.

Coefficients are listed from the highest power down. They are our own fits, made with mpmath in 50 to 110 digits:
rational minimax approximations (weighted linear least squares on Chebyshev points, with Lawson's weights), or
interpolation in such points. Each adds an error below 1e-16 to the result, or below 3e-8 where it serves float32 only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...function import Function
from ...type_aliases import Array
from ..support.blocks import in_blocks, in_double

promote = dtypes.only("f", dtypes.promote_floating)  # complex numbers are refused


def evaluate(formula: Callable[..., Any], float32_formula: Callable[..., Any], x: Array) -> Array:
    """Evaluate formula(x) in float64, or a formula of fewer terms where x is float32."""
    return in_blocks(float32_formula, x) if x.dtype == np.float32 else in_double(formula, x)


def non_differentiable(
    name: str, operator: str, formula: Callable[..., Any], float32_formula: Any = None
) -> type[Function]:
    """Define a Function of one or two inputs that has no derivative, as PyTorch's `operator` has none.

    `float32_formula` is for a single float32 input, which it gets in float64.
    """
    count = formula.__code__.co_argcount

    def unary(self: Function, x: Array) -> Array:
        return in_double(float32_formula if float32_formula and x.dtype == np.float32 else formula, x)

    def binary(self: Function, x: Array, n: Array | int) -> Array:
        return in_double(formula, x, n)

    body = {"forward": unary if count == 1 else binary, "promote": staticmethod(promote), "elementwise": True}
    names = {"operator": operator, "__doc__": formula.__doc__, "__module__": formula.__module__}
    return type(name, (Function,), {**body, **names})


def piecewise(inputs: tuple[Array, ...], *cases: tuple[Any, Callable[..., Any]]) -> Array:
    """Evaluate formula(*inputs) where the condition of its case (condition, formula) holds; NaN where none does.

    The conditions must exclude one another.
    """
    if not backend.on_cpu(inputs[0]):  # evaluate every case: looking at a condition would mean waiting for the GPU
        out = np.full_like(inputs[0], np.nan)
        for condition, formula in cases:
            out = np.where(condition, formula(*inputs), out)
        return out
    size = remaining = inputs[0].size
    out = None
    for condition, formula in cases:
        (where,) = condition.nonzero()
        if len(where) == size:
            return formula(*inputs)
        if len(where):
            out = np.full_like(inputs[0], np.nan) if out is None else out
            out[where] = formula(*[x[where] for x in inputs])
            remaining -= len(where)
            if not remaining:
                break
    return np.full_like(inputs[0], np.nan) if out is None else out


def replace_where(out: Array, inputs: tuple[Array, ...], *cases: tuple[Any, Callable[..., Any]]) -> Array:
    """Overwrite `out` with formula(*inputs) in the few places where a case's condition holds, and return it."""
    for condition, formula in cases:
        if not backend.on_cpu(out):
            out = np.where(condition, formula(*inputs), out)
        elif len(where := np.flatnonzero(condition)):
            out[where] = formula(*[x[where] for x in inputs])
    return out


@functools.lru_cache(maxsize=256)
def _as_arrays(coefficients: tuple[float, ...], dtype: np.dtype[Any]) -> list[Array]:
    return [np.array(c, dtype) for c in coefficients]


def polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """The polynomial with these coefficients at x, by Horner's rule."""
    # For few elements NumPy's arithmetic with an array is twice as fast as with a Python number.
    first, second, *rest = _as_arrays(coefficients, x.dtype) if type(x) is np.ndarray else coefficients
    if coefficients[0] == 1:
        out = x + second
    else:
        out = x * first
        out += second
    for c in rest:
        out *= x
        out += c
    return out


def rational(x: Array, numerator: tuple[float, ...], denominator: tuple[float, ...]) -> Array:
    """The quotient of two polynomials at x."""
    out = polynomial(x, numerator)
    out /= polynomial(x, denominator)
    return out


def table_rows(table: Any, index: Array) -> Array:
    """The rows of a table, as float64, at the integer parts of `index`, which is clipped to the table."""
    return backend.like(table, index, np.float64)[np.clip(index, 0, len(table) - 1).astype(np.int64)]


def square_with_error(x: Array) -> tuple[Array, Array]:
    """x², rounded, and the rounding error."""
    return x * x, product_error(x, x)


def product_error(a: Array, b: Array) -> Array:
    """The rounding error a · b - fl(a · b), by Dekker's TwoProduct.

    |a| and |b| must be below 1e300. It is exact unless it is below 1e-307.
    """
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    return ((a_high * b_high - a * b) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a: Array) -> tuple[Array, Array]:
    """Split a into two parts of 26 bits, whose products are exact (Veltkamp)."""
    stretched = a * (2.0**27 + 1)
    high = stretched - (stretched - a)
    return high, a - high


def sum_error(a: Array | float, b: Array | float) -> Array:
    """The rounding error (a + b) - fl(a + b), by Knuth's TwoSum."""
    total = a + b
    b_part = total - a
    return (a - (total - b_part)) + (b - b_part)
