"""Comparison of microgad's results with torch's: containers, shapes, dtypes and values."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

import microgad

# (rtol, atol) by dtype: |ours - theirs| <= rtol · |theirs| + atol · max(1, largest |theirs|). Others must be equal.
# The parts of complex numbers are compared one by one, with the largest modulus as the largest value: an imaginary part
# that nearly cancels has the rounding error of the whole number.
TOLERANCES = {
    "float32": (1e-5, 2e-6),
    "complex64": (1e-5, 2e-6),
    "float64": (1e-10, 1e-12),
    "complex128": (1e-10, 1e-12),
    "float16": (2e-3, 2e-3),
}


text = functools.cache(str)  # of a dtype


class Different(AssertionError):
    """microgad's result is not torch's."""


def same(theirs: Any, ours: Any, where: str = "result", slack: float = 1, values: bool = True) -> None:
    """Raise Different if microgad's result is not torch's. `slack` is a factor on the tolerances.

    Without `values` only shapes, dtypes and strides are compared.
    """
    if isinstance(theirs, torch.Tensor):
        if not isinstance(ours, microgad.Tensor):
            raise Different(f"{where} is a {type(ours).__name__}, not a Tensor")
        same_tensor(theirs, ours, where, slack, values)
    elif isinstance(theirs, dict):
        if set(theirs) != set(ours):
            raise Different(f"{where} has the keys {set(ours)}, not {set(theirs)}")
        for key in theirs:
            same(theirs[key], ours[key], key if isinstance(key, str) else f"{where}[{key!r}]", slack, values)
    elif isinstance(theirs, tuple | list):
        same_sequence(theirs, ours, where, slack, values)
    elif isinstance(theirs, float | complex) and type(ours) is type(theirs):
        rtol, atol = TOLERANCES["float32"]
        if not np.isclose(ours, theirs, rtol * slack, atol * slack, equal_nan=True):
            raise Different(f"{where} is {ours!r}, not {theirs!r}")
    elif isinstance(theirs, torch.dtype | torch.device):
        if str(ours) != str(theirs):
            raise Different(f"{where} is {ours}, not {theirs}")
    elif type(ours) is not type(theirs) or ours != theirs:
        raise Different(f"{where} is {ours!r}, not {theirs!r}")


def same_sequence(theirs: Any, ours: Any, where: str, slack: float, values: bool) -> None:
    kind = list if isinstance(theirs, list) else tuple
    if not isinstance(ours, kind):
        raise Different(f"{where} is a {type(ours).__name__}, not a {kind.__name__}")
    if len(ours) != len(theirs):
        raise Different(f"{where} has {len(ours)} items, not {len(theirs)}")
    names = getattr(type(theirs), "__match_args__", None) or getattr(theirs, "_fields", ())
    for name in names:
        if not hasattr(ours, name):
            raise Different(f"{where} has no .{name}")
    for i, (a, b) in enumerate(zip(theirs, ours, strict=True)):
        same(a, b, f"{where}.{names[i]}" if names else f"{where}[{i}]", slack, values)


def same_tensor(theirs: torch.Tensor, ours: Any, where: str, slack: float, values: bool) -> None:
    if tuple(ours.shape) != tuple(theirs.shape):
        raise Different(f"{where} has shape {tuple(ours.shape)}, not {tuple(theirs.shape)}")
    dtype = text(theirs.dtype).removeprefix("torch.")
    if text(ours.array.dtype) != dtype:
        raise Different(f"{where} is {ours.array.dtype}, not {dtype}")
    if not values:
        same_strides(theirs, ours, where)
        return
    a = theirs.numpy(force=True)  # resolves torch's lazy conjugates, negatives and zeros
    b = np.asarray(ours.array)
    rtol, atol = (slack * t for t in TOLERANCES.get(dtype, (0, 0)))
    good = a == b
    if a.dtype.kind in "cf" and not good.all():
        size = np.abs(a)
        parts = [(a, b)] if a.dtype.kind == "f" else [(a.real, b.real), (a.imag, b.imag)]
        good = np.logical_and.reduce([agree(x, y, rtol, atol, size) for x, y in parts])
    if not good.all():
        first = tuple(int(i) for i in np.argwhere(~good)[0])
        raise Different(
            f"{where}{list(first)} is {b[first]!s}, not {a[first]!s} ({np.count_nonzero(~good)} of {a.size} are wrong)"
        )


def same_strides(theirs: torch.Tensor, ours: Any, where: str) -> None:
    """Compare the strides of dimensions of more than one element."""
    expected = [n for n, size in zip(theirs.stride(), theirs.shape, strict=True) if size > 1]
    strides = [n // ours.array.itemsize for n, size in zip(ours.array.strides, ours.shape, strict=True) if size > 1]
    if theirs.numel() and strides != expected:
        raise Different(f"{where} has the strides {strides}, not {expected} (where there is more than one element)")


def agree(a: Any, b: Any, rtol: float, atol: float, sizes: Any) -> Any:
    """Whether each element of two real arrays agrees. NaN agrees with NaN, and `sizes` says how large values are."""
    finite = sizes[np.isfinite(sizes)]
    largest = max(finite.max(), 1.0) if finite.size else 1.0
    with np.errstate(all="ignore"):
        close = np.isfinite(a) & (np.abs(a - b) <= rtol * np.abs(a) + atol * largest)
        return (a == b) | (np.isnan(a) & np.isnan(b)) | close
