"""The compute kernels of max pooling, on bare arrays: the maximum of each window, and where it is."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import backend
from ...backend.axes import slice_along
from ...backend.copies import copy_into
from ...dtypes.limits import lowest
from ...duck_arrays import DuckArray
from ...type_aliases import Array
from ..support.blocks import batch_blocks
from ..support.fast_numpy import moveaxis
from .geometry import Window
from .unfold import channels_innermost, padded, windows

# Taps of a window that is the whole plane, or one of several tiles, at least, for which one argmax call is faster than
# a step for each tap.
MANY_TAPS, MANY_IN_TILES = 32, 64
LONG_RUN = 8  # taps of stride 1 along an axis, at least, for which doubling is faster than a step for each tap
FEW_CELLS = 1 << 13  # cells of all windows together, at most, for which it is faster, too
MANY_STEPS = 8  # taps, at least, for which it is faster for three times as many cells
MANY_CHANNELS = 16  # whose rows, where they lie innermost in memory, needn't be copied before arithmetic


def window_maxima(x: Array, window: Window) -> tuple[Array, Array]:
    """Return the maximum of each window, NaN if it contains one, and the winner's offset from the window's corner.

    The offset, on the flattened plane, is a small unsigned integer. Of equal values the first in row-major order wins,
    of NaNs the last. The search goes axis by axis, from the last one: in KH + KW steps, not KH · KW.
    """
    gpu = not backend.on_cpu(x)  # asking whether there is a NaN would wait for it, so every value is compared there
    tiles, few = _tiles_or_few(x, window)
    if tiles or few:
        out, place = maxima_of_rows(windows_as_rows(x, window, tiles), x, window)
        if gpu or not len(x) or np.minimum.reduce(out, None) > lowest(x.dtype):  # else a winner may be padding or NaN
            return out, place
    cells, out, first, last = _cells_and_room(x, window)
    winner = np.empty_like(out, dtype=window.tap_offsets.dtype)
    for images, _ in batch_blocks(cells, 1, math.prod(cells.shape[1:]) // 2):
        best, place = cells[images], None
        for at in reversed(range(len(window.out))):
            into = None if at else (out[images], winner[images])
            best, place = maxima_along_axis(best, place, first + at, at, window, into)
    if last:
        out, winner = moveaxis(out, -1, 1), moveaxis(winner, -1, 1)
    if not gpu and (out != out).any():
        cells = windows(moveaxis(cells, -1, 1) if last else cells, window)
        for tap, offset in zip(np.ndindex(window.kernel), window.tap_offsets, strict=True):
            column = cells[(slice(None), slice(None), *tap)]
            winner[column != column] = offset
    return out, winner


def window_maxima_alone(x: Array, window: Window) -> Array:
    """Return the maxima of `window_maxima`. Without the offsets, those of large inputs take half the time."""
    if _tiles_or_few(x, window)[0]:
        return window_maxima(x, window)[0]
    cells, out, first, last = _cells_and_room(x, window)
    for images, _ in batch_blocks(cells, 1, math.prod(cells.shape[1:]) // 2):
        best = cells[images]
        for at in reversed(range(len(window.out))):
            best = maxima_along_axis_alone(best, first + at, at, window, None if at else out[images])
    return moveaxis(out, -1, 1) if last else out


def _tiles_or_few(x: Array, window: Window) -> tuple[bool, bool]:
    """Whether the windows are tiles of many cells, and whether all have few cells: then rows and argmax are faster."""
    if isinstance(x, DuckArray):
        return False, False  # under vmap it would go slice by slice
    taps = len(window.tap_offsets)
    tiles = window.tiled and taps >= (MANY_TAPS if window.whole else MANY_IN_TILES)
    most = FEW_CELLS * (3 if taps >= MANY_STEPS else 1)
    return tiles, backend.on_cpu(x) and taps * len(x) * x.shape[1] * math.prod(window.out) <= most


def _cells_and_room(x: Array, window: Window) -> tuple[Array, Array, int, bool]:
    """Return the padded plane, an array for the maxima, the first spatial axis, and whether channels are the last."""
    last = x.shape[1] >= MANY_CHANNELS and channels_innermost(x)
    plane = padded(x, window, lowest(x.dtype), keep=last)
    cells, first = (moveaxis(plane, 1, -1), 1) if last else (plane, 2)
    shape = (*cells.shape[:first], *window.out, *cells.shape[first + len(window.out) :])
    return cells, np.empty_like(x, shape=shape, order="C"), first, last


def maxima_along_axis(
    x: Array, won: Array | None, axis: int, at: int, window: Window, into: Any
) -> tuple[Array, Array]:
    """Return the maxima along an axis of x, the window's `at`, and their offsets, in new arrays or in those of `into`.

    `won` has the offsets that x's own values come from, None if x is the input. Unless x consists of rows of channels,
    each tap's cells are copied into contiguous memory first, which makes the arithmetic on them fast.
    """
    k, s, d, (before, _) = window.kernel[at], window.stride[at], window.dilation[at], window.padding[at]
    far, steps, small = math.prod(window.size[at + 1 :]), window.out[at], window.tap_offsets.dtype
    if not into:
        best = _room_along(x, axis, steps)
        into = best, np.empty_like(best, dtype=small)
    best, place = into
    if s == d == 1 and not before and k >= LONG_RUN:
        best[...], place[...] = maxima_by_doubling(x, won, axis, k, far, small)
        return into
    taps = _taps_along(axis, at, window)
    copy_into(best, x[taps[0]])
    if won is None:
        place[...] = 0
    else:
        copy_into(place, won[taps[0]])
    if before:  # start from a window's first cell that is not padding
        first = np.maximum(-((np.arange(steps) * s - before) // d), 0) * d * far
        place += backend.like(first.reshape(-1, *(1,) * (x.ndim - 1 - axis)), x, small)
    rows = axis == at + 1
    room, ahead = None if rows or k == 1 else np.empty_like(best), np.empty_like(place)
    for i, tap in enumerate(taps[1:], 1):
        value, offset = x[tap], small.type(i * d * far)
        if room is not None:
            copy_into(room, value)
            value = room
        if won is None:
            np.subtract(offset, place, out=ahead)
        else:
            copy_into(ahead, won[tap])
            ahead += offset
            ahead -= place
        _merge(best, place, value, ahead)
    return into


def maxima_along_axis_alone(x: Array, axis: int, at: int, window: Window, into: Array | None) -> Array:
    """Return the maxima of `maxima_along_axis`."""
    best = _room_along(x, axis, window.out[at]) if into is None else into
    first, *others = _taps_along(axis, at, window)
    copy_into(best, x[first])
    room = None if axis == at + 1 or not others else np.empty_like(best)
    for tap in others:
        value = x[tap]
        if room is not None:
            copy_into(room, value)
            value = room
        np.maximum(best, value, out=best)
    return best


def _room_along(x: Array, axis: int, steps: int) -> Array:
    """Return an array for the maxima along an axis of x."""
    return np.empty_like(x, shape=(*x.shape[:axis], steps, *x.shape[axis + 1 :]), order="C")


def _taps_along(axis: int, at: int, window: Window) -> list[tuple[Any, ...]]:
    """Return for each tap an index of the cells that it reads along an axis."""
    k, s, d, steps = window.kernel[at], window.stride[at], window.dilation[at], window.out[at]
    return [slice_along(axis, i, i + (steps - 1) * s + 1, s) for i in range(0, k * d, d)]


def maxima_by_doubling(x: Array, won: Array | None, axis: int, k: int, far: int, small: Any) -> tuple[Array, Array]:
    """Compute `maxima_along_axis` of k cells in a row, in log₂ k steps: a window is two shorter ones, which overlap."""
    where, length = np.zeros_like(x, small) if won is None else won, 1
    while length < k:
        shift = min(length, k - length)
        left, right = slice_along(axis, None, -shift), slice_along(axis, shift, None)
        value, offset = x[left].copy(), where[left].copy()
        ahead = where[right] + small.type(shift * far)
        ahead -= offset
        _merge(value, offset, x[right], ahead)
        x, where, length = value, offset, length + shift
    return x, where


def _merge(best: Array, place: Array, value: Array, ahead: Array) -> None:
    """Replace maxima and their places by later cells' values and places, place + ahead, where these are larger."""
    better = value > best
    if not backend.on_cpu(best):
        better |= value != value
    ahead *= better.view(np.uint8).astype(place.dtype, copy=False)
    place += ahead
    np.maximum(best, value, out=best)


