"""Sums as products with ones, and dot products: BLAS reads several times as fast as NumPy's loops add."""

from __future__ import annotations

import functools

import numpy as np

from ..backend.arrays import Array

SUM_CHUNK = 1 << 12  # bytes that a product with ones sums at once: more would cost digits
LONG_ROW, DOT_CHUNK = 1 << 17, 1 << 12  # elements of a row that is too long for one dot product, and of its chunks
SHORT_ROW, ROWS = 1 << 5, 1 << 11  # elements of a row that is too short for one, and of all rows


def ones(n: int, like: Array) -> Array:
    """Return n ones with the dtype and device of `like`, as a factor that sums; some are the same array each time."""
    if type(like) is not np.ndarray:
        return np.ones_like(like, shape=(n,))
    return _few_ones(n, like.dtype) if n <= SUM_CHUNK else np.ones(n, like.dtype)


_few_ones = functools.lru_cache(maxsize=32)(np.ones)


def sum_rows(rows: Array) -> Array:
    """Sum each row of matrices by products with ones, part by part, (..., m, n) -> (..., m)."""
    n, most = rows.shape[-1], SUM_CHUNK // rows.itemsize
    if n <= most:
        return rows @ ones(n, rows)
    *lead, count, _ = rows.shape
    size = _divisor(n, most)
    if not size:
        parts = rows[..., n % most :]
        if count > 1 and n >= 2 * most:  # one product would copy these parts: they don't follow each other in memory
            parts = row_dots(parts.reshape(*lead, count, -1, most), ones(most, rows))[..., 0]
        return sum_rows(parts) + sum_rows(rows[..., : n % most])
    if rows.flags.c_contiguous:
        return sum_rows((rows.reshape(-1, size) @ ones(size, rows)).reshape(*lead, count, n // size))
    parts = rows.reshape(*lead, count, n // size, size)
    if count > n // size:  # as few products as possible
        return sum_rows((parts.swapaxes(-3, -2) @ ones(size, rows)).swapaxes(-2, -1))
    return sum_rows(parts @ ones(size, rows))


@functools.lru_cache(maxsize=1024)
def _divisor(n: int, most: int) -> int:
    """Return the largest divisor of n that is at most `most`; 0 if it is so small that the parts would be many."""
    return next((size for size in range(most, most // 16, -1) if n % size == 0), 0)


def row_dots(a: Array, b: Array) -> Array:
    """Return the dot products of rows, (..., n), (..., n) -> (..., 1). Long rows are split: BLAS would lose digits."""
    n = a.shape[-1]
    if n <= LONG_ROW:
        if type(a) is np.ndarray and a.dtype.kind == "f":
            if n >= SHORT_ROW or a.size < ROWS:
                return np.vecdot(a, b)[..., None]  # CuPy has none
            products = a * b  # sums of them take half to a tenth of the time of so many dot products
            return (products.reshape(-1, n) @ ones(n, a)).reshape(*products.shape[:-1], 1)
        return np.matmul(a[..., None, :], b[..., None])[..., 0]
    rest = n % DOT_CHUNK
    parts = (x[..., rest:].reshape((*x.shape[:-1], n // DOT_CHUNK, DOT_CHUNK)) for x in (a, b))
    return row_dots(*parts).sum(-2) + row_dots(a[..., :rest], b[..., :rest])


def sum_of_squares(x: Array) -> Array:
    """Return the sum of squares of a vector, (n) -> ()."""
    return x @ x if x.size <= LONG_ROW else row_dots(x, x)[0]
