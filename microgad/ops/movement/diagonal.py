"""Diagonals, the trace, and lower and upper triangles of matrices."""

from __future__ import annotations

import functools

import numpy as np

from ... import backend
from ...errors import ArgumentError, DimError, KindError, ShapeError
from ...function.linear_map import LinearMap
from ...function.view import View
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise.selection_kernels import fast_select
from ..support import layouts
from ..support.out import into
from ..support.spelling import tensors_only
from .conversion import Clone
from .dims import wrap_dim
from .shape import flatten

SIDE = 128  # of the squares along a diagonal in which elements are chosen one by one


class Diagonal(View):
    """A diagonal of two axes, as the last axis of the result: a view."""

    symbol, numpy = "diagonal", np.diagonal

    def forward(self, x):
        return _diagonal(x, self.offset, self.axes)

    def adjoint(self, grad):
        return _embedded(grad, self.x_shape, self.offset, self.axes)


class DiagEmbed(LinearMap):
    """The last axis as a diagonal of two new axes, with zeros elsewhere."""

    symbol, native_half = "diag_embed", True

    def forward(self, x):
        return _embedded(x, self.size, self.offset, self.axes)

    def adjoint(self, grad):
        return _diagonal(grad, self.offset, self.axes)


def _diagonal(x: Array, offset: int, axes: tuple[int, int]) -> Array:
    """Return a view of a diagonal that is writable if x is; NumPy's own view is read-only."""
    if backend.is_gpu(x):
        return np.diagonal(x, offset, *axes)
    out = x.diagonal(offset, *axes)
    out.flags.writeable = x.flags.writeable
    return out


def _embedded(x: Array, shape: tuple[int, ...], offset: int, axes: tuple[int, int]) -> Array:
    """Return zeros of a shape with x on a diagonal."""
    out = np.zeros_like(x, shape=shape)
    _diagonal(out, offset, axes)[...] = x
    return out


class Trace(LinearMap):
    """The sum of a matrix's diagonal; integers are summed in int64."""

    symbol, numpy = "tr", np.trace

    def forward(self, x):
        return x.trace(0, 0, 1, np.int64 if x.dtype.kind in "iu" else None)

    def adjoint(self, grad):
        return _embedded(grad, self.x_shape, 0, (0, 1))


@functools.lru_cache(maxsize=16)
def _mask(n: int, m: int, k: int, upper: bool) -> Array:
    """Return where a triangle of (n, m) lies; NumPy takes longest to make that."""
    return ~np.tri(n, m, k - 1, bool) if upper else np.tri(n, m, k, bool)


def _triangle(x: Array, k: int, upper: bool) -> Array:
    """Return a copy of the last two axes' lower triangle, up to the k-th diagonal, or of the `upper`, from it on."""
    n, m = x.shape[-2:]
    if type(x) is np.ndarray and not upper and n * m > 1 << 12 and 2 * (n + k) < m:
        out = np.zeros(x.shape, x.dtype)  # only the first columns of wide matrices are kept
        if (last := n + k) > 0:
            out[..., :last] = _triangle(x[..., :last], k, upper)
        return out
    small = n * m <= 1 << 14
    if type(x) is np.ndarray and not small:
        out = x.copy()
        _clear(out, k, upper)
        return out
    x = layouts.contiguous(x)
    if backend.is_gpu(x) or not small:
        return np.triu(x, k) if upper else np.tril(x, k)
    return fast_select(_mask(n, m, k, upper), x)


def _clear(x: Array, k: int, upper: bool) -> None:
    """Set x to zero above the k-th diagonal or, for an `upper` triangle, below it."""
    n, m = x.shape[-2:]
    if type(x) is not np.ndarray or n * m < 1 << 10:
        np.copyto(x, _triangle(x, k, upper))
        return
    shift = k + (not upper)  # row i is cut in front of column i + shift: the rows from begin to end are in two parts
    begin, end = (min(max(row, 0), n) for row in (1 - shift, m - shift))
    x[..., slice(end, n) if upper else slice(0, begin), :] = 0
    outside = _mask(SIDE, SIDE, -1, False) if upper else _mask(SIDE, SIDE, 0, True)
    for i in range(begin, end, SIDE):  # beside the square along the diagonal, these rows are all in or all out
        rows, first = x[..., i : min(i + SIDE, end), :], i + shift
        last = min(first + SIDE, m)
        rows[..., slice(0, first) if upper else slice(last, m)] = 0
        np.copyto(rows[..., first:last], False, where=outside[: rows.shape[-2], : last - first])


class Tril(LinearMap):
    """The lower triangle of the last two axes, up to the k-th diagonal, with zeros above it."""

    symbol, numpy, native_half = "tril", np.tril, True

    def forward(self, x):
        return _triangle(x, self.k, False)

    def write(self, out, x):
        _clear(out, self.k, False)

    adjoint = forward


