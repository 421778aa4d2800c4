"""The QR factorization in LAPACK's form, with Q as a product of Householder reflections."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import function as core
from ... import return_types
from ...errors import DimError, ShapeError, UnsupportedError
from ...function import Function
from ...state import composite
from ...type_aliases import Tensor
from ..elementwise import conjugate
from ..movement import unsqueeze
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .common import adjoint, by_columns, check_floating_matrices, check_matrices, eye, mT
from .triangular import tri_solve


class Geqrf(Function):
    """R, with the reflections' vectors below its diagonal, and the reflections' factors tau."""

    symbol = "QR"

    def forward(self, x):
        vectors, factors = np.linalg.qr(x, "raw")
        return by_columns(mT(vectors)), factors

    def backward(self, grad):
        raise UnsupportedError("the derivative for 'geqrf' is not implemented; use linalg.qr")


@tensors_only
def geqrf(input: Tensor, *, out: Any = None) -> return_types.geqrf:
    """Return R, with the reflections' vectors below its diagonal, and the reflections' factors tau.

    `linalg.householder_product` and `ormqr` take them. (..., m, n) -> (..., m, n), (..., min(m, n)). Raises
    RuntimeError for fewer dimensions. Source: torch.geqrf.

    >>> torch.linalg.householder_product(*torch.geqrf(torch.tensor([[3.0], [4.0]])))
    tensor([[-0.6000],
            [-0.8000]])
    """
    check_floating_matrices("geqrf", input, name="input")
    return into(out, return_types.geqrf(*Geqrf.apply(input)))


def _compact(op: str, vectors: Tensor, tau: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return V, A and D such that the product of the reflections is I - V A⁻¹ D Vᴴ (the compact WY form).

    A is upper triangular, without its unit diagonal. D is a diagonal matrix, as a column."""
    check_floating_matrices(op, vectors, tau, name="input")
    if not tau.ndim:
        raise DimError(f"{op}: tau must have a dimension, got a 0-d tensor")
    rows, columns, k = *vectors.shape[-2:], tau.shape[-1]
    if k > min(rows, columns):
        raise ShapeError(
            f"{op}: input.shape[-1] must be greater than or equal to tau.shape[-1], and input.shape[-2] as well, got "
            f"{tuple(vectors.shape)} and {tuple(tau.shape)}"
        )
    if tuple(tau.shape[:-1]) != tuple(vectors.shape[:-2]):
        raise ShapeError(
            f"{op}: Expected batch dimensions of tau to be equal to input.shape[:-2], got {tuple(tau.shape)} and "
            f"{tuple(vectors.shape)}"
        )
    v = np.tril(vectors[..., :k], -1) + eye(vectors, rows, k)
    d = unsqueeze(tau, -1)
    return v, d * np.triu(np.matmul(adjoint(v), v), 1), d


@numpy_spelling
@composite
def householder_product(A: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the first columns of the product of the reflections I - τᵢ vᵢ vᵢᴴ; vᵢ is below the diagonal of A.

    (..., m, n), (..., k) -> (..., m, n), k <= n <= m. Raises RuntimeError for other shapes and for dtypes that differ,
    IndexError for a 0-d tau. Source: torch.linalg.householder_product.

    >>> torch.linalg.householder_product(torch.zeros(2, 1), torch.tensor([2.0]))
    tensor([[-1.],
            [ 0.]])
    """
    v, a, d = _compact("linalg.householder_product", A, tau)
    rows, columns = A.shape[-2:]
    if columns > rows:
        raise ShapeError(
            "linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1], got "
            f"{tuple(A.shape)}"
        )
    inner = tri_solve(a, d * adjoint(v[..., :columns, :]), upper=True, unit=True)
    return into(out, by_columns(core.Tensor._wrap(eye(A, rows, columns)) - np.matmul(v, inner)))


@numpy_spelling
@composite
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Return Q · other, or other · Q unless left, where Q is the product of the reflections of input and tau.

    `transpose` puts Qᴴ in place of Q. Raises RuntimeError for sizes that don't fit, IndexError for a 0-d tau.
    Source: torch.ormqr.

    >>> torch.ormqr(torch.zeros(2, 1), torch.tensor([2.0]), torch.ones(2, 1))
    tensor([[-1.],
            [ 1.]])
    """
    check_floating_matrices("ormqr", input, tau, other, name="input")
    check_matrices("ormqr", other, name="other")
    if other.shape[-2 if left else -1] != input.shape[-2]:
        raise ShapeError(
            f"ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2], got {tuple(other.shape)} and "
            f"{tuple(input.shape)}"
        )
    if other.shape[:-2] != input.shape[:-2]:
        raise ShapeError(
            f"ormqr: Expected batch dimensions of other to be equal to input.shape[:-2] = {tuple(input.shape[:-2])}, "
            f"but got {tuple(other.shape[:-2])}"
        )
    v, a, d = _compact("ormqr", input, tau)
    if tau.shape[-1] != (k := min(input.shape[-2:])):
        raise ShapeError(f"ormqr: tau.shape[-1] must be equal to min(other.shape[-2], input.shape[-1]) = {k}")
    x = other if left else adjoint(other)
    if left == transpose:  # Qᴴ = I - V D* A⁻ᴴ Vᴴ
        inner = conjugate(d) * tri_solve(adjoint(a), np.matmul(adjoint(v), x), upper=False, unit=True)
    else:
        inner = tri_solve(a, d * np.matmul(adjoint(v), x), upper=True, unit=True)
    result = x - np.matmul(v, inner)
    return into(out, by_columns(result if left else adjoint(result)), exact="ormqr")
