"""Powers, roots, and the decomposition of numbers into mantissa and exponent."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import backend, dtypes, return_types
from ...dtypes.type_names import TYPE_NAMES
from ...errors import ArgumentError, DtypeError, KindError
from ...function import MANY, Function
from ...function.half import by_forward, unless_converted
from ...state import composite
from ...type_aliases import Array, Operand, Tensor
from ..creation.scalars import checked_scalar
from ..support import fast_numpy
from ..support.blocks import arithmetic, in_double
from ..support.out import apply_into, into
from .complex_numbers import is_complex
from .operands import require_one_tensor, require_tensors
from .selection import finite_at


class Pow(Function):
    """xᵖ, broadcast. A number p of ±1, ±2, 3 or ±½ is computed by products, quotients and roots, as in PyTorch."""

    symbol, numpy = "xᵖ", np.power
    saved_names = {"exponent": "p"}

    @staticmethod
    def promote(arrays):
        power = arrays[1]
        x, p = arrays = dtypes.promote(arrays)
        kind = (x if hasattr(x, "dtype") else p).dtype.kind
        if kind == "b" and not (type(power) is bool and hasattr(x, "dtype")):
            raise KindError("not implemented for bool")
        if kind in "iu" and isinstance(power, int):
            if power < 0:
                raise ArgumentError("Integers to negative integer powers are not allowed.")
            checked_scalar("exponent", power, x.dtype)
        return arrays

    def forward(self, x, p):
        return _power(x, p)

    @unless_converted
    def write(self, out, x, p):
        product = _PRODUCTS.get(p) if type(p) in (int, float) and x.dtype.kind == "f" else None
        by_forward(self, out, x, p) if product is None else product(x, out)  # np.power alone would not use them

    def grad_x(self, grad, x, p):
        if isinstance(p, (int, float, complex)):
            return grad * (p * _power(x, p - 1)) if p != 0 else np.zeros_like(grad, order="C")
        # p · x^(p - 1) is 0 · ∞ or 0 · NaN where p = 0 and x is 0, subnormal or NaN; elsewhere its derivatives hold
        undefined = (p == 0) & np.logical_not(np.absolute(x) >= np.finfo(x.dtype).tiny)
        return finite_at(p == 0, grad) * np.where(undefined, 0.0, p * x ** np.where(undefined, 1.0, p - 1))

    def grad_p(self, grad, x, p, out):
        if not isinstance(x, (int, float, complex)):
            known_zero = (x == 0) & (np.real(p) >= 0)
            return grad * np.where(known_zero, 0.0, out * np.log(np.where(known_zero, 1.0, x)))
        if x == 0:
            return grad * np.where(np.real(p) >= 0, 0.0, out * -math.inf)
        if isinstance(x, complex) or is_complex(p):
            return grad * (out * cmath.log(x))
        return grad * (out * (math.log(x) if x > 0 else math.nan))


def pow(input: Operand, exponent: Operand, *, out: Tensor | None = None) -> Tensor:
    """input to the power exponent, broadcast; one of the two may be a number. Source: torch.pow.

    Raises RuntimeError for a Tensor of integers to the power of a negative Python integer.

    >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    return apply_into(out, Pow, *require_one_tensor("pow", input, exponent))


def _product(x: Array, y: Array, out: Array | None = None) -> Array:
    if out is not None:
        return np.multiply(x, y, out=out)
    return x * y if type(x) is not np.ndarray or x.size < MANY else arithmetic(np.multiply, x, y)


def _cube(x: Array, out: Array | None = None) -> Array:
    square = _product(x, x)
    if out is None and type(square) is np.ndarray and square.strides == x.strides:
        out = square  # a second large array would take longer than the product
    return _product(square, x, out)


_PRODUCTS: dict[float, Callable[..., Any]] = {
    1: lambda x, out=None: np.positive(x, out=out),
    2: lambda x, out=None: _product(x, x, out),
    3: _cube,
    0.5: lambda x, out=None: np.sqrt(x, out=out),
    -1: lambda x, out=None: np.divide(1, x, out=out),
    -2: lambda x, out=None: np.divide(1, x * x, out=out),
    -0.5: lambda x, out=None: np.divide(1, np.sqrt(x), out=out),
}


