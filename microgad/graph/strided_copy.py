"""Copy arrays with their strides, because how NumPy and BLAS round depends on them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..type_aliases import Array

MAX_SPREAD = 16  # how many times its own size an array may span, gaps included


def strided_copy(array: Array) -> Array:
    """Return a copy with the same strides, or a compact one if the array spans too much memory."""
    if backend.is_gpu(array):
        return array.copy("K")
    copy = empty_strided(array.shape, array.strides, array.dtype)
    if copy is None:
        return array.copy("K")
    copy[...] = array
    return copy


def empty_strided(shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Array:
    """Return a new array with these strides, or None if it would span too much memory."""
    if 0 in shape:
        return np.empty(shape, dtype)
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    first = -sum(step for step in steps if step < 0)
    size = first + sum(step for step in steps if step > 0) + dtype.itemsize
    if size > max(MAX_SPREAD * dtype.itemsize * math.prod(shape), 4096) or first % dtype.itemsize:
        return None
    memory = np.zeros(size, np.uint8)
    return np.ndarray(shape, dtype, memory.data, first, strides)
