"""The LU factorization with partial pivoting, and the systems that it solves."""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import numpy as np

from ... import backend, return_types
from ... import function as core
from ...backend.meta import known
from ...errors import ArgumentError, LinAlgError, ShapeError
from ...errors.notices import once
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..indexing import Gather
from ..movement import broadcast_shapes
from ..support.out import into
from .common import adjoint as _adjoint
from .common import by_columns, cabs1, check_fit, check_floating_matrices, eye, mT
from .triangular import tri_solve

PANEL = 32  # columns that are factored before the rest of the matrix is updated by a matrix product


class LUFactor(Function):
    """L and U of A = P L U in one matrix, pivots (from 1), info (the first zero pivot or 0), and the order of rows."""

    symbol, operator, node_name, constants = "LU", "linalg_lu_factor", "LinalgLuFactorEx", ("places",)

    def forward(self, x):
        lu, pivots, order, info = lu_factorize(x)
        self.places = np.argsort(order, -1)
        return by_columns(lu), pivots, info, order

    def backward(self, grad, out, places):
        lu, of_lu = out[0], grad[0]
        rows, columns = lu.shape[-2:]
        k = min(rows, columns)
        l, u = np.tril(lu[..., :k, :k], -1) + eye(lu, k), np.triu(lu[..., :k, :k])
        below, beside, of_below, of_beside = lu[..., k:, :], lu[..., :, k:], of_lu[..., k:, :], of_lu[..., :, k:]
        of_square = of_lu[..., :k, :k]
        inner = np.tril(np.matmul(mT(l), np.tril(of_square, -1)), -1) + np.triu(np.matmul(np.triu(of_square), mT(u)))
        if columns > k:
            inner = inner - np.tril(np.matmul(of_beside, mT(beside)), -1)
            inner = np.concatenate((inner, of_beside), -1)
        if rows > k:
            inner = inner - np.triu(np.matmul(mT(below), of_below))
        inner = tri_solve(mT(l), inner, upper=True, unit=True)
        left, right = inner[..., :k], inner[..., k:]
        left = np.concatenate((left, of_below), -2) if rows > k else left
        left = mT(tri_solve(u, mT(left), upper=True))
        whole = np.concatenate((left, right), -1) if columns > k else left
        return (permute_rows(whole, places),)


def lu_factorize(x: Array) -> tuple[Array, Array, Array, Array]:
    """Factor bare matrices by LU with partial pivoting, panel by panel.

    Return L and U in one matrix, the row that each row was exchanged with (from 1), the order of rows, and the first
    zero pivot (from 1) or 0.
    """
    rows, columns = x.shape[-2:]
    k, lead = min(rows, columns), x.shape[:-2]
    lu = x.reshape(math.prod(lead), rows, columns).copy()
    first = backend.like(rows * np.arange(len(lu)), x)  # each matrix's first row, of all rows
    order = np.zeros_like(lu, shape=(len(lu), rows), dtype=np.int64) + backend.like(np.arange(rows), x)
    pivots = np.zeros_like(lu, shape=(len(lu), k), dtype=np.int32)
    if len(lu) == 1:
        _factor_in_place(lu[0], pivots[0], order[0])
    for start in range(0, 0 if len(lu) == 1 else k, PANEL):
        stop = min(start + PANEL, k)
        for j in range(start, stop):
            winner = cabs1(lu[:, j:, j]).argmax(-1)
            pivots[:, j] = winner + (j + 1)
            if type(lu) is not np.ndarray or winner.any():
                winner += first + j
                for moved in (lu, order):
                    _exchange_each(moved, j, winner)
            pivot, below = lu[:, j, j, None], lu[:, j + 1 :, j]
            below /= pivot + (pivot == 0)
            lu[:, j + 1 :, j + 1 : stop] -= below[..., None] * lu[:, None, j, j + 1 : stop]
        if stop < columns:
            panel = lu[:, start:stop, start:stop]
            lu[:, start:stop, stop:] = tri_solve(panel, lu[:, start:stop, stop:], upper=False, unit=True)
            lu[:, stop:, stop:] -= np.matmul(lu[:, stop:, start:stop], lu[:, start:stop, stop:])
    zero = np.diagonal(lu, 0, -2, -1) == 0
    info = np.where(zero.any(-1), np.argmax(zero, -1) + 1, 0) if k else np.zeros_like(order, shape=(len(lu),))
    info = info.astype(np.int32).reshape(lead)
    return lu.reshape(x.shape), pivots.reshape(*lead, k), order.reshape(*lead, rows), info


