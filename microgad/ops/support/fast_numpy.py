"""NumPy's functions of shapes and places, in a fraction of NumPy's time."""

from __future__ import annotations

import functools
import math

import numpy as np

from ... import backend
from ...type_aliases import Array

# np.broadcast_shapes makes an array for each shape: it takes longer than many operations on a thousand elements.
broadcast_shapes = functools.lru_cache(maxsize=1024)(np.broadcast_shapes)


def result_size(a: Array | complex, b: Array | complex) -> int:
    """Return how many elements two arrays or numbers have once they are broadcast."""
    shape, other = np.shape(a), np.shape(b)
    return math.prod(shape if shape == other else broadcast_shapes(shape, other))


def nonzero(x: Array) -> tuple[Array, ...]:
    """Return np.nonzero(x) for one dimension or more, by way of the flattened array: in a tenth to half of the time."""
    if backend.is_gpu(x):
        return np.nonzero(x)
    (flat,) = np.nonzero((x if x.dtype.kind == "b" else x != 0).reshape(-1))
    return (flat,) if x.ndim == 1 else np.unravel_index(flat, x.shape)


def unraveled(index: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
    """Return np.unravel_index of an array of any shape.

    NumPy (2.4, too) leaves most results unwritten for more than 8192 indices whose last axis has one element.
    """
    return tuple([part.reshape(index.shape) for part in np.unravel_index(index.reshape(-1), shape)])


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Return np.broadcast_to of a bare array, or x itself where it has that shape."""
    return x if x.shape == shape else np.broadcast_to(x, shape)


def moveaxis(x: Array, source: int, destination: int) -> Array:
    """Return np.moveaxis of a bare array, in a tenth of the time."""
    return x.transpose(_moved(x.ndim, source % x.ndim, destination % x.ndim))


@functools.lru_cache(maxsize=256)
def _moved(ndim: int, source: int, destination: int) -> tuple[int, ...]:
    order = [axis for axis in range(ndim) if axis != source]
    order.insert(destination, source)
    return tuple(order)
