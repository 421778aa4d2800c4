"""The kernels of convolution, on bare arrays: im2col of a block of images at a time, then matrix products.

Channels come in groups: x is (N, G, C/G, H, W) and weight (G, O/G, C/G, KH, KW), with 1, 2 or 3 spatial dimensions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...backend.copies import copy_into
from ...type_aliases import Array
from ..support.blocks import batch_blocks
from ..support.fast_numpy import moveaxis
from ..support.layouts import contiguous, dense_channels_last, empty_in_format
from .columns import column_blocks, is_deep, joint_column_blocks, joint_images, mec_blocks, mec_pays, side_by_side
from .conv_rows import correlate_rows, rows_pay, transposed_rows_pay, weight_by_rows, weight_rows_pay
from .depthwise import correlate_lines, lines_pay, weight_by_lines
from .geometry import Window
from .unfold import add_columns

WORTH_A_PHASE = 1 << 13  # additions of a tap's results to cells that take as long as the call that a phase needs
MIN_TILE = 16  # cells of a window, at least, for which `by_tiles` is faster than a product for each cell


def correlate(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """Cross-correlate x (N, C, ...) with weight (O, C/groups, ...) and add the bias, by the fastest method.

    Here and below, taps that lie in the padding at every position, as of a small plane, are left out.
    """
    if window.reached:
        taps, window = window.reached
        weight = weight[(..., *taps)]
    weight = _not_expanded(weight)
    if rows_pay(x, weight, window, groups):
        return correlate_rows(x, weight, bias, window)
    if lines_pay(x, len(weight), window, groups):
        return correlate_lines(x, weight, bias, window)
    n, o, c = len(x), len(weight) // groups, weight.shape[1]
    y = np.empty_like(x, shape=(n, groups, o, *window.out), order="C")
    weight = weight.reshape(groups, o, *weight.shape[1:])
    bias = None if bias is None else bias.reshape(groups, o, 1)
    strategy = by_columns
    if is_deep(c, window):
        strategy = by_joint_columns
    elif window.pointwise:
        strategy = by_pixels
    elif mec_pays(o, c, window, x.itemsize):
        strategy = by_mec
    strategy(x, weight, bias, window, y)
    return y.reshape(n, groups * o, *window.out)


def _not_expanded(x: Array) -> Array:
    """Copy an array that repeats elements: `np.matmul` leaves strides of 0 to a slow loop instead of BLAS."""
    return contiguous(x) if 0 in x.strides else x


def by_columns(x: Array, weight: Array, bias: Any, window: Window, y: Array) -> None:
    """Write into y the weight's matrix times the im2col columns. The bias is the weight of a row of ones."""
    g, o = weight.shape[:2]
    matrix, affine = weight.reshape(g, o, math.prod(weight.shape[2:])), bias is not None
    if affine:
        matrix = np.concatenate((matrix, bias), 2)
    flat = y.reshape(len(x), g, o, math.prod(window.out))
    for images, places, columns in column_blocks(x, window, g, affine):
        np.matmul(matrix, columns, out=flat[images, :, :, places])


def by_mec(x: Array, weight: Array, bias: Array | None, window: Window, y: Array) -> None:
    """Write into y the sum of KH products, one for each row of the kernel, with MEC columns."""
    g, o, c, kh, *rest = weight.shape
    matrices = moveaxis(weight, 3, 0).reshape(kh, g, o, c * math.prod(rest))
    flat = y.reshape(len(x), g, o, math.prod(window.out))
    for images, part, rows in mec_blocks(x, window, g):
        out = np.matmul(matrices[0, part], rows[0], out=flat[images, part])
        for matrix, row in zip(matrices[1:, part], rows[1:], strict=True):
            out += matrix @ row
        if bias is not None:
            out += bias[part]


def by_pixels(x: Array, weight: Array, bias: Array | None, window: Window, y: Array) -> None:
    """Write into y a product for each image: the pixels are the columns of a kernel of one cell as they lie."""
    g, o, c = weight.shape[:3]
    pixels = _not_expanded(x).reshape(len(x), g, c, math.prod(window.out))
    out = np.matmul(weight.reshape(g, o, c), pixels, out=y.reshape(len(x), g, o, pixels.shape[-1]))
    if bias is not None:
        out += bias


def by_joint_columns(x: Array, weight: Array, bias: Array | None, window: Window, y: Array) -> None:
    """Write into y products with several images side by side: a deep kernel's matrix is read once for all of them."""
    g, o = weight.shape[:2]
    matrix, flat = weight.reshape(g, o, math.prod(weight.shape[2:])), y.reshape(len(y), g, o, math.prod(window.out))
    for images, columns in joint_column_blocks(x, window, g):
        out = matrix @ columns
        if bias is not None:
            out += bias
        copy_into(flat[images], moveaxis(out.reshape(g, o, images.stop - images.start, flat.shape[-1]), 2, 0))


