"""Convolution of images with channels innermost in memory, x (N, C, H, W) and weight (O, C, KH, KW), without groups.

Each window is a row of numbers, and a product takes the rows of many images. A kernel of one cell needs no copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...fast_reductions import fast_sum
from ...type_aliases import Array
from ..support.blocks import apply_row, batch_blocks
from ..support.fast_numpy import moveaxis
from ..support.layouts import contiguous, dense_channels_last
from .geometry import Window
from .unfold import padded, windows

MANY_FILTERS = 32  # for which, or for more, products by rows are faster
MANY_CHANNELS = 16  # the same of the gradient of x
SMALL_PLANE = 64  # cells, whose copies into rows take less time than they save
LONG_WINDOW = 640  # numbers of a window: for longer ones it takes long to copy a weight into rows
MANY_WINDOWS = 256  # windows of a block, at least, that repay the time to read the weight


def rows_pay(x: Array, weight: Array, window: Window, groups: int) -> bool:
    """Whether `correlate_rows` is faster than to copy x into columns, and the result into rows."""
    o, in_rows = len(weight), dense_channels_last(weight)
    more = o > x.shape[1] or max(window.stride) > 1 or (in_rows and o >= 2 * MANY_FILTERS)
    return _in_rows(x, window, groups, in_rows) and (max(window.kernel) == 1 or (more and o >= MANY_FILTERS))


def transposed_rows_pay(y: Array, weight: Array, window: Window, groups: int) -> bool:
    """Whether the adjoint of `correlate_rows` in x is faster: by phases, of which there are few."""
    simple = max(window.dilation) == 1 and math.prod(window.stride) <= 4
    many = weight.shape[1] >= MANY_CHANNELS or max(window.kernel) == 1
    return simple and many and _in_rows(y, window, groups, dense_channels_last(weight))


def weight_rows_pay(x: Array, o: int, window: Window, groups: int, in_rows: bool) -> bool:
    """Whether `weight_by_rows` is faster: for many channels of small planes even if they must be copied into rows."""
    one_cell, many = max(window.kernel) == 1, o >= MANY_FILTERS
    if many and not one_cell and x.shape[1] >= MANY_FILTERS and math.prod(window.size) <= SMALL_PLANE:
        return _has_many_windows(x, window, groups, in_rows)
    return _in_rows(x, window, groups, in_rows) and (many or one_cell)


def _in_rows(x: Array, window: Window, groups: int, weight_in_rows: bool) -> bool:
    """Whether `_has_many_windows`, in rows of channels."""
    return _has_many_windows(x, window, groups, weight_in_rows) and dense_channels_last(x)


def _has_many_windows(x: Array, window: Window, groups: int, weight_in_rows: bool) -> bool:
    """Whether x is of images on the CPU, without groups, and copies of the weight, if needed, take little time."""
    if groups > 1 or x.ndim != 4 or type(x) is not np.ndarray:
        return False
    area = math.prod(window.kernel)
    return area == 1 or weight_in_rows or x.shape[1] * area <= LONG_WINDOW


def row_blocks(x: Array, window: Window) -> Iterator[tuple[tuple[slice, slice], Array]]:
    """Yield blocks: slices of images and of output rows, and the windows, (n, KH·KW·C), a view of x if KH = KW = 1."""
    taps = windows(padded(x, window, keep=True), window).transpose(0, 4, 5, 2, 3, 1)  # (N, OH, OW, KH, KW, C)
    k = math.prod(taps.shape[3:])
    for block in batch_blocks(x, window.out[0], min(k, (1 << 17) // MANY_WINDOWS) * window.out[1]):
        part = taps[block]
        yield block, part.reshape(math.prod(part.shape[:3]), k)


def correlate_rows(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Compute `correlate`."""
    o = len(weight)
    y, matrix = np.empty_like(x, shape=(len(x), *window.out, o), order="C"), weight.transpose(2, 3, 1, 0).reshape(-1, o)
    for block, rows in row_blocks(x, window):
        out = np.matmul(rows, matrix, out=y[block].reshape(len(rows), o))
        if bias is not None:
            apply_row(np.add, out, bias)
    return moveaxis(y, -1, 1)


def weight_by_rows(y: Array, x: Array, window: Window, affine: bool) -> tuple[Array, Array | None]:
    """Compute `weight_gradient`."""
    o, c = y.shape[1], x.shape[1]
    weight: Any = None
    bias = np.zeros_like(x, shape=(o,)) if affine else None
    numbers = math.prod(x.shape[1:]) + math.prod(y.shape[1:])
    for images, _ in batch_blocks(x, 1, numbers // 8):  # some 4 MB of x and y, which may be copied
        inputs, grads = (contiguous(moveaxis(a[images], 1, -1)) for a in (x, y))
        for block, rows in row_blocks(moveaxis(inputs, -1, 1), window):
            grad = grads[block].reshape(len(rows), o)
            product = grad.T @ rows
            weight = product if weight is None else np.add(weight, product, out=weight)
            if affine:
                bias += fast_sum(grad, 0, False)
    if weight is None:  # of no images
        weight = np.zeros_like(x, shape=(o, math.prod(window.kernel), c))
    return moveaxis(weight.reshape(o, -1, c), -1, 1).reshape(o, c, *window.kernel), bias
