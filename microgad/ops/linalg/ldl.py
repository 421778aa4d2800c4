"""The LDL factorization of symmetric indefinite matrices, and the systems it solves.

The method is that of Bunch and Kaufman (1977), the layout that of LAPACK's sytrf.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, return_types
from ... import function as core
from ...backend.meta import known
from ...errors import ArgumentError, GraphError, KindError, LinAlgError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import conjugate, where
from ..indexing import Gather
from ..movement import diagonal
from ..support.out import into
from ..support.spelling import numpy_spelling
from .common import adjoint, by_columns, cabs1, check_fit, check_floating_matrices, mT
from .lu_factors import permute_rows
from .triangular import tri_solve

GROWTH = (1 + math.sqrt(17)) / 8  # for this threshold, two 1 x 1 pivots let entries grow as much as one 2 x 2 pivot
PANEL = 32  # columns that are factored before the rest of the matrix is updated by a matrix product


class LDLFactor(Function):
    """L and D of A = L D Lᵀ (or Lᴴ, if `hermitian`) in one matrix, the pivots, and info. The lower triangle is read.

    D has 1 x 1 and 2 x 2 blocks. A pivot is the number, from 1, of the row that a block's row was exchanged with; for a
    2 x 2 block both pivots are negative, and the second row was exchanged. Info is 0 or the number of the first zero
    row of D.
    """

    symbol, operator, node_name, hermitian = "LDLᵀ", "linalg_ldl_factor", "NotImplemented", False

    def forward(self, x):
        n, lead = x.shape[-1], x.shape[:-2]
        lower = np.tril(backend.to_numpy(x))
        whole = np.tril(lower, -1) + (adjoint if self.hermitian else mT)(lower)
        factors = by_columns(whole).reshape(math.prod(lead), n, n)
        pivots = np.empty((len(factors), n), np.int32)
        each = zip(factors, pivots, strict=True)
        info = np.array([_factor_in_place(a, row, self.hermitian) for a, row in each], np.int32)
        results = np.tril(factors).reshape(x.shape), pivots.reshape(*lead, n), info.reshape(lead)
        factors, *others = (backend.like(result, x) for result in results)
        return by_columns(factors), *others

    def backward(self, grad):
        raise GraphError("the derivative for 'ldl_factor' is not implemented; use linalg.solve")


def _factor_in_place(a: Array, pivots: Array, hermitian: bool) -> int:
    """Replace the lower triangle of a matrix (n, n) by L and D, fill in the pivots (n), and return info."""
    start = info = 0
    while start < len(a):
        done, zero = _factor_panel(a[start:, start:], pivots[start:], hermitian)
        info = info or (start + zero if zero else 0)
        pivots[start : start + done] += np.sign(pivots[start : start + done]) * start
        start += done
    return info


def _factor_panel(a: Array, pivots: Array, hermitian: bool) -> tuple[int, int]:
    """Factor the first columns of a symmetric matrix (n, n) in place, and update the others by a matrix product.

    Return how many columns, and the number of the first zero row of D.
    """
    n = len(a)
    right = np.empty((min(n, PANEL + 1), n), a.dtype)  # D Lᴴ
    exchanges = []
    k = info = 0

    def column(j: int) -> Array:
        """Compute column j of what the columns before k leave of the matrix, from row k on."""
        found = a[k:, j] - np.matmul(a[k:, :k], right[:k, j]) if k else a[:, j].copy()
        if hermitian:
            found[j - k] = found[j - k].real
        return found

    while k < min(n, PANEL):
        columns, place = _pivot(column, k)
        rows, stop = len(columns), k + len(columns)
        if place != stop - 1:
            pair, other = [stop - 1, place], [place, stop - 1]
            a[pair], right[:, pair] = a[other], right[:, other]
            a[k:, pair] = a[k:, other]
            for x in columns:
                x[[rows - 1, place - k]] = x[[place - k, rows - 1]]
            exchanges.append((k, pair, other))
        for i, x in enumerate(columns):
            right[k + i, k:] = x.conj() if hermitian else x
        if rows == 1 and (pivot := columns[0][0]) and a.dtype.kind == "f":  # without the overhead of LAPACK and BLAS
            columns[0][1:] *= 1 / pivot
            a[k:, k] = columns[0]
        else:
            a[k:, k:stop] = np.stack(columns, 1)
            block = a[k:stop, k:stop]
            if rows == 2:
                block[0, 1] = block[1, 0].conj() if hermitian else block[1, 0]  # not singular, whatever was rounded
            if block.any():
                a[stop:, k:stop] = np.matmul(a[stop:, k:stop], np.linalg.inv(block))
            else:
                info = info or stop
        pivots[k:stop] = place + 1 if rows == 1 else -(place + 1)
        k = stop
    if k < n:
        a[k:, k:] -= np.matmul(a[k:, :k], right[:k, k:])
    for before, pair, other in reversed(exchanges):  # LAPACK doesn't exchange the rows of finished columns
        a[pair, :before] = a[other, :before]
    return k, info


def _pivot(column: Callable[[int], Array], k: int) -> tuple[list[Array], int]:
    """Choose the next pivot: return the columns of its block, and the row to exchange with the block's last one."""
    first = column(k)
    size = cabs1(first)
    if len(size) == 1:
        return [first], k
    far = int(size[1:].argmax()) + 1
    corner, most = size[0], size[far]
    if corner >= GROWTH * most:
        return [first], k
    second = column(k + far)
    size = cabs1(second)
    own, size[far], size[0] = size[far], 0, most
    if corner >= GROWTH * most * (most / (largest := size.max())):
        return [first], k
    return ([second] if own >= GROWTH * largest else [first, second]), k + far


