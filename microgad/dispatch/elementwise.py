"""NumPy's elementwise functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend, dtypes
from .. import function as core
from ..function import Function
from ..ops import elementwise, special
from ..ops.creation import as_tensor
from ..ops.movement import clone, stack
from ..pytree import contains
from ..state import current


def as_exact_tensor(x: Any) -> Any:
    """Convert to a Tensor. Python numbers, alone or in lists, get NumPy's dtype (float64), and keep their precision.

    Tensors in lists are stacked, which is recorded.
    """
    if isinstance(x, (list, tuple)) and contains(x, core.Tensor):
        return stack(promoted(*x))
    return as_tensor(x if hasattr(x, "dtype") else np.asarray(x))


def floating(x: Any) -> Any:
    """Convert to a Tensor of floats: integers become float64, in which NumPy computes with them."""
    x = as_exact_tensor(x)
    return x if x.dtype.is_floating_point or x.dtype.is_complex else x.to(np.dtype(np.float64))


def promoted(*operands: Any) -> Any:
    """Convert operands to Tensors of one dtype, by NumPy's promotion rules."""
    tensors = [as_exact_tensor(x) for x in operands]
    if any(x.array.dtype != tensors[0].array.dtype for x in tensors):
        common = dtypes.of(np.result_type(*(x.array.dtype for x in tensors)))
        tensors = [x.to(common) for x in tensors]
    return tensors


_USUAL = (core.Tensor, int, float, np.generic)  # operands that need no conversion beside a Tensor of floats


def weakly_promoted(*operands: Any) -> Any:
    """Convert operands to one dtype by NumPy's promotion rules, where Python numbers have no dtype of their own.

    They stay numbers if they are beside a Tensor.
    """
    kinds = {x.array.dtype for x in operands if isinstance(x, core.Tensor)}
    if len(kinds) == 1 and kinds.pop().kind in "fc" and all(isinstance(x, _USUAL) for x in operands):
        return [float(x) if type(x) is bool else x for x in operands]
    given = [x if type(x) in (int, float, complex) else as_exact_tensor(x) for x in operands]
    common = dtypes.of(np.result_type(*(x.array.dtype if hasattr(x, "array") else x for x in given)))
    if not any(hasattr(x, "array") for x in given):
        return [as_tensor(x, common) for x in given]
    return [x.to(common) if hasattr(x, "array") else x for x in given]


def _fraction(x: Any) -> Any:
    """Return the fractional part. NumPy's is 0 for infinity, PyTorch's is NaN."""
    return elementwise.where(elementwise.isinf(x), 0.0, elementwise.frac(x))


def _heaviside(x1: Any, x2: Any) -> Any:
    common = np.result_type(*(getattr(x, "array", x) for x in (x1, x2)))  # NumPy's promotion
    x1, x2 = (as_tensor(x, dtypes.of(common)) for x in (x1, x2))
    return _keeping_nan(x1, elementwise.Heaviside.apply(x1, x2))


def _ldexp(x1: Any, x2: Any) -> Any:
    x, exponent = floating(x1), as_exact_tensor(x2)
    if exponent.array.dtype.kind not in "iub":
        raise TypeError("numpy.ldexp: the exponents must be integers")
    return elementwise.ldexp(x, exponent).to(x.dtype)


def integers(x: Any) -> Any:
    """Convert indices or counts to a Tensor of int64. As in NumPy, only Python floats are truncated."""
    given, x = x, as_exact_tensor(x)
    if hasattr(given, "dtype") and x.array.dtype.kind not in "iub":
        raise TypeError(f"Cannot cast array data from {x.array.dtype} to int64 according to the rule 'safe'")
    return x.to(dtypes.int64)


def _keeping_nan(x: Any, result: Any) -> Any:
    """Put NaN where x is NaN. A derivative that calls np.sign does without, since it is 0 there, as in PyTorch."""
    if current().deriving or not (hasattr(x, "array") and x.is_floating_point()):
        return result
    if type(x.array) is np.ndarray and not np.isnan(x.array).any():
        return result
    return elementwise.where(x == x, result, math.nan)


def _angle(z: Any, deg: bool = False) -> Any:
    z = floating(z)
    angle = elementwise.angle(z)
    if not z.is_complex():
        angle = elementwise.where(elementwise.signbit(z) & (z == z), math.pi, angle)  # -0.0 too, unlike in PyTorch
    return elementwise.rad2deg(angle) if deg else angle


def _of_numbers(cls: type[Function]) -> Callable[..., Any]:
    """Make a function that takes bools for the numbers 0 and 1, of which the derivative takes differences."""
    return lambda *xs: cls.apply(*[x * 1 if getattr(x, "dtype", type(x)) in (bool,) else x for x in xs])