def _factor_in_place(lu: Array, pivots: Array, order: Array) -> None:
    """Factor one matrix in place. Panels are factored in transposed copies; then the other columns are updated."""
    for start in range(0, len(pivots), PANEL):
        stop = min(start + PANEL, len(pivots))
        panel = np.copy(lu[start:, start:stop].T, "C")
        for j in range(stop - start):
            winner = np.argmax(cabs1(panel[j, j:])) + j
            _exchange(panel.T, j, winner)
            pivot, below = panel[j, j], panel[j, j + 1 :]
            below /= pivot + (pivot == 0)
            panel[j + 1 :, j + 1 :] -= panel[j + 1 :, j, None] * below
            if len(panel) < lu.shape[1]:
                _exchange(lu, start + j, winner + start)
            _exchange(order, start + j, winner + start)
            pivots[start + j] = winner + (start + 1)
        lu[start:, start:stop] = panel.T
        right = lu[start:stop, stop:]
        if right.size:
            right[...] = tri_solve(lu[start:stop, start:stop], right, upper=False, unit=True)
            lu[stop:, stop:] -= np.matmul(lu[stop:, start:stop], right)


def _exchange(x: Array, i: Any, j: Array) -> None:
    """Exchange rows i and j of one matrix in place."""
    held = x[j].copy()
    x[j] = x[i]
    x[i] = held


def _exchange_each(x: Array, i: int, places: Array) -> None:
    """Exchange row i of each matrix with the row in `places`, in place. Places count through the rows of all."""
    rows = x.reshape(-1, *x.shape[2:])
    held = rows.take(places, 0)
    rows[places] = x[:, i]
    x[:, i] = held


def pivots_to_order(pivots: Array, rows: int) -> Array:
    """Return the order of rows that the exchanges of `pivots` lead to, as a bare array."""
    lead, k = pivots.shape[:-1], pivots.shape[-1]
    flat = pivots.reshape(math.prod(lead), k).astype(np.int64) - 1
    if known(((flat < 0) | (flat >= rows)).any()):
        raise ArgumentError(f"pivots must be between 1 and the {rows} rows of LU: are they those of lu_factor?")
    first = backend.like(rows * np.arange(len(flat)), pivots)
    order = np.zeros_like(flat, order="C", shape=(len(flat), rows)) + backend.like(np.arange(rows), pivots)
    bare = type(flat) is np.ndarray
    for j in (flat != np.arange(k)).any(0).nonzero()[0].tolist() if bare else range(k):
        if len(flat) == 1:
            _exchange(order[0], j, flat[0, j])
        else:
            _exchange_each(order, j, flat[:, j] + first)
    return order.reshape(*lead, rows)