@numpy_spelling
@composite
def ldl_factor(A: Tensor, *, hermitian: bool = False, out: Any = None) -> return_types.linalg_ldl_factor:
    """Return L and D of A = L D Lᵀ in one matrix, and pivots, for `ldl_solve`. A is symmetric or Hermitian.

    (..., n, n) -> (..., n, n), (..., n). Only the lower triangle is read. Raises LinAlgError, a RuntimeError, if D is
    singular. As in PyTorch, there is no derivative. Source: torch.linalg.ldl_factor.

    >>> torch.linalg.ldl_factor(torch.tensor([[0.0, 2.0], [2.0, 1.0]]))
    torch.return_types.linalg_ldl_factor(
    LD=tensor([[0., 0.],
            [2., 1.]]),
    pivots=tensor([-2, -2], dtype=torch.int32))
    """
    factors, pivots, _ = _checked_ldl("linalg.ldl_factor", A, hermitian, check_errors=True)
    return into(out, return_types.linalg_ldl_factor(factors, pivots), exact="linalg.ldl_factor")


@numpy_spelling
@composite
def ldl_factor_ex(
    A: Tensor, *, hermitian: bool = False, check_errors: bool = False, out: Any = None
) -> return_types.linalg_ldl_factor_ex:
    """Return the factors of `linalg.ldl_factor`, and 0 or the number of the first zero row of D.

    (..., n, n) -> (..., n, n), (..., n), (...). Raises RuntimeError for other shapes.
    Source: torch.linalg.ldl_factor_ex.

    >>> torch.linalg.ldl_factor_ex(torch.zeros(1, 1)).info
    tensor(1, dtype=torch.int32)
    """
    factors = _checked_ldl("linalg.ldl_factor_ex", A, hermitian, check_errors)
    return into(out, return_types.linalg_ldl_factor_ex(*factors), exact="linalg.ldl_factor_ex")


def _checked_ldl(op: str, A: Tensor, hermitian: bool, check_errors: bool) -> Any:
    check_floating_matrices(op, A, square=True)
    factors = LDLFactor.apply(A, hermitian=hermitian)
    if check_errors and known((info := factors[2].array).any()):
        raise LinAlgError(f"{op}: The factorization could not be completed: row {info.max()} of D is zero")
    return factors


