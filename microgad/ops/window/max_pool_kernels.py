"""The compute kernels of max pooling, on bare arrays: the maximum of each window, and where it is."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import backend
from ...dtypes.limits import lowest
from ...duck_arrays import DuckArray
from ..blocks import batch_blocks
from .geometry import Window
from .unfold import padded, windows

# Taps of a window that is the whole plane, or one of several tiles, at least, for which one argmax call is faster than
# a step for each tap.
MANY_TAPS, MANY_IN_TILES = 32, 64
LONG_RUN = 8  # taps of stride 1 along an axis, at least, for which doubling is faster than a step for each tap
FEW_CELLS = 1 << 13  # cells of all windows together, at most, for which it is faster, too


def window_maxima(x: Any, window: Window) -> tuple[Any, Any]:
    """Return the maximum of each window, NaN if it contains one, and the winner's offset from the window's corner.

    The offset, on the flattened plane, is a small unsigned integer. Of equal values the first in row-major order wins,
    of NaNs the last. The search goes axis by axis, from the last one: in KH + KW steps, not KH · KW.
    """
    low, taps = lowest(x.dtype), len(window.tap_offsets)
    gpu = not backend.on_cpu(x)  # asking whether there is a NaN would wait for it, so every value is compared there
    tiles = window.tiled and taps >= (MANY_TAPS if window.whole else MANY_IN_TILES)
    few = not gpu and taps * len(x) * x.shape[1] * math.prod(window.out) <= FEW_CELLS
    if (tiles or few) and not isinstance(x, DuckArray):  # under vmap it would go slice by slice
        out, place = maxima_of_rows(windows_as_rows(x, window, tiles), x, window)
        if gpu or not len(x) or np.minimum.reduce(out, None) > low:  # otherwise a winner may be padding or NaN
            return out, place
    plane, small = padded(x, window, low), window.tap_offsets.dtype
    out = np.empty_like(x, shape=(*x.shape[:2], *window.out), order="C")
    winner = np.empty_like(out, dtype=small)
    for images, _ in batch_blocks(plane, 1, math.prod(plane.shape[1:]) // 2):
        best, place = plane[images], None
        for axis in range(x.ndim - 1, 1, -1):
            shape = (*best.shape[:axis], *out.shape[axis : axis + 1], *best.shape[axis + 1 :])
            now = out[images] if axis == 2 else np.empty_like(x, shape=shape, order="C")
            where = winner[images] if axis == 2 else np.empty_like(now, dtype=small)
            maxima_along_axis(axis, window, best, place, now, where)
            best, place = now, where
    if not gpu and (out != out).any():
        cells = windows(plane, window)
        for tap, offset in zip(np.ndindex(window.kernel), window.tap_offsets, strict=True):
            column = cells[(slice(None), slice(None), *tap)]
            winner[column != column] = offset
    return out, winner


def maxima_along_axis(axis: int, window: Window, x: Any, won: Any, best: Any, place: Any) -> None:
    """Write the maximum of windows along one axis of x (N, C, ...) into `best`, and its offset into `place`.

    `won` has the offsets that x's own values come from, None if x is the input. Each tap's cells are copied
    into contiguous memory first, which makes the arithmetic on them fast.
    """
    at, steps, small = axis - 2, best.shape[axis], place.dtype.type
    s, d, before = window.stride[at], window.dilation[at], window.padding[at][0]
    far = math.prod(window.size[at + 1 :])
    if s == d == 1 and not before and window.kernel[at] >= LONG_RUN:
        maxima_by_doubling(axis, window.kernel[at], far, x, won, best, place)
        return
    value, other = np.empty_like(best), np.empty_like(place)
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
            if before:  # start from a window's first cell that is not padding
                first = np.maximum(-((np.arange(steps) * s - before) // d), 0) * d * far
                place += backend.like(first.reshape(-1, *(1,) * (x.ndim - 1 - axis)), x, small)
            continue
        copy(value, x[tap])
        _merge(best, place, value, other)


def maxima_by_doubling(axis: int, k: int, far: int, x: Any, won: Any, best: Any, place: Any) -> None:
    """Do the same for k cells in a row, in log₂ k steps: a window is two shorter ones, which may overlap."""
    where, length = np.zeros_like(x, place.dtype) if won is None else won, 1
    while length < k:
        shift = min(length, k - length)
        left, right = ((slice(None),) * axis + (run,) for run in (slice(-shift), slice(shift, None)))
        value, offset = x[left].copy(), where[left].copy()
        _merge(value, offset, x[right], where[right] + place.dtype.type(shift * far))
        x, where, length = value, offset, length + shift
    best[...], place[...] = x, where


def _merge(best: Any, place: Any, value: Any, other: Any) -> None:
    """Replace maxima and their places by later cells' values and places where these are larger."""
    other -= place
    better = value > best
    if not backend.on_cpu(best):
        better |= value != value
    other *= better.view(np.uint8).astype(place.dtype, copy=False)
    place += other
    np.maximum(best, value, out=best)