def _checked_lu(op: str, A: Tensor, pivot: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    check_floating_matrices(op, A)
    if not pivot:
        raise ArgumentError(f"{op}: LU without pivoting is not implemented on the CPU; give pivot=True")
    return LUFactor.apply(A)


@composite
def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> return_types.linalg_lu_factor:
    """Return L and U of A = P L U in one matrix, and the pivots, for `lu_solve`. L's unit diagonal is not stored.

    Raises LinAlgError, a RuntimeError, if a pivot is zero. Source: torch.linalg.lu_factor.

    >>> torch.linalg.lu_factor(torch.tensor([[1.0, 2.0], [2.0, 0.0]]))
    torch.return_types.linalg_lu_factor(
    LU=tensor([[2.0000, 0.0000],
            [0.5000, 2.0000]]),
    pivots=tensor([2, 2], dtype=torch.int32))
    """
    lu, pivots, info, _ = _checked_lu("linalg.lu_factor", A, pivot)
    _check_regular("linalg.lu_factor", info)
    return into(out, return_types.linalg_lu_factor(lu, pivots), exact="linalg.lu_factor")


def _check_regular(op: str, info: Tensor) -> None:
    """Raise LinAlgError if a pivot is zero."""
    if info.numel() and known(info.array.max() > 0):
        first = int(info.array.max())
        raise LinAlgError(
            f"{op}: U[{first},{first}] is zero and using it on lu_solve would result in a division by zero; "
            "linalg.lu and linalg.lu_factor_ex give the factors all the same"
        )


@composite
def lu_factor_ex(
    A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None
) -> return_types.linalg_lu_factor_ex:
    """Return the factors of `linalg.lu_factor`, and 0 or the number of each matrix's first zero pivot.

    (..., m, n) -> (..., m, n), (..., min(m, n)), (...). Raises RuntimeError for fewer dimensions.
    Source: torch.linalg.lu_factor_ex.

    >>> torch.linalg.lu_factor_ex(torch.zeros(1, 1)).info
    tensor(1, dtype=torch.int32)
    """
    factors = _checked_lu("linalg.lu_factor_ex", A, pivot)
    if check_errors:
        _check_regular("linalg.lu_factor_ex", factors[2])
    return into(out, return_types.linalg_lu_factor_ex(*factors[:3]), exact="linalg.lu_factor_ex")


@overload
def torch_lu(
    A: Tensor, pivot: bool = True, get_infos: Literal[False] = False, out: Any = None
) -> tuple[Tensor, Tensor]: ...
@overload
def torch_lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any: ...
def torch_lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """Return LU and pivots of `linalg.lu_factor_ex`, and info with get_infos. Source: torch.lu.

    >>> torch.lu(torch.tensor([[2.0]]))[1]
    tensor([1], dtype=torch.int32)
    """
    once("torch.lu is deprecated in favor of torch.linalg.lu_factor and torch.linalg.lu_factor_ex.")
    factors = tuple(lu_factor_ex(A, pivot=pivot))[: 3 if get_infos else 2]
    if out is None:
        return return_types._lu_with_info(*factors) if get_infos else factors
    for target, value in zip(out, factors, strict=True):
        into(target, value.to(target.dtype))
    return out


@composite
def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> return_types.linalg_lu:
    """Return a permutation matrix P, a lower triangular L with a unit diagonal, and an upper triangular U: A = P L U.

    (..., m, n) -> (..., m, m), (..., m, k), (..., k, n), k = min(m, n). Raises RuntimeError for fewer dimensions.
    Source: torch.linalg.lu.

    >>> P, L, U = torch.linalg.lu(torch.tensor([[1.0, 2.0], [2.0, 0.0]]))
    >>> P @ L @ U
    tensor([[1., 2.],
            [2., 0.]])
    """
    factors, _, _, order = _checked_lu("linalg.lu", A, pivot)
    P = core.Tensor._wrap(_permutation(order.array, factors.array))
    return into(out, return_types.linalg_lu(P, *_split_triangles(factors)), exact="linalg.lu")


def _permutation(order: Array, like: Array) -> Array:
    """Return the matrix P of A = P L U for an order of rows."""
    return (order[..., None, :] == backend.like(np.arange(order.shape[-1]), order)[:, None]).astype(like.dtype)


def _split_triangles(factors: Tensor) -> tuple[Any, Any]:
    """Split factors into L and U."""
    rows, columns = factors.shape[-2:]
    k = min(rows, columns)
    return np.tril(factors[..., :k], -1) + eye(factors, rows, k), np.triu(factors[..., :k, :])


@composite
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True, *, out: Any = None
) -> return_types.lu_unpack:
    """Return P, L and U from the results of `linalg.lu_factor`; empty Tensors for those that are not wanted.

    Raises RuntimeError for shapes and dtypes that lu_factor doesn't give. Source: torch.lu_unpack.

    >>> torch.lu_unpack(*torch.linalg.lu_factor(torch.tensor([[2.0]]))).U
    tensor([[2.]])
    """
    if LU_data.ndim < 2:
        raise ShapeError(f"lu_unpack: Expected tensor with 2 or more dimensions. Got size: {[*LU_data.shape]} instead")
    made = core.Tensor._wrap
    nothing = made(np.zeros_like(LU_data.array, shape=(0,)))
    P = L = U = nothing
    if unpack_pivots:
        if LU_pivots.array.dtype != np.int32:
            raise ArgumentError(f"lu_unpack: LU_pivots is expected to be of torch.int32, got {LU_pivots.dtype}")
        if LU_pivots.shape[-1:] != (count := min(LU_data.shape[-2:]),):
            raise ShapeError(
                f"lu_unpack: LU_pivots must have {count} elements along its last dimension for LU_data of shape "
                f"{tuple(LU_data.shape)}, but has shape {tuple(LU_pivots.shape)}: are they those of lu_factor?"
            )
        P = made(_permutation(pivots_to_order(LU_pivots.array, LU_data.shape[-2]), LU_data.array))
    if unpack_data:
        L, U = _split_triangles(LU_data)
    return into(out, return_types.lu_unpack(P, L, U), exact="lu_unpack")


