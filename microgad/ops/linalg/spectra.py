"""Eigenvalues and eigenvectors, singular values and singular vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend, return_types
from ...errors import ArgumentError, GraphError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import Select
from ..elementwise.complex_numbers import conjugate, is_complex
from ..movement import expand
from ..random import randn
from ..support import layouts
from ..support.bare import is_recorded
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .common import adjoint, bare, by_columns, check_floating_matrices, check_matrices, eye, svd_or_nan, svdvals_or_nan
from .factorizations import cholesky, qr
from .solving import Solve
from .triangular import solve_triangular

# The derivatives are written as in PyTorch, with explicit conjugates, so `conjugates` is off.


class Eigh(Function):
    """Ascending eigenvalues and orthonormal eigenvectors of Hermitian matrices; one triangle is read."""

    symbol, operator, numpy, conjugates, materializes = "λ, v", "linalg_eigh", np.linalg.eigh, False, False

    def forward(self, x):
        with backend.checked(x):
            w, v = np.linalg.eigh(x, self.triangle)
        return layouts.row_major(w), by_columns(v)

    def backward(self, grad, out):
        (of_values, of_vectors), (w, v) = grad, out
        if of_vectors is None:
            return (np.matmul(v * of_values[..., None, :], adjoint(v)),)
        of_values = np.zeros_like(w) if of_values is None else of_values
        turned = np.matmul(adjoint(v), of_vectors)
        if is_complex(v):
            check_phase_invariant(np.imag((conjugate(v) * of_vectors).sum(-2)), "linalg_eigh")
        skew = 0.5 * (turned - adjoint(turned))
        inner = divide_off_diagonal(skew, w[..., None, :] - w[..., None])
        inner = inner + eye(v, v.shape[-1]) * of_values[..., None, :]
        return (np.matmul(np.matmul(v, inner), adjoint(v)),)


class EigenvaluesH(Function):
    """Ascending eigenvalues of Hermitian matrices. If gradients are wanted, `Eigh` is used instead."""

    symbol, operator, numpy = "λ", "linalg_eigvalsh", np.linalg.eigvalsh

    def forward(self, x):
        with backend.checked(x):
            return layouts.row_major(np.linalg.eigvalsh(x, self.triangle))


def _of_finite(eig: Any, x: Array) -> Any:
    """eig(x). Raises LinAlgError for NaN and infinity, which CuPy doesn't look for, and if it doesn't converge."""
    if backend.is_gpu(x) and not np.isfinite(x).all():
        raise np.linalg.LinAlgError("Array must not contain infs or NaNs")
    with backend.checked(x):
        return eig(x)


class Eig(Function):
    """Eigenvalues and eigenvectors of length 1, both always complex."""

    symbol, operator, numpy, conjugates, materializes = "λ, v", "linalg_eig", np.linalg.eig, False, False

    def forward(self, x):
        w, v = _of_finite(np.linalg.eig, x)
        dtype = np.result_type(x.dtype, np.complex64)
        return w.astype(dtype, "C"), by_columns(v.astype(dtype))

    def backward(self, grad, out):
        (of_values, of_vectors), (w, v) = grad, out
        if of_vectors is None:
            return (Solve.apply(adjoint(v), of_values[..., None] * adjoint(v)),)
        of_values = np.zeros_like(w) if of_values is None else of_values
        along = (conjugate(v) * of_vectors).sum(-2)
        check_phase_invariant(np.imag(along), "linalg_eig")
        turned = np.matmul(adjoint(v), of_vectors) - np.matmul(adjoint(v), v) * np.real(along)[..., None, :]
        inner = divide_off_diagonal(turned, conjugate(w[..., None, :] - w[..., None]))
        inner = inner + eye(v, v.shape[-1]) * of_values[..., None, :]
        return (Solve.apply(adjoint(v), np.matmul(inner, adjoint(v))),)


class Eigenvalues(Function):
    """Eigenvalues, always complex, in the order of `Eig`, which is used instead if gradients are wanted."""

    symbol, operator, numpy = "λ", "linalg_eigvals", np.linalg.eigvals

    def forward(self, x):
        return _of_finite(np.linalg.eigvals, x).astype(np.result_type(x.dtype, np.complex64), "C")


class SVD(Function):
    """U, descending S, and Vᴴ of A = U diag(S) Vᴴ. If `full`, U and V are square."""

    symbol, operator, numpy, conjugates, materializes = "UΣVᴴ", "linalg_svd", np.linalg.svd, False, False

    def forward(self, x):
        u, s, vh = svd_or_nan(x, self.full)
        return by_columns(u), layouts.row_major(s), by_columns(vh)

    def backward(self, grad, out):
        k = out[1].shape[-1]
        u, s, vh = out[0][..., :k], out[1], out[2][..., :k, :]
        if grad[0] is None and grad[2] is None:
            return (np.matmul(u * grad[1][..., None, :], vh),)
        grad = [np.zeros_like(x) if g is None else g for g, x in zip(grad, out, strict=True)]
        of_u, of_s, of_vh = grad[0][..., :k], grad[1], grad[2][..., :k, :]
        uhg, vhg = np.matmul(adjoint(u), of_u), np.matmul(vh, adjoint(of_vh))
        skew_u, skew_v = uhg - adjoint(uhg), vhg - adjoint(vhg)
        one = eye(u, k)
        row, column = s[..., None, :], s[..., None]
        gap = (row - column) * (row + column)
        inner = divide_off_diagonal(skew_u, gap) * row + column * divide_off_diagonal(skew_v, gap)
        inner = inner + one * of_s[..., None, :]
        if is_complex(u):
            of_left, of_right = np.imag((conjugate(u) * of_u).sum(-2)), np.imag((vh * conjugate(of_vh)).sum(-1))
            check_phase_invariant(of_left + of_right, "svd", of_right)
            inner = inner + one * skew_u / (2 * row)
        whole = np.matmul(np.matmul(u, inner), vh)
        if u.shape[-2] > k:
            rest = (of_u - np.matmul(u, uhg)) / row
            whole = whole + np.matmul(rest, vh)
        if vh.shape[-1] > k:
            rest = (of_vh - np.matmul(adjoint(vhg), vh)) / column
            whole = whole + np.matmul(u, rest)
        return (whole,)


class SingularValues(Function):
    """Descending singular values. If gradients are wanted, `SVD` is used instead."""

    symbol, operator = "σ", "linalg_svdvals"

    def forward(self, x):
        return layouts.row_major(svdvals_or_nan(x))


def divide_off_diagonal(x: Array, differences: Array) -> Array:
    """Return x / differences with a zero diagonal.

    Where eigenvalues coincide it is infinite or NaN. 0 / 0, as of V f(w) Vᴴ at the identity, can stand for any number.
    """
    diagonal = eye(x, x.shape[-1]) != 0
    return Select.apply(np.logical_not(diagonal), x / np.where(diagonal, 1, differences))


def check_phase_invariant(excess: Array, op: str, scale: Array | float = 0) -> None:
    """Raise an error for a loss that depends on the phase of vectors, which are only defined up to their phase."""
    if (abs(bare(excess)) > 1e-2 * (1 + abs(bare(scale)))).any():
        raise GraphError(
            f"{op}_backward: in the complex case the vectors are specified up to multiplication by e^{{i phi}}. "
            "The specified loss function depends on this quantity, so it is ill-defined"
        )


@numpy_spelling
def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> return_types.linalg_eigh:
    """Return the ascending real eigenvalues and the orthonormal eigenvectors (columns) of Hermitian matrices.

    The lower triangle is read, or the upper one if UPLO is "U". A loss must not depend on the vectors' signs or phases;
    where eigenvalues coincide, its gradient is NaN if it depends on vectors.
    (..., n, n) -> (..., n), (..., n, n). Raises RuntimeError for other shapes and for integers.
    Source: torch.linalg.eigh.

    >>> torch.linalg.eigh(torch.tensor([[1.0, 0.0], [0.0, -2.0]])).eigenvalues
    tensor([-2.,  1.])
    """
    check_floating_matrices("linalg.eigh", A, square=True)
    return into(out, return_types.linalg_eigh(*Eigh.apply(A, triangle=_check_uplo("eigh", UPLO))), exact="linalg.eigh")


@numpy_spelling
def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Return the ascending real eigenvalues of Hermitian matrices; one triangle is read.

    (..., n, n) -> (..., n). Raises RuntimeError for other shapes and for integers. Source: torch.linalg.eigvalsh.

    >>> torch.linalg.eigvalsh(torch.tensor([[1.0, 0.0], [0.0, -2.0]]))
    tensor([-2.,  1.])
    """
    check_floating_matrices("linalg.eigvalsh", A, square=True)
    triangle = _check_uplo("eigvalsh", UPLO)
    found = Eigh.apply(A, triangle=triangle)[0] if is_recorded(A) else EigenvaluesH.apply(A, triangle=triangle)
    return into(out, found, exact="linalg.eigvalsh")


