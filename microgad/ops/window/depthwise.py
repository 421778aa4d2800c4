"""Depthwise convolution of images with channels innermost in memory: x (N, C, H, W), weight (C, 1, KH, KW), C groups.

A product would be of one filter with one channel. Instead, whole lines of the image are multiplied by the weights.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator

import numpy as np

from ...fast_reductions import fast_sum
from ...type_aliases import Array
from ..support import layouts
from ..support.blocks import apply_row
from ..support.fast_numpy import moveaxis
from .geometry import Window
from .unfold import padded

MANY_CHANNELS = 16  # for which, or for more, lines are faster


def lines_pay(x: Array, o: int, window: Window, groups: int) -> bool:
    """Whether the functions below apply, for o filters. They take a fourth to two thirds of the time of products."""
    if not x.shape[1] == o == groups >= MANY_CHANNELS or x.ndim != 4:
        return False
    return (max(window.stride) == 1 or max(window.dilation) == 1) and layouts.dense_channels_last(x)


def correlate_lines(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Compute `correlate`."""
    c, ow = x.shape[1], window.out[1]
    matrix = weight[:, 0].transpose(1, 2, 0)
    parts = (np.einsum("nhklp,klp->nhp", lines, np.tile(matrix[:, taps], ow)) for taps, lines in tap_lines(x, window))
    y = functools.reduce(operator.iadd, parts).reshape(len(x), *window.out, c)
    if bias is not None:
        apply_row(np.add, y, bias)
    return moveaxis(y, -1, 1)


def weight_by_lines(y: Array, x: Array, window: Window, affine: bool) -> tuple[Array, Array | None]:
    """Compute `weight_gradient`."""
    c = x.shape[1]
    grad = layouts.contiguous(moveaxis(y, 1, -1))  # (N, OH, OW, C)
    weight = np.empty_like(x, shape=(*window.kernel, c), order="C")
    for taps, lines in tap_lines(x, window):
        products = np.einsum("nhklp,nhp->klp", lines, grad.reshape(*grad.shape[:2], -1))
        weight[:, taps] = products.reshape(*products.shape[:2], -1, c).sum(2)
    bias = fast_sum(grad.reshape(-1, c), 0, False) if affine else None
    return layouts.contiguous(moveaxis(weight, -1, 0)).reshape(c, 1, *window.kernel), bias


def tap_lines(x: Array, window: Window) -> Iterator[tuple[slice, Array]]:
    """Yield taps of the kernel's rows, a slice, and what they read in each line: a view (N, OH, KH, taps, OW·C).

    The columns that a tap reads, SW apart, are first put side by side, for the taps that are as far apart together.
    """
    rows, c = moveaxis(padded(x, window, keep=True), 1, -1), x.shape[1]
    (oh, ow), (kh, kw), (sh, sw) = window.out, window.kernel, window.stride
    for first in range(min(sw, kw)):
        part, taps = layouts.contiguous(rows[:, :, first::sw]), slice(first, None, sw)
        image, line, cell, number = part.strides
        shape = len(x), oh, kh, len(range(kw)[taps]), ow * c
        steps = image, line * sh, line * window.dilation[0], cell * window.dilation[1], number
        yield taps, layouts.strided_view(part, shape, steps)
