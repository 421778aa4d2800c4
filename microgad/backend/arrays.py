"""What is an array, of NumPy, CuPy or our own; which array owns its memory; new arrays like others."""

from __future__ import annotations

import sys
from typing import Any
from typing import Any as Array

import numpy as np

from ..duck_arrays import DuckArray

# What annotations call a NumPy, CuPy or duck array; in derivatives that are differentiated again, it is a Tensor.
# It is imported under this name, as mypy infers other types from an alias of Any than from Any.
__all__ = ["Array", "is_array", "is_gpu", "make_like", "owner", "zeros"]


def is_gpu(x: Any) -> bool:
    """Whether `x` is a CuPy array, or a duck array around one."""
    if type(x) is np.ndarray or "cupy" not in sys.modules:
        return False
    return isinstance(getattr(x, "innermost", x), getattr(sys.modules["cupy"], "ndarray", ()))


def is_array(x: Any) -> bool:
    """Whether `x` is a NumPy, CuPy or duck array."""
    return isinstance(x, (np.ndarray, DuckArray)) or is_gpu(x)


def owner(x: Array) -> Array:
    """The array that owns the memory of `x`."""
    while (base := x.base) is not None:
        if not is_array(base):
            base = getattr(base, "base", None)  # NumPy's as_strided puts an object in between
            if not is_array(base):
                break
        x = base
    return x


def make_like(make: Any, x: Array, *value: Any, shape: Any = None, dtype: Any = None, order: str = "K") -> Array:
    """The result of np.zeros_like or its kin, also for the shapes () and 0, which CuPy takes for no shape."""
    if shape or shape is None or isinstance(x, DuckArray) or not is_gpu(x):
        return make(x, *value, shape=shape, dtype=dtype, order=order)
    return make(np.empty(shape, x.dtype, like=x), *value, dtype=dtype)


def zeros(shape: tuple[int, ...], like: Array, dtype: Any = None) -> Array:
    """Zeros in C order, with the device and, unless told otherwise, the dtype of `like`: few in a sixth of the time."""
    if type(like) is np.ndarray:
        return np.zeros(shape, like.dtype if dtype is None else dtype)
    return make_like(np.zeros_like, like, shape=shape, dtype=dtype, order="C")
