"""Elementwise methods: arithmetic, comparison and selection, and their in-place forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import updates
from ..errors import ArgumentError
from ..function.naming import with_in_place_name
from ..lazy import LazyModule
from .factories import binary, binary_alpha, by_copy, in_place, with_alpha, with_tensor

if TYPE_CHECKING:
    from ..ops import elementwise as ops
    from ..tensor import Operand, Tensor
else:
    ops = LazyModule("microgad.ops.elementwise")


def _to_power(self: Tensor, exponent: Operand) -> Tensor:
    """Raise to a power, in place: see `pow`. The exponent, a number or a Tensor, broadcasts to this Tensor's shape."""
    return self


def _towards(self: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """Add weight · (end - self), in place: see `lerp`. Both broadcast to this Tensor's shape."""
    return self


_lerp_in_place = in_place(ops.Lerp, _towards)


def _with_values(self: Tensor, values: Tensor) -> Tensor:
    """Write 0 where elements are negative, 1 where positive, `values` where 0: see `heaviside`."""
    return self


class Elementwise:
    """Elementwise methods, and their in-place forms."""

    __slots__ = ()

    add, sub, mul, neg, positive, addcmul = ops.add, ops.sub, ops.mul, ops.neg, ops.positive, ops.addcmul
    addcdiv, lerp = ops.addcdiv, ops.lerp
    subtract, multiply, negative = sub, mul, neg
    add_ = with_alpha(ops.Add, binary_alpha, updates.add_scaled)
    sub_ = with_alpha(ops.Sub, binary_alpha, updates.subtract_scaled)
    neg_ = in_place(ops.Neg)
    addcmul_, addcdiv_ = by_copy(ops.addcmul, updates.add_product), by_copy(ops.addcdiv, updates.add_quotient)

    def mul_(self: Tensor, other: Operand) -> Tensor:
        """Multiply by other, in place: see `mul`."""
        if type(other) in (float, int) and updates.with_number("mul_", np.multiply, self, other):
            return self
        return ops.Mul.apply_(self, other)

    subtract_, multiply_, negative_ = sub_, mul_, neg_

    def lerp_(self: Tensor, end: Tensor, weight: Operand) -> Tensor:
        """Move towards end by the fraction weight, in place: see `lerp`."""
        done = updates.update("lerp_", updates.interpolate, self, weight, end)
        return self if done else _lerp_in_place(self, end, weight)

    div, floor_divide, remainder, fmod, gcd = ops.div, ops.floor_divide, ops.remainder, ops.fmod, ops.gcd
    lcm = ops.lcm
    divide, true_divide = div, div
    floor_divide_, remainder_ = in_place(ops.FloorDivide, binary), in_place(ops.Remainder, binary)
    fmod_ = in_place(ops.Fmod, binary)
    gcd_, lcm_ = in_place(ops.Gcd, with_tensor), in_place(ops.Lcm, with_tensor)

    def div_(self: Tensor, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
        """Divide by other, in place: see `div`."""
        plain = type(other) in (float, int) and rounding_mode is None
        if plain and updates.update("div_", np.true_divide, self, other, self):
            return self
        return ops.div_class(rounding_mode).apply_(self, other)

    divide_, true_divide_ = div_, div_

    pow, float_power, square, sqrt, rsqrt = ops.pow, ops.float_power, ops.square, ops.sqrt, ops.rsqrt
    reciprocal, hypot, ldexp, frexp = ops.reciprocal, ops.hypot, ops.ldexp, ops.frexp
    pow_, sqrt_ = in_place(ops.Pow, _to_power), in_place(ops.Sqrt)
    rsqrt_, reciprocal_, hypot_ = in_place(ops.Rsqrt), in_place(ops.Reciprocal), in_place(ops.Hypot, with_tensor)
    ldexp_ = by_copy(ops.ldexp)

    def square_(self: Tensor) -> Tensor:
        """Multiply by itself, in place: see `square`."""
        return ops.Pow.apply_(self, 2)

    def float_power_(self: Tensor, exponent: Operand) -> Tensor:
        """Raise to a power, in place: see `float_power`. The Tensor has to be in double precision."""
        ops.powers.require_double(self, "base given to float_power_", ops.powers.double_of((self, exponent)))
        return by_copy(ops.float_power)(self, exponent)

    exp, exp2, expm1, log, log2, log10, log1p = ops.exp, ops.exp2, ops.expm1, ops.log, ops.log2, ops.log10, ops.log1p
    logaddexp, logaddexp2, xlogy, sigmoid, logit = ops.logaddexp, ops.logaddexp2, ops.xlogy, ops.sigmoid, ops.logit
    exp_, exp2_, expm1_, log_ = in_place(ops.Exp), in_place(ops.Exp2), in_place(ops.Expm1), in_place(ops.Log)
    log2_, log10_, log1p_ = in_place(ops.Log2), in_place(ops.Log10), in_place(ops.Log1p)
    xlogy_ = in_place(ops.XLogY, binary)
    sigmoid_, logit_ = in_place(ops.Sigmoid), by_copy(ops.logit)

    sin, cos, tan, asin, acos, atan, atan2 = ops.sin, ops.cos, ops.tan, ops.asin, ops.acos, ops.atan, ops.atan2
    sinc, deg2rad, rad2deg = ops.sinc, ops.deg2rad, ops.rad2deg
    arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
    sin_, cos_, tan_, asin_ = in_place(ops.Sin), in_place(ops.Cos), in_place(ops.Tan), in_place(ops.Asin)
    acos_, atan_, atan2_ = in_place(ops.Acos), in_place(ops.Atan), in_place(ops.Atan2, with_tensor)
    sinc_ = in_place(ops.Sinc)
    deg2rad_ = by_copy(ops.deg2rad, updates.to_radians)
    rad2deg_ = by_copy(ops.rad2deg, updates.to_degrees)
    arcsin_, arccos_, arctan_, arctan2_ = asin_, acos_, atan_, atan2_

    sinh, cosh, tanh, asinh, acosh, atanh = ops.sinh, ops.cosh, ops.tanh, ops.asinh, ops.acosh, ops.atanh
    arcsinh, arccosh, arctanh = asinh, acosh, atanh
    sinh_, cosh_, tanh_, asinh_ = in_place(ops.Sinh), in_place(ops.Cosh), in_place(ops.Tanh), in_place(ops.Asinh)
    acosh_, atanh_ = in_place(ops.Acosh), in_place(ops.Atanh)
    arcsinh_, arccosh_, arctanh_ = asinh_, acosh_, atanh_

    ceil, floor, trunc, round, frac, nextafter = ops.ceil, ops.floor, ops.trunc, ops.round, ops.frac, ops.nextafter
    fix = trunc
    ceil_, floor_, trunc_ = in_place(ops.Ceil), in_place(ops.Floor), in_place(ops.Trunc)

    def round_(self: Tensor, *, decimals: int = 0) -> Tensor:
        """Round to a number of decimals, in place: see `round`."""
        return ops.Round.apply_(self, decimals=decimals)

    frac_, nextafter_ = in_place(ops.Frac), in_place(ops.NextAfter, with_tensor)
    fix_ = trunc_

    abs, sign, sgn, copysign, signbit = ops.abs, ops.sign, ops.sgn, ops.copysign, ops.signbit
    heaviside = ops.heaviside
    absolute = abs
    abs_, sign_, sgn_ = in_place(ops.Abs), in_place(ops.Sign), by_copy(ops.sgn)
    copysign_ = in_place(ops.CopySign, binary)
    heaviside_ = in_place(ops.Heaviside, _with_values)
    absolute_ = abs_

    eq, ne, lt, le, gt, ge, isnan, isinf = ops.eq, ops.ne, ops.lt, ops.le, ops.gt, ops.ge, ops.isnan, ops.isinf
    isfinite, isposinf, isneginf, isreal, isclose = ops.isfinite, ops.isposinf, ops.isneginf, ops.isreal, ops.isclose
    allclose, equal = ops.allclose, ops.equal
    greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
    eq_, ne_, lt_ = in_place(ops.Equal, binary), in_place(ops.NotEqual, binary), in_place(ops.Less, binary)
    le_ = in_place(ops.LessEqual, binary)
    gt_, ge_ = in_place(ops.Greater, binary), in_place(ops.GreaterEqual, binary)
    greater_, greater_equal_, less_, less_equal_, not_equal_ = gt_, ge_, lt_, le_, ne_

    logical_and, logical_or, logical_xor = ops.logical_and, ops.logical_or, ops.logical_xor
    logical_not, bitwise_and, bitwise_or = ops.logical_not, ops.bitwise_and, ops.bitwise_or
    bitwise_xor, bitwise_not, bitwise_left_shift = ops.bitwise_xor, ops.bitwise_not, ops.bitwise_left_shift
    bitwise_right_shift = ops.bitwise_right_shift
    logical_and_, logical_or_ = in_place(ops.LogicalAnd, with_tensor), in_place(ops.LogicalOr, with_tensor)
    logical_xor_, logical_not_ = in_place(ops.LogicalXor, with_tensor), in_place(ops.LogicalNot)
    bitwise_and_, bitwise_or_ = in_place(ops.BitwiseAnd, binary), in_place(ops.BitwiseOr, binary)
    bitwise_xor_, bitwise_not_ = in_place(ops.BitwiseXor, binary), in_place(ops.BitwiseNot)
    bitwise_left_shift_, bitwise_right_shift_ = in_place(ops.LeftShift, binary), in_place(ops.RightShift, binary)

    maximum, minimum, fmax, fmin, clamp = ops.maximum, ops.minimum, ops.fmax, ops.fmin, ops.clamp
    clamp_min, clamp_max, relu, nan_to_num = ops.clamp_min, ops.clamp_max, ops.relu, ops.nan_to_num
    clip = clamp
    relu_ = in_place(ops.Relu)
    nan_to_num_ = by_copy(ops.nan_to_num)

    def clamp_(self: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """Clamp to the range from min to max, in place: see `clamp`."""
        if min is None and max is None:
            raise ArgumentError("clamp_: At least one of 'min' or 'max' must not be None")
        return ops.Clamp.apply_(self, min, max)

    clip_ = clamp_

    def clamp_min_(self: Tensor, min: Operand) -> Tensor:
        """Raise to at least min, in place: see `clamp_min`."""
        before = self.node
        return with_in_place_name(
            f"ClampMinBackward{int(hasattr(min, 'array'))}", ops.Clamp.apply_(self, min, None), before
        )

    def clamp_max_(self: Tensor, max: Operand) -> Tensor:
        """Lower to at most max, in place: see `clamp_max`."""
        before = self.node
        return with_in_place_name(
            f"ClampMaxBackward{int(hasattr(max, 'array'))}", ops.Clamp.apply_(self, None, max), before
        )

    conj, conj_physical, resolve_conj, resolve_neg = ops.conj, ops.conj_physical, ops.resolve_conj, ops.resolve_neg
    is_conj, is_neg, angle = ops.is_conj, ops.is_neg, ops.angle
    conj_physical_ = by_copy(ops.conj_physical)

    def where(self: Tensor, condition: Tensor, other: Operand) -> Tensor:
        """Select this Tensor's elements where the condition holds, and those of other elsewhere: see `where`."""
        return ops.where(condition, self, other)

    @property
    def real(self: Tensor) -> Tensor:
        """The real part, as a view: see `real`. Assigning to it writes into this Tensor."""
        return ops.real(self)

    @real.setter
    def real(self: Tensor, value: Any) -> None:
        ops.real(self)[...] = value

    @property
    def imag(self: Tensor) -> Tensor:
        """The imaginary part, as a view: see `imag`. Assigning to it writes into this Tensor."""
        return ops.imag(self)

    @imag.setter
    def imag(self: Tensor, value: Any) -> None:
        ops.imag(self)[...] = value
