"""Indexing, read and written: basic (views), integer, boolean and mixed, as NumPy has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, function
from ..errors import DimError
from ..function import Function, LinearMap
from .selection import Select

if TYPE_CHECKING:
    from ..tensor import Tensor


class GetItem(LinearMap):
    """x[index]: a view where the index is basic."""

    symbol, may_share = "[ ]", True

    def forward(self, x):
        return backend.as_array(x[self.index])

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape)
        if is_basic(self.index):
            out[self.index] = grad
        else:
            backend.add_at(out, self.index, grad)
        return out


class SetItem(Function):
    """x with value at index; where an index comes more than once, the last value stays."""

    symbol, broadcasts = "[ ]=", True

    def forward(self, x, value):
        out = x.copy()
        out[self.index] = value
        return out

    def write(self, out, x, value):
        out[self.index] = value

    def grad_x(self, grad):
        return Clear.apply(grad, index=self.index)

    def grad_value(self, grad):
        g = GetItem.apply(grad, index=self.index)
        return g if is_basic(self.index) else Select.apply(_last_writes(self.index, grad), g)


class Clear(LinearMap):
    """x with zeros at index."""

    symbol = "[ ]=0"

    def forward(self, x):
        out = x.copy()
        out[self.index] = 0
        return out

    adjoint = forward


class Gather(LinearMap):
    """x taken at an array of indices along one axis: out[i][j] = x[i][index[i][j]] for axis 1."""

    symbol, numpy = "gather", np.take_along_axis

    def forward(self, x):
        return x[_along(self.axis, self.index, x)]

    def adjoint(self, grad):
        out = np.zeros_like(grad, shape=self.x_shape)
        backend.add_at(out, _along(self.axis, self.index, grad), grad)
        return out


def _along(axis: int, index: Any, x: Any) -> tuple[Any, ...]:
    """The integer index that takes `index` along one axis of x, and every other axis as it comes."""
    grid = [backend.like(n, x) for n in np.ogrid[tuple(map(slice, index.shape))]]
    grid[axis] = index
    return tuple(grid)


def is_basic(index: tuple[Any, ...]) -> bool:
    """Whether an index has no arrays in it: then it gives a view."""
    return not any(map(backend.is_array, index))


def _last_writes(index: tuple[Any, ...], grad: Any) -> Any:
    """For each value written at index, whether no later one overwrote it."""
    shape = grad.shape
    slots = np.zeros(shape, np.int64)
    index = tuple(backend.to_numpy(i) if backend.is_array(i) else i for i in index)
    order = np.arange(slots[index].size).reshape(slots[index].shape)
    slots[index] = order
    return backend.like(slots[index] == order, grad.array if isinstance(grad, function.Tensor) else grad)


def normalized(index: Any, x: Any) -> tuple[Any, ...]:
    """A user's index as a tuple for arrays on x's device: Tensors and lists become arrays."""
    items = index if isinstance(index, tuple) else (index,)
    out: list[Any] = []
    for item in items:
        if isinstance(item, function.Tensor):
            item = item.array.item() if item.array.ndim == 0 and item.array.dtype.kind in "iu" else item.array
        elif isinstance(item, (list, range, np.ndarray)):
            item = np.asarray(item)
            item = item.astype(np.int64) if item.size == 0 and item.dtype.kind == "f" else item
        elif isinstance(item, slice):
            item = slice(*(None if i is None else i.__index__() for i in (item.start, item.stop, item.step)))
        elif isinstance(item, np.generic):
            item = item.item()
        if backend.is_array(item):
            if item.dtype.kind not in "iub":
                raise DimError(f"tensors used as indices must be integer or boolean, got {item.dtype}")
            if backend.is_gpu(x) != backend.is_gpu(item):
                item = backend.like(item, x) if backend.is_gpu(x) else backend.to_numpy(item)
        out.append(item)
    if is_basic(tuple(out)) and Ellipsis not in out and not any(isinstance(i, bool) for i in out):
        out.append(Ellipsis)  # a view even where a single element is left
    return tuple(out)


def getitem(input: Tensor, index: Any) -> Tensor:
    """input[index], a view where the index is basic. Source: torch.Tensor.__getitem__.

    >>> torch.arange(6).reshape(2, 3)[:, [2, 0]]
    tensor([[2, 0],
            [5, 3]])
    """
    return GetItem.apply(input, index=normalized(index, input.array))


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Values of input at index along dim; both have the same number of dimensions. Source: torch.gather.

    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    if not -input.ndim <= dim < max(input.ndim, 1):
        raise DimError(f"gather: dim {dim} is out of range for input of shape {tuple(input.shape)}")
    return Gather.apply(input, index=index.array, axis=dim % max(input.ndim, 1))
