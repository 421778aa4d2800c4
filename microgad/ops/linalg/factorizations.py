"""The Cholesky and QR factorizations."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

import numpy as np

from ... import backend, return_types
from ... import function as core
from ...backend.meta import known
from ...errors import ArgumentError, GraphError, LinAlgError
from ...errors.notices import once
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import Where
from ..support.out import into
from ..support.spelling import numpy_spelling
from .common import adjoint, by_columns, check_floating_matrices, eye, mT
from .triangular import tri_solve


class Cholesky(Function):
    """The lower triangular L of A = L Lᴴ, with a positive diagonal. If `upper`, A's upper triangle is read."""

    symbol, operator, numpy, conjugates = "LLᴴ", "linalg_cholesky", np.linalg.cholesky, False
    node_name = "LinalgCholeskyEx"
    saved_names = {"L": "out"}

    def forward(self, x):
        with backend.checked(x):
            return np.linalg.cholesky(adjoint(x)) if self.upper else by_columns(np.linalg.cholesky(x))

    def grad_x(self, grad, out):
        inner = np.tril(np.matmul(adjoint(out), grad))
        inner = 0.5 * (inner + adjoint(np.tril(inner, -1)))
        half = tri_solve(adjoint(out), inner, upper=True)
        return adjoint(tri_solve(adjoint(out), adjoint(half), upper=True))