UFUNCS: dict[Any, Callable[..., Any]] = {
    cls.numpy: cls.apply
    for cls in vars(elementwise).values()
    if isinstance(cls, type) and issubclass(cls, Function) and isinstance(cls.numpy, np.ufunc)
}
UFUNCS |= {
    np.square: elementwise.square,
    np.reciprocal: elementwise.reciprocal,
    np.positive: elementwise.positive,
    np.fabs: elementwise.abs,
    np.rint: elementwise.round,
    np.sign: lambda x: _keeping_nan(x, elementwise.sgn(x)),
    np.floor_divide: elementwise.FloorDiv.apply,  # with gradients of zeros, unlike FloorDivide
    np.float_power: lambda x1, x2: elementwise.float_power(as_exact_tensor(x1), as_exact_tensor(x2)),
    np.ldexp: _ldexp,
    np.heaviside: _heaviside,
    np.logaddexp: _of_numbers(elementwise.LogAddExp),
    np.logaddexp2: _of_numbers(elementwise.LogAddExp2),
    np.deg2rad: elementwise.deg2rad,
    np.radians: elementwise.deg2rad,
    np.rad2deg: elementwise.rad2deg,
    np.degrees: elementwise.rad2deg,
    np.divmod: lambda x1, x2: (elementwise.FloorDiv.apply(x1, x2), elementwise.remainder(x1, x2)),
    np.modf: lambda x: (elementwise.copysign(_fraction(x), x), elementwise.trunc(x)),
}


def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: None = None, *, min: Any = None, max: Any = None) -> Any:
    a, low, high = as_exact_tensor(a), a_min if min is None else min, a_max if max is None else max
    if a.array.dtype.kind in "iu":  # an integer beyond the dtype is no bound on that side
        limits = np.iinfo(a.array.dtype)
        low = None if type(low) is int and low <= limits.min else low
        high = None if type(high) is int and high >= limits.max else high
    if low is high is None:
        return clone(a)
    a, *bounds = weakly_promoted(a, *(x for x in (low, high) if x is not None))
    check_integers(bounds, [a.array.dtype] * 2)
    return elementwise.clamp(a, None if low is None else bounds[0], None if high is None else bounds[-1])


def check_integers(operands: Any, kinds: Any) -> None:
    """Raise OverflowError if one of the operands is a Python integer that the dtype for it can't hold."""
    for x, kind in zip(operands, kinds, strict=False):
        if type(x) is int and kind.kind in "iu":
            np.array(x, kind)


def _where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is not None and y is not None:
        x, y = weakly_promoted(x, y)
        if not (isinstance(condition, core.Tensor) or backend.is_array(condition)):
            condition = as_exact_tensor(condition)  # the mask of a 0-d array is a NumPy scalar
    return elementwise.where(condition, x, y)


def _nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    return elementwise.nan_to_num(x, nan, posinf, neginf) if copy else x.nan_to_num_(nan, posinf, neginf)


def _isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    return elementwise.IsClose.apply(as_exact_tensor(a), as_exact_tensor(b), rtol=rtol, atol=atol, equal_nan=equal_nan)


def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    x, y = as_exact_tensor(a1), as_exact_tensor(a2)
    if x.shape != y.shape:
        return False
    same = x == y
    return bool((same | ((x != x) & (y != y)) if equal_nan else same).all())


def _isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    x, y = as_exact_tensor(element), as_exact_tensor(test_elements)
    return elementwise.isin(x, y, assume_unique=assume_unique, invert=invert)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.astype: lambda x, dtype, /, *, copy=True: x.to(dtype=dtypes.of(np.dtype(dtype)), copy=copy),
    np.real: elementwise.real,
    np.imag: lambda val: elementwise.imag(val) if val.is_complex() else np.zeros_like(val),
    np.angle: _angle,
    np.sinc: lambda x: elementwise.sinc(floating(x)),
    np.i0: lambda x: special.i0(floating(x)),
    np.round: lambda a, decimals=0, out=None: elementwise.round(a, decimals=decimals),
    np.fix: lambda x, out=None: elementwise.trunc(x),
    np.nan_to_num: _nan_to_num,
    np.isposinf: lambda x, out=None: elementwise.isposinf(x),
    np.isneginf: lambda x, out=None: elementwise.isneginf(x),
    np.isreal: elementwise.isreal,
    np.iscomplex: lambda x: elementwise.logical_not(elementwise.isreal(x)),
    np.isrealobj: lambda x: not x.is_complex(),
    np.iscomplexobj: lambda x: x.is_complex(),
    np.isclose: _isclose,
    np.allclose: lambda *args, **options: bool(_isclose(*args, **options).array.all()),
    np.array_equal: _array_equal,
    np.isin: _isin,
}
