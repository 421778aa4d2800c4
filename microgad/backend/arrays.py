"""What is an array, of NumPy, CuPy or our own, and which array owns its memory."""

from __future__ import annotations

import sys
from typing import Any
from typing import Any as Array

import numpy as np

from ..duck_arrays import DuckArray

# What annotations call a NumPy, CuPy or duck array; in derivatives that are differentiated again, it is a Tensor.
# It is imported under this name, as mypy infers other types from an alias of Any than from Any.
__all__ = ["Array", "is_array", "is_gpu", "owner"]


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
