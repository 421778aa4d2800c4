"""Linear systems, inverses and determinants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend, return_types
from ...backend.meta import known
from ...errors import ArgumentError, LinAlgError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import log, where
from ..elementwise.complex_numbers import is_complex
from ..movement import permute, reshape, squeeze, unsqueeze
from ..movement.dims import wrap_dims
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling
from .common import (
    adjoint,
    bare,
    by_columns,
    check_fit,
    check_floating_matrices,
    eye,
    is_vector_rhs,
    mT,
    solve_arrays,
    svd_or_nan,
)
from .lu_factors import lu_factorize


class Inv(Function):
    """The inverse of each matrix."""

    symbol, operator, node_name, numpy = "A⁻¹", "linalg_inv", "LinalgInvEx", np.linalg.inv
    saved_names = {"inverse": "out"}

    def forward(self, x):
        try:
            with backend.checked(x):
                return by_columns(np.linalg.inv(x))
        except np.linalg.LinAlgError:
            raise _singular_error("linalg.inv", _zero_pivots(x)) from None

    def grad_x(self, grad, out):
        t = mT(out)
        return -np.matmul(np.matmul(t, grad), t)


class Solve(Function):
    """The solution X of A X = B, with leading axes that broadcast."""

    symbol, operator, node_name, broadcasts = "A⁻¹B", "linalg_solve", "LinalgSolveEx", True
    saved_names = {"A": "a"}

    def forward(self, a, b):
        try:
            return by_columns(solve_arrays(a, b))
        except np.linalg.LinAlgError:
            raise _singular_error("linalg.solve", _zero_pivots(a)) from None

    def backward(self, grad, a, out):
        solved = Solve.apply(mT(a), grad)
        return (-np.matmul(solved, mT(out)) if self.needs[0] else None), solved


class Det(Function):
    """The determinant of each matrix."""

    symbol, operator, numpy = "det", "linalg_det", np.linalg.det
    saved_names = {"A": "x"}

    def forward(self, x):
        return layouts.row_major(np.linalg.det(x))

    def grad_x(self, grad, x, out):
        return grad.reshape((*grad.shape, 1, 1)) * _cofactors(x, out)


class SLogDet(Function):
    """The sign of each matrix's determinant, and the logarithm of its magnitude."""

    symbol, numpy, conjugates, materializes = "log|det|", np.linalg.slogdet, False, False
    operator = "linalg_slogdet"

    def forward(self, x):
        return tuple([layouts.row_major(y) for y in np.linalg.slogdet(x)])

    def backward(self, grad, x, out):
        of_sign, of_log = grad
        if of_sign is not None and is_complex(x):
            of_log = np.zeros_like(out[1]) if of_log is None else of_log
            of_log = of_log - 1j * np.imag(np.conjugate(of_sign) * out[0])
        if of_log is None:  # a real sign is constant
            return (np.zeros_like(x),)
        singular = bare(out[1]) == -math.inf
        if singular.any():  # singular matrices have no inverse and no gradient: they give NaN
            x = np.where(singular.reshape((*singular.shape, 1, 1)), math.nan, x)
        return of_log.reshape((*of_log.shape, 1, 1)) * adjoint(Inv.apply(x))


def _cofactors(x: Array, det: Array) -> Array:
    """Return the derivative of the determinant, det · A⁻ᵀ. For (nearly) singular matrices use a bordered matrix."""
    small = abs(bare(det)) < 100 * np.finfo(bare(det).dtype).eps
    small = small.reshape((*small.shape, 1, 1))
    det = det.reshape((*det.shape, 1, 1))
    if not small.any():
        return det * mT(Inv.apply(x))
    one = eye(x, x.shape[-1])
    return np.where(small, _bordered(np.where(small, x, one)), det * mT(Inv.apply(np.where(small, one, x))))


def _bordered(x: Array) -> Array:
    """Return the cofactors of matrices that may be singular. Their derivatives are right for ranks of at least n - 2.

    Let M = [[A, B], [C, 0]], where B has k columns and C has k rows, and let S be the last k rows and columns of M⁻¹.
    Then det A = det M · det S. With A's last singular vectors as B and C, M is regular. k = 2 is enough for the
    determinant's first and second derivatives: for lower ranks they are 0.
    """
    n, k = x.shape[-1], 2
    if n == 1:
        return np.ones_like(x)
    u, s, vh = svd_or_nan(bare(x), full=True)
    lower = (s <= n * np.finfo(s.dtype).eps * s[..., :1]).sum(-1)[..., None, None] > k
    x = np.where(lower, eye(x, n), x)
    u, vh = np.where(lower, eye(u, n), u), np.where(lower, eye(u, n), vh)
    right = np.concatenate((u[..., -k:], np.zeros_like(u[..., -k:, -k:])), -2)
    whole = np.concatenate((np.concatenate((x, vh[..., -k:, :]), -2), right), -1)
    w = mT(Inv.apply(whole))
    corner = w[..., n:, n:]
    cofactors = np.flip(corner, (-2, -1)) * backend.like([[1, -1], [-1, 1]], bare(x), np.dtype(x.dtype))
    minor = (corner * cofactors)[..., :1, :].sum(-1)[..., None]
    found = minor * w - np.matmul(np.matmul(w[..., n:], mT(cofactors)), w[..., n:, :])
    d = Det.apply(whole)
    return np.where(lower, 0, d.reshape((*d.shape, 1, 1)) * found[..., :n, :n])


