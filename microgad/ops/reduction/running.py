"""Running results of any associative operation, on arrays and on Tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend
from .. import layouts


def running(combine: Callable[[Any, Any], Any], x: Any, axis: int) -> Any:
    """combine(x0, combine(x1, ...)) up to each element along an axis: by 1, 2, 4, ... elements at once."""
    lead = (slice(None),) * axis
    step, n = 1, x.shape[axis]
    while step < n:
        later = combine(x[(*lead, slice(0, n - step))], x[(*lead, slice(step, n))])
        x = np.concatenate([x[(*lead, slice(0, step))], later], axis)
        step *= 2
    return x


_WIDER = {"e": np.float32, "f": np.float64, "F": np.complex128}


def widened(scan: Callable[[Any, int], Any], x: Any, axis: int) -> Any:
    """A running result in the next wider dtype, rounded in the end: to the last bit PyTorch's on the CPU.

    A large array, which that would take several times as long, stays float32 throughout.
    """
    kind = x.dtype.char
    if kind not in _WIDER or (x.size >= 20_000 and kind != "e"):
        return scan(x, axis)
    return scan(x.astype(_WIDER[kind]), axis).astype(x.dtype)


def accumulated(ufunc: Any, x: Any, axis: int) -> Any:
    """`ufunc.accumulate` of an array, also on a GPU, where there is none."""
    if backend.is_gpu(x):
        return running(ufunc, x, axis) if x.shape[axis] > 1 else x.copy()
    near = math.prod(x.shape[axis + 1 :]) >= 128  # whether planes, all but the axis, have runs that are long enough
    if not x.size or not (near or x.size >= 512 * x.shape[axis]):
        return ufunc.accumulate(x, axis)
    planes = np.moveaxis(x, axis, 0) if near else np.moveaxis(x, axis, 0).copy(order="C")
    found = np.empty_like(planes)
    found[0] = planes[0]
    for before, plane, target in zip(found, planes[1:], found[1:], strict=False):  # NumPy goes line by line
        ufunc(before, plane, out=target)
    return layouts.contiguous(np.moveaxis(found, 0, axis))
