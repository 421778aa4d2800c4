"""Reductions: sum, mean, extrema and where they are, variance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DtypeError
from ..function import Function, LinearMap
from ..state import composite
from .indexing import gather
from .selection import Select, where

if TYPE_CHECKING:
    from ..tensor import Tensor

    Dim = int | tuple[int, ...] | list[int] | None


class Sum(LinearMap):
    """The sum over axes."""

    symbol, numpy = "Σ", np.sum

    def forward(self, x):
        return x.sum(self.axis, keepdims=self.keepdims)

    def adjoint(self, grad):
        return np.broadcast_to(grad.reshape(kept_shape(self.x_shape, self.axis)), self.x_shape)


class Mean(LinearMap):
    """The mean over axes."""

    symbol, numpy = "mean", np.mean

    def forward(self, x):
        return x.sum(self.axis, keepdims=self.keepdims) / count(self.x_shape, self.axis)

    def adjoint(self, grad):
        scaled = grad / count(self.x_shape, self.axis)
        return np.broadcast_to(scaled.reshape(kept_shape(self.x_shape, self.axis)), self.x_shape)


class Amax(Function):
    """The maximum over axes; elements that tie share the gradient equally."""

    symbol, numpy = "max", np.max

    def forward(self, x):
        return np.max(x, self.axis, keepdims=self.keepdims)

    def grad_x(self, grad, x, out):
        shape = kept_shape(x.shape, self.axis)
        winners = x == out.reshape(shape)
        ties = np.astype(np.sum(winners, self.axis, keepdims=True), grad.dtype)
        return Select.apply(winners, np.broadcast_to(grad.reshape(shape) / ties, x.shape))


class Amin(Amax):
    """The minimum over axes; elements that tie share the gradient equally."""

    symbol, numpy = "min", np.min

    def forward(self, x):
        return np.min(x, self.axis, keepdims=self.keepdims)


class Argmax(Function):
    """The index of the first maximum along an axis."""

    symbol, numpy = "argmax", np.argmax

    def forward(self, x):
        return np.argmax(x, self.axis, keepdims=self.keepdims)


class Argmin(Function):
    """The index of the first minimum along an axis."""

    symbol, numpy = "argmin", np.argmin

    def forward(self, x):
        return np.argmin(x, self.axis, keepdims=self.keepdims)


class Any_(Function):
    """Whether any value along the axes is nonzero."""

    symbol, numpy = "any", np.any

    def forward(self, x):
        return np.any(x, self.axis, keepdims=self.keepdims)


class All(Function):
    """Whether all values along the axes are nonzero."""

    symbol, numpy = "all", np.all

    def forward(self, x):
        return np.all(x, self.axis, keepdims=self.keepdims)


class Maxima(NamedTuple):
    """What `max` over a dimension gives."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return f"torch.return_types.max(\nvalues={self.values!r},\nindices={self.indices!r})"


class Minima(NamedTuple):
    """What `min` over a dimension gives."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return f"torch.return_types.min(\nvalues={self.values!r},\nindices={self.indices!r})"


def axes(dim: Dim) -> int | tuple[int, ...] | None:
    """A dim argument as NumPy's axis; an empty list of dims means all, as in PyTorch."""
    if isinstance(dim, (tuple, list)):
        return tuple(dim) or None
    return dim


def kept_shape(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape after a reduction with keepdims."""
    if axis is None:
        return (1,) * len(shape)
    reduced = {a % len(shape) if shape else 0 for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def count(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> int:
    """How many elements are reduced to one."""
    if axis is None or not shape:
        return math.prod(shape)
    return math.prod(shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over dim (all dims by default). Integers and booleans give int64. Source: torch.sum.

    >>> torch.sum(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    return Sum.apply(input if dtype is None else input.to(dtype), axis=axes(dim), keepdims=keepdim)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over dim (all dims by default) of floating-point numbers. Source: torch.mean.

    >>> torch.mean(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1, keepdim=True)
    tensor([[1.5000],
            [3.5000]])
    """
    x = input if dtype is None else input.to(dtype)
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        raise DtypeError(f"mean: input must be floating-point or complex, got {x.dtype}; convert it or give dtype=")
    return Mean.apply(x, axis=axes(dim), keepdims=keepdim)


def amax(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The maximum over dim, without indices; ties share the gradient equally. Source: torch.amax.

    >>> torch.amax(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1)
    tensor([5., 4.])
    """
    return Amax.apply(input, axis=axes(dim), keepdims=keepdim)


def amin(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The minimum over dim, without indices; ties share the gradient equally. Source: torch.amin.

    >>> torch.amin(torch.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1)
    tensor([1., 3.])
    """
    return Amin.apply(input, axis=axes(dim), keepdims=keepdim)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the first maximum along dim, or in the flattened input. Source: torch.argmax.

    >>> torch.argmax(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return Argmax.apply(input, axis=dim, keepdims=keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the first minimum along dim, or in the flattened input. Source: torch.argmin.

    >>> torch.argmin(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([0, 1])
    """
    return Argmin.apply(input, axis=dim, keepdims=keepdim)


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The maximum of all values; with an int dim, (values, indices); with a Tensor, `maximum`. Source: torch.max.

    >>> torch.max(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1).values
    tensor([5., 3.])
    """
    return _extremum(input, dim, keepdim, amax, argmax, "maximum", Maxima)


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The minimum of all values; with an int dim, (values, indices); with a Tensor, `minimum`. Source: torch.min.

    >>> torch.min(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1).indices
    tensor([0, 1])
    """
    return _extremum(input, dim, keepdim, amin, argmin, "minimum", Minima)


def _extremum(input: Tensor, dim: Any, keepdim: bool, of_all: Any, where: Any, of_two: str, result: Any) -> Any:
    if dim is None:
        return of_all(input)
    if not isinstance(dim, int):
        return getattr(input, of_two)(dim)
    indices = where(input, dim, keepdim=True)
    values = gather(input, dim, indices)
    return result(values, indices) if keepdim else result(values.squeeze(dim), indices.squeeze(dim))


@composite
def var(input: Tensor, dim: Dim = None, *, correction: float = 1, keepdim: bool = False) -> Tensor:
    """The variance over dim, of the sum of squares over n - correction. Source: torch.var.

    >>> torch.var(torch.tensor([1.0, 2.0, 4.0]))
    tensor(2.3333)
    """
    axis = axes(dim)
    centred = input - Mean.apply(input, axis=axis, keepdims=True)
    n = count(centred.shape, axis) - correction
    return Sum.apply(centred * centred, axis=axis, keepdims=keepdim) / (n if n > 0 else math.nan)


@composite
def std(input: Tensor, dim: Dim = None, *, correction: float = 1, keepdim: bool = False) -> Tensor:
    """The standard deviation over dim: the root of `var`. Where it is 0 its derivative is 0. Source: torch.std.

    >>> torch.std(torch.tensor([1.0, 2.0, 4.0]))
    tensor(1.5275)
    """
    variance = var(input, dim, correction=correction, keepdim=keepdim)
    constant = variance == 0
    return where(constant, 0.0, where(constant, 1.0, variance).sqrt())


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether any value over dim is nonzero. Source: torch.any.

    >>> torch.any(torch.tensor([[0, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    return Any_.apply(input, axis=axes(dim), keepdims=keepdim)


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether all values over dim are nonzero. Source: torch.all.

    >>> torch.all(torch.tensor([[1, 1], [0, 1]]), dim=1)
    tensor([ True, False])
    """
    return All.apply(input, axis=axes(dim), keepdims=keepdim)