def _power(x: Any, p: Any) -> Array:
    """x ** p, by `_PRODUCTS` where p is a number in it and x an array. A Tensor's power is recorded as Pow."""
    if isinstance(p, (int, float)) and backend.is_array(x):
        if type(p) is bool and x.dtype.kind == "b":
            return x | (not p)
        if (product := _PRODUCTS.get(p)) is not None:
            return product(x)
        if x.dtype.kind == "f" and abs(p) < 1 << 24 and p % 1 == 0:  # NumPy is forty times as slow at negative numbers
            size = np.absolute(x) ** p
            return np.copysign(size, x) if p % 2 else size
        if x.dtype.kind == "c" and p < 0 and p % 1 == 0:  # NumPy's 1 / (x · x · ...) is NaN where the product overflows
            return (1 / x) ** -p
    elif isinstance(p, np.ndarray) and p.dtype.kind == "i":
        # NumPy refuses negative powers of integers; PyTorch truncates 1 / xⁿ, to 0 unless |x| is 1.
        natural = np.where(np.absolute(x) == 1, p & 1, np.maximum(p, 0))
        return np.where((p < 0) & (np.absolute(x) != 1), 0, x**natural)
    return x**p


@composite
def float_power(input: Operand, exponent: Operand, *, out: Tensor | None = None) -> Tensor:
    """input to the power exponent, computed in double precision.

    Raises RuntimeError if the shapes don't broadcast. Source: torch.float_power.

    >>> torch.float_power(torch.tensor([4, 9]), 0.5)
    tensor([2., 3.], dtype=torch.float64)
    """
    operands = require_one_tensor("float_power", input, exponent)
    double = double_of(operands)
    if out is not None:
        require_double(out, "output given to float_power", double)
    x, p = (x.to(double) if hasattr(x, "to") else checked_scalar("float_power", x, double.dtype) for x in operands)
    return apply_into(out, Pow, x, p)


def double_of(operands: Sequence[Any]) -> Any:
    """Return the dtype in double precision that holds all operands."""
    kinds = [np.dtype(getattr(x, "dtype", type(x))).kind for x in operands]
    return dtypes.complex128 if "c" in kinds else dtypes.float64


def require_double(holder: Tensor, what: str, double: Any) -> None:
    """Raise RuntimeError if the Tensor that takes the result of float_power has another dtype."""
    if holder.dtype != double:
        raise DtypeError(
            f"the {what} has dtype {TYPE_NAMES[holder.dtype]} but the operation's result requires dtype "
            f"{TYPE_NAMES[double]}"
        )


def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input · input. Of any shape. Source: torch.square.

    >>> torch.square(torch.tensor([2.0, -3.0]))
    tensor([4., 9.])
    """
    return apply_into(out, Pow, input, 2)


class Sqrt(Function):
    """The square root."""

    symbol, numpy, promote = "√", np.sqrt, dtypes.promote_floating

    def forward(self, x):
        return np.sqrt(x)

    def grad_x(self, grad, out):
        return grad / (2 * out)


def sqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The square root. Of any shape; integers become floating-point. Source: torch.sqrt.

    >>> torch.sqrt(torch.tensor([4.0, 2.0]))
    tensor([2.0000, 1.4142])
    """
    return apply_into(out, Sqrt, input)


class Cbrt(Function):
    """The cube root, also of negative numbers. It serves np.cbrt; PyTorch has no such function."""

    symbol, operator, numpy, promote = "∛", None, np.cbrt, dtypes.promote_floating

    def forward(self, x):
        return np.cbrt(x)

    def grad_x(self, grad, out):
        return grad / (3 * out * out)


class Rsqrt(Function):
    """1 / √x."""

    symbol, promote = "1/√", dtypes.promote_floating

    def forward(self, x):
        return 1 / np.sqrt(x)

    @unless_converted
    def write(self, out, x):
        np.divide(1, np.sqrt(x, out=out), out=out)

    def grad_x(self, grad, out):
        return -0.5 * grad * (out * out * out)


def rsqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / √input. Of any shape; integers become floating-point. Source: torch.rsqrt.

    >>> torch.rsqrt(torch.tensor([4.0, 2.0]))
    tensor([0.5000, 0.7071])
    """
    return apply_into(out, Rsqrt, input)


class Reciprocal(Function):
    """1 / x."""

    symbol, promote, elementwise = "1/x", dtypes.promote_floating, True

    def forward(self, x):
        return 1 / x

    @unless_converted
    def write(self, out, x):
        np.divide(1, x, out=out)

    def grad_x(self, grad, out):
        return -grad * (out * out)


def reciprocal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / input. Of any shape; integers become floating-point. Source: torch.reciprocal.

    >>> torch.reciprocal(torch.tensor([4, 2]))
    tensor([0.2500, 0.5000])
    """
    return apply_into(out, Reciprocal, input)


class Hypot(Function):
    """√(a² + b²), computed so that no square overflows."""

    symbol, numpy, promote = "hypot", np.hypot, dtypes.only("f")

    def forward(self, a, b):
        if fast_numpy.result_size(a, b) < 5000 or np.result_type(a, b) != np.float32:
            return np.hypot(a, b)
        out = in_double(lambda a, b: np.sqrt(a * a + b * b), a, b)  # takes half the time of np.hypot
        return np.hypot(a, b) if (out != out).any() else out  # hypot(∞, NaN) is ∞

    def grad_a(self, grad, a, out):
        return grad * (a / out)

    def grad_b(self, grad, b, out):
        return grad * (b / out)


def hypot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """√(input² + other²), broadcast; no square overflows on the way.

    Raises RuntimeError if the shapes don't broadcast, and for integers, booleans and complex numbers.
    Source: torch.hypot.

    >>> torch.hypot(torch.tensor([3.0, 5.0]), torch.tensor([4.0, 12.0]))
    tensor([ 5., 13.])
    """
    return apply_into(out, Hypot, *require_tensors("hypot", input, other))


class Ldexp(Function):
    """x · 2ⁿ for integers n, rounded once, even where 2ⁿ alone would overflow."""

    symbol, elementwise = "x 2ⁿ", True

    def forward(self, x, n):
        return np.ldexp(x, n.astype(np.int64))

    def grad_x(self, grad, n):
        return Ldexp.apply(grad, n)


@composite
def ldexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input · 2^other, broadcast. Raises RuntimeError if the shapes don't broadcast. Source: torch.ldexp.

    >>> torch.ldexp(torch.tensor([1.0]), torch.tensor([1, 3]))
    tensor([2., 8.])
    """
    require_tensors("ldexp", input, other)
    if input.is_floating_point() and other.array.dtype.kind in "biu":
        return apply_into(out, Ldexp, input, other)
    if input.is_complex() and other.array.dtype.kind in "biu":
        other = other.to(input.dtype.to_real())  # or a complex128 number times a float32 power would be complex64
    if input.is_floating_point() and other.is_floating_point():
        kind = dtypes.of(dtypes.result_dtype([input.array, other.array]))
        if other.ndim or kind != dtypes.float16:  # a 0-d one beside float16 stays exact, as in products
            other = other.to(kind)
    return into(out, input * Pow.apply(2.0, other))


class Frexp(Function):
    """x = mantissa · 2^exponent with |mantissa| in [0.5, 1), or 0 for 0."""

    symbol, numpy = "frexp", np.frexp

    @staticmethod
    def promote(arrays):
        if arrays[0].dtype.kind != "f":
            raise DtypeError(f"only supports floating-point dtypes, got {arrays[0].dtype}")
        return arrays

    def forward(self, x):
        return np.frexp(x)

    def grad_x(self, grad, out):
        return grad[0] / np.exp2(np.astype(out[1], grad[0].dtype))


def frexp(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> return_types.frexp:
    """Split input into mantissa · 2^exponent, with |mantissa| in [0.5, 1), or 0 for 0.

    Of any shape; integers, booleans and complex numbers raise RuntimeError. Source: torch.frexp.

    >>> torch.frexp(torch.tensor([3.0])).mantissa
    tensor([0.7500])
    """
    return into(out, return_types.frexp(*Frexp.apply(input)), exact="frexp")