def copy(out: Any, x: Any) -> None:
    """Copy x into a contiguous `out`. Short rows are copied twice as fast if each is one item of a void dtype."""
    if x.strides[-1] == x.itemsize and not backend.is_gpu(x):
        row = np.dtype((np.void, x.shape[-1] * x.itemsize))
        out, x = out.view(row), x.view(row)
    out[...] = x


def windows_as_rows(x: Any, window: Window, tiles: bool) -> Any:
    """Return each window as a row, (N, C, H, W) -> (N·C·OH·OW, KH·KW): a copy unless a tile covers the whole plane."""
    plane, planes, taps = padded(x, window, lowest(x.dtype)), x.shape[0] * x.shape[1], len(window.tap_offsets)
    if tiles:
        return _rows(windows(plane, window), planes * math.prod(window.out), taps)
    cells = backend.like(tap_places(window), x)
    return plane.reshape(planes, math.prod(window.padded_size)).take(cells, 1).reshape(-1, taps)


@functools.lru_cache(maxsize=64)
def tap_places(window: Window) -> Any:
    """Return the positions of each window's taps on the flattened padded plane, (OH·OW, KH·KW)."""
    plane = np.arange(math.prod(window.padded_size)).reshape(1, 1, *window.padded_size)
    return _rows(windows(plane, window), math.prod(window.out), len(window.tap_offsets))


def _rows(cells: Any, count: int, taps: int) -> Any:
    """Reorder (N, C, KH, KW, OH, OW) into (N·C·OH·OW, KH·KW)."""
    dims = cells.ndim // 2 - 1
    return cells.transpose((0, 1, *range(2 + dims, 2 + 2 * dims), *range(2, 2 + dims))).reshape(count, taps)


def maxima_of_rows(rows: Any, x: Any, window: Window) -> tuple[Any, Any]:
    """Compute `window_maxima` from x's windows as rows, except that of several NaNs the first wins on the CPU.

    The winner may be padding if no value of a window is larger than the padding.
    """
    taps = len(window.tap_offsets)
    tap = rows.argmax(-1)
    if backend.is_gpu(x):
        unknown = rows != rows
        last = taps - 1 - np.flip(unknown, -1).argmax(-1)
        tap = np.where(unknown.any(-1), last, tap)
    out = rows.take(tap + backend.like(np.arange(0, rows.size, taps), x))
    shape = (*x.shape[:2], *window.out)
    return out.reshape(shape), backend.like(window.tap_offsets, x).take(tap).reshape(shape)


def flat_positions(winner: Any, window: Window) -> Any:
    """Return the winning cells' positions on the flattened plane, int64."""
    return backend.like(corner_positions(window), winner, np.int64) + winner


@functools.lru_cache(maxsize=8)
def corner_positions(window: Window) -> Any:
    """Return the positions of the windows' corners on the flattened plane, (OH, OW), int64.

    A corner that lies in the padding has a position outside of the plane.
    """
    found: Any = 0
    for n, s, (before, _), steps in zip(window.size, window.stride, window.padding, window.out, strict=True):
        found = np.add.outer(found * n, np.arange(-before, steps * s - before, s))
    return found


def winning_cells(x: Any, winner: Any, window: Window) -> Iterator[tuple[slice, Any]]:
    """Yield blocks: a slice of images, and the winning cells' positions in the block's flattened memory, 1-D."""
    channels, plane = winner.shape[1], math.prod(window.size)
    for images, _ in batch_blocks(x, 1, channels * plane):
        if images.start == 0:  # the first block is the largest
            planes = np.arange(0, images.stop * channels * plane, plane)
            planes = planes.reshape(images.stop, channels, *(1,) * len(window.size))
            starts = backend.like(planes, winner, np.int64) + backend.like(corner_positions(window), winner, np.int64)
        yield images, (starts[: images.stop - images.start] + winner[images]).reshape(-1)
