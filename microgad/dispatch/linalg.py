"""NumPy's products and linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import elementwise, linalg, movement
from .elementwise import promoted


def _matmul(a: Any, b: Any, out: None = None) -> Any:
    return linalg.promoted_matmul(*promoted(a, b))


def _matvec(a: Any, b: Any) -> Any:
    x, y = promoted(a, b)
    return linalg.promoted_matmul(x, movement.unsqueeze(y, -1)).squeeze(-1)


def _vecmat(a: Any, b: Any) -> Any:
    x, y = promoted(a, b)
    return linalg.promoted_matmul(movement.unsqueeze(elementwise.conj(x), -2), y).squeeze(-2)


UFUNCS: dict[Any, Callable[..., Any]] = {
    np.matmul: _matmul,
    np.vecdot: lambda a, b: linalg.vecdot(*promoted(a, b)),
}
if hasattr(np, "matvec"):  # since NumPy 2.2
    UFUNCS |= {np.matvec: _matvec, np.vecmat: _vecmat}


def _dot(a: Any, b: Any, out: None = None) -> Any:
    x, y = promoted(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return elementwise.mul(x, y)
    return linalg.tensordot(x, y, ([-1], [max(y.ndim - 2, 0)])) if y.ndim > 2 else linalg.promoted_matmul(x, y)


def _outer(a: Any, b: Any, out: None = None) -> Any:
    return linalg.outer(*map(movement.flatten, promoted(a, b)))


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    x, y = promoted(a, b)
    return linalg.tensordot(x, y, axes)


def _einsum(*operands: Any, out: None = None, optimize: Any = False) -> Any:
    if isinstance(operands[0], str):
        return linalg.einsum(operands[0], *promoted(*operands[1:]))
    count = len(operands) // 2
    lists = [list(axes) for axes in operands[1 : 2 * count : 2]]
    pairs = [x for pair in zip(promoted(*operands[: 2 * count : 2]), lists, strict=True) for x in pair]
    return linalg.einsum(*pairs, *(list(axes) for axes in operands[2 * count :]))


def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = (movement.moveaxis(t, i, -1) for t, i in zip(promoted(a, b), (axisa, axisb), strict=True))
    n = max(x.ndim, y.ndim)
    x, y = (t.reshape((1,) * (n - t.ndim) + tuple(t.shape)) for t in (x, y))
    return movement.moveaxis(linalg.linalg_cross(x, y), -1, axisc)


def _solve(a: Any, b: Any) -> Any:
    x, y = promoted(a, b)
    return linalg.solve(x, y) if y.ndim == 1 else linalg.Solve.apply(x, y)


def _matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return linalg.matrix_rank(A, tol, hermitian, rtol=rtol) if A.ndim > 1 else int(bool((A != 0).any()))


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:  # only the lower triangle is read
        a = movement.tril(a) + elementwise.conj(movement.transpose(movement.tril(a, -1), -2, -1))
    return linalg.svd(a, full_matrices) if compute_uv else linalg.svdvals(a)


def _lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    x, y = promoted(a, b)
    found = linalg.lstsq(x, y, rcond, driver="gelsd")
    return (*found[:3], linalg.svdvals(x)) if x.requires_grad else found  # PyTorch's values have no derivative


def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    x, y = promoted(a, b)
    return linalg.tensorsolve(x, y, axes)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.dot: _dot,
    np.vdot: lambda a, b, /: linalg.vdot(*map(movement.flatten, promoted(a, b))),
    np.inner: lambda a, b, /: linalg.inner(*promoted(a, b)),
    np.outer: _outer,
    np.tensordot: _tensordot,
    np.einsum: _einsum,
    np.cross: _cross,
    np.vander: lambda x, N=None, increasing=False: linalg.vander(x, N, increasing),
    np.linalg.matmul: lambda x1, x2, /: _matmul(x1, x2),
    np.linalg.outer: lambda x1, x2, /: _outer(x1, x2),
    np.linalg.tensordot: lambda x1, x2, /, *, axes=2: _tensordot(x1, x2, axes),
    np.linalg.vecdot: lambda x1, x2, /, *, axis=-1: linalg.vecdot(*promoted(x1, x2), dim=axis),
    np.linalg.cross: lambda x1, x2, /, *, axis=-1: _cross(x1, x2, axis=axis),
    np.linalg.norm: lambda x, ord=None, axis=None, keepdims=False: linalg.linalg_norm(x, ord, axis, keepdims),
    np.linalg.vector_norm: lambda x, /, *, axis=None, keepdims=False, ord=2: linalg.vector_norm(x, ord, axis, keepdims),
    np.linalg.matrix_norm: lambda x, /, *, keepdims=False, ord="fro": linalg.matrix_norm(x, ord, (-2, -1), keepdims),
    np.linalg.cond: lambda x, p=None: linalg.cond(x, p),
    np.linalg.matrix_rank: _matrix_rank,
    np.linalg.multi_dot: lambda arrays, *, out=None: linalg.multi_dot(promoted(*arrays)),
    np.linalg.matrix_power: lambda a, n: linalg.matrix_power(a, n),
    np.linalg.inv: lambda a: linalg.inv(a),
    np.linalg.pinv: lambda a, rcond=None, hermitian=False, *, rtol=None: linalg.pinv(a, rcond, hermitian, rtol=rtol),
    np.linalg.solve: _solve,
    np.linalg.tensorinv: lambda a, ind=2: linalg.tensorinv(a, ind),
    np.linalg.tensorsolve: _tensorsolve,
    np.linalg.lstsq: _lstsq,
    np.linalg.det: lambda a: linalg.det(a),
    np.linalg.slogdet: lambda a: linalg.linalg_slogdet(a),
    np.linalg.cholesky: lambda a, /, *, upper=False: linalg.cholesky(a, upper=upper),
    np.linalg.qr: lambda a, mode="reduced": linalg.qr(a, mode) if mode != "r" else linalg.qr(a, mode).R,
    np.linalg.svd: _svd,
    np.linalg.svdvals: lambda x, /: linalg.svdvals(x),
    np.linalg.eigh: lambda a, UPLO="L": linalg.eigh(a, UPLO),
    np.linalg.eigvalsh: lambda a, UPLO="L": linalg.eigvalsh(a, UPLO),
    np.linalg.eig: lambda a: linalg.eig(a),
    np.linalg.eigvals: lambda a: linalg.eigvals(a),
}
