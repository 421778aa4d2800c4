"""Pseudo-inverses, ranks and least-squares solutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend, return_types
from ... import function as core
from ...backend.meta import known
from ...errors import ArgumentError, DtypeError, LinAlgError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import abs as magnitude
from ..movement import squeeze, unsqueeze
from ..support import layouts
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .common import adjoint, by_columns, check_floating_matrices, is_vector_rhs, mT, svd_or_nan, svdvals_or_nan


class Pinv(Function):
    """The pseudo-inverse. Singular values (eigenvalues, if `hermitian`) up to the threshold count as zero.

    The derivative assumes that the rank does not change.
    """

    symbol, operator, numpy, conjugates = "A⁺", "linalg_pinv", np.linalg.pinv, False

    def forward(self, x):
        if not self.hermitian and (found := _inverse(x, self.atol, self.rtol)) is not None:
            return layouts.row_major(found)
        u, s, vh = _decomposed(x, self.hermitian)
        large = abs(s) > _threshold(x, s, self.atol, self.rtol)
        inverses = np.where(large, 1 / np.where(large, s, 1), 0).astype(s.dtype)
        return layouts.row_major(np.matmul(adjoint(vh) * inverses[..., None, :], adjoint(u)))

    def grad_x(self, grad, x, out):
        gh, ph = adjoint(grad), adjoint(out)
        outside = np.matmul(gh, np.matmul(out, ph))
        outside = outside - np.matmul(x, np.matmul(out, outside))
        inside = np.matmul(np.matmul(ph, out), gh)
        inside = inside - np.matmul(np.matmul(inside, out), x)
        return outside + inside - np.matmul(np.matmul(ph, grad), ph)


def _inverse(x: Array, atol: Any, rtol: Any) -> Array | None:
    """Return the inverse, or R⁻¹Qᴴ of a tall A = QR: two to four times as fast as the pseudo-inverse by SVD.

    A wide matrix has the adjoint of its adjoint's. Return None if a singular value may count as zero.
    """
    rows, columns = x.shape[-2:]
    if rows < columns:
        found = _inverse(adjoint(x), atol, rtol)
        return None if found is None else adjoint(found)
    try:
        with backend.checked(x):
            if rows == columns:
                found = np.linalg.inv(x)
            else:
                q, r = np.linalg.qr(x)
                found = np.matmul(np.linalg.inv(r), adjoint(q))
    except np.linalg.LinAlgError:
        return None
    return found if _within_norms(x, found, atol, rtol) else None


def _within_norms(x: Array, inverse: Array, atol: Any, rtol: Any) -> bool:
    """Whether norms of A and A⁺, which bound the singular values, show that all are above the threshold."""
    with np.errstate(all="ignore"):
        for norm in (_frobenius_norm, _schatten_norm):
            size, reach = norm(x), norm(inverse)
            least = np.maximum(_tolerance(x, size, atol, rtol), _tolerance(x, size, None, None))
            if known((2 * least * reach < 1).all()):
                return True
    return False


def _frobenius_norm(x: Array) -> Array:
    """Return the root of the sum of the squares of each matrix's singular values."""
    return np.linalg.norm(x, axis=(-2, -1))


def _schatten_norm(x: Array) -> Array:
    """Return the fourth root of the sum of their fourth powers: nearer to the greatest, and as sure to exceed it."""
    tall = x if x.shape[-2] > x.shape[-1] else adjoint(x)
    return np.sqrt(_frobenius_norm(np.matmul(adjoint(tall), tall)))


def _is_full(x: Array, inverse: Array, rtol: float) -> bool:
    """Whether all ranks are certainly full: the trace of the projection A⁺A is the rank."""
    trace = (x * mT(inverse)).sum((-2, -1)).real
    return _within_norms(x, inverse, None, rtol) and bool((trace > min(x.shape[-2:]) - 0.5).all())


def _decomposed(x: Array, hermitian: bool) -> Any:
    """Return U, S, Vh. For Hermitian matrices S are the eigenvalues, which may be negative."""
    if not hermitian:
        return svd_or_nan(x, full=False)
    w, v = np.linalg.eigh(x)
    return v, w, adjoint(v)