@composite
def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of each matrix. Source: torch.linalg.inv.

    Raises LinAlgError, a RuntimeError, if one is singular. (..., n, n) -> the same. RuntimeError is raised for other
    shapes and for integers, too.

    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    check_floating_matrices("linalg.inv", A, square=True)
    return into(out, Inv.apply(A), exact="linalg.inv")


def inverse(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Call `linalg.inv`. Source: torch.inverse.

    >>> torch.inverse(torch.tensor([[4.0]]))
    tensor([[0.2500]])
    """
    return inv(input, out=out)


@composite
def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> return_types.linalg_inv_ex:
    """Return the inverse of each matrix, and 0 or the number of its first zero pivot.

    The inverse of a singular matrix is infinite. Raises RuntimeError only for shapes other than (..., n, n) and for
    integers. Source: torch.linalg.inv_ex.

    >>> torch.linalg.inv_ex(torch.zeros(1, 1)).info
    tensor(1, dtype=torch.int32)
    """
    check_floating_matrices("linalg.inv_ex", A, square=True)
    info, regular = _replace_singular("linalg.inv_ex", A, check_errors)
    inverse = _infinite_where_singular(Inv.apply(regular), info, 2)
    return into(out, return_types.linalg_inv_ex(inverse, info), exact="linalg.inv_ex")


def _replace_singular(op: str, a: Tensor, check_errors: bool) -> tuple[Tensor, Tensor]:
    """Return each matrix's first zero pivot (from 1) or 0, and the matrices, with the identity for singular ones."""
    info = _zero_pivots(a.array)
    if known(info.any()):
        if check_errors:
            raise _singular_error(op, info)
        bad = info.reshape((*info.shape, 1, 1)) > 0
        a = where(type(a)._wrap(bad), type(a)._wrap(eye(a, a.shape[-1])), a)
    return type(a)._wrap(info), a


def _zero_pivots(a: Array) -> Array:
    """Return the first zero pivot of each matrix of a bare array, counted from 1, or 0."""
    info = np.where(np.linalg.slogdet(a)[0] == 0, a.shape[-1], 0).astype(np.int32)
    if known(info.any()):
        found = lu_factorize(a)[3]
        info = np.where((info > 0) & (found > 0), found, info)
    return info


def _singular_error(op: str, info: Array) -> LinAlgError:
    """Return the error, in PyTorch's words, for the first singular matrix."""
    flat = info.reshape(-1)
    first = int(np.argmax(flat > 0))
    which = f"(Batch element {first}): " if info.ndim else ""
    if "solve" in op:
        return LinAlgError(f"{op}: {which}The solver failed because the input matrix is singular.")
    return LinAlgError(
        f"{op}: {which}The diagonal element {int(flat[first])} is zero, the inversion could not be completed because "
        "the input matrix is singular."
    )


def _infinite_where_singular(x: Tensor, info: Tensor, dims: int) -> Tensor:
    """Set the results of singular matrices to infinity; a result is the last `dims` dimensions of x."""
    return where(reshape(info, (*info.shape, *(1,) * dims)) > 0, math.inf, x) if known(info.array.any()) else x


@composite
def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """Solve A X = B, or X A = B unless left; B is matrices, or a vector for each A. Source: torch.linalg.solve.

    Raises LinAlgError, a RuntimeError, if a matrix is singular. (..., n, n), (..., n, k) -> (..., n, k). RuntimeError
    is raised for other shapes and dtypes that differ, too.

    >>> torch.linalg.solve(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([0.5000, 0.2500])
    """
    return into(out, _solve("linalg.solve", A, B, left), exact="linalg.solve")


@composite
def solve_ex(
    A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None
) -> return_types.linalg_solve_ex:
    """Return the solution of `linalg.solve`, and 0 or the number of A's first zero pivot.

    The solution for a singular A is infinite. Raises RuntimeError for other shapes and for dtypes that differ.
    Source: torch.linalg.solve_ex.

    >>> torch.linalg.solve_ex(torch.zeros(1, 1), torch.ones(1, 1)).info
    tensor(1, dtype=torch.int32)
    """
    check_floating_matrices("linalg.solve_ex", A, B, square=True)
    info, regular = _replace_singular("linalg.solve_ex", A, check_errors)
    x = _infinite_where_singular(_solve("linalg.solve_ex", regular, B, left), info, 1 if is_vector_rhs(A, B) else 2)
    return into(out, return_types.linalg_solve_ex(x, info), exact="linalg.solve_ex")


def _solve(op: str, a: Tensor, b: Tensor, left: bool) -> Tensor:
    check_floating_matrices(op, a, b, square=True)
    vectors = is_vector_rhs(a, b)
    if vectors and not left:
        raise ShapeError(f"{op}: Vector broadcasting of the left hand side is not supported for left=False")
    x = unsqueeze(b, -1) if vectors else b
    check_fit(op, a, x, left)
    result = Solve.apply(a, x) if left else mT(Solve.apply(mT(a), mT(x)))
    if not vectors:
        return result
    result = squeeze(result, -1)
    return by_columns(result) if result.ndim > 1 else result


@numpy_spelling
@composite
def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the determinant of each matrix.

    (..., n, n) -> (...). Raises RuntimeError for other shapes and for integers. Source: torch.linalg.det.

    >>> torch.linalg.det(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    check_floating_matrices("linalg.det", A, square=True)
    return into(out, Det.apply(A), exact="linalg.det")


@composite
def linalg_slogdet(A: Tensor, *, out: Any = None) -> return_types.linalg_slogdet:
    """Return the sign of each matrix's determinant and the logarithm of its magnitude.

    (..., n, n) -> (...), (...). Raises RuntimeError for other shapes and for integers. Source: torch.linalg.slogdet.

    >>> torch.linalg.slogdet(torch.tensor([[-1.0]]))
    torch.return_types.linalg_slogdet(
    sign=tensor(-1.),
    logabsdet=tensor(0.))
    """
    check_floating_matrices("linalg.slogdet", A, square=True)
    return into(out, return_types.linalg_slogdet(*SLogDet.apply(A)), exact="linalg.slogdet")


def slogdet(input: Tensor, *, out: Any = None) -> return_types.slogdet:
    """Return the sign of each matrix's determinant and the logarithm of its magnitude.

    (..., n, n) -> (...), (...). Raises RuntimeError for other shapes. Source: torch.slogdet.

    >>> torch.slogdet(torch.tensor([[-1.0]])).sign
    tensor(-1.)
    """
    return return_types.slogdet(*linalg_slogdet(input, out=out))


@composite
def logdet(input: Tensor) -> Tensor:
    """Return the logarithm of each matrix's determinant, NaN if it is negative.

    (..., n, n) -> (...). Raises RuntimeError for other shapes and for integers. Source: torch.logdet.

    >>> torch.logdet(torch.tensor([[1.0]]))
    tensor(0.)
    """
    check_floating_matrices("logdet", input, square=True)
    sign, logabsdet = SLogDet.apply(input)
    return log(sign) + logabsdet if input.is_complex() else where(sign == -1, math.nan, logabsdet)


@numpy_spelling
@composite
def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of A as a map from its last axes to its first `ind` axes.

    Raises RuntimeError unless the products of both groups of sizes are equal. Source: torch.linalg.tensorinv.

    >>> torch.linalg.tensorinv(torch.eye(4).reshape(4, 2, 2), ind=1).shape
    torch.Size([2, 2, 4])
    """
    if ind <= 0:
        raise ArgumentError(f"linalg.tensorinv: Expected a strictly positive integer for 'ind', got {ind}")
    n, m = math.prod(A.shape[:ind]), math.prod(A.shape[ind:])
    if n != m:
        raise ShapeError(
            "linalg.tensorinv: Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {m} != {n}"
        )
    return into(out, reshape(inv(reshape(A, (n, m))), (*A.shape[ind:], *A.shape[:ind])))


@numpy_spelling
@composite
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Return X such that A's last axes, contracted with X, give B; `dims` are axes of A to move to the end first.

    Raises RuntimeError unless the sizes multiply up to a square matrix, and B has its rows.
    Source: torch.linalg.tensorsolve.

    >>> torch.linalg.tensorsolve(2 * torch.eye(4).reshape(2, 2, 4), torch.ones(2, 2))
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    if dims is not None:
        last = wrap_dims(dims, A.ndim, "linalg.tensorsolve")
        A = permute(A, [*(i for i in range(A.ndim) if i not in last), *last])
    shape = tuple(A.shape[B.ndim :])
    n = math.prod(shape)
    if B.numel() != n:
        raise ShapeError(
            "linalg.tensorsolve: Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {n} != {B.numel()}"
        )
    return into(out, reshape(solve(reshape(A, (n, n)), reshape(B, (B.numel(),))), shape))
