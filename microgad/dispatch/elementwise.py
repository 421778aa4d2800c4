"""NumPy's elementwise functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..function import Function
from ..ops import elementwise, special
from ..ops.creation import as_tensor
from ..ops.movement import clone


def as_exact_tensor(x: Any) -> Any:
    """Convert to a Tensor. Python numbers, alone or in lists, get NumPy's dtype (float64), and keep their precision."""
    return as_tensor(x if hasattr(x, "dtype") else np.asarray(x))


def promoted(*operands: Any) -> Any:
    """Convert operands to Tensors of one dtype, by NumPy's promotion rules."""
    tensors = [as_exact_tensor(x) for x in operands]
    if any(x.array.dtype != tensors[0].array.dtype for x in tensors):
        common = dtypes.of(np.result_type(*(x.array.dtype for x in tensors)))
        tensors = [x.to(common) for x in tensors]
    return tensors


def _fraction(x: Any) -> Any:
    """Return the fractional part. NumPy's is 0 for infinity, PyTorch's is NaN."""
    return elementwise.where(elementwise.isinf(x), 0.0, elementwise.frac(x))


def _heaviside(x1: Any, x2: Any) -> Any:
    common = np.result_type(*(getattr(x, "array", x) for x in (x1, x2)))  # NumPy's promotion
    return elementwise.Heaviside.apply(*(as_tensor(x, dtypes.of(common)) for x in (x1, x2)))


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
    np.sign: elementwise.sgn,
    np.floor_divide: elementwise.FloorDiv.apply,  # with gradients of zeros, unlike FloorDivide
    np.float_power: lambda x1, x2: elementwise.float_power(as_exact_tensor(x1), as_exact_tensor(x2)),
    np.ldexp: lambda x1, x2: elementwise.ldexp(as_tensor(x1), as_tensor(x2)),
    np.heaviside: _heaviside,
    np.deg2rad: elementwise.deg2rad,
    np.radians: elementwise.deg2rad,
    np.rad2deg: elementwise.rad2deg,
    np.degrees: elementwise.rad2deg,
    np.divmod: lambda x1, x2: (elementwise.FloorDiv.apply(x1, x2), elementwise.remainder(x1, x2)),
    np.modf: lambda x: (elementwise.copysign(_fraction(x), x), elementwise.trunc(x)),
}


def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: None = None, *, min: Any = None, max: Any = None) -> Any:
    if a_min is a_max is min is max is None:
        return clone(a)
    return elementwise.clamp(a, a_min if min is None else min, a_max if max is None else max)


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
    np.where: lambda condition, x=None, y=None, /: elementwise.where(condition, x, y),
    np.clip: _clip,
    np.astype: lambda x, dtype, /, *, copy=True: x.to(dtype=dtypes.of(np.dtype(dtype)), copy=copy),
    np.real: elementwise.real,
    np.imag: lambda val: elementwise.imag(val) if val.is_complex() else np.zeros_like(val),
    np.angle: lambda z, deg=False: elementwise.rad2deg(elementwise.angle(z)) if deg else elementwise.angle(z),
    np.sinc: elementwise.sinc,
    np.i0: lambda x: special.i0(x),
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
