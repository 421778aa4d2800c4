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
PIECE = 1 << 15  # elements of lines that are widened together: they stay in a core's cache


def widened(scan: Callable[[Any, int], Any], x: Any, axis: int) -> Any:
    """A running result in the next wider dtype, rounded in the end: to the last bit PyTorch's on the CPU."""
    wider = _WIDER.get(x.dtype.char)
    if wider is None:
        return scan(x, axis)
    if axis == 0 or x.size <= PIECE or backend.is_gpu(x):
        return scan(x.astype(wider), axis).astype(x.dtype)
    out, step = np.empty_like(x), max(1, PIECE * len(x) // x.size)
    for i in range(0, len(x), step):
        out[i : i + step] = scan(x[i : i + step].astype(wider), axis)
    return out


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