def windows_as_rows(x: Array, window: Window, tiles: bool) -> Array:
    """Return each window as a row, (N, C, H, W) -> (N·C·OH·OW, KH·KW): a copy unless a tile covers the whole plane."""
    plane, planes, taps = padded(x, window, lowest(x.dtype)), x.shape[0] * x.shape[1], len(window.tap_offsets)
    if tiles:
        return _rows(windows(plane, window), planes * math.prod(window.out), taps)
    cells = backend.like(tap_places(window), x)
    return plane.reshape(planes, math.prod(window.padded_size)).take(cells, 1).reshape(-1, taps)


@functools.lru_cache(maxsize=64)
def tap_places(window: Window) -> Array:
    """Return the positions of each window's taps on the flattened padded plane, (OH·OW, KH·KW)."""
    plane = np.arange(math.prod(window.padded_size)).reshape(1, 1, *window.padded_size)
    return _rows(windows(plane, window), math.prod(window.out), len(window.tap_offsets))


def _rows(cells: Array, count: int, taps: int) -> Array:
    """Reorder (N, C, KH, KW, OH, OW) into (N·C·OH·OW, KH·KW)."""
    dims = cells.ndim // 2 - 1
    return cells.transpose((0, 1, *range(2 + dims, 2 + 2 * dims), *range(2, 2 + dims))).reshape(count, taps)


