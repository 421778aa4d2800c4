"""Systems with triangular matrices, by blocks and matrix products: NumPy has no substitution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import return_types
from ...errors import ShapeError
from ...function import Function
from ...state import composite
from ..out import into
from .arguments import adjoint, eye, floating, matrices, swap

if TYPE_CHECKING:
    from ...tensor import Tensor

BLOCK = 64


class SolveTriangular(Function):
    """X where A X = B: A is read as an upper or lower triangle, with ones on its diagonal if `unit`.

    If `whole`, the derivative by A is that of a matrix with nothing to hide: PyTorch's, of `cholesky_solve`.
    """

    symbol, broadcasts = "◺⁻¹", True

    def forward(self, a, b):
        if self.upper:
            return _substituted(a, b, self.unit)
        return np.flip(_substituted(np.flip(a, (-2, -1)), np.flip(b, -2), self.unit), -2)

    def backward(self, grad, a, out):
        solved = SolveTriangular.apply(swap(a), grad, upper=not self.upper, unit=self.unit, whole=self.whole)
        if not self.needs[0]:
            return None, solved
        of_a = -np.matmul(solved, swap(out))
        if not self.whole:
            of_a = np.triu(of_a, int(self.unit)) if self.upper else np.tril(of_a, -int(self.unit))
        return of_a, solved


def _substituted(a: Any, b: Any, unit: bool) -> Any:
    """Back substitution, from the last block on."""
    n = a.shape[-1]
    if n > BLOCK:
        cut = n // 2
        last = _substituted(a[..., cut:, cut:], b[..., cut:, :], unit)
        rest = b[..., :cut, :] - np.matmul(a[..., :cut, cut:], last)
        first = _substituted(a[..., :cut, :cut], rest, unit)
        return np.concatenate((np.broadcast_to(first, (*last.shape[:-2], cut, last.shape[-1])), last), -2)
    block = np.triu(a, 1) + eye(a, n) if unit else np.triu(a)
    try:
        return np.linalg.solve(block, b)  # exchanges no rows of an upper triangle
    except np.linalg.LinAlgError:
        return _row_by_row(block, b)


def _row_by_row(a: Any, b: Any) -> Any:
    """With zeros on the diagonal: what is divided by them is infinite, or NaN."""
    out = np.broadcast_to(b, np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:]).copy()
    with np.errstate(all="ignore"):
        for i in range(a.shape[-1])[::-1]:
            known = np.matmul(a[..., i : i + 1, i + 1 :], out[..., i + 1 :, :])
            out[..., i : i + 1, :] = (out[..., i : i + 1, :] - known) / a[..., i : i + 1, i : i + 1]
    return out


def triangle_solved(a: Any, b: Any, upper: bool, unit: bool = False, whole: bool = False) -> Any:
    """X where A X = B, in a derivative or in a composite."""
    return SolveTriangular.apply(a, b, upper=upper, unit=unit, whole=whole)


@composite
def solve_triangular(
    A: Tensor,
    B: Tensor,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X where A X = B, or X A = B unless left, of a triangular A, whose other half is not looked at.

    Source: torch.linalg.solve_triangular.

    >>> torch.linalg.solve_triangular(torch.tensor([[2.0, 1.0], [0.0, 4.0]]), torch.ones(2, 1), upper=True)
    tensor([[0.3750],
            [0.2500]])
    """
    op = "linalg.solve_triangular"
    matrices(op, A, square=True)
    matrices(op, B, name="B")
    floating(op, A, B)
    if A.shape[-1] != B.shape[-2 if left else -1]:
        raise ShapeError(
            f"{op}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    if left:
        return into(out, triangle_solved(A, B, upper, unitriangular))
    return into(out, swap(triangle_solved(swap(A), swap(B), not upper, unitriangular)))


@composite
def triangular_solve(
    b: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Any = None,
) -> return_types.triangular_solve:
    """X where A X = b, or Aᵀ X = b, of a triangular A, and a copy of A. Source: torch.triangular_solve.

    >>> torch.triangular_solve(torch.ones(2, 1), torch.tensor([[2.0, 1.0], [0.0, 4.0]])).solution
    tensor([[0.3750],
            [0.2500]])
    """
    matrices("triangular_solve", A, square=True)
    matrices("triangular_solve", b, name="b")
    floating("triangular_solve", b, A)
    if A.shape[-1] != b.shape[-2]:
        raise ShapeError(f"triangular_solve: Incompatible matrix sizes: A is {tuple(A.shape)}, b is {tuple(b.shape)}")
    a = swap(A) if transpose else A
    solution = triangle_solved(a, b, upper != transpose, unitriangular)
    return into(out, return_types.triangular_solve(solution, A.expand(*solution.shape[:-2], *A.shape[-2:]).clone()))


@composite
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """X where L Lᴴ X = B, or Lᴴ L X = B if L is an upper triangle. Source: torch.cholesky_solve.

    >>> torch.cholesky_solve(torch.ones(1, 1), torch.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    matrices("cholesky_solve", L, square=True, name="L")
    matrices("cholesky_solve", B, name="B")
    floating("cholesky_solve", B, L)
    if L.shape[-1] != B.shape[-2]:
        raise ShapeError(f"cholesky_solve: Incompatible matrix sizes: L is {tuple(L.shape)}, B is {tuple(B.shape)}")
    first, second = (adjoint(L), L) if upper else (L, adjoint(L))
    half = triangle_solved(first, B, upper=False, whole=True)
    return into(out, triangle_solved(second, half, upper=True, whole=True))


@composite
def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """(L Lᴴ)⁻¹, or (Lᴴ L)⁻¹ if L is an upper triangle. Source: torch.cholesky_inverse.

    >>> torch.cholesky_inverse(torch.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    matrices("cholesky_inverse", L, square=True, name="L")
    floating("cholesky_inverse", L)
    one = type(L)._made(eye(L, L.shape[-1]))
    inverse = triangle_solved(L, one, upper, whole=True)
    return into(out, np.matmul(inverse, adjoint(inverse)) if upper else np.matmul(adjoint(inverse), inverse))
