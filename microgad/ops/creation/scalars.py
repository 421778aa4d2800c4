"""Python numbers that meet Tensors: checks that a dtype can hold them, with PyTorch's errors where it can't."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ...dtypes.conversions import plain
from ...dtypes.limits import bounds
from ...errors import ArgumentError, DtypeError
from ...function.half import HALF
from ...type_aliases import Array


def as_scalar(op: str, argument: str, value: Any) -> Any:
    """Return a number, a NumPy scalar or a 0-dimensional Tensor as a Python number: np.bool_ as a float, as in PyTorch.

    Raises TypeError for anything else, and for a Tensor that requires grad, since no gradient would reach it.
    """
    scalar = value
    if hasattr(value, "item") and not value.ndim and not getattr(value, "requires_grad", False):
        scalar = float(value) if isinstance(value, np.bool_) else plain(value.item())
    if not isinstance(scalar, (float, int, complex)):
        raise DtypeError(f"{op}(): argument '{argument}' must be Number, not {type(value).__name__}")
    return scalar if type(scalar) is float else plain(scalar)


def checked_scalar(op: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a Python number if the dtype can hold it, else raise RuntimeError, as PyTorch does.

    A negative integer wraps around in an unsigned dtype: -1 becomes the largest number.
    """
    fits, value = True, as_scalar(op, "value", value)
    if isinstance(value, complex) and dtype.kind == "b":
        value = bool(value)
    elif isinstance(value, complex) and dtype.kind != "c":
        fits, value = value.imag == 0, value.real if value.imag == 0 else value
    if fits and dtype.kind in "iu":
        low, high = bounds(dtype)
        fits = (-high if dtype.kind == "u" and isinstance(value, int) else low) <= value <= high
        value = int(value) % (high + 1) if fits and dtype.kind == "u" else value
    elif fits and dtype.kind in "fc":
        largest = _largest(dtype)
        fits = not (largest < abs(value.real) < math.inf or largest < abs(value.imag) < math.inf)
        value = float(np.float32(value)) if fits and dtype == HALF and isinstance(value, float) else value
    if not fits:
        raise DtypeError(f"{op}: value {value} cannot be converted to type {dtype} without overflow")
    return value


@functools.cache
def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max)


def scale_factor(op: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a Python number as a factor for values of a dtype: a bool for booleans, truncated to int for integers."""
    if type(value) is int and value == 1 and dtype.kind != "b":
        return value  # the default, which every dtype can hold
    value = checked_scalar(op, value, dtype)
    return bool(value) if dtype.kind == "b" else int(value) if dtype.kind in "iu" else value


def check_scale_factor(op: str, argument: str, value: Any, dtype: np.dtype[Any]) -> None:
    """Raise RuntimeError where PyTorch refuses to scale values of a dtype by a number of this type."""
    if isinstance(value, bool) and dtype.kind != "b":
        raise ArgumentError(f"{op}: Boolean {argument} only supported for Boolean results.")
    wrong = f"argument {argument} must not be a {{}} number, got {value}"
    if not isinstance(value, int) and dtype.kind in "biu":
        raise ArgumentError(f"{op}: for integral input tensors, {wrong.format('floating point')}")
    if isinstance(value, complex) and dtype.kind != "c":
        raise ArgumentError(f"{op}: for non-complex input tensors, {wrong.format('complex')}")


def check_numbers(numbers: Array, dtype: np.dtype[Any]) -> None:
    """Raise RuntimeError where an integer dtype can't hold one of an array of Python numbers.

    Raises TypeError for complex numbers and a real dtype.
    """
    if numbers.dtype.kind == "c" and dtype.kind not in "cb":
        raise TypeError(f"tensor: must be real numbers for {dtype}, not complex")
    if dtype.kind in "iu" and numbers.dtype.kind in "iuf" and numbers.size:
        for extreme in (numbers.min(), numbers.max()):
            checked_scalar("tensor", extreme.item(), dtype)