def maxima_of_rows(rows: Array, x: Array, window: Window) -> tuple[Array, Array]:
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


def flat_positions(winner: Array, window: Window) -> Array:
    """Return the winning cells' positions on the flattened plane, int64."""
    return backend.like(corner_positions(window), winner, np.int64) + winner


@functools.lru_cache(maxsize=8)
def corner_positions(window: Window) -> Array:
    """Return the positions of the windows' corners on the flattened plane, (OH, OW), int64.

    A corner that lies in the padding has a position outside of the plane.
    """
    found: Any = 0
    for n, s, (before, _), steps in zip(window.size, window.stride, window.padding, window.out, strict=True):
        found = np.add.outer(found * n, np.arange(-before, steps * s - before, s))
    return found


def winning_cells(x: Array, winner: Array, window: Window, last: bool = False) -> Iterator[tuple[slice, Any]]:
    """Yield blocks: a slice of images, and the winning cells' positions in the block's flattened memory, 1-D.

    If the channels are the `last` axis of `winner`, they are that of x's memory, too.
    """
    channels, plane = winner.shape[-1 if last else 1], math.prod(window.size)
    for images, _ in batch_blocks(x, 1, channels * plane):
        if images.start == 0:  # the first block is the largest
            corners, firsts = corner_positions(window), np.arange(0, images.stop * channels * plane, plane)
            if last:
                corners, firsts = np.add.outer(corners * channels, np.arange(channels)), firsts[::channels]
            else:
                firsts = firsts.reshape(images.stop, channels)
            firsts = firsts.reshape(*firsts.shape, *(1,) * corners.ndim)
            starts = backend.like(firsts, winner, np.int64) + backend.like(corners, winner, np.int64)
        cells = winner[images] * starts.dtype.type(channels) if last else winner[images]
        yield images, (starts[: images.stop - images.start] + cells).reshape(-1)
