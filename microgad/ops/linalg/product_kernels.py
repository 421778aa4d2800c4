"""The kernels of products of matrices, on bare arrays: where np.matmul is slow, other calls that do the same."""

from __future__ import annotations

import math

import numpy as np

from ...backend.copies import copied_row_major
from ...type_aliases import Array
from ..support import layouts
from ..support.blocks import unbuffered_runs

# OpenBLAS copies a large matrix, in the order of its kernels, before it multiplies it. For a few rows that takes longer
# than the product, unless there are less multiplications, and (with a transposed matrix) elements of the result, than:
SMALL_PRODUCT, SMALL_RESULT = 10**6, 1200
SINGLE_ROWS = 4  # rows of which each is multiplied on its own: then nothing is copied
CACHED = 1 << 17  # elements of a transposed matrix that is multiplied faster than that as a whole, by as few rows
MANY_ROWS, LONG = 64, 8  # rows for which a transposed matrix is copied faster as the first operand, if a row is so many
FEW_ROWS = 16  # times as long as there are rows, or if they are so few
LARGE = 1 << 22  # the one operand's elements times the other's: a cheap test that excludes small products
SHORT_ROW = 16  # elements: a batch of products of a column with a shorter row is faster by np.matmul
SHORT_VECTOR = 500  # elements of a vector up to which np.matmul multiplies it by a number as fast as np.multiply
FEW_COLUMNS, LONG_COLUMN = 8, 256  # columns of a product of a column with a row that are computed one by one, if a
# column is so many times as long as there are columns: NumPy starts a loop for each short row
MANY_COLUMNS = 16  # columns of a batch that are multiplied faster by one matrix together than each on its own
WORTH_COPIES = 1 << 18  # elements of a matrix with which this pays for more than one column each: they are copied
SMALL_INTEGERS = 600  # elements up to which NumPy's product of integer matrices is as fast as one in float64


def product(a: Array, b: Array) -> Array:
    """Return np.matmul(a, b): for (..., n, 1) and (..., 1, m) as a · b, since NumPy multiplies these without BLAS.

    The product of two float matrices with n, m > 1 has PyTorch's signs of zero. In batches and vectors no zero is
    negative, as in np.matmul.
    """
    if type(a) is not np.ndarray or type(b) is not np.ndarray:
        return np.matmul(a, b)
    if a.size * b.size > LARGE and (few := _product_of_few_rows(a, b)) is not None:
        return few
    if a.shape[-1] != 1:
        many = a.ndim == 2 < b.ndim and b.size >= MANY_COLUMNS * b.shape[-2]
        if many and few_columns(len(a), b) and (b.shape[-1] == 1 or a.size >= WORTH_COPIES):
            out = product(columns_as_rows(b), a.T)
            return out.reshape((*b.shape[:-2], b.shape[-1], len(a))).swapaxes(-1, -2)
        return np.matmul(a, b)
    n, m, single = a.shape[-2], b.shape[-1], a.ndim == b.ndim == 2
    vector = single and min(n, m) < 2
    short = n * m < SHORT_VECTOR if vector else not single and m < SHORT_ROW
    if a.dtype.char not in "fdF" or b.dtype is not a.dtype or short:
        return np.matmul(a, b)
    if vector:
        out = np.multiply(a, b)
        return np.add(out, 0, out=out)
    if single and m <= FEW_COLUMNS and n >= LONG_COLUMN * m:
        out = np.empty((n, m), a.dtype)
        for column, factor in zip(out.T, b[0], strict=True):
            np.multiply(a[:, 0], factor, out=column)
        return out
    with unbuffered_runs(m):
        out = np.multiply(a, b, order="C")
    return out if single else np.add(out, 0, out=out)


def few_columns(n: int, b: Array) -> bool:
    """Whether a matrix of n rows is multiplied faster with all columns of a batch (..., k, m) than with each (k, m)."""
    k, m = b.shape[-2:]
    return m == 1 or FEW_COLUMNS * m <= min(n, k)  # the columns are copied


def columns_as_rows(x: Array) -> Array:
    """Return all columns of a batch (..., n, m) as the rows of one matrix."""
    *batch, n, m = x.shape
    return x.swapaxes(-1, -2).reshape((math.prod(batch) * m, n))


def _product_of_few_rows(a: Array, b: Array) -> Array | None:
    """Return the product of a few rows and a large matrix of float32, (n, k), (k, m) -> (n, m), or None for others.

    OpenBLAS copies the matrix into the order of its kernels, which takes longer than to multiply it by few rows.
    """
    if not a.ndim == b.ndim == 2 or not a.dtype.char == b.dtype.char == "f":
        return None
    (n, k), m, transposed = a.shape, b.shape[1], b.flags.f_contiguous
    small = n * k * m <= SMALL_PRODUCT and (not transposed or n * m <= SMALL_RESULT)
    if small or not 1 < n <= MANY_ROWS:
        return None
    if n <= SINGLE_ROWS and not (transposed and k * m <= CACHED):
        return np.matmul(a[:, None], b)[:, 0]
    if not transposed or n > max(FEW_ROWS, k // LONG):
        return None
    columns = np.ascontiguousarray(a.T) if n <= FEW_ROWS else a.T
    return copied_row_major(np.matmul(b.T, columns).T)


def integer_product(a: Array, b: Array) -> Array:
    """Multiply integer matrices, for which there is no BLAS, in float64 if all sums are exact there."""
    largest = a.shape[-1] * math.prod(max(int(x.max()), -int(x.min())) for x in (a, b))
    if largest >= 1 << 53:
        return layouts.contiguous(np.matmul(a, b))
    return np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.int64).astype(a.dtype, copy=False)
