"""Copies that lie in memory as their originals do: NumPy's loops and BLAS round by how far apart elements are."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend

ROOM = 16  # times its own size an array may take, with its gaps


def strided_copy(array: Any) -> Any:
    """A copy with the same strides, unless its gaps are too wide."""
    if backend.is_gpu(array):
        return array.copy("K")
    copy = empty_strided(array.shape, array.strides, array.dtype)
    if copy is None:
        return array.copy("K")
    copy[...] = array
    return copy


def empty_strided(shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Any:
    """An array of these strides, to be filled; None where that would take too much memory."""
    if 0 in shape:
        return np.empty(shape, dtype)
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    first = -sum(step for step in steps if step < 0)
    size = first + sum(step for step in steps if step > 0) + dtype.itemsize
    if size > max(ROOM * dtype.itemsize * int(np.prod(shape, dtype=object)), 4096) or first % dtype.itemsize:
        return None
    memory = np.zeros(size, np.uint8)
    return np.ndarray(shape, dtype, memory.data, first, strides)
