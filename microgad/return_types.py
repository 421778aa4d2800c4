"""What operations of several results give: named tuples that print as PyTorch's. Source: torch.return_types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .lazy import define_getattr as _define_getattr

if TYPE_CHECKING:
    from .tensor import Tensor

T = TypeVar("T")


def _repr(result: Any) -> str:
    fields = ",\n".join(f"{name}={value!r}" for name, value in zip(result._fields, result, strict=True))
    return f"torch.return_types.{type(result).__name__}(\n{fields})"


def _torch_style(cls: type[T]) -> type[T]:
    one_by_one = cls.__new__

    def made(kind: type[T], *fields: Any, **named: Any) -> T:
        if len(fields) == 1 and not named:  # all in one, as PyTorch's are made
            fields = tuple(fields[0])
        return one_by_one(kind, *fields, **named)

    cls.__repr__, cls.__new__ = _repr, made  # type: ignore[method-assign, assignment]
    return cls


@_torch_style
class _Selected(NamedTuple):
    values: Tensor
    indices: Tensor


class max(_Selected):
    """Largest values along a dimension, and where they are."""


class min(_Selected):
    """Smallest values along a dimension, and where they are."""


class median(_Selected):
    """Medians along a dimension, and where they are."""


class nanmedian(_Selected):
    """Medians of what is not NaN along a dimension, and where they are."""


class mode(_Selected):
    """The commonest values along a dimension, and where they are."""


class kthvalue(_Selected):
    """The k-th smallest values along a dimension, and where they are."""


class topk(_Selected):
    """The k largest or smallest values along a dimension, and where they are."""


class sort(_Selected):
    """Values in order along a dimension, and where they were."""


class cummax(_Selected):
    """The largest values so far along a dimension, and where they are."""


class cummin(_Selected):
    """The smallest values so far along a dimension, and where they are."""


@_torch_style
class aminmax(NamedTuple):
    """The smallest and the largest values."""

    min: Tensor
    max: Tensor


@_torch_style
class histogram(NamedTuple):
    """How many values are in each bin, and the bins' edges."""

    hist: Tensor
    bin_edges: Tensor


@_torch_style
class histogramdd(NamedTuple):
    """How many points are in each cell, and the edges along each dimension."""

    hist: Tensor
    bin_edges: tuple[Tensor, ...]


@_torch_style
class linalg_svd(NamedTuple):
    """Singular vectors (the right ones as rows), and values."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@_torch_style
class svd(NamedTuple):
    """Singular vectors as columns, and values."""

    U: Tensor
    S: Tensor
    V: Tensor


@_torch_style
class linalg_eigh(NamedTuple):
    """Eigenvalues, and eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@_torch_style
class linalg_qr(NamedTuple):
    """A factor of orthonormal columns, and a triangular one."""

    Q: Tensor
    R: Tensor


@_torch_style
class linalg_lu(NamedTuple):
    """A permutation matrix, a lower and an upper triangle."""

    P: Tensor
    L: Tensor
    U: Tensor


@_torch_style
class linalg_lu_factor(NamedTuple):
    """Both triangles in one matrix, and the rows that were exchanged."""

    LU: Tensor
    pivots: Tensor


@_torch_style
class linalg_lu_factor_ex(NamedTuple):
    """Both triangles, the rows that were exchanged, and which pivot is zero."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


@_torch_style
class linalg_ldl_factor(NamedTuple):
    """Both factors in one matrix, and the pivots."""

    LD: Tensor
    pivots: Tensor


@_torch_style
class linalg_ldl_factor_ex(NamedTuple):
    """Both factors in one matrix, the pivots, and which one is zero."""

    LD: Tensor
    pivots: Tensor
    info: Tensor


@_torch_style
class linalg_cholesky_ex(NamedTuple):
    """The factor, and which leading minor is not positive-definite."""

    L: Tensor
    info: Tensor


@_torch_style
class linalg_inv_ex(NamedTuple):
    """The inverse, and which pivot is zero."""

    inverse: Tensor
    info: Tensor


@_torch_style
class linalg_solve_ex(NamedTuple):
    """The solution, and which pivot is zero."""

    result: Tensor
    info: Tensor


@_torch_style
class linalg_slogdet(NamedTuple):
    """The determinant's sign, and the logarithm of its magnitude."""

    sign: Tensor
    logabsdet: Tensor


@_torch_style
class linalg_lstsq(NamedTuple):
    """The solution of least squares, and what is known of the problem."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


@_torch_style
class geqrf(NamedTuple):
    """The reflections below the triangle and the triangle, and the factors of the reflections."""

    a: Tensor
    tau: Tensor


@_torch_style
class frexp(NamedTuple):
    """Mantissas, and exponents of 2."""

    mantissa: Tensor
    exponent: Tensor


@_torch_style
class triangular_solve(NamedTuple):
    """The solution, and a copy of the triangle."""

    solution: Tensor
    cloned_coefficient: Tensor


class linalg_eig(linalg_eigh):
    """Eigenvalues, and eigenvectors as columns."""


class qr(linalg_qr):
    """A factor of orthonormal columns, and a triangular one."""


class lu_unpack(linalg_lu):
    """A permutation matrix, a lower and an upper triangle."""


class slogdet(linalg_slogdet):
    """The determinant's sign, and the logarithm of its magnitude."""


class _lu_with_info(linalg_lu_factor_ex):
    """As `linalg_lu_factor_ex`."""


_define_getattr(globals())
