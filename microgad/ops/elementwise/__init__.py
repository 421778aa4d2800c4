"""Elementwise operations, one file per kind. They are all imported here."""

# isort: skip_file
from .arithmetic import (
    Add, Lerp, Mul, Neg, Sub, add, addcdiv, addcmul, lerp, mul, multiply, neg, negative, positive, rsub, sub, subtract,
    scaled_by_alpha,
)  # fmt: skip
from .comparison import (
    Equal, Greater, GreaterEqual, IsClose, IsFinite, IsIn, IsInf, IsNaN, IsNegInf, IsPosInf, IsReal, Less, LessEqual,
    NotEqual, allclose, eq, equal, ge, greater, greater_equal, gt, isclose, isfinite, isin, isinf, isnan, isneginf,
    isposinf, isreal, le, less, less_equal, lt, ne, not_equal,
)  # fmt: skip
from .complex_numbers import (
    Angle, Complex, Conj, Imag, Polar, Real, ViewAsComplex, ViewAsReal, angle, complex, conj, conj_physical, conjugate,
    imag, is_conj, is_neg, polar, real, resolve_conj, resolve_neg, view_as_complex, view_as_real,
)  # fmt: skip
from .division import (
    Div, FloorDiv, FloorDivide, Fmod, Gcd, Lcm, Remainder, TruncDiv, div, div_class, divide, floor_divide, fmod, gcd,
    lcm, remainder, true_divide,
)  # fmt: skip
from .exponential import (
    Exp, Exp2, Expm1, Log, Log1p, Log2, Log10, LogAddExp, LogAddExp2, Logit, Sigmoid, XLogY, exp, exp2, expm1, log,
    log1p, log2, log10, logaddexp, logaddexp2, logit, sigmoid, xlogy,
)  # fmt: skip
from .hyperbolic import (
    Acosh, Asinh, Atanh, Cosh, Sinh, Tanh, acosh, arccosh, arcsinh, arctanh, asinh, atanh, cosh, sinh, tanh,
)  # fmt: skip
from .logic import (
    BitwiseAnd, BitwiseNot, BitwiseOr, BitwiseXor, LeftShift, LogicalAnd, LogicalNot, LogicalOr, LogicalXor, RightShift,
    bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, logical_and,
    logical_not, logical_or, logical_xor,
)  # fmt: skip
from .powers import (
    Cbrt, Frexp, Hypot, Ldexp, Pow, Reciprocal, Rsqrt, Sqrt, float_power, frexp, hypot, ldexp, pow, reciprocal, rsqrt,
    sqrt, square,
)  # fmt: skip
from .rounding import Ceil, Floor, Frac, NextAfter, Round, Trunc, ceil, fix, floor, frac, nextafter, round, trunc
from .selection import (
    Clamp, Flat, Fmax, Fmin, Maximum, Minimum, NanToNum, RaisedCopy, Relu, Select, Where, clamp, clamp_max, clamp_min,
    clip, fmax, fmin, maximum, minimum, nan_to_num, relu, where,
)  # fmt: skip
from .signs import Abs, CopySign, Heaviside, Sgn, Sign, SignBit, abs, absolute, copysign, heaviside, sgn, sign, signbit
from .trigonometric import (
    Acos, Asin, Atan, Atan2, Cos, Sin, Sinc, Tan, acos, arccos, arcsin, arctan, arctan2, asin, atan, atan2, cos,
    deg2rad, rad2deg, sin, sinc, tan,
)  # fmt: skip
