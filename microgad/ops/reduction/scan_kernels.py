"""Scans (cumulative results of an associative operation) on arrays, in PyTorch's accumulation dtype."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend
from ...backend.axes import slice_along
from ...type_aliases import Array
from ..support import layouts


def associative_scan(combine: Callable[[Any, Any], Any], x: Array, axis: int) -> Array:
    """Combine each element with all before it along an axis, in log₂ n steps (Hillis and Steele). Tensors work too."""
    step, n = 1, x.shape[axis]
    while step < n:
        later = combine(x[slice_along(axis, 0, n - step)], x[slice_along(axis, step, n)])
        x = np.concatenate([x[slice_along(axis, 0, step)], later], axis)
        step *= 2
    return x


_WIDER = {"e": np.float32, "f": np.float64, "F": np.complex128}
WIDENING_CHUNK = 1 << 15  # elements converted to the wider dtype at a time, so that they stay in a core's cache
PAIRED_MIN = 1 << 12  # elements from which on rows are added up in pairs
MIN_LINES = 1 << 8  # the number of lines from which on all of them are scanned together, in blocks
BLOCK_STEPS = 1 << 6  # the length of a block along the axis
BLOCK_ELEMENTS = 1 << 17  # the size of a block, so that it stays in the cache


def in_wider_dtype(scan: Callable[[Any, int], Any], x: Array, axis: int) -> Array:
    """Scan in the next wider dtype and round at the end: bit for bit what PyTorch computes on the CPU."""
    wider = _WIDER.get(x.dtype.char)
    if wider is None:
        return scan(x, axis)
    if x.size <= WIDENING_CHUNK or not backend.on_cpu(x):
        return scan(x.astype(wider), axis).astype(x.dtype)
    out, step, before = np.empty_like(x), max(1, WIDENING_CHUNK * len(x) // x.size), x[:0]
    for i in range(0, len(x), step):
        found = scan(np.concatenate((before, x[i : i + step]), dtype=wider), axis)[len(before) :]
        out[i : i + step] = found
        before = before if axis else found[-1:]  # the scan goes on from here
    return out


def cumulative(ufunc: np.ufunc, x: Array, axis: int) -> Array:
    """Compute cumulative sums or products in PyTorch's accumulation dtype; integers and booleans give 64 bits."""
    plain, kind = _cumsum if ufunc is np.add else np.cumprod, x.dtype if x.dtype.kind in "fc" else np.dtype(np.int64)
    if x.shape[axis] == 1:
        return x.astype(kind)
    if _has_few_lines(x, axis):
        many = x.shape[axis] * 2 <= x.size > PAIRED_MIN
        if many and ufunc is np.add and axis == x.ndim - 1 and x.dtype.char in "fd" and type(x) is np.ndarray:
            return _cumsum_of_rows(x.reshape(-1, x.shape[-1])).reshape(x.shape)
        return layouts.contiguous(in_wider_dtype(plain, x, axis))  # CuPy's scans leave their axis innermost in memory
    computed = np.dtype(_WIDER.get(kind.char, kind))
    # Along longer lines NumPy is as fast.
    longest = 4 if kind == np.int64 else BLOCK_STEPS if computed == kind else math.inf
    if axis == x.ndim - 1 and x.shape[axis] > longest:
        return in_wider_dtype(plain, x, axis)
    return _scan_together(ufunc, x, axis, computed, kind)


def _cumsum(x: Array, axis: int) -> Array:
    """Return np.cumsum(x, axis), which takes 1 µs longer than the method.

    An even number of float64 columns is added in pairs, as complex numbers.
    """
    if x.dtype == np.float64 and axis < x.ndim - 1 and x.shape[-1] % 2 == 0 and type(x) is np.ndarray:
        return np.ascontiguousarray(x).view(np.complex128).cumsum(axis).view(np.float64)
    return x.cumsum(axis)


def _cumsum_of_rows(x: Array) -> Array:
    """Return np.cumsum(x, 1), computed in float64: pairs of rows as complex numbers, two sums at a time."""
    out, step = np.empty_like(x, order="C"), max(2, WIDENING_CHUNK // x.shape[1] // 2 * 2)
    for i in range(0, len(x), step):
        first, second = (slice(i + k, i + step, 2) for k in (0, 1))
        pairs = np.empty(x[first].shape, np.complex128)
        found = pairs.imag[: len(x[second])]
        pairs.imag[-1], pairs.real, found[...] = 0, x[first], x[second]
        np.cumsum(pairs, 1, out=pairs)
        out[first], out[second] = pairs.real, found
    return out


def accumulate(ufunc: Any, x: Array, axis: int) -> Array:
    """Return `ufunc.accumulate(x, axis)`, also on a GPU, where CuPy has no such method."""
    if backend.is_gpu(x):
        return associative_scan(ufunc, x, axis) if x.shape[axis] > 1 else x.copy()
    return ufunc.accumulate(x, axis) if _has_few_lines(x, axis) else _scan_together(ufunc, x, axis, x.dtype, x.dtype)


def _has_few_lines(x: Array, axis: int) -> bool:
    """Whether NumPy's own scan, line by line, is the better choice."""
    return x.size < MIN_LINES * x.shape[axis] or x.shape[axis] < 2 or not x.size or not backend.on_cpu(x)


def _scan_together(ufunc: np.ufunc, x: Array, axis: int, computed: Any, given: Any) -> Array:
    """Scan many lines together, a step of all lines at a time; in a single line each element waits for the one before.

    Blocks are transposed into a buffer (steps, rows, width), in which a step of all lines is contiguous.
    """
    lines = x.reshape(math.prod(x.shape[:axis]), x.shape[axis], -1)
    m, n, width = lines.shape
    out = np.empty(lines.shape, given)
    steps = min(n, BLOCK_STEPS)
    # An odd number of rows, so that elements in one column fall into different cache sets.
    rows = min(m, max(1, BLOCK_ELEMENTS // (steps * width)) | 1)
    buffer = np.empty((steps, rows, width), computed)
    for i in range(0, m, rows):
        before: Any = None  # (rows, width): the result of the previous step
        for j in range(0, n, steps):
            part = lines[i : i + rows, j : j + steps].swapaxes(0, 1)
            found = buffer[: part.shape[0], : part.shape[1]]
            found[...] = part
            for plane in found:
                if before is not None:
                    ufunc(before, plane, out=plane)
                before = plane
            out[i : i + rows, j : j + steps] = found.swapaxes(0, 1)
            before = before.copy()
    return out.reshape(x.shape)
