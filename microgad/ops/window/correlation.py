"""The kernels of convolution, on bare arrays: im2col a block at a time, and products of matrices.

Channels come in groups: x is (N, G, C/G, H, W), weight (G, O/G, C/G, KH, KW), in one, two or three dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .geometry import Window
from .unfold import add_columns, blocks, padded, tap_cells


def correlate(x: Any, weight: Any, bias: Any, window: Window, groups: int) -> Any:
    """x, weight, bias -> y."""
    n, o = len(x), len(weight)
    y = np.empty_like(x, shape=(n, groups, o // groups, *window.out), order="C")
    weight = weight.reshape(groups, o // groups, *weight.shape[1:])
    bias = None if bias is None else bias.reshape(groups, o // groups, 1)
    tall = len(window.kernel) == 2 and window.kernel[0] >= 5 and window.dilation[0] == 1
    strategy = by_rows if tall and weight[0].nbytes <= 1 << 18 else by_columns
    strategy(x, weight, bias, window, y)
    return y.reshape(n, o, *window.out)


def by_columns(x: Any, weight: Any, bias: Any, window: Window, y: Any) -> None:
    """im2col, a block at a time: the weight's matrix times all windows' columns. The bias is a weight of ones."""
    g, o = weight.shape[:2]
    matrix, affine = weight.reshape(g, o, math.prod(weight.shape[2:])), bias is not None
    if affine:
        matrix = np.concatenate((matrix, bias), 2)
    flat = y.reshape(len(x), g, o, math.prod(window.out))
    for images, places, columns in column_blocks(x, window, g, affine):
        np.matmul(matrix, columns, out=flat[images, :, :, places])


def by_rows(x: Any, weight: Any, bias: Any, window: Window, y: Any) -> None:
    """Columns over KW only, row by row of x: KH rows lie together, so they are one matrix without another copy.

    KH times less to copy than im2col, but a product for each row of y, and BLAS packs the weight's matrix for each: it
    pays where the kernel is tall and that matrix small.
    """
    g, o, c, kh, kw = weight.shape
    (sh, sw), dw, (oh, ow), (height, _) = window.stride, window.dilation[1], window.out, window.padded
    matrix = np.transpose(weight, (0, 1, 3, 2, 4)).reshape(g, 1, o, kh * c * kw)
    plane = padded(x, window)
    for images, _ in blocks(x, 1, x.shape[1] * kw * height * ow):
        taps = sliding_window_view(plane[images], window.span[1], axis=3)[..., ::sw, ::dw]  # (n, C, H, OW, KW)
        n = len(taps)
        lines = np.transpose(taps.reshape(n, g, c, height, ow, kw), (0, 1, 3, 2, 5, 4)).copy()  # (n, G, H, C/G, KW, OW)
        stacked = np.moveaxis(sliding_window_view(lines, kh, axis=2)[:, :, ::sh], -1, 3)  # (n, G, OH, KH, C/G, KW, OW)
        out = np.transpose(y[images], (0, 1, 3, 2, 4))  # (n, G, OH, O/G, OW)
        np.matmul(matrix, stacked.reshape(n, g, oh, kh * c * kw, ow), out=out)
        if bias is not None:
            out += bias[:, None]


def transpose(y: Any, weight: Any, bias: Any, window: Window, groups: int) -> Any:
    """y, weight, bias -> x."""
    n, o, c, kernel, y = len(y), len(weight) // groups, weight.shape[1], window.kernel, contiguous(y)
    weight, area = weight.reshape(groups, o, c, *kernel), math.prod(kernel)
    if max(window.stride) == 1 and o <= 2 * c * kernel[0]:
        axes = tuple(range(3, weight.ndim))
        turned = np.transpose(np.flip(weight, axes), (0, 2, 1, *axes)).copy()  # (G, C/G, O/G, KH, KW)
        return correlate(y, turned.reshape(groups * c, o, *kernel), bias, window.turned, groups)
    matrix = np.swapaxes(weight.reshape(groups, o, c * area), 1, 2)
    oh, row = window.out[0], math.prod(window.out[1:])
    flat = y.reshape(n, groups, o, oh * row)
    x = np.zeros_like(y, shape=(n, groups, c, *window.size), order="C")
    for images, rows in blocks(y, oh, groups * c * area * row // 4):  # larger ones: each tap is added by itself
        columns = matrix @ flat[images, :, :, rows.start * row : rows.stop * row]
        columns = columns.reshape(len(columns), groups, c, area, rows.stop - rows.start, *window.out[1:])
        add_columns(columns, x[images], window, rows.start)
    x = x.reshape(n, groups * c, *window.size)
    if bias is not None:
        x += bias.reshape(-1, *(1 for _ in kernel))
    return x


def correlate_taps(y: Any, x: Any, window: Window, groups: int, affine: bool = False) -> Any:
    """y, x -> weight; if affine -> weight, bias."""
    o, c = y.shape[1] // groups, x.shape[1] // groups
    flat, k = contiguous(y).reshape(len(y), groups, o, math.prod(window.out)), c * math.prod(window.kernel)
    matrix = np.zeros_like(x, shape=(groups, o, k + affine), order="C")
    for images, places, columns in column_blocks(x, window, groups, affine):
        matrix += (flat[images, :, :, places] @ np.swapaxes(columns, 2, 3)).sum(0)
    weight = matrix[:, :, :k].reshape(groups * o, c, *window.kernel)
    return (weight, matrix[:, :, k].reshape(groups * o)) if affine else weight


def contiguous(x: Any) -> Any:
    """x, copied where its strides would keep it from BLAS: the gradient of a sum has stride 0."""
    return x if x.flags.c_contiguous else x.copy()


def column_blocks(x: Any, window: Window, groups: int, affine: bool) -> Iterator[tuple[slice, slice, Any]]:
    """im2col a block at a time: which images, which of the OH·OW places, columns (n, G, C/G·KH·KW, places).

    If affine, a row of ones follows in each matrix. Else, of a 1 x 1 kernel, the columns are x itself.
    """
    n, c, (oh, *across), kernel = len(x), x.shape[1] // groups, window.out, window.kernel
    taps, overhang = tap_cells(x, window)
    taps = taps.reshape(n, groups, c, *kernel, oh, *across)
    k, row, inner = c * math.prod(kernel), math.prod(across), (slice(None),) * (2 + len(kernel))
    for images, rows in blocks(x, oh, groups * k * row):
        block, places = taps[(images, *inner, rows)], slice(rows.start * row, rows.stop * row)
        if affine or overhang:
            shape = len(block), groups, k + affine, places.stop - places.start
            columns = np.empty_like(x, shape=shape, order="C")
            cells = columns[:, :, :k].reshape(block.shape)
            cells[...] = block
            for over in overhang:
                cells[over] = 0
            columns[:, :, k:] = 1
        else:
            columns = block.reshape(len(block), groups, k, places.stop - places.start)
        yield images, places, columns
