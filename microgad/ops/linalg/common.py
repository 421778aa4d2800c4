"""What linear algebra's families share: transposes, checks of arguments, and masks that divide safely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import backend, function
from ...errors import DtypeError, GraphError, KindError, ShapeError
from ...type_aliases import Tensor
from ..elementwise import Select, conjugate


def mT(x: Any) -> Any:
    """The transpose of each matrix."""
    return np.swapaxes(x, -1, -2)


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return conjugate(np.swapaxes(x, -1, -2))


def bare(x: Any) -> Any:
    """The bare array of what may be a Tensor: to decide by, never to compute with."""
    return x.array if isinstance(x, function.Tensor) else x


def eye(x: Any, n: int, m: int | None = None) -> Any:
    """The identity on the device and in the dtype of x, as a bare array."""
    return backend.like(np.eye(n, m), bare(x), np.dtype(x.dtype))


def svd_or_nan(x: Any, full: bool) -> tuple[Any, ...]:
    """U, S, Vᴴ, and NaN of matrices with an infinity, as in PyTorch: on some of those LAPACK goes on for ever."""
    return _of_finite(lambda x: np.linalg.svd(x, full), x)


def svdvals_or_nan(x: Any) -> Any:
    """S alone, in the same way."""
    return _of_finite(lambda x: [np.linalg.svd(x, compute_uv=False)], x)[0]


def _of_finite(svd: Callable[[Any], Sequence[Any]], x: Any) -> tuple[Any, ...]:
    if not backend.is_gpu(x) and np.isfinite(x).all():
        return tuple(svd(x))
    endless = np.isinf(x).any((-2, -1), keepdims=True)
    return tuple(
        np.where(endless if y.ndim == x.ndim else endless[..., 0], np.nan, y) for y in svd(np.where(endless, 0, x))
    )


def cabs1(x: Any) -> Any:
    """|x|, of complex numbers |re| + |im|, by which LAPACK chooses pivots."""
    return abs(x.real) + abs(x.imag) if x.dtype.kind == "c" else abs(x)


def broadcast_solve(a: Any, b: Any) -> Any:
    """A⁻¹ B of bare arrays of matrices whose leading axes broadcast: CuPy's don't by themselves."""
    if a.shape[:-2] != b.shape[:-2]:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = np.broadcast_to(a, lead + a.shape[-2:]), np.broadcast_to(b, lead + b.shape[-2:])
    with backend.checked(a):
        return np.linalg.solve(a, b)


def safe_divide(a: Any, b: Any) -> Any:
    """a / b, 0 where b is."""
    zero = b == 0
    return Select.apply(np.logical_not(zero), a / np.where(zero, 1, b))


def divide_off_diagonal(x: Any, differences: Any) -> Any:
    """x / differences with a zero diagonal; 0 / 0 is 0: what no gradient reaches has no say where values coincide."""
    idle = np.logical_or(eye(x, x.shape[-1]) != 0, np.logical_and(differences == 0, x == 0))
    return Select.apply(np.logical_not(idle), x / np.where(idle, 1, differences))


def check_phase_invariant(excess: Any, op: str, scale: Any = 0) -> None:
    """Refuse a loss that depends on the phase of vectors which are defined up to their phase."""
    if (abs(bare(excess)) > 1e-2 * (1 + abs(bare(scale)))).any():
        raise GraphError(
            f"{op}_backward: in the complex case the vectors are specified up to multiplication by e^{{i phi}}. "
            "The specified loss function depends on this quantity, so it is ill-defined"
        )


def check_floating(op: str, *tensors: Tensor) -> None:
    """Raise RuntimeError for what is neither floating-point nor complex, or of low precision, or of several dtypes."""
    for x in tensors:
        if x.array.dtype.kind not in "fc":
            raise KindError(f"{op}: Expected a floating point or complex tensor as input. Got {x.dtype}")
        if x.array.dtype == np.float16:
            raise DtypeError(f"{op}: Low precision dtypes not supported. Got {x.dtype}")
    check_same_dtype(op, *tensors)


def check_not_bool(x: Any) -> None:
    """Refuse booleans, of which NumPy's product of matrices is whether any pair holds."""
    if x.dtype.kind == "b":
        raise KindError(f"not implemented for {x.dtype}")


def not_a_tensor(op: str, **operands: Any) -> TypeError:
    """The error to raise where an operand is no Tensor: it names the first of them."""
    name, given = next((name, x) for name, x in operands.items() if not isinstance(x, function.Tensor))
    return TypeError(f"{op}(): argument '{name}' must be Tensor, not {type(given).__name__}")


def check_same_dtype(op: str, *tensors: Tensor) -> None:
    """Raise RuntimeError where dtypes differ."""
    first = tensors[0].array.dtype
    for x in tensors[1:]:
        if x.array.dtype is not first and x.array.dtype != first:
            raise DtypeError(f"{op}: expected all to have the same dtype, but got {tensors[0].dtype} and {x.dtype}")


def check_matrices(op: str, x: Tensor, square: bool = False, name: str = "A") -> None:
    """Raise RuntimeError for what has less than two dimensions, or isn't square where it has to be."""
    if x.ndim < 2:
        raise ShapeError(f"{op}: The input tensor {name} must have at least 2 dimensions, got {x.ndim}")
    if square and x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            f"{op}: {name} must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices"
        )


def is_vector_rhs(a: Tensor, b: Tensor) -> bool:
    """Whether the right side of A X = B is a vector, or one for each matrix."""
    return b.ndim == 1 or (b.ndim == a.ndim - 1 and tuple(b.shape) == tuple(a.shape[:-1]))


def check_equation(op: str, a: Tensor, b: Tensor, left: bool) -> None:
    """Raise RuntimeError where the sizes of matrices leave no X with A X = B, or X A = B unless left."""
    if b.ndim < 2 or a.shape[-1] != b.shape[-2 if left else -1]:
        sizes = " and ".join("x".join(map(str, x.shape[-2:])) for x in (a, b))
        equation = "AX = B" if left else "XA = B"
        raise ShapeError(f"{op}: Incompatible shapes of A and B for the equation {equation} ({sizes})")


def check_floating_matrices(op: str, x: Tensor, *others: Tensor, square: bool = False, name: str = "A") -> None:
    """Raise RuntimeError where x isn't matrices, maybe square ones, of `floating` numbers, or others' dtypes differ."""
    check_floating(op, x, *others)
    check_matrices(op, x, square, name)


def check_ndims(op: str, **wanted: tuple[Tensor, int]) -> None:
    """Raise RuntimeError where an argument hasn't the number of dimensions that it should have."""
    if not all(isinstance(x, function.Tensor) for x, _ in wanted.values()):
        raise not_a_tensor(op, **{name: x for name, (x, _) in wanted.items()})
    for name, (x, n) in wanted.items():
        if x.ndim != n:
            raise ShapeError(f"{op}: {name} must be a {n}D tensor, got {x.ndim}D {tuple(x.shape)}")
