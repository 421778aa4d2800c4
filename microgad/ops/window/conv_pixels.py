"""Convolution with a kernel of one cell: a product for each image, whose pixels are the columns as they lie.

Channels come in groups, as in conv_kernels.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...type_aliases import Array
from ..support.blocks import batch_blocks


def correlate_pixels(x: Array, matrix: Array, bias: Array | None) -> Array:
    """Return products with a matrix (G, O/G, C/G), plus bias: x (N, C, ...) -> (N, O, ...)."""
    groups, o, c = matrix.shape
    y = np.matmul(matrix, x.reshape(len(x), groups, c, math.prod(x.shape[2:])))  # (N, G, O/G, pixels)
    if bias is not None:
        y += bias.reshape(groups, o, 1)
    return y.reshape(len(x), groups * o, *x.shape[2:])


def weight_by_pixels(y: Array, x: Array) -> Array:
    """Compute the weight's gradient: y (N, G, O/G, pixels), x (N, G, C/G, pixels) -> (G, O/G, C/G)."""
    (groups, o), c = y.shape[1:3], x.shape[2]
    columns = np.swapaxes(x, 2, 3)
    weight: Any = None
    # Small products are made for many images at once, and large ones added one by one, which takes one pass less.
    for images, _ in batch_blocks(x, 1, 4 * groups * o * c):
        products = y[images] @ columns[images]
        product = products[0] if len(products) == 1 else products.sum(0)
        weight = product if weight is None else np.add(weight, product, out=weight)
    return np.zeros_like(x, shape=(groups, o, c)) if weight is None else weight  # of no images
