"""Helpers of the distributions: broadcasting of parameters, and conversions between probabilities and logits."""

from __future__ import annotations

from functools import cached_property
from numbers import Number
from operator import attrgetter
from typing import Any, Self, TypeVar, overload

from .. import state
from ..dtypes import get_default_dtype
from ..dtypes.limits import finfo
from ..errors import ArgumentError, CallError
from ..ops.creation import arange, empty, tensor
from ..ops.movement import broadcast_tensors
from ..ops.softmax import softmax
from ..tensor import Tensor

T = TypeVar("T")

euler_constant = 0.57721566490153286


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Broadcast Tensors and numbers. Numbers become Tensors of the dtype and device of the first Tensor.

    Raises ValueError for other values. Source: torch.distributions.utils.broadcast_all.

    >>> torch.distributions.utils.broadcast_all(torch.zeros(2), 1)
    (tensor([0., 0.]), tensor([1., 1.]))
    """
    if all(isinstance(v, Tensor) for v in values):
        return broadcast_tensors(*values)
    wrong = [type(v).__name__ for v in values if not (isinstance(v, Number) or hasattr(v, "__torch_function__"))]
    if wrong:
        raise ArgumentError(f"Input arguments must all be instances of Number or Tensor, but one is {wrong[0]}")
    first = next((v for v in values if isinstance(v, Tensor)), None)
    like = {"dtype": get_default_dtype()} if first is None else {"dtype": first.dtype, "device": first.device}
    return tuple(broadcast_tensors(*(tensor(v, **like) if isinstance(v, Number) else v for v in values)))


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    return empty(shape, dtype=dtype, device=device).normal_()


def _at_least(dim: int, shape: Any) -> None:
    """Raise an error if the shape has fewer than `dim` dimensions."""
    if len(shape) < dim:
        raise ValueError("Too few dimensions on input")


def check_length(of: Any, value: Tensor, length: int) -> None:
    """Raise AssertionError unless `value` has `length` entries along `of.dim`."""
    if not -value.ndim <= of.dim < value.ndim or value.shape[of.dim] != length:
        name = type(of).__name__.lstrip("_")
        raise CallError(f"{name}: expected {length} values along dim {of.dim}, got {tuple(value.shape)}")


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """Sum over the last `dim` dimensions."""
    return value.reshape(*value.shape[: value.ndim - dim], -1).sum(-1) if dim else value


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Convert log-odds (`is_binary`) or unnormalized log-probabilities along the last dimension to probabilities.

    Source: torch.distributions.utils.logits_to_probs.

    >>> torch.distributions.utils.logits_to_probs(torch.zeros(2))
    tensor([0.5000, 0.5000])
    """
    return logits.sigmoid() if is_binary else softmax(logits, -1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Clamp probabilities to [eps, 1 - eps]. Source: torch.distributions.utils.clamp_probs.

    >>> torch.distributions.utils.clamp_probs(torch.tensor([0.5, 0.0]))
    tensor([5.0000e-01, 1.1921e-07])
    """
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Invert logits_to_probs, with finite results at 0 and 1. Source: torch.distributions.utils.probs_to_logits.

    >>> torch.distributions.utils.probs_to_logits(torch.tensor(0.5), is_binary=True)
    tensor(0.)
    """
    inside = clamp_probs(probs)
    return inside.log() - (-inside).log1p() if is_binary else inside.log()


def alias(path: str, doc: str | None = None) -> Any:
    """Make a property that reads another attribute, such as "loc", or one of a held object, such as "base_dist.loc"."""
    return property(attrgetter(path), doc=doc)


class lazy_property(cached_property[T]):
    """An attribute computed on first use, with gradient. Source: torch.distributions.utils.lazy_property."""

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        with state.scope(grad_enabled=True):
            return super().__get__(instance, owner)


def _tril(n: int, diag: int, device: Any) -> Tensor:
    places = arange(n, device=device)
    return places < places.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """Return the entries of matrices (*, D, D) up to a diagonal, row by row.

    Source: torch.distributions.utils.tril_matrix_to_vec.

    >>> torch.distributions.utils.tril_matrix_to_vec(torch.tensor([[1.0, 0.0], [2.0, 3.0]]))
    tensor([1., 2., 3.])
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ArgumentError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _tril(n, diag, mat.device)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Invert tril_matrix_to_vec. Source: torch.distributions.utils.vec_to_tril_matrix.

    >>> torch.distributions.utils.vec_to_tril_matrix(torch.tensor([1.0, 2.0, 3.0]))
    tensor([[1., 0.],
            [2., 3.]])
    """
    size = vec.shape[-1]
    n = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * size + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if n != round(n):
        raise ArgumentError(f"The size of last dimension is {size}: not that of a triangle of a square matrix")
    n = round(n)
    mat = vec.new_zeros((*vec.shape[:-1], n, n))
    mat[..., _tril(n, diag, vec.device)] = vec
    return mat