def _check_uplo(op: str, name: str) -> str:
    if name.upper() not in ("L", "U"):
        raise ArgumentError(f"linalg.{op}: Expected UPLO argument to be 'L' or 'U', but got {name}")
    return name.upper()


@numpy_spelling
def eig(A: Tensor, *, out: Any = None) -> return_types.linalg_eig:
    """Return the eigenvalues and the eigenvectors of length 1 (columns), as complex numbers, in no particular order.

    A loss must not depend on the vectors' phases. (..., n, n) -> (..., n), (..., n, n). Raises RuntimeError for other
    shapes and for integers. Source: torch.linalg.eig.

    >>> torch.linalg.eig(torch.tensor([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues
    tensor([0.+1.j, 0.-1.j])
    """
    check_floating_matrices("linalg.eig", A, square=True)
    return into(out, return_types.linalg_eig(*Eig.apply(A)))


@numpy_spelling
def eigvals(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the eigenvalues as complex numbers, in no particular order.

    (..., n, n) -> (..., n). Raises RuntimeError for other shapes and for integers. Source: torch.linalg.eigvals.

    >>> torch.linalg.eigvals(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    tensor([0.+1.j, 0.-1.j])
    """
    check_floating_matrices("linalg.eigvals", A, square=True)
    return into(out, Eig.apply(A)[0] if is_recorded(A) else Eigenvalues.apply(A))


@tensors_only
def svd(
    A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None
) -> return_types.linalg_svd:
    """Return U, S, Vh of A = U diag(S) Vh, S descending; with full_matrices, U and Vh are square.

    The singular vectors are the columns of U and the rows of Vh. A loss must not depend on their signs or phases, nor
    on vectors without a singular value. `driver`, which is for CUDA, is ignored. Raises RuntimeError for fewer than two
    dimensions and for integers. Source: torch.linalg.svd.

    >>> torch.linalg.svd(torch.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    check_floating_matrices("linalg.svd", A)
    return into(out, return_types.linalg_svd(*SVD.apply(A, full=full_matrices)), exact="linalg.svd")


@tensors_only
def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """Return the descending singular values.

    (..., m, n) -> (..., min(m, n)). Raises RuntimeError for fewer dimensions and for integers.
    Source: torch.linalg.svdvals.

    >>> torch.linalg.svdvals(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    check_floating_matrices("linalg.svdvals", A)
    return into(out, SVD.apply(A, full=False)[1] if is_recorded(A) else SingularValues.apply(A), exact="linalg.svdvals")


@tensors_only
def torch_svd(input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> return_types.svd:
    """Return U, S, V of input = U diag(S) Vᴴ; without compute_uv, U and V are zeros.

    U and V are reduced to min(m, n) columns if `some`. Source: torch.svd.

    >>> torch.svd(torch.ones(3, 2)).U.shape
    torch.Size([3, 2])
    """
    if compute_uv:
        u, s, vh = svd(input, not some)
        return into(out, return_types.svd(u, s, adjoint(vh)), exact="svd")
    s = svdvals(input)
    zeros = (type(input)._wrap(np.zeros_like(input.array, shape=(*input.shape[:-2], n, n))) for n in input.shape[-2:])
    return into(out, return_types.svd(next(zeros), s, next(zeros)), exact="svd")


@composite
def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Approximate the q largest singular values of A - M and their vectors: U, S, V. Source: torch.svd_lowrank.

    Algorithm 5.1 of Halko et al. (2009): q random directions and `niter` power iterations.

    >>> U, S, V = torch.svd_lowrank(torch.ones(5, 4), q=2)
    >>> U.shape, S.shape, V.shape
    (torch.Size([5, 2]), torch.Size([2]), torch.Size([4, 2]))
    """
    check_matrices("svd_lowrank", A)
    x = A if M is None else A - expand(M, A.shape)
    wide = x.shape[-2] < x.shape[-1]
    x = adjoint(x) if wide else x
    basis = qr(np.matmul(x, randn(x.shape[-1], 6 if q is None else q, dtype=x.dtype, device=x.device))).Q
    for _ in range(2 if niter is None else niter):
        basis = qr(np.matmul(adjoint(x), basis)).Q
        basis = qr(np.matmul(x, basis)).Q
    u, s, vh = svd(np.matmul(adjoint(basis), x), full_matrices=False)
    u, v = np.matmul(basis, u), adjoint(vh)
    return (v, s, u) if wide else (u, s, v)


@composite
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Return the principal components of A: `svd_lowrank` of A, minus its columns' means if `center`.

    q is min(6, m, n) by default. (..., m, n) -> (..., m, q), (..., q) and (..., n, q). Raises ValueError for a q that
    is negative or more than m or n, and for a negative niter. Source: torch.pca_lowrank.

    >>> torch.pca_lowrank(torch.ones(5, 4), q=1)[1].shape
    torch.Size([1])
    """
    check_matrices("pca_lowrank", A)
    most = min(A.shape[-2:])
    q = min(6, most) if q is None else q
    if not 0 <= q <= most:
        raise ArgumentError(f"pca_lowrank: q(={q}) must be non-negative integer and not greater than min(m, n)={most}")
    if niter < 0:
        raise ArgumentError(f"pca_lowrank: niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


@composite
def lobpcg(
    A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None, n: int | None = None,
    iK: Tensor | None = None, niter: int | None = None, tol: float | None = None, largest: bool | None = None,
    method: str | None = None, tracker: Any = None, ortho_iparams: Any = None, ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the k largest (or smallest) eigenvalues of symmetric A (*, m, m), or of A x = λ B x, and their vectors.

    B is positive-definite. They come from `eigh`, so the arguments for PyTorch's iteration have no effect, but without
    X its random start is drawn, so that later draws are PyTorch's. Raises RuntimeError if A is not square.
    Source: torch.lobpcg.

    >>> values, vectors = torch.lobpcg(torch.diag(torch.tensor([1.0, 3.0, 2.0])), k=2)
    >>> values
    tensor([3., 2.])
    """
    check_matrices("lobpcg", A, square=True)
    count = k or (1 if X is None else X.shape[-1])
    for _ in range(math.prod(A.shape[:-2]) if X is None else 0):
        randn(A.shape[-1], n or count, dtype=A.dtype, device=A.device)
    A = (A + A.mH) / 2  # `eigh` would read one triangle only
    if B is None:
        values, vectors = eigh(A)
    else:
        root = cholesky(B)
        half = solve_triangular(root, A, upper=False)
        values, vectors = eigh(solve_triangular(root, half.mH, upper=False))
        vectors = solve_triangular(root.mH, vectors, upper=True)
    if largest is None or largest:
        values, vectors = values.flip(-1), vectors.flip(-1)
    values, vectors = values[..., :count], vectors[..., :count]
    return (values.contiguous(), vectors.contiguous()) if A.ndim > 2 else (values, vectors)
