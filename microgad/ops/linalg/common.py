"""Helpers of linear algebra: transposes, safe divisions, factorizations of bare arrays, and checks of arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import backend, function
from ...errors import DtypeError, KindError, ShapeError
from ...errors.wording import kind_of
from ...function.half import HALF
from ...type_aliases import Array, Tensor
from ..elementwise import Select, conjugate
from ..support.bare import bare


def mT(x: Array) -> Array:
    """Return the transpose of each matrix."""
    return np.swapaxes(x, -1, -2)


def adjoint(x: Array) -> Array:
    """Return the conjugate transpose of each matrix."""
    return conjugate(np.swapaxes(x, -1, -2))


def by_columns(x: Array) -> Array:
    """Copy matrices, bare or Tensors, to column-major memory, in which PyTorch has what LAPACK computes."""
    return mT(np.copy(mT(x), "C"))


def eye(x: Array, n: int, m: int | None = None) -> Array:
    """Return the identity matrix with the device and dtype of x, as a bare array."""
    return backend.like(np.eye(n, m), bare(x), np.dtype(x.dtype))


def svd_or_nan(x: Array, full: bool) -> tuple[Array, ...]:
    """Return U, S, Vᴴ; NaN for matrices with an infinity, as in PyTorch: LAPACK never returns for some of those.

    For matrices with NaN LinAlgError is raised.
    """
    return _of_finite(lambda x: _svd(x, full), x)


def _svd(x: Array, full: bool) -> tuple[Array, ...]:
    """Return U, S, Vᴴ, of float64 matrices with the signs that PyTorch's LAPACK (MKL) gives on the CPU.

    It differs from NumPy's in which shapes it first decomposes by QR: tall matrices from a ratio of 3/2 on instead of
    11/6, and wide ones never: as NumPy's does for one column more than rows, such as (L 0) of x = L Q.
    """
    m, n = x.shape[-2:]
    if x.dtype.kind == "f" and backend.on_cpu(x) and _leaves_room(x):
        if m >= 3 and n >= 11 * m // 6:
            h = mT(x)
            h = h if full else np.concatenate([h, np.zeros_like(h[..., :1])], -1)
            q, r = np.linalg.qr(h, "complete" if full else "reduced")
            u, s, vh = np.linalg.svd(mT(r[..., : m + 1, :m]), full)
            return u, s, np.concatenate([vh @ mT(q[..., : m + 1]), mT(q[..., m + 1 :])], -2)
        if 3 * n // 2 <= m < 11 * n // 6:
            q, r = np.linalg.qr(x, "complete" if full else "reduced")
            u, s, vh = np.linalg.svd(r[..., :n, :], full)
            return np.concatenate([q[..., :n] @ u, q[..., n:]], -1), s, vh
    return tuple(np.linalg.svd(x, full))


def _leaves_room(x: Array) -> bool:
    """Whether numbers are so far from the limits of their dtype that QR, which unlike svd scales nothing, is exact."""
    info, largest = np.finfo(x.dtype), np.abs(x).max(initial=0)
    return bool(info.tiny / info.eps < largest < info.max * info.eps)


def svdvals_or_nan(x: Array) -> Array:
    """Return the singular values; NaN for matrices with an infinity, as `svd_or_nan` does."""
    return _of_finite(lambda x: [np.linalg.svd(x, compute_uv=False)], x)[0]


def _of_finite(svd: Callable[[Any], Sequence[Any]], x: Array) -> tuple[Array, ...]:
    """Apply `svd` with NaN as the result for matrices that contain an infinity, but no NaN."""
    if backend.on_cpu(x) and np.isfinite(x).all():
        return tuple(svd(x))
    endless = np.isinf(x).any((-2, -1), keepdims=True) & ~np.isnan(x).any((-2, -1), keepdims=True)
    with backend.checked(x):
        factors = svd(np.where(endless, 0, x))
    return tuple(np.where(endless if y.ndim == x.ndim else endless[..., 0], np.nan, y) for y in factors)


def cabs1(x: Array) -> Array:
    """Return |x|, or |re| + |im| for complex numbers: the magnitude by which LAPACK chooses pivots."""
    return abs(x.real) + abs(x.imag) if x.dtype.kind == "c" else abs(x)


def solve_arrays(a: Array, b: Array) -> Array:
    """Return A⁻¹ B for bare arrays with leading axes that broadcast, which CuPy does not do by itself."""
    if a.shape[:-2] != b.shape[:-2]:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = np.broadcast_to(a, lead + a.shape[-2:]), np.broadcast_to(b, lead + b.shape[-2:])
    if backend.is_gpu(a) and not b.shape[-1]:
        return b  # CuPy divides by its number of columns
    with backend.checked(a):
        return np.linalg.solve(a, b)


def safe_divide(a: Array, b: Array) -> Array:
    """Return a / b, and 0 where b is 0."""
    zero = b == 0
    return Select.apply(np.logical_not(zero), a / np.where(zero, 1, b))


def check_floating(op: str, *tensors: Tensor) -> None:
    """Raise RuntimeError if a dtype is neither floating-point nor complex, or is float16, or if the dtypes differ."""
    for x in tensors:
        if x.array.dtype.kind not in "fc":
            raise KindError(f"{op}: Expected a floating point or complex tensor as input. Got {x.dtype}")
        if x.array.dtype == np.float16:
            raise KindError(f"{op}: Low precision dtypes not supported. Got {x.dtype}")
    check_same_dtype(op, *tensors)


def check_not_bool(x: Array) -> None:
    """Raise an error for booleans, since NumPy's matrix product of booleans is a logical one."""
    if x.dtype.kind == "b":
        raise KindError(f"not implemented for {x.dtype}")


