"""Python's numbers as the elements of a dtype, which may not hold them."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ...dtypes.limits import bounds
from ...errors import ArgumentError, DtypeError


def as_scalar(op: str, argument: str, value: Any) -> Any:
    """A Python number, also from NumPy's and from a Tensor without dimensions.

    Raises TypeError for one that has some, for one that wants a gradient, as it would get none, and for all else.
    """
    found = value
    if hasattr(value, "item") and not value.ndim and not getattr(value, "requires_grad", False):
        found = value.item()
    if not isinstance(found, (float, int, complex)):
        raise TypeError(f"{op}(): argument '{argument}' must be Number, not {type(value).__name__}")
    return found


def checked_scalar(op: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """A Python number that a dtype can hold. Raises RuntimeError for others, as PyTorch does.

    Of unsigned integers the negative ones count from the end, if they are whole: -1 is the largest.
    """
    fits, value = True, as_scalar(op, "value", value)
    if isinstance(value, complex) and dtype.kind == "b":
        value = bool(value)
    elif isinstance(value, complex) and dtype.kind != "c":
        fits, value = value.imag == 0, value.real if value.imag == 0 else value
    if fits and dtype.kind in "iu":
        least, most = bounds(dtype)
        fits = (-most if dtype.kind == "u" and isinstance(value, int) else least) <= value <= most
        value = int(value) % (most + 1) if fits and dtype.kind == "u" else value
    elif fits and dtype.kind in "fc":
        largest = _largest(dtype)
        fits = not (largest < abs(value.real) < math.inf or largest < abs(value.imag) < math.inf)
    if not fits:
        raise DtypeError(f"{op}: value {value} cannot be converted to type {dtype} without overflow")
    return value


@functools.cache
def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max)


def scale_factor(op: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """A Python number by which values of a dtype are multiplied; among integers only its whole part."""
    value = checked_scalar(op, value, dtype)
    return bool(value) if dtype.kind == "b" else int(value) if dtype.kind in "iu" else value


def check_scale_factor(op: str, argument: str, value: Any, dtype: np.dtype[Any]) -> None:
    """Raise RuntimeError for a Python number of a kind by which PyTorch doesn't multiply values of a dtype."""
    if isinstance(value, bool) and dtype.kind != "b":
        raise ArgumentError(f"{op}: Boolean {argument} only supported for Boolean results")
    wrong = f"argument {argument} must not be a {{}} number, got {value}"
    if not isinstance(value, int) and dtype.kind in "biu":
        raise ArgumentError(f"{op}: for integral input tensors, {wrong.format('floating point')}")
    if isinstance(value, complex) and dtype.kind != "c":
        raise ArgumentError(f"{op}: for non-complex input tensors, {wrong.format('complex')}")


def checked_cast(op: str, numbers: Any, dtype: np.dtype[Any]) -> Any:
    """An array of Python's numbers in another dtype. Raises RuntimeError where integers can't hold one of them.

    Raises TypeError for complex numbers where the dtype is of real ones.
    """
    if numbers.dtype.kind == "c" and dtype.kind not in "cb":
        raise TypeError(f"{op}: must be real numbers for {dtype}, not complex")
    if dtype.kind in "iu" and numbers.dtype.kind in "iuf" and numbers.size:
        for extreme in (numbers.min(), numbers.max()):
            checked_scalar(op, extreme.item(), dtype)
    return numbers.astype(dtype, copy=False)
