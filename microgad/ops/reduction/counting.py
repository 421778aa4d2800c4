"""any, all, nonzero elements and their indices."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from ... import backend, function
from ...errors import ArgumentError, DtypeError
from ...fast_reductions import fast_reduce
from ...function import Function
from ...state import observed
from ...type_aliases import Tensor
from ..support import fast_numpy, layouts
from ..support.out import into
from ..support.spelling import numpy_spelling, tensors_only
from .axes import Dim, axes


class Any_(Function):
    """Whether any value along the axes is nonzero."""

    symbol, operator, numpy = "any", "any", np.any

    def forward(self, x):
        return layouts.row_major(backend.as_array(fast_reduce(np.logical_or, x, self.axis, self.keepdims)))


class All(Function):
    """Whether all values along the axes are nonzero."""

    symbol, numpy = "all", np.all

    def forward(self, x):
        return layouts.row_major(backend.as_array(fast_reduce(np.logical_and, x, self.axis, self.keepdims)))


MANY = 4096  # of so many floating-point numbers NumPy counts booleans in a third of the time, comparison included


class CountNonzero(Function):
    """How many values along the axes are not zero."""

    symbol, numpy = "count", np.count_nonzero

    def forward(self, x):
        many = x.size > MANY and x.dtype.kind in "fc"
        if x.dtype.kind != "b" and (many or self.axis is not None):
            x = x != 0
        if self.axis is None or backend.is_gpu(x):
            return layouts.contiguous(backend.as_array(np.count_nonzero(x, self.axis)))
        return layouts.contiguous(fast_reduce(np.add, x, self.axis, False))


def _any_or_all(cls: type[Function], input: Tensor, dim: Dim, keepdim: bool, op: str, out: Tensor | None) -> Tensor:
    """Apply `cls`, over no axes if dim is an empty tuple. The result is bool, or uint8 of uint8, as in PyTorch."""
    if out is not None and out.array.dtype not in (bool, np.uint8):
        raise DtypeError(f"{op} only supports bool tensor for result, got: {out.dtype}")
    axis = () if isinstance(dim, (tuple, list)) and not dim else axes(dim, input.array.ndim, op)
    result: Tensor = cls.apply(input, axis=axis, keepdims=keepdim)
    return into(out, result) if out is not None or input.array.dtype != np.uint8 else result.to(input.dtype)


@numpy_spelling
def any(input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Whether any value over dim is nonzero.

    Raises IndexError for a dim out of range, TypeError for an `out` that is neither bool nor uint8. Source: torch.any.

    >>> torch.any(torch.tensor([[0, 1], [0, 0]]), dim=1)
    tensor([ True, False])
    """
    return _any_or_all(Any_, input, dim, keepdim, "any", out)


@numpy_spelling
def all(input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Whether all values over dim are nonzero.

    Raises IndexError for a dim out of range, TypeError for an `out` that is neither bool nor uint8. Source: torch.all.

    >>> torch.all(torch.tensor([[1, 1], [0, 1]]), dim=1)
    tensor([ True, False])
    """
    return _any_or_all(All, input, dim, keepdim, "all", out)


@numpy_spelling
def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """Return the number of nonzero values over dim.

    Raises IndexError for a dim out of range. Source: torch.count_nonzero.

    >>> torch.count_nonzero(torch.tensor([[0, 1], [2, 3]]), dim=0)
    tensor([1, 2])
    """
    return CountNonzero.apply(input, axis=axes(dim, input.array.ndim, "count_nonzero"))


@overload
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: Literal[False] = False) -> Tensor: ...
@overload
def nonzero(input: Tensor, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
@tensors_only
@observed
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: bool = False) -> Any:
    """Return the indices of nonzero elements, one row for each; as a tuple, one Tensor for each dim.

    (n, input.ndim), or tuples of (n), of int64. Raises RuntimeError for `out` together with as_tuple.
    Source: torch.nonzero.

    >>> torch.nonzero(torch.tensor([[1, 0], [0, 2]]))
    tensor([[0, 0],
            [1, 1]])
    """
    x = input.array
    places = fast_numpy.nonzero(x.reshape(x.shape or (1,)))
    if as_tuple:
        if out is not None:
            raise DtypeError("nonzero does not support the out kwarg when as_tuple is True")
        return tuple(function.Tensor._wrap(layouts.contiguous(place)) for place in places)
    found = np.concatenate(places).reshape(len(places), -1).T
    return into(out, function.Tensor._wrap(found if x.ndim else found[:, :0]), exact="nonzero")


@tensors_only
@observed
def argwhere(input: Tensor) -> Tensor:
    """Return the indices of nonzero elements, one row for each. Source: torch.argwhere.

    >>> torch.argwhere(torch.tensor([0, 3]))
    tensor([[1]])
    """
    return nonzero(input)


@tensors_only
@observed
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the first `size` rows of `nonzero`, padded with rows of fill_value.

    Raises RuntimeError for a negative size. Source: torch.nonzero_static.

    >>> torch.nonzero_static(torch.tensor([0, 3]), size=2)
    tensor([[ 1],
            [-1]])
    """
    if size < 0:
        raise ArgumentError(f"nonzero_static: size must be a non-negative integer, got {size}")
    if input.is_meta:
        found = np.zeros_like(input.array, dtype=np.int64, shape=(0, input.ndim))
    else:
        found = nonzero(input).array[:size]
    padded = np.full_like(found, fill_value, order="C", shape=(size, found.shape[1]))
    padded[: len(found)] = found
    return into(out, function.Tensor._wrap(padded), exact="nonzero_static")