@composite
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Tensor | None = None) -> Tensor:
    """Solve A X = B with the results of `ldl_factor` for A: (..., n, n), (..., n), (..., n, k) -> (..., n, k).

    Raises RuntimeError for other shapes. Source: torch.linalg.ldl_solve.

    >>> A = torch.tensor([[0.0, 2.0], [2.0, 1.0]])
    >>> torch.linalg.ldl_solve(*torch.linalg.ldl_factor(A), torch.tensor([[2.0], [3.0]]))
    tensor([[1.],
            [1.]])
    """
    op, star = "linalg.ldl_solve", adjoint if hermitian else mT
    check_floating_matrices(op, LD, B, square=True)
    if pivots.array.dtype.kind not in "iu":
        raise KindError(f"{op}: Expected pivots to be integers. Got {pivots.dtype}")
    if tuple(pivots.shape) != tuple(LD.shape[:-1]):
        raise ShapeError(f"{op}: LD needs pivots of shape {tuple(LD.shape[:-1])}, got {tuple(pivots.shape)}")
    check_fit(op, LD, B, left=True)
    order, places, partner = _row_orders(pivots.array)
    own = backend.like(np.arange(LD.shape[-1]), partner)
    L = mT(_along_rows(mT(LD), places))
    if pairs := known((partner != own).any()):
        L = where(core.Tensor._wrap(mT(partner[..., None] == own)), 0, L)
    x = tri_solve(L, permute_rows(B, order), upper=False, unit=True)
    x = _solve_pairs(LD, x, own, partner, hermitian) if pairs else x / diagonal(LD, 0, -2, -1)[..., None]
    x = tri_solve(star(L), x, upper=True, unit=True)
    return into(out, by_columns(permute_rows(x, np.argsort(order, -1))), exact="linalg.ldl_solve")


def _solve_pairs(LD: Tensor, y: Tensor, own: Array, partner: Array, hermitian: bool) -> Tensor:
    """Solve D X = Y: each row with its partner, the other row of its block, or alone if the block has no other.

    As in LAPACK, rows of two are divided by D's entry between them first, which is the largest.
    """
    n = len(own)
    between = np.minimum(own, partner) * n + np.maximum(own, partner)
    paired = core.Tensor._wrap(partner != own)
    scale = where(paired, _along_rows(mT(LD).reshape(*LD.shape[:-2], n * n), between), 1)
    if hermitian:
        scale = where(core.Tensor._wrap(own < partner), conjugate(scale), scale)
    d = diagonal(LD, 0, -2, -1) / scale
    other = where(paired, _along_rows(d, partner), 1)
    y = y / scale[..., None]
    y = other[..., None] * y - where(paired[..., None], permute_rows(y, partner), 0)
    return y / (other * d - paired.to(d.dtype))[..., None]


def _along_rows(x: Tensor, index: Array) -> Tensor:
    """Gather along the last axis."""
    return Gather.apply(x, index=index, axis=x.ndim - 1)


def _row_orders(pivots: Array) -> tuple[Array, Array, Array]:
    """Return the order of rows (..., n), that of L's rows for each column (..., n, n), and each row's partner in D.

    LAPACK does not exchange the rows of finished columns of L, so their order differs from column to column.
    """
    *lead, n = pivots.shape
    host = backend.to_numpy(pivots).reshape(math.prod(lead), n)
    if not ((host != 0) & (abs(host) <= n)).all():
        raise ArgumentError(f"linalg.ldl_solve: pivots of {n} rows must be 1 to {n}, or -{n} to -1")
    places = np.empty((len(host), n, n), np.int64)
    order, partner = (np.tile(np.arange(n), (len(host), 1)) for _ in range(2))
    for row, columns, order_now, others in zip(host.tolist(), places, order, partner, strict=True):
        blocks, k = [], 0
        while k < n:
            last = k if row[k] > 0 else k + 1
            if last == n:
                raise ArgumentError("linalg.ldl_solve: the last of pivots begins a block of two rows")
            others[k], others[last] = last, k
            blocks.append((k, last, abs(row[k]) - 1))
            k = last + 1
        where_is = list(range(n))
        for k, last, place in reversed(blocks):  # the first exchange is the last one that changes where rows come from
            columns[k : last + 1] = order_now
            if last != place:
                i, j = where_is[last], where_is[place]
                where_is[last], where_is[place], order_now[i], order_now[j] = j, i, place, last
    shapes = (pivots.shape, (*lead, n, n), pivots.shape)
    found = zip((order, places, partner), shapes, strict=True)
    order, places, partner = (backend.like(x.reshape(shape), pivots) for x, shape in found)
    return order, places, partner
