"""im2col for convolution, a block of images at a time, in three layouts: im2col, MEC and joint columns.

Channels come in groups, (N, G, C/G, H, W). Each group has a matrix (K, positions), since a filter reads K numbers.
`mec_pays` and `is_deep` say when the second and the third layout are the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...backend.copies import copy_into
from ...type_aliases import Array
from ..support.blocks import batch_blocks
from ..support.fast_numpy import moveaxis
from .geometry import Window
from .unfold import im2col, tap_cells

MAX_JOINT_COLUMNS = 512  # columns of several images side by side, at most; one image may have more
MEC_BYTES = 1 << 24  # bytes of one image's MEC columns, at most


def is_deep(c: int, window: Window) -> bool:
    """Whether filters of c channels have so many more weights than positions that reading them dominates."""
    return c * math.prod(window.kernel) > 10 * math.prod(window.out)


def mec_pays(o: int, c: int, window: Window, itemsize: int) -> bool:
    """Whether MEC is faster than im2col: it copies KH times less, but adds up the results of KH products."""
    k = c * math.prod(window.kernel[1:])
    tall = len(window.kernel) > 1 and window.kernel[0] > 1 == window.stride[0]
    pays = k >= max(16, o) or o == c == 1  # reading the columns is most of the work of a depthwise product
    return tall and pays and k * math.prod(window.row_window.out) * itemsize <= MEC_BYTES


def column_blocks(x: Array, window: Window, groups: int, affine: bool) -> Iterator[tuple[slice, slice, Any]]:
    """Yield im2col blocks: a slice of images, a slice of the OH·OW positions, columns (n, G, C/G·KH·KW, positions).

    If `affine`, a row of ones ends each matrix. Otherwise the columns of a 1 x 1 kernel may be a view of x.
    """
    taps, overhang = grouped_taps(x, window, groups)
    k, oh, row = math.prod(taps.shape[2 : -len(window.out)]), window.out[0], math.prod(window.out[1:])
    inner = (slice(None),) * (2 + len(window.kernel))
    for images, rows in batch_blocks(x, oh, groups * k * row):
        block, places = taps[(images, *inner, rows)], slice(rows.start * row, rows.stop * row)
        if affine or overhang:
            shape = len(block), groups, k + affine, places.stop - places.start
            columns = np.empty_like(x, shape=shape, order="C")
            copy_taps(columns[:, :, :k].reshape(block.shape), block, overhang)
            columns[:, :, k:] = 1
        else:
            columns = block.reshape(len(block), groups, k, places.stop - places.start)
        yield images, places, columns


def mec_blocks(x: Array, window: Window, groups: int) -> Iterator[tuple[slice, slice, list[Any]]]:
    """Yield MEC blocks: a slice of images, a slice of groups, and for each of the kernel's KH rows what it reads.

    The columns are those of the kernel's width alone, for all rows of the input. What a kernel row reads is a view,
    (n, g, C/G·KW, OH·OW). Source: Cho and Brand, MEC: memory-efficient convolution (2017).
    """
    lines, row, c = window.row_window, math.prod(window.out[1:]), x.shape[1] // groups
    k, places = c * math.prod(lines.kernel), math.prod(window.out)
    starts = range(0, window.span[0] * row, window.dilation[0] * row)
    for images, part in batch_blocks(x, groups, k * math.prod(lines.out)):
        columns = im2col(x[images, c * part.start : c * part.stop], lines)
        columns = columns.reshape(len(columns), part.stop - part.start, k, lines.out[0] * row)
        yield images, part, [columns[..., i : i + places] for i in starts]


def joint_column_blocks(x: Array, window: Window, groups: int) -> Iterator[tuple[slice, Any]]:
    """Yield im2col of several images side by side: a slice of images, columns (G, C/G·KH·KW, n·OH·OW)."""
    taps, overhang = grouped_taps(x, window, groups)
    last = taps.ndim - len(window.out)
    k, places = math.prod(taps.shape[2:last]), math.prod(window.out)
    for images in joint_images(len(x), window):
        block = taps[images]
        columns = np.empty_like(x, shape=(*block.shape[1:last], len(block), *window.out), order="C")
        copy_taps(moveaxis(columns, last - 1, 0), block, overhang)
        yield images, columns.reshape(groups, k, len(block) * places)


def joint_images(images: int, window: Window) -> Iterator[slice]:
    """Yield slices of a batch, each of one image or of more with at most MAX_JOINT_COLUMNS positions together."""
    step = max(1, MAX_JOINT_COLUMNS // math.prod(window.out))
    for i in range(0, images, step):
        yield slice(i, min(i + step, images))


def side_by_side(y: Array) -> Array:
    """Put the images of a block side by side: (n, G, O/G, positions) -> (G, O/G, n·positions)."""
    return moveaxis(y, 0, 2).reshape(*y.shape[1:3], len(y) * y.shape[3])


def grouped_taps(x: Array, window: Window, groups: int) -> tuple[Any, list[tuple[Any, ...]]]:
    """Return the results of `tap_cells` with the channels in groups: (N, G, C/G, KH, KW, OH, OW), and the overhang."""
    taps, overhang = tap_cells(x, window)
    return taps.reshape(len(x), groups, x.shape[1] // groups, *taps.shape[2:]), overhang


def copy_taps(cells: Array, taps: Array, overhang: list[tuple[Any, ...]]) -> None:
    """Copy what the taps read into columns (n, G, C/G, KH, KW, OH, OW), with zeros where they reach beyond a row."""
    copy_into(cells, taps)
    for over in overhang:
        cells[over] = 0
