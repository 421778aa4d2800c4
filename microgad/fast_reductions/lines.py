"""Ways to reduce the n rows of each of m lines, (m, n, width) -> (m, width). `again` reduces what is left of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend.arrays import Array
from ..backend.inner_loops import SHORT_RUN as SHORT_RUN
from .products import ones

BLOCK_SIZE = 1 << 16  # elements of a block that stays cached
SUM_ROWS, SUM_RUN = 1 << 6, 1 << 12  # rows of float32 that are added in turn, or up to twice as many; their elements


def add_blocks(lines: Array) -> Array:
    """Add the rows of blocks, then the sums, so that no sum is rounded n times."""
    m, n, width = lines.shape
    if n <= 2 * SUM_ROWS:
        return np.add.reduce(lines, 1)
    row, step = lines.strides[1:]
    multiply = width <= SUM_RUN and step == lines.itemsize and row >= width * step
    if multiply and lines.dtype.char == "F":
        return add_blocks(lines.view(np.float32)).view(lines.dtype)
    k = min(SUM_RUN // width, n // SUM_ROWS) if multiply and row == width * step else 1  # rows are merged into one
    runs = n // (k * SUM_ROWS) * k
    count, rest = divmod(n, runs)  # 64 to 127 rows are added in turn
    blocks = lines[:, rest:].reshape(m, -1, count, k * width)
    # A product with ones takes two thirds of the time of a sum. A larger one would be computed by several threads.
    parts = ones(count, lines) @ blocks if multiply else np.add.reduce(blocks, 2)
    found = add_blocks(parts.reshape(m, -1, width))
    return found + add_blocks(lines[:, :rest]) if rest else found


def in_wide_rows(again: Any, ufunc: np.ufunc, lines: Array) -> Array:
    """Reduce lines with k rows merged into one that is k times as wide; then reduce these k."""
    m, n, width = lines.shape
    k = min(SHORT_RUN // width, n // 4)
    rest = n % k
    parts = ufunc.reduce(lines[:, rest:].reshape(m, n // k, k * width), 1)
    found = again(ufunc, parts.reshape(m, k, width))
    return ufunc(found, ufunc.reduce(lines[:, :rest], 1)) if rest else found


def in_blocks(way: Any, ufunc: np.ufunc, lines: Array) -> Array:
    """Reduce blocks of lines by `transposed` or `pairwise`."""
    m, n, width = lines.shape
    out = np.empty((m, width), ufunc.reduce(lines[0, :, 0]).dtype)
    step = max(1, BLOCK_SIZE // (n * width))
    for i in range(0, m, step):
        way(ufunc, lines[i : i + step], out[i : i + step])
    return out


def transposed(ufunc: np.ufunc, lines: Array, out: Array) -> None:
    """Reduce lines side by side in a copy, so that there are n long loops."""
    whole = {4: "I", 8: "d", 16: "D"}.get(lines[0, 0].nbytes, lines.dtype)  # such rows are copied as single items
    ufunc.reduce(lines.view(whole).swapaxes(0, 1).copy().view(lines.dtype), 0, out=out)


def pairwise(ufunc: np.ufunc, lines: Array, out: Array) -> None:
    """Reduce lines of width 1 by pairs of neighbors, in one loop for all lines, then by pairs of the results, ..."""
    rows = lines[..., 0].astype(out.dtype, copy=False)
    while (n := rows.shape[1]) > 1:
        found = ufunc(rows[:, : n - 1 : 2], rows[:, 1::2])
        if n % 2:
            ufunc(found[:, 0], rows[:, -1], out=found[:, 0])
        rows = found
    out[...] = rows
