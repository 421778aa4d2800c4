"""Reductions of bare arrays that are faster than NumPy's, or keep more digits.

NumPy takes as long to start an inner loop as for some thirty elements, so many short loops are merged into few; and
BLAS sums by products with ones. Of large arrays,

- `choice.py` chooses the way to reduce them, and says why each pays,
- `layouts.py` makes those simpler that don't lie in C order,
- `lines.py` reduces others, as lines, (m, n, width) -> (m, width),
- `products.py` computes sums as products with ones, and dot products.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import backend
from ..backend.arrays import Array
from ..lazy import LazyModule

SMALL = 1 << 11  # elements from which on other ways than NumPy's pay
MANY_PRODUCTS = 20_000  # elements from which on the sum of even a single row is faster by products with ones
# The array method that is each ufunc's reduction: CuPy's ufuncs have no `reduce`.
METHODS = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.logical_and: "all",
    np.logical_or: "any",
}  # fmt: skip
choice = LazyModule("microgad.fast_reductions.choice")


def fast_reduce(ufunc: Any, x: Array, axis: Any, keepdims: bool, products: bool = False) -> Array:
    """Reduce an array by a ufunc over one axis, several, or all (None); `products`: sums may be products with ones."""
    bare = type(x) is np.ndarray
    if x.size >= SMALL if bare else products and x.size >= MANY_PRODUCTS and backend.on_cpu(x):
        strides = None if x.flags.c_contiguous else x.strides
        if reduce := choice.way(ufunc, x.shape, strides, x.dtype, axis, keepdims, products, bare):
            return reduce(ufunc, x)
    if bare:
        return ufunc.reduce(x, axis, keepdims=keepdims)  # it has a third of the overhead of methods like x.max()
    return getattr(x, METHODS[ufunc])(axis, keepdims=keepdims)


def fast_sum(x: Array, axis: Any, keepdims: bool) -> Array:
    """Sum an array over one axis, several, or all (None), also by products with ones."""
    return fast_reduce(np.add, x, axis, keepdims, True)


def sum_to(g: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum `g` over the axes that broadcasting added to `shape` or stretched. Sums are in C order."""
    axes, slow = _stretched(g.shape, shape)
    if not axes:
        return g.reshape(shape)
    if type(g) is not np.ndarray:
        out = g.sum(axes)
        return out if out.shape == shape else out.reshape(shape)
    return np.ascontiguousarray(fast_sum(g, axes, False) if slow else np.add.reduce(g, axes)).reshape(shape)


@functools.lru_cache(maxsize=1024)
def _stretched(shape: tuple[int, ...], to: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """Return the axes along which an array of shape `to` was repeated, and whether NumPy would be slow to sum them."""
    lead = len(shape) - len(to)
    axes = (*range(lead), *[a for a, n in enumerate(to, lead) if n == 1 and shape[a] != 1])
    large = math.prod(shape) >= SMALL
    return axes, large and choice.way(np.add, shape, None, np.dtype("f"), axes, False, True, True) is not None