def correlate_transposed(y: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """Return the adjoint of `correlate` in x, plus bias: y (N, O, ...), weight (O, C/groups, ...) -> (N, C, ...)."""
    if window.reached:
        taps, window = window.reached
        weight = weight[(..., *taps)]
    o, c = len(weight) // groups, weight.shape[1]
    by_rows = transposed_rows_pay(y, weight, window, groups) or lines_pay(y, c * groups, window, groups)
    weight = _not_expanded(weight).reshape(groups, o, c, *window.kernel)
    if by_rows:
        return by_phases(y, weight, bias, window)
    y = contiguous(y)
    if window.whole:
        x = by_one_product(y, weight)
    elif window.tiled and math.prod(window.kernel) >= MIN_TILE:
        return by_tiles(y, weight, bias, window)
    elif window.pointwise or phases_pay(len(y), groups, o, c, window):
        return by_phases(y, weight, bias, window)
    else:
        x = by_additions(y, weight, window)
    if bias is not None:
        x += bias.reshape(-1, *(1 for _ in window.kernel))
    return x


def phases_pay(n: int, groups: int, o: int, c: int, window: Window) -> bool:
    """Whether `by_phases` is faster than `by_additions`: a position's columns have o numbers for each tap, not c.

    Strided additions take longer than copying, unless phases are many and small.
    """
    area, places = math.prod(window.kernel), n * math.prod(window.out)
    if max(window.stride) > 1:
        many = places * groups * c * area >= WORTH_A_PHASE * math.prod(window.stride)
        return many and o <= min(2 * c, places // 4) and max(window.dilation) == 1
    wide = math.prod(window.size) / math.prod(window.out)  # times as many columns, with zeros, as there are places
    # For few places it takes long to copy the weight, turned, as phases need it.
    return o <= min(2 * c * window.kernel[0], places) and (wide <= 4 or o * wide <= 128)


def by_additions(y: Array, weight: Array, window: Window) -> Array:
    """Compute `correlate_transposed` from columns, which are added to the cells that they were read from."""
    n, (groups, o, c), area = len(y), weight.shape[:3], math.prod(window.kernel)
    matrix = np.swapaxes(weight.reshape(groups, o, c * area), 1, 2)
    oh, row = window.out[0], math.prod(window.out[1:])
    flat = y.reshape(n, groups, o, oh * row)
    x = np.zeros_like(y, shape=(n, groups, c, *window.size), order="C")
    if is_deep(c, window):
        for images in joint_images(n, window):
            columns = matrix @ side_by_side(flat[images])
            columns = columns.reshape(groups, c, area, images.stop - images.start, *window.out)
            add_columns(moveaxis(columns, 3, 0), x[images], window)
    else:
        # Blocks are four times as large as elsewhere, since each tap is added by itself.
        for images, rows in batch_blocks(y, oh, groups * c * area * row // 4):
            columns = matrix @ flat[images, :, :, rows.start * row : rows.stop * row]
            columns = columns.reshape(len(columns), groups, c, area, rows.stop - rows.start, *window.out[1:])
            add_columns(columns, x[images], window, rows.start)
    return x.reshape(n, groups * c, *window.size)


def by_one_product(y: Array, weight: Array) -> Array:
    """Compute `correlate_transposed` for a window that is the whole plane: a linear layer of all images."""
    g, o, c, *kernel = weight.shape
    x = moveaxis(y.reshape(len(y), g, o), 1, 0) @ weight.reshape(g, o, c * math.prod(kernel))
    return moveaxis(x, 0, 1).reshape(len(y), g * c, *kernel)


def by_tiles(y: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Compute `correlate_transposed` for windows that tile the plane: each cell is in just one of them."""
    (g, o, c), (oh, *rest) = weight.shape[:3], window.out
    dims, k, row = 1 + len(rest), c * math.prod(window.kernel), math.prod(rest)
    matrix, flat = np.swapaxes(weight.reshape(g, o, k), 1, 2), y.reshape(len(y), g, o, oh * row)
    sizes = [n for pair in zip(window.out, window.kernel, strict=True) for n in pair]
    x = np.empty_like(y, shape=(len(y), g * c, *sizes), order="C")  # (N, C, OH, KH, OW, KW)
    cells = np.transpose(x, (0, 1, *range(3, 2 + 2 * dims, 2), *range(2, 2 + 2 * dims, 2)))  # (N, C, KH, KW, OH, OW)
    for images, rows in batch_blocks(y, oh, g * k * row):
        tiles = matrix @ flat[images, :, :, rows.start * row : rows.stop * row]
        if bias is not None:
            tiles += np.repeat(bias, k // c).reshape(g, k, 1)
        part = cells[(images, slice(None), *(slice(None),) * dims, rows)]
        part[...] = tiles.reshape(part.shape)
    return x.reshape(len(y), g * c, *window.size)


def by_phases(y: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Compute `correlate_transposed` as correlations of stride 1, one for each phase: see `Window.phases`."""
    g, o, c = weight.shape[:3]
    turned = np.swapaxes(weight, 1, 2)[(..., *(slice(None, None, -1),) * (weight.ndim - 3))]
    turned, rows = turned.reshape(g * c, o, *weight.shape[3:]), g == 1 and dense_channels_last(y)

    def phase(kernel: Any, bias: Any, window: Window) -> Any:
        if rows:
            return correlate_rows(y, kernel, bias, window)
        # BLAS can read a transposed matrix as it is
        return correlate(y, kernel if max(window.kernel) == 1 else kernel.copy(), bias, window, g)

    if max(window.stride) == 1:
        return phase(turned, bias, window.phases[0][2])
    x = empty_in_format(y, (len(y), g * c, *window.size))
    x[...] = 0
    for cells, taps, part in window.phases:
        x[(..., *cells)] = phase(turned[(..., *taps)], None, part)
    if bias is not None:
        x += bias.reshape(-1, *(1 for _ in window.kernel))
    return x


def weight_gradient(y: Array, x: Array, window: Window, groups: int, affine: bool, in_rows: bool) -> Any:
    """Return the gradient of the weight, (O, C/groups, ...), and if `affine` that of the bias, (O,), or else None.

    `in_rows` says that the weight's channels are innermost in memory.
    """
    o, c, places = y.shape[1] // groups, x.shape[1] // groups, math.prod(window.out)
    if window.reached:
        taps, reached = window.reached
        full = np.zeros_like(x, shape=(groups * o, c, *window.kernel), order="C")
        full[(..., *taps)], for_bias = weight_gradient(y, x, reached, groups, affine, in_rows)
        return full, for_bias
    if weight_rows_pay(x, o, window, groups, in_rows):
        return weight_by_rows(y, x, window, affine)
    if lines_pay(x, y.shape[1], window, groups):
        return weight_by_lines(y, x, window, affine)
    flat, shape = contiguous(y).reshape(len(y), groups, o, places), (groups * o, c, *window.kernel)
    strategy = None
    if is_deep(c, window):
        strategy = weight_by_joint_columns
    elif window.pointwise:
        strategy = weight_by_pixels
    elif mec_pays(o, c, window, x.itemsize):
        strategy = weight_by_mec
    if strategy is not None:
        weight = strategy(flat, x, window)
        bias: Any = (flat @ np.ones_like(y, shape=(places,))).sum(0) if affine else None
    else:
        weight = weight_by_columns(flat, x, window, affine)
        weight, bias = (weight[:, :, :-1], contiguous(weight[:, :, -1])) if affine else (weight, None)
    return contiguous(weight).reshape(shape), bias.reshape(groups * o) if affine else None


def weight_by_columns(y: Array, x: Array, window: Window, affine: bool) -> Array:
    """Compute the weight's gradient with im2col, (G, O/G, C/G·KH·KW); if `affine`, the bias's is the last column."""
    groups, o = y.shape[1:3]
    k = x.shape[1] // groups * math.prod(window.kernel)
    weight = np.zeros_like(x, shape=(groups, o, k + affine), order="C")
    for images, places, columns in column_blocks(x, window, groups, affine):
        weight += (y[images, :, :, places] @ np.swapaxes(columns, 2, 3)).sum(0)
    return weight


def weight_by_mec(y: Array, x: Array, window: Window) -> Array:
    """Compute the weight's gradient row by row with MEC: y (N, G, O/G, OH·OW), x -> (G, O/G, C/G, KH, KW)."""
    groups, o = y.shape[1:3]
    c, kh, rest = x.shape[1] // groups, window.kernel[0], window.kernel[1:]
    weight = np.zeros_like(x, shape=(kh, groups, o, c * math.prod(rest)), order="C")
    for images, part, rows in mec_blocks(x, window, groups):
        for total, row in zip(weight[:, part], rows, strict=True):
            total += (y[images, part] @ np.swapaxes(row, 2, 3)).sum(0)
    return moveaxis(weight.reshape(kh, groups, o, c, *rest), 0, 3)


def weight_by_pixels(y: Array, x: Array, window: Window) -> Array:
    """Compute the weight's gradient for a kernel of one cell: y (N, G, O/G, pixels), x -> (G, O/G, C/G)."""
    n, groups, o, pixels = y.shape
    c = x.shape[1] // groups
    columns = np.swapaxes(_not_expanded(x).reshape(n, groups, c, pixels), 2, 3)
    weight: Any = None
    # Small products are made for many images at once, and large ones added one by one, which takes one pass less.
    for images, _ in batch_blocks(y, 1, 4 * groups * o * c):
        products = y[images] @ columns[images]
        product = products[0] if len(products) == 1 else products.sum(0)
        weight = product if weight is None else np.add(weight, product, out=weight)
    return np.zeros_like(x, shape=(groups, o, c), order="C") if weight is None else weight  # of no images


def weight_by_joint_columns(y: Array, x: Array, window: Window) -> Array:
    """Compute the weight's gradient with one product for several images: y (N, G, O/G, OH·OW), x -> (G, O/G, K)."""
    groups, o = y.shape[1:3]
    weight = np.zeros_like(x, shape=(groups, o, x.shape[1] // groups * math.prod(window.kernel)), order="C")
    for images, columns in joint_column_blocks(x, window, groups):
        weight += side_by_side(y[images]) @ np.swapaxes(columns, 1, 2)
    return weight