@composite
def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False, out: Tensor | None = None
) -> Tensor:
    """Solve A X = B, or X A = B unless left, with the LU factors of A; `adjoint` puts Aᴴ in place of A.

    (..., n, n), pivots (..., n), (..., n, k) -> (..., n, k). Raises RuntimeError for other shapes.
    Source: torch.linalg.lu_solve.

    >>> A = torch.tensor([[1.0, 2.0], [2.0, 0.0]])
    >>> torch.linalg.lu_solve(*torch.linalg.lu_factor(A), torch.ones(2, 1))
    tensor([[0.5000],
            [0.2500]])
    """
    op = "linalg.lu_solve"
    check_floating_matrices(op, LU, B, square=True, name="LU")
    if pivots.array.dtype != np.int32:
        raise ArgumentError(f"{op}: pivots should be a Tensor of scalar type torch.int32, got {pivots.dtype}")
    if tuple(pivots.shape) != tuple(LU.shape[:-1]):
        raise ShapeError(f"{op}: pivots has shape {tuple(pivots.shape)}, but LU needs {tuple(LU.shape[:-1])}")
    check_fit(op, LU, B, left)
    order = pivots_to_order(pivots.array, LU.shape[-1])
    if left:
        return into(out, _solve_with_factors(LU, order, B, adjoint), exact="linalg.lu_solve")
    # X A = B  <=>  Aᴴ Xᴴ = Bᴴ
    return into(out, _adjoint(_solve_with_factors(LU, order, _adjoint(B), not adjoint)), exact="linalg.lu_solve")


def _solve_with_factors(factors: Tensor, order: Array, b: Tensor, adjoint: bool) -> Tensor:
    """Solve A x = b, or Aᴴ x = b if adjoint."""
    if not adjoint:
        x = tri_solve(factors, permute_rows(b, order), upper=False, unit=True)
        return tri_solve(factors, x, upper=True)
    flipped = _adjoint(factors)
    x = tri_solve(flipped, b, upper=False)
    return by_columns(permute_rows(tri_solve(flipped, x, upper=True, unit=True), np.argsort(order, -1)))


def permute_rows(x: Array, order: Array) -> Array:
    """Return the rows of matrices in another order."""
    lead = broadcast_shapes(order.shape[:-1], tuple(x.shape[:-2]))
    shape = (*lead, *x.shape[-2:])
    x = x if x.shape == shape else np.broadcast_to(x, shape)
    index = np.broadcast_to(order[..., None], shape)
    return x if 0 in shape else Gather.apply(x, index=index, axis=len(shape) - 2)


def torch_lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Call `linalg.lu_solve`, with the arguments in another order. Source: torch.lu_solve.

    >>> torch.lu_solve(torch.ones(1, 1), *torch.linalg.lu_factor(torch.tensor([[2.0]])))
    tensor([[0.5000]])
    """
    once("torch.lu_solve is deprecated in favor of torch.linalg.lu_solve.")
    return lu_solve(LU_data, LU_pivots, input, out=out)
