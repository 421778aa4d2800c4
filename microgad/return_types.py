"""The named tuples that operations with several results return; they print as PyTorch's.

The fields are Tensors; the function of the same name says their shapes and dtypes. Source: torch.return_types.

>>> found = torch.tensor([[3.0, 5.0]]).max(dim=1)
>>> found
torch.return_types.max(
values=tensor([5.]),
indices=tensor([1]))
>>> values, indices = found
>>> found.values is values
True
"""

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
    """Let a named tuple print as PyTorch's, be made from one sequence, too, and count its fields as a C struct does."""
    namedtuple_new = cls.__new__

    def new(kind: type[T], *fields: Any, **named: Any) -> T:
        if (len(fields) == 2 and type(fields[1]) is dict) or (len(fields) == 1 and not named):  # a dict: from pickles
            fields = tuple(fields[0])
        return namedtuple_new(kind, *fields, **named)

    cls.__repr__, cls.__new__ = _repr, new  # type: ignore[method-assign, assignment]
    counted: Any = cls
    counted.n_fields = counted.n_sequence_fields = len(counted._fields)
    counted.n_unnamed_fields = 0
    return cls


@_torch_style
class _Selected(NamedTuple):
    values: Tensor
    indices: Tensor


class max(_Selected):
    """The largest values along a dimension, and their indices."""


class min(_Selected):
    """The smallest values along a dimension, and their indices."""


class median(_Selected):
    """The medians along a dimension, and their indices."""


class nanmedian(_Selected):
    """The medians of the values other than NaN along a dimension, and their indices."""


class mode(_Selected):
    """The most frequent values along a dimension, and their indices."""


class kthvalue(_Selected):
    """The k-th smallest values along a dimension, and their indices."""


class topk(_Selected):
    """The k largest or smallest values along a dimension, and their indices."""


class sort(_Selected):
    """The sorted values along a dimension, and the indices that they had."""


class cummax(_Selected):
    """The cumulative maxima along a dimension, and their indices."""


class cummin(_Selected):
    """The cumulative minima along a dimension, and their indices."""


@_torch_style
class aminmax(NamedTuple):
    """The smallest and the largest values."""

    min: Tensor
    max: Tensor


@_torch_style
class histogram(NamedTuple):
    """The number of values in each bin, and the edges of the bins."""

    hist: Tensor
    bin_edges: Tensor


@_torch_style
class histogramdd(NamedTuple):
    """The number of points in each bin, and the edges of the bins along each dimension."""

    hist: Tensor
    bin_edges: tuple[Tensor, ...]


@_torch_style
class linalg_svd(NamedTuple):
    """The singular values, singular vectors as columns of U and rows of Vh."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@_torch_style
class svd(NamedTuple):
    """The singular values, singular vectors as columns of U and V."""

    U: Tensor
    S: Tensor
    V: Tensor


@_torch_style
class linalg_eigh(NamedTuple):
    """The eigenvalues, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@_torch_style
class linalg_qr(NamedTuple):
    """The factor with orthonormal columns, and the upper triangular factor."""

    Q: Tensor
    R: Tensor


@_torch_style
class linalg_lu(NamedTuple):
    """The permutation matrix, and the lower and the upper triangular factor."""

    P: Tensor
    L: Tensor
    U: Tensor


@_torch_style
class linalg_lu_factor(NamedTuple):
    """Both triangular factors in one matrix, and the pivots: the rows that were exchanged."""

    LU: Tensor
    pivots: Tensor


@_torch_style
class linalg_lu_factor_ex(NamedTuple):
    """Both triangular factors in one matrix, the pivots, and info: which pivot is zero."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


@_torch_style
class linalg_ldl_factor(NamedTuple):
    """Both factors of the LDL decomposition in one matrix, and the pivots."""

    LD: Tensor
    pivots: Tensor


@_torch_style
class linalg_ldl_factor_ex(NamedTuple):
    """Both factors of the LDL decomposition in one matrix, the pivots, and info: which pivot is zero."""

    LD: Tensor
    pivots: Tensor
    info: Tensor


@_torch_style
class linalg_cholesky_ex(NamedTuple):
    """The factor, and info: the order of the leading minor that is not positive-definite."""

    L: Tensor
    info: Tensor


@_torch_style
class linalg_inv_ex(NamedTuple):
    """The inverse, and info: which pivot is zero."""

    inverse: Tensor
    info: Tensor


@_torch_style
class linalg_solve_ex(NamedTuple):
    """The solution, and info: which pivot is zero."""

    result: Tensor
    info: Tensor


@_torch_style
class linalg_slogdet(NamedTuple):
    """The determinant's sign, and the logarithm of its magnitude."""

    sign: Tensor
    logabsdet: Tensor


@_torch_style
class linalg_lstsq(NamedTuple):
    """The least-squares solution, squared residuals, and the matrix's rank and singular values."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


@_torch_style
class geqrf(NamedTuple):
    """R in the upper triangle and the Householder vectors below it, and the factors of the reflectors."""

    a: Tensor
    tau: Tensor


@_torch_style
class frexp(NamedTuple):
    """The mantissas, and the exponents of 2."""

    mantissa: Tensor
    exponent: Tensor


@_torch_style
class triangular_solve(NamedTuple):
    """The solution, and a copy of the coefficient matrix."""

    solution: Tensor
    cloned_coefficient: Tensor


class linalg_eig(linalg_eigh):
    """The eigenvalues, and the eigenvectors as columns."""


class qr(linalg_qr):
    """The factor with orthonormal columns, and the upper triangular factor."""


class lu_unpack(linalg_lu):
    """The permutation matrix, and the lower and the upper triangular factor."""


class slogdet(linalg_slogdet):
    """The determinant's sign, and the logarithm of its magnitude."""


class _lu_with_info(linalg_lu_factor_ex):
    """The same fields as `linalg_lu_factor_ex`."""


_define_getattr(globals())
