"""The largest value of each window, and where it is: the kernels of max pooling, on bare arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import backend
from ...limits import lowest
from ..blocks import blocks
from .geometry import Window
from .unfold import padded, windows

MANY_TAPS = 12  # of windows that do not overlap: then one call for all taps is faster than a step for each


def largest(x: Any, window: Window) -> tuple[Any, Any]:
    """The largest value of each window, NaN where it has one, and how far its cell is from the window's corner.

    That distance, on the flat H·W plane, is a small unsigned integer. Of several equal values the first in row-major
    order wins, of several NaNs the last. It goes across, then down: in KH + KW steps, not KH · KW.
    """
    (_, w), (kh, kw), stride, _, (dh, dw) = window
    gpu = backend.is_gpu(x)  # it isn't waited for, to see whether there is a NaN: all its values are compared
    if kh * kw >= MANY_TAPS and stride == window.kernel and window.bare and window.tiled and (dh, dw) == (1, 1):
        out, place = largest_tiles(x, window)
        if gpu or not (out != out).any():
            return out, place
    offsets, shape = [i * dh * w + j * dw for i in range(kh) for j in range(kw)], (*x.shape[:2], *window.out)
    plane, small = padded(x, window, lowest(x.dtype)), np.min_scalar_type(offsets[-1])
    out, winner = np.empty_like(x, shape=shape, order="C"), np.empty_like(x, shape=shape, dtype=small, order="C")
    for images, _ in blocks(plane, 1, math.prod(plane.shape[1:]) // 2):
        rows = (*plane[images].shape[:3], shape[3])
        best, place = np.empty_like(x, shape=rows, order="C"), np.empty_like(x, shape=rows, dtype=small, order="C")
        largest_along(3, window, plane[images], None, best, place)
        largest_along(2, window, best, place, out[images], winner[images])
    if not gpu and (out != out).any():
        cells = windows(plane, window)
        for k, offset in enumerate(offsets):
            column = cells[:, :, k // kw, k % kw]
            winner[column != column] = offset
    return out, winner


def largest_along(axis: int, window: Window, x: Any, won: Any, best: Any, place: Any) -> None:
    """Write the largest value of windows along an axis of planes (N, C, H, W) into best, and its distance into place.

    `won` are the distances of x's own cells. Each tap's cells are copied to lie together: what follows costs little.
    """
    at, steps, small = axis - 2, best.shape[axis], place.dtype.type
    s, d, before = window.stride[at], window.dilation[at], window.padding[at][0]
    far, value, other = window.size[1] if axis == 2 else 1, np.empty_like(best), np.empty_like(place)
    for i in range(0, window.kernel[at] * d, d):
        tap = (slice(None),) * axis + (slice(i, i + (steps - 1) * s + 1, s),)
        if won is None:
            other[...] = i * far
        else:
            copy(other, won[tap])
            other += small(i * far)
        if i == 0:
            copy(best, x[tap])
            place[...] = other
            if before:  # a window's first cell that isn't padding
                first = np.maximum(-((np.arange(steps) * s - before) // d), 0) * d * far
                place += backend.like(first.reshape(-1, *(1,) * (3 - axis)), x, small)
            continue
        copy(value, x[tap])
        other -= place
        better = value > best
        if backend.is_gpu(x):
            better |= value != value
        other *= better.view(np.uint8).astype(small, copy=False)
        place += other
        np.maximum(best, value, out=best)


def copy(out: Any, x: Any) -> None:
    """out[...] = x, where out lies in one run of memory: short rows are copied twice as fast as one item each."""
    if x.strides[-1] == x.itemsize and not backend.is_gpu(x):
        row = np.dtype((np.void, x.shape[-1] * x.itemsize))
        out, x = out.view(row), x.view(row)
    out[...] = x


def largest_tiles(x: Any, window: Window) -> tuple[Any, Any]:
    """`largest` of many taps that each lie in one window, but of several NaNs the first wins, on a GPU the last."""
    (n, c, _, w), (kh, kw), (oh, ow) = x.shape, window.kernel, window.out
    tiles = np.swapaxes(x.reshape(n, c, oh, kh, ow, kw), 3, 4).reshape(n * c * oh * ow, kh * kw)
    tap = tiles.argmax(-1)
    if backend.is_gpu(x):
        unknown = tiles != tiles
        last = kh * kw - 1 - np.flip(unknown, -1).argmax(-1)
        tap = np.where(unknown.any(-1), last, tap)
    out = np.take(tiles, tap + backend.like(np.arange(len(tiles)) * (kh * kw), x)).reshape(n, c, oh, ow)
    place = (tap // kw * w + tap % kw).astype(np.min_scalar_type((kh - 1) * w + kw - 1))
    return out, place.reshape(out.shape)


def positions(winner: Any, window: Window) -> Any:
    """The places on the flat H·W plane, int64, of the cells that won."""
    return backend.like(corners(window), winner, np.int64) + winner


def corners(window: Window) -> Any:
    """(OH, OW): the places on the flat H·W plane, int64, of the windows' corners; outside of it, in the padding."""
    (_, w), _, (sh, sw), ((top, _), (left, _)), _ = window
    oh, ow = window.out
    return (np.arange(oh)[:, None] * sh - top) * w + np.arange(ow) * sw - left


def winning_cells(x: Any, winner: Any, window: Window) -> Iterator[tuple[slice, Any]]:
    """The places of the cells that won, a block of images of x's dtype at a time, flat, on the block's flat memory."""
    channels, plane = winner.shape[1], math.prod(window.size)
    for images, _ in blocks(x, 1, channels * plane):
        if images.start == 0:  # no later block is larger
            planes = np.arange(images.stop * channels).reshape(images.stop, channels, 1, 1) * plane
            starts = backend.like(planes + corners(window), winner, np.int64)
        yield images, (starts[: images.stop - images.start] + winner[images]).reshape(-1)