@numpy_spelling
@composite
def cholesky(A: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """Return the lower triangular L of A = L Lᴴ, or the upper triangular U of A = Uᴴ U if `upper`.

    Raises LinAlgError, a RuntimeError, if a matrix is not positive-definite. Source: torch.linalg.cholesky.

    >>> torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    factor = _cholesky("linalg.cholesky", A, upper)
    if factor is None:
        raise _not_definite("linalg.cholesky", _as_info(_first_bad_minors(A, upper), A))
    return into(out, factor, exact="linalg.cholesky")


def torch_cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Call `linalg.cholesky`; this is its older name. Source: torch.cholesky.

    >>> torch.cholesky(torch.tensor([[4.0]]))
    tensor([[2.]])
    """
    once("torch.cholesky is deprecated in favor of torch.linalg.cholesky.")
    return into(out, cholesky(input, upper=upper))


def _cholesky(op: str, x: Tensor, upper: bool) -> Tensor | None:
    """Return the Cholesky factor, or None if some matrix is not positive-definite."""
    check_floating_matrices(op, x, square=True)
    try:
        factor = Cholesky.apply(x, upper=upper)
    except LinAlgError:
        return None
    if _is_not_finite(factor.array) and known(any(_first_bad_minors(x, upper))):
        return None
    return adjoint(factor) if upper else factor


def _is_not_finite(factor: Array) -> bool:
    """Whether some matrix contained infinity or NaN, which reach the diagonal. LAPACK may not report them."""
    return known(~np.isfinite(np.diagonal(factor, 0, -2, -1)).all())


def _not_definite(op: str, info: Array) -> LinAlgError:
    """Return the error, in PyTorch's words, for the first matrix that is not positive-definite."""
    first = int(np.argmax(info.reshape(-1) > 0))
    which = f"(Batch element {first}): " if info.ndim else ""
    return LinAlgError(
        f"{op}: {which}The factorization could not be completed because the input is not positive-definite (the "
        f"leading minor of order {int(info.reshape(-1)[first])} is not positive-definite)."
    )


@numpy_spelling
@composite
def cholesky_ex(
    A: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None
) -> return_types.linalg_cholesky_ex:
    """Return the Cholesky factor, and 0 or the order of the first leading minor that is not positive-definite.

    For such a matrix the gradient is NaN, and the factor is what LAPACK leaves: the columns before that order are
    right, then comes a pivot that isn't positive, and A's values. Raises RuntimeError only for shapes other than (...,
    n, n) and for integers. Source: torch.linalg.cholesky_ex.

    >>> torch.linalg.cholesky_ex(torch.tensor([[4.0, 2.0], [2.0, -3.0]]))
    torch.return_types.linalg_cholesky_ex(
    L=tensor([[ 2.,  0.],
            [ 1., -4.]]),
    info=tensor(2, dtype=torch.int32))
    """
    factor = _cholesky("linalg.cholesky_ex", A, upper)
    info = backend.make_like(np.zeros_like, A.array, shape=A.shape[:-2], dtype=np.int32)
    if factor is None:
        orders = _first_bad_minors(A, upper)
        info = _as_info(orders, A)
        if check_errors:
            raise _not_definite("linalg.cholesky_ex", info)
        bad = info.reshape((*info.shape, 1, 1)) > 0
        factor = _cholesky("linalg.cholesky_ex", Where.apply(bad, eye(A, A.shape[-1]), A), upper)
        nothing = np.sqrt(Where.apply(bad & np.isfinite(A.array), A, 0.0) * 0)  # of A, so that the gradient is NaN, 0/0
        left = core.Tensor._wrap(_partial_cholesky(A.array, orders, upper))
        factor = Where.apply(bad, left + nothing, factor)
    return into(out, return_types.linalg_cholesky_ex(factor, core.Tensor._wrap(info)), exact="linalg.cholesky_ex")


def _partial_cholesky(A: Array, orders: list[int], upper: bool) -> Array:
    """Return what LAPACK's potrf leaves of matrices whose minors of these orders aren't positive-definite."""
    n = A.shape[-1]
    x = (mT(A) if upper else A).reshape(-1, n, n)
    found = np.stack([_partial_factor(m, k) for m, k in zip(x, orders, strict=True)]).reshape(A.shape)
    return mT(found) if upper else found


def _partial_factor(x: Array, order: int) -> Array:
    """Return one matrix with the columns of its factor before the order-th, and the pivot there."""
    factor = np.tril(x)
    for k in range(order):
        column = factor[k:, k] - np.matmul(factor[k:, :k], np.conj(factor[k, :k]))
        pivot = np.real(column[0])
        factor[k, k] = pivot
        if k < order - 1:
            factor[k, k] = np.sqrt(pivot)
            factor[k + 1 :, k] = column[1:] / np.sqrt(pivot)
    return factor


def _as_info(orders: list[int], A: Tensor) -> Array:
    return backend.like(np.reshape(orders, A.shape[:-2]), A.array, np.int32)


def _first_bad_minors(A: Tensor, upper: bool) -> list[int]:
    """Return the order of each matrix's first leading minor that is not positive-definite, 0 if all are."""
    x, n = mT(A.array) if upper else A.array, A.shape[-1]
    return [_first_bad(m) for m in x.reshape(math.prod(x.shape[:-2]), n, n)]


def _first_bad(x: Array) -> int:
    """Return that order for one matrix, by bisection: beyond a minor that is not positive-definite, none is."""
    if not np.isfinite(np.tril(x)).all():
        return _first_bad_pivot(x)
    orders = range(1, len(x) + 1)
    place = bisect_left(orders, True, key=lambda k: not _is_definite(x[:k, :k]))
    return orders[place] if place < len(x) else 0


def _is_definite(x: Array) -> bool:
    try:
        with backend.checked(x):
            return not _is_not_finite(np.linalg.cholesky(x))
    except np.linalg.LinAlgError:
        return False


def _first_bad_pivot(x: Array) -> int:
    """Return that order for a matrix with infinities or NaN, column by column: for OpenBLAS, inf / inf is 0."""
    factor = np.zeros_like(x)
    for k in range(len(x)):
        column = x[k:, k] - np.matmul(factor[k:, :k], np.conj(factor[k, :k]))
        pivot = np.real(column[0])
        if not pivot > 0:
            return k + 1
        factor[k:, k] = column / np.sqrt(pivot)
    return 0


class QR(Function):
    """Q with orthonormal columns and an upper triangular R with A = Q R; `mode` is that of np.linalg.qr."""

    symbol, operator, numpy, conjugates = "QR", "linalg_qr", np.linalg.qr, False

    def forward(self, x):
        if self.mode == "r":
            return np.zeros_like(x, shape=(0,)), by_columns(np.linalg.qr(x, "r"))
        return tuple(map(by_columns, np.linalg.qr(x, self.mode)))

    def backward(self, grad, out):
        if self.mode == "r":
            raise GraphError("linalg.qr: The derivative depends on Q, which is not computed when mode='r'")
        (of_q, of_r), (q, r) = grad, out
        rows, columns, k = q.shape[-2], r.shape[-1], r.shape[-2]
        if self.mode == "complete" and rows > columns:
            raise GraphError(
                "linalg.qr: The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
            )
        halved = 1 - 0.5 * eye(q, k)
        if rows >= columns:
            inner = np.triu(np.matmul(of_r, adjoint(r)) - np.matmul(adjoint(q), of_q))
            inner = (inner + adjoint(inner)) * halved
            return (adjoint(tri_solve(r, adjoint(of_q + np.matmul(q, inner)), upper=True)),)
        inner = np.matmul(adjoint(q), of_q) - np.matmul(of_r, adjoint(r))
        inner = np.tril(inner - adjoint(inner)) * halved
        square = np.matmul(q, adjoint(tri_solve(r[..., :k], adjoint(inner), upper=True)))
        rest = np.zeros_like(square, shape=(*square.shape[:-1], columns - k))
        return (np.concatenate((square, rest), -1) + np.matmul(q, of_r),)


@composite
def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> return_types.linalg_qr:
    """Return Q with orthonormal columns and an upper triangular R with A = Q R. Source: torch.linalg.qr.

    (m, n) -> (m, k), (k, n) with k = min(m, n), or (m, m), (m, n) in mode "complete". In mode "r", Q is empty. Raises
    RuntimeError for fewer dimensions and for integers.

    >>> A = torch.tensor([[3.0], [4.0]])
    >>> Q, R = torch.linalg.qr(A)
    >>> torch.allclose(Q @ R, A)
    True
    """
    check_floating_matrices("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    return into(out, return_types.linalg_qr(*QR.apply(A, mode=mode)), exact="linalg.qr")


def torch_qr(input: Tensor, some: bool = True, *, out: Any = None) -> return_types.qr:
    """Call `linalg.qr`, in mode "reduced" if `some`, otherwise "complete". Source: torch.qr.

    >>> torch.qr(torch.ones(3, 2), some=False).Q.shape
    torch.Size([3, 3])
    """
    once("torch.qr is deprecated in favor of torch.linalg.qr.")
    return return_types.qr(*qr(input, "reduced" if some else "complete", out=out))