def not_a_tensor(op: str, **operands: Any) -> TypeError:
    """Return the TypeError for the first operand that is not a Tensor."""
    name, given = next((name, x) for name, x in operands.items() if not isinstance(x, function.Tensor))
    return TypeError(f"{op}(): argument '{name}' must be Tensor, not {kind_of(given)}")


def check_same_dtype(op: str, *tensors: Tensor, names: str = "") -> None:
    """Raise RuntimeError if the dtypes differ. The message has the arguments' names, if they are given."""
    first = tensors[0].array.dtype
    for i, x in enumerate(tensors):
        if x.array.dtype is not first and x.array.dtype != first:
            said = f"{op}: expected all to have the same dtype, but got {tensors[0].dtype} and {x.dtype}"
            if names:
                a, b = names.split()[0], names.split()[i]
                said += f" for {a} and {b}: convert one, as by {a}.to({x.dtype})"
            raise DtypeError(said)


def check_halves(op: str, *tensors: Tensor | None) -> None:
    """Raise RuntimeError for float16 beside another dtype: forward, which gets float32 for float16, can't see it."""
    for x in tensors:
        if x is not None and x.array.dtype == HALF:
            check_same_dtype(op, *[x for x in tensors if x is not None])
            return


def check_matrices(op: str, x: Tensor, square: bool = False, name: str = "A") -> None:
    """Raise RuntimeError if x has less than two dimensions, or if `square` is set and its matrices are not square."""
    if x.ndim < 2:
        raise ShapeError(f"{op}: The input tensor {name} must have at least 2 dimensions, got {x.ndim}")
    if square and x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            f"{op}: {name} must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices"
        )


def is_vector_rhs(a: Tensor, b: Tensor) -> bool:
    """Whether the right-hand side of A X = B is a vector, or a vector for each matrix."""
    return b.ndim == 1 or (b.ndim == a.ndim - 1 and tuple(b.shape) == tuple(a.shape[:-1]))


def check_fit(op: str, a: Tensor, b: Tensor, left: bool) -> None:
    """Raise RuntimeError if the sizes do not fit the equation A X = B, or X A = B unless `left`."""
    if b.ndim < 2 or a.shape[-1] != b.shape[-2 if left else -1]:
        sizes = " and ".join("x".join(map(str, x.shape[-2:])) for x in (a, b))
        equation = "AX = B" if left else "XA = B"
        raise ShapeError(f"{op}: Incompatible shapes of A and B for the equation {equation} ({sizes})")


def check_floating_matrices(op: str, x: Tensor, *others: Tensor, square: bool = False, name: str = "A") -> None:
    """Apply `check_floating` to all Tensors and `check_matrices` to x."""
    check_floating(op, x, *others)
    check_matrices(op, x, square, name)


def check_ndims(op: str, **wanted: tuple[Tensor, int]) -> None:
    """Raise RuntimeError if an argument does not have the wanted number of dimensions."""
    if not all(isinstance(x, function.Tensor) for x, _ in wanted.values()):
        raise not_a_tensor(op, **{name: x for name, (x, _) in wanted.items()})
    for name, (x, n) in wanted.items():
        if x.ndim != n:
            raise ShapeError(f"{op}: {name} must be a {n}D tensor, got {x.ndim}D {tuple(x.shape)}")