class Triu(LinearMap):
    """The upper triangle of the last two axes, from the k-th diagonal on, with zeros below it."""

    symbol, numpy, native_half = "triu", np.triu, True

    def forward(self, x):
        return _triangle(x, self.k, True)

    def write(self, out, x):
        _clear(out, self.k, True)

    adjoint = forward


def _axes(dim1: int, dim2: int, ndim: int, op: str) -> tuple[int, int]:
    """Convert two dims to distinct axes."""
    axes = wrap_dim(dim1, ndim, op), wrap_dim(dim2, ndim, op)
    if axes[0] == axes[1]:
        raise ArgumentError(f"{op}: diagonal dimensions cannot be identical {dim1}, {dim2}")
    return axes


@tensors_only
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return the diagonal of two dimensions, as the last dimension of the result: a view.

    (m, n) -> (min(m, n)). Raises IndexError for a dim out of range, RuntimeError for two equal ones.
    Source: torch.diagonal.

    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return Diagonal.apply(input, offset=int(offset), axes=_axes(dim1, dim2, input.ndim, "diagonal"))


@tensors_only
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return the diagonal of matrices: a view.

    (..., m, n) -> (..., k), of any dtype. Raises IndexError for fewer than two dimensions.
    Source: torch.linalg.diagonal.

    >>> torch.linalg.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return diagonal(A, offset, dim1, dim2)


@tensors_only
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return the last dimension as the diagonal of two new ones, with zeros elsewhere.

    (..., n) -> (..., n, n). Raises IndexError for a dim out of range, RuntimeError for two equal ones.
    Source: torch.diag_embed.

    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim == 0:
        raise DimError("diag_embed: input has no dimensions")
    a, b = _axes(dim1, dim2, input.ndim + 1, "diag_embed")
    *size, n = input.shape
    n += abs(offset)
    for axis in sorted((a, b)):
        size.insert(axis, n)
    return DiagEmbed.apply(input, size=tuple(size), offset=int(offset), axes=(a, b))


@composite
def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return a diagonal matrix with the given vector, or a copy of the diagonal of the given matrix.

    Raises RuntimeError for more dimensions. Source: torch.diag.

    >>> torch.diag(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    if input.ndim not in (1, 2):
        raise ShapeError(f"diag: Supports 1D or 2D tensors. Got {input.ndim}D")
    if input.ndim == 1:
        return into(out, diag_embed(input, diagonal), exact="diag")
    return into(out, Clone.apply(Diagonal.apply(input, offset=int(diagonal), axes=(0, 1)), order="C"), exact="diag")


@composite
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return a diagonal matrix with all elements of input. Of any shape. Source: torch.diagflat.

    >>> torch.diagflat(torch.tensor([[1, 2]]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag_embed(flatten(input), offset)


@tensors_only
def trace(input: Tensor) -> Tensor:
    """Return the sum of a matrix's diagonal.

    (n, m) -> (). Raises RuntimeError for other shapes and for booleans. Source: torch.trace.

    >>> torch.trace(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if input.ndim != 2:
        raise ShapeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    if input.array.dtype == bool:
        raise KindError("trace: is not implemented for torch.bool")
    return Trace.apply(input)


def _matrix(input: Tensor, op: str) -> Tensor:
    if input.ndim < 2:
        raise ShapeError(f"{op}: input tensor must have at least 2 dimensions, got {input.ndim}")
    return input


@tensors_only
def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return the lower triangle of matrices, up to a diagonal, with zeros above it.

    (..., m, n) -> the same. Raises RuntimeError for fewer dimensions. Source: torch.tril.

    >>> torch.tril(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return into(out, Tril.apply(_matrix(input, "tril"), k=int(diagonal)), exact="tril")


@tensors_only
def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return the upper triangle of matrices, from a diagonal on, with zeros below it.

    (..., m, n) -> the same. Raises RuntimeError for fewer dimensions. Source: torch.triu.

    >>> torch.triu(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 2],
            [0, 4]])
    """
    return into(out, Triu.apply(_matrix(input, "triu"), k=int(diagonal)), exact="triu")


@tensors_only
def tril_(input: Tensor, diagonal: int = 0) -> Tensor:
    """Set everything above the lower triangle to zero in place: see `tril`. Source: torch.Tensor.tril_."""
    return Tril.apply_(_matrix(input, "tril_"), k=int(diagonal), x_shape=input.array.shape)


@tensors_only
def triu_(input: Tensor, diagonal: int = 0) -> Tensor:
    """Set everything below the upper triangle to zero in place: see `triu`. Source: torch.Tensor.triu_."""
    return Triu.apply_(_matrix(input, "triu_"), k=int(diagonal), x_shape=input.array.shape)
