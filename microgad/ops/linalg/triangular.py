"""Triangular systems, by blocks and matrix products, since NumPy has no triangular solver."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ... import backend, return_types
from ...backend.meta import known
from ...errors import LinAlgError
from ...errors.notices import once
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..support import fast_numpy, layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .common import adjoint, by_columns, check_fit, check_floating_matrices, eye, mT, solve_arrays

BLOCK = 32  # rows of a diagonal block that is solved at once
WIDE = 2  # columns of B per row of the block from which on its inverse is faster
TINY = 8  # rows up to which matrices are stored side by side
MANY, SMALL = 4, 512  # from MANY matrices per row on, results up to SMALL elements are computed together


class SolveTriangular(Function):
    """The solution X of A X = B. A's upper or lower triangle is read, with a unit diagonal if `unit`.

    If `whole`, the gradient of A is not restricted to that triangle, as in PyTorch's `cholesky_solve`.
    """

    symbol, operator, broadcasts = "◺⁻¹", "linalg_solve_triangular", True

    def forward(self, a, b):
        out = _substitute(a, b, self.upper, self.unit)
        last = out[..., :1, :] if self.upper else out[..., -1:, :]
        if known(~np.isfinite(last).all()):  # LAPACK multiplies the zeros of the other triangle by NaN, too
            out = _substitute(a, b, self.upper, self.unit, by_rows=True)
        return by_columns(out)

    def backward(self, grad, a, out):
        solved = SolveTriangular.apply(mT(a), grad, upper=not self.upper, unit=self.unit, whole=self.whole)
        if not self.needs[0]:
            return None, solved
        of_a = np.matmul(-solved, mT(out))
        if not self.whole:
            of_a = np.triu(of_a, int(self.unit)) if self.upper else np.tril(of_a, -int(self.unit))
        return of_a, solved


def _substitute(a: Array, b: Array, upper: bool, unit: bool, by_rows: bool = False) -> Array:
    """Solve by blocks, from the last one if `upper`, otherwise from the first one."""
    n = a.shape[-1]
    if n <= BLOCK // 2 or (n <= BLOCK and b.shape[-1] < WIDE * n):
        if upper:
            return _solve_block(a, b, unit, by_rows)
        return _solve_block(a[..., ::-1, ::-1], b[..., ::-1, :], unit, by_rows)[..., ::-1, :]
    halves = slice(n // 2), slice(n // 2, n)
    done, left = halves[::-1] if upper else halves
    first = _substitute(a[..., done, done], b[..., done, :], upper, unit, by_rows)
    b = b[..., left, :] - np.matmul(a[..., left, done], first)
    rest = _substitute(a[..., left, left], b, upper, unit, by_rows)
    if first.ndim < rest.ndim or first.shape[:-2] != rest.shape[:-2]:
        first = np.broadcast_to(first, (*rest.shape[:-2], *first.shape[-2:]))
    return np.concatenate((rest, first) if upper else (first, rest), -2)


def _solve_block(a: Array, b: Array, unit: bool, by_rows: bool) -> Array:
    """Solve for a single upper triangular block."""
    n = a.shape[-1]
    block = np.where(backend.like(_upper(n, int(unit)), a), a, eye(a, n) if unit else 0)
    if not by_rows and (math.prod(a.shape[:-2]) < MANY * n or n * b.shape[-1] > SMALL):
        try:
            if b.shape[-1] >= WIDE * n:
                with backend.checked(a):
                    return np.matmul(np.linalg.inv(block), b)
            return solve_arrays(block, b)  # LU exchanges no rows of an upper triangle
        except np.linalg.LinAlgError:
            pass
    return _row_by_row(block, b)


@functools.lru_cache(maxsize=64)
def _upper(n: int, k: int) -> Array:
    return np.triu(np.ones((n, n), bool), k)


def _row_by_row(a: Array, b: Array) -> Array:
    """Solve upper triangular systems row by row, for all matrices at once. Zeros on the diagonal give infinity or NaN.

    Small matrices are stored side by side meanwhile, so that NumPy loops over the batch, which halves the time.
    """
    order: Any = "F" if a.shape[-1] <= TINY else "C"
    out = np.broadcast_to(b, fast_numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:]).copy(order)
    a = a.copy(order) if order == "F" else a
    with np.errstate(all="ignore"):
        for i in range(a.shape[-1])[::-1]:
            out[..., i, :] /= a[..., i, i, None]
            out[..., :i, :] -= a[..., :i, i, None] * out[..., i, None, :]
    return layouts.contiguous(out)


def tri_solve(a: Array, b: Array, upper: bool, unit: bool = False, whole: bool = False) -> Array:
    """Apply `SolveTriangular` in a derivative or in a composite."""
    return SolveTriangular.apply(a, b, upper=upper, unit=unit, whole=whole)


@numpy_spelling
@composite
def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False, out: Tensor | None = None
) -> Tensor:
    """Solve A X = B, or X A = B unless left, for a triangular A; the other triangle of A is not read.

    (..., n, n), (..., n, k) -> (..., n, k). Raises RuntimeError for other shapes; a singular A gives inf or NaN.
    Source: torch.linalg.solve_triangular.

    >>> torch.linalg.solve_triangular(torch.tensor([[2.0, 1.0], [0.0, 4.0]]), torch.ones(2, 1), upper=True)
    tensor([[0.3750],
            [0.2500]])
    """
    op = "linalg.solve_triangular"
    check_floating_matrices(op, A, B, square=True)
    check_fit(op, A, B, left)
    if left:
        return into(out, tri_solve(A, B, upper, unitriangular), exact="linalg.solve_triangular")
    solved = mT(tri_solve(mT(A), mT(B), not upper, unitriangular))
    return into(out, by_columns(solved), exact="linalg.solve_triangular")


@numpy_spelling
@composite
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False, *, out: Any = None
) -> return_types.triangular_solve:
    """Solve A X = b, or Aᵀ X = b, for a triangular A; return X and a copy of A.

    b is (..., n, k), A is (..., n, n). Raises RuntimeError for other shapes. Source: torch.triangular_solve.

    >>> torch.triangular_solve(torch.ones(2, 1), torch.tensor([[2.0, 1.0], [0.0, 4.0]])).solution
    tensor([[0.3750],
            [0.2500]])
    """
    once(
        "torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangular, whose arguments are the other "
        "way round"
    )
    check_floating_matrices("triangular_solve", A, b, square=True)
    check_fit("triangular_solve", A, b, left=True)
    a = mT(A) if transpose else A
    solution = tri_solve(a, b, upper != transpose, unitriangular)
    coefficients = by_columns(A.expand(*solution.shape[:-2], *A.shape[-2:]))
    return into(out, return_types.triangular_solve(solution, coefficients), exact="triangular_solve")


@numpy_spelling
@composite
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Solve L Lᴴ X = B, or Lᴴ L X = B if L is upper triangular.

    B is (..., n, k), L is (..., n, n). Raises RuntimeError for other shapes. Source: torch.cholesky_solve.

    >>> torch.cholesky_solve(torch.ones(1, 1), torch.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    check_floating_matrices("cholesky_solve", L, B, square=True, name="L")
    check_fit("cholesky_solve", L, B, left=True)
    first, second = (adjoint(L), L) if upper else (L, adjoint(L))
    half = tri_solve(first, B, upper=False, whole=True)
    return into(out, tri_solve(second, half, upper=True, whole=True))


@numpy_spelling
@composite
def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return (L Lᴴ)⁻¹, or (Lᴴ L)⁻¹ if L is upper triangular.

    (..., n, n) -> the same. Raises RuntimeError for other shapes. Source: torch.cholesky_inverse.

    >>> torch.cholesky_inverse(torch.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    check_floating_matrices("cholesky_inverse", L, square=True, name="L")
    diagonal = np.diagonal(L.array, axis1=-2, axis2=-1)
    if backend.on_cpu(L.array) and (zeros := np.argwhere(diagonal == 0)).size:
        raise LinAlgError(
            f"cholesky_inverse: The diagonal element {zeros[0, -1] + 1} is zero, the inverse could not be completed."
        )
    one = type(L)._wrap(eye(L, L.shape[-1]))
    inverse = tri_solve(L, one, upper, whole=True)
    product = np.matmul(inverse, adjoint(inverse)) if upper else np.matmul(adjoint(inverse), inverse)
    return into(out, by_columns(product))