def _threshold(x: Array, s: Array, atol: Any, rtol: Any) -> Array | float:
    """Return the threshold (..., 1) up to which singular values (..., k) count as zero."""
    return _tolerance(x, abs(s).max(-1), atol, rtol)[..., None] if s.shape[-1] else 0.0


def _tolerance(x: Array, largest: Array, atol: Any, rtol: Any) -> Array:
    """Return max(atol, rtol · the largest singular value), with PyTorch's defaults."""
    if rtol is None:
        rtol = max(x.shape[-2:]) * float(np.finfo(largest.dtype).eps) * (atol is None or atol <= 0)
    return np.maximum(0.0 if atol is None else atol, rtol * largest)


def _check_alone(tolerance: str, *others: Any) -> None:
    """Raise TypeError if another tolerance is given beside a deprecated one."""
    if any(x is not None for x in others):
        raise TypeError(f"{tolerance} cannot be combined with atol and rtol")


def _bare_tolerances(op: str, **tolerances: Any) -> dict[str, Any]:
    """Return the tolerances, which must be real, with arrays in place of Tensors."""
    for name, given in tolerances.items():
        if isinstance(given, complex):
            raise TypeError(f"{op}(): argument '{name}' must be a real number or a Tensor, not complex")
        if isinstance(given, core.Tensor):
            if given.dtype.is_complex:
                raise DtypeError(f"{op}: {name} tensor of complex type is not supported. Got {given.dtype}")
            tolerances[name] = given.array
    return tolerances


@numpy_spelling
@composite
def pinv(
    A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the pseudo-inverse of each matrix; singular values up to max(atol, rtol · the largest) count as zero.

    rtol (or rcond) is max(m, n) · eps by default, or 0 if atol is positive. (..., m, n) -> (..., n, m). Raises
    RuntimeError for fewer dimensions and for integers, TypeError for complex tolerances, and for rcond beside atol or
    rtol. Source: torch.linalg.pinv.

    >>> torch.linalg.pinv(torch.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    check_floating_matrices("linalg.pinv", A, square=hermitian)
    if rcond is not None:
        _check_alone("linalg.pinv(): rcond", atol, rtol)
        rtol = rcond
    return into(out, Pinv.apply(A, hermitian=hermitian, **_bare_tolerances("linalg.pinv", atol=atol, rtol=rtol)))


@tensors_only
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Call `linalg.pinv`; singular values up to rcond · the largest count as zero. Source: torch.pinverse.

    >>> torch.pinverse(torch.tensor([[2.0]]))
    tensor([[0.5000]])
    """
    return pinv(input, rcond)


class Rank(Function):
    """The number of singular values (absolute eigenvalues, if `hermitian`) above the threshold."""

    symbol, operator, numpy = "rank", None, np.linalg.matrix_rank

    def forward(self, x):
        s = abs(np.linalg.eigvalsh(x)) if self.hermitian else svdvals_or_nan(x)
        return layouts.row_major((s > _threshold(x, s, self.atol, self.rtol)).sum(-1))


@numpy_spelling
@composite
def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the rank of each matrix, int64: the number of singular values above max(atol, rtol · the largest).

    The defaults of atol and rtol are those of `linalg.pinv`; tol is an atol with rtol = 0. (..., m, n) -> (...). Raises
    RuntimeError for fewer dimensions and for integers, TypeError for complex tolerances, and for tol beside atol or
    rtol. Source: torch.linalg.matrix_rank.

    >>> torch.linalg.matrix_rank(torch.ones(3, 3))
    tensor(1)
    """
    check_floating_matrices("linalg.matrix_rank", A, square=hermitian)
    if tol is not None:
        _check_alone("linalg.matrix_rank(): tol", atol, rtol)
        atol, rtol = tol, 0.0
    tolerances = _bare_tolerances("linalg.matrix_rank", atol=atol, rtol=rtol)
    return into(out, Rank.apply(A.detach(), hermitian=hermitian, **tolerances))


@numpy_spelling
@composite
def lstsq(
    A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None, out: Any = None
) -> return_types.linalg_lstsq:
    """Return the X of least norm that minimizes |A X - B|. B is matrices, or a vector for each A.

    Also returns the columns' squared residuals (if m > n, all ranks are n, and the driver is not gelsy), the ranks (not
    for gels), and the singular values (for gelsd and gelss); otherwise they are empty. Whatever the driver, the
    solution comes from the pseudo-inverse. Singular values up to rcond · the largest count as zero; rcond is max(m, n)
    · eps by default. gels ignores rcond, raising LinAlgError if a matrix other than 0 is rank-deficient. Raises
    RuntimeError for another driver, and for sizes that don't fit. Source: torch.linalg.lstsq.

    >>> torch.linalg.lstsq(torch.tensor([[1.0], [0.0]]), torch.tensor([[2.0], [3.0]])).solution
    tensor([[2.]])
    """
    op = "linalg.lstsq"
    check_floating_matrices(op, A, B)
    driver = "gelsy" if driver is None else driver
    if driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise ArgumentError(f"{op}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), got {driver}")
    vectors = is_vector_rhs(A, B)
    b = unsqueeze(B, -1) if vectors else B
    if b.ndim != A.ndim:
        raise ShapeError(f"{op}: B must be a vector or matrix for each A, got {tuple(A.shape)} and {tuple(B.shape)}")
    rows, columns = A.shape[-2:]
    if b.shape[-2] != rows:
        raise ShapeError(f"{op}: input.size(-2) should match other.size(-2), got {tuple(A.shape)} and {tuple(B.shape)}")
    tolerance = _driver_rtol(A.array, rcond, driver)
    inverse = Pinv.apply(A, hermitian=False, atol=None, rtol=tolerance)
    x = by_columns(np.matmul(inverse, b))
    nothing, made = np.zeros_like(x.array, shape=(0,)).real, core.Tensor._wrap
    s, spectral = nothing, driver in ("gelsd", "gelss")
    if spectral or not _is_full(A.array, inverse.array, tolerance):
        s = svdvals_or_nan(A.array)
        rank = (s > _threshold(A.array, s, None, tolerance)).sum(-1)
    else:
        rank = backend.make_like(np.zeros_like, A.array, shape=A.shape[:-2], dtype=np.int64) + min(rows, columns)
    if driver == "gels" and _has_zero_pivot(A.array):
        raise LinAlgError(
            f"{op}: The least squares solution could not be computed because the input matrix does not have full rank"
        )
    residuals = magnitude(x).flatten()[:0]
    if rows > columns and driver != "gelsy" and (driver == "gels" or (rank == columns).all()):
        misses = np.matmul(A, x) - b
        residuals = np.real(misses * np.conj(misses)).sum(-2)
    result = return_types.linalg_lstsq(
        squeeze(x, -1) if vectors else x,
        residuals,
        made(backend.as_array(rank) if driver != "gels" else np.zeros_like(nothing, dtype=np.int64)),
        made(s if spectral else nothing),
    )
    return into(out, result)


def _has_zero_pivot(x: Array) -> bool:
    """Whether a matrix other than 0 has columns (if it is wide: rows) that are linearly dependent.

    Its R from QR then has a 0 on the diagonal, or what float64's rounding leaves of it.
    """
    tall = x if x.shape[-2] >= x.shape[-1] else mT(x)
    r = np.linalg.qr(tall.astype(np.result_type(x, np.float64)), mode="r")
    pivots = abs(np.diagonal(r, axis1=-2, axis2=-1))
    dependent = (pivots <= 1e-15 * np.linalg.norm(r, axis=-2)).any(-1)
    return bool((dependent & (x != 0).any((-2, -1))).any())


def _driver_rtol(x: Array, rcond: float | None, driver: str) -> float:
    """Return the rtol up to which a LAPACK driver takes singular values for zero."""
    if driver == "gels":
        return 0.0
    eps = float(np.finfo(x.dtype).eps)
    if rcond is None:
        return eps * max(x.shape[-2:])
    return eps / 2 if rcond < 0 and driver != "gelsy" else rcond  # LAPACK takes eps / 2 for a negative rcond
