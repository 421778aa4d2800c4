"""Tensors made from data, or from nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, dtypes, function
from ..errors import ArgumentError, DtypeError

if TYPE_CHECKING:
    from ..tensor import Tensor


def finished(array: Any, device: Any = None, requires_grad: bool = False) -> Tensor:
    """An array as a new Tensor on a device."""
    made: Tensor = function.Tensor._made(array if device is None else backend.to_device(array, device))
    return made.requires_grad_() if requires_grad else made


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new Tensor with a copy of data: numbers, nested sequences, arrays, Tensors. Source: torch.tensor.

    Python numbers give int64, the default floating dtype, complex64 or bool; arrays keep their dtype.

    >>> torch.tensor([[1, 2], [3, 4]], dtype=torch.float64)
    tensor([[1., 2.],
            [3., 4.]], dtype=torch.float64)
    """
    if isinstance(data, function.Tensor):
        data = data.array
    if backend.is_gpu(data):
        array = data.copy() if dtype is None else data.astype(dtypes.of(dtype).dtype)
        return finished(array, device, requires_grad)
    array = np.array(data)
    if array.dtype == object:
        raise DtypeError(f"tensor: expected numbers or nested sequences of equal lengths, got {type(data).__name__}")
    if dtype is not None:
        array = array.astype(dtypes.of(dtype).dtype, copy=False)
    elif array.dtype.kind in "fc" and not _has_dtype(data):
        array = array.astype(dtypes.default_for(2 if array.dtype.kind == "f" else 3), copy=False)
    dtypes.of(array.dtype)  # refuse what PyTorch has no name for
    return finished(array, device, requires_grad)


def _has_dtype(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return hasattr(data, "dtype")


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """data as a Tensor, sharing memory with an array or Tensor where nothing is converted. Source: torch.as_tensor.

    >>> array = np.zeros(2)
    >>> torch.as_tensor(array)[0] = 1
    >>> array
    array([1., 0.])
    """
    if isinstance(data, function.Tensor):
        found: Tensor = data.to(dtype=dtype, device=device)
        return found
    if backend.is_array(data) and (dtype is None or dtypes.of(dtype).dtype == data.dtype):
        dtypes.of(data.dtype)
        return finished(data, device)
    return tensor(data, dtype=dtype, device=device)


asarray = as_tensor


def from_numpy(ndarray: Any) -> Tensor:
    """A Tensor on the memory of a NumPy array. Source: torch.from_numpy.

    >>> torch.from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    return as_tensor(ndarray)


def size_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence."""
    sizes = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = tuple(int(n) for n in sizes)
    if any(n < 0 for n in shape):
        raise ArgumentError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


def _floating(dtype: Any) -> np.dtype[Any]:
    return (dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)).dtype


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor with whatever its memory holds. Source: torch.empty.

    >>> torch.empty(2, 3).shape
    torch.Size([2, 3])
    """
    return finished(np.empty(size_of(size), _floating(dtype)), device, requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros. Source: torch.zeros.

    >>> torch.zeros(2)
    tensor([0., 0.])
    """
    return finished(np.zeros(size_of(size), _floating(dtype)), device, requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones. Source: torch.ones.

    >>> torch.ones(2, dtype=torch.int64)
    tensor([1, 1])
    """
    return finished(np.ones(size_of(size), _floating(dtype)), device, requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A shape filled with one value, whose type gives the dtype. Source: torch.full.

    >>> torch.full((2,), 7)
    tensor([7, 7])
    """
    kind = tensor(fill_value).array.dtype if dtype is None else dtypes.of(dtype).dtype
    return finished(np.full(size_of((size,)), fill_value, kind), device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix of zeros. Source: torch.eye.

    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return finished(np.eye(n, m, dtype=_floating(dtype)), device, requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Values from start (0 if one bound is given) up to, not including, end. Source: torch.arange.

    >>> torch.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise ArgumentError(f"arange: step {step} doesn't lead from {start} to {end}")
    integers = all(isinstance(x, (int, np.integer)) for x in (start, end, step))
    kind = dtypes.int64.dtype if dtype is None and integers else _floating(dtype)
    return finished(np.arange(start, end, step).astype(kind, copy=False), device, requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` evenly spaced values from start to end, both included. Source: torch.linspace.

    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    if steps < 0:
        raise ArgumentError(f"linspace: number of steps must be non-negative, got {steps}")
    kind = _floating(dtype)
    # counted from both ends, as PyTorch does, so that the last value is exactly end
    first, last, i = kind.type(start), kind.type(end), np.arange(steps)
    step = (last - first) / kind.type(max(steps - 1, 1))
    values = np.where(
        i < math.ceil(steps / 2), first + step * i.astype(kind), last - step * (steps - 1 - i).astype(kind)
    )
    return finished(values.astype(kind, copy=False), device, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of input's shape, dtype and device with whatever its memory holds. Source: torch.empty_like.

    >>> torch.empty_like(torch.zeros(2)).shape
    torch.Size([2])
    """
    return finished(np.empty_like(input.array, _like(input, dtype)), None, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of input's shape, dtype and device. Source: torch.zeros_like.

    >>> torch.zeros_like(torch.tensor([1, 2]))
    tensor([0, 0])
    """
    return finished(np.zeros_like(input.array, _like(input, dtype)), None, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of input's shape, dtype and device. Source: torch.ones_like.

    >>> torch.ones_like(torch.tensor([1.5, 2.5]))
    tensor([1., 1.])
    """
    return finished(np.ones_like(input.array, _like(input, dtype)), None, requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value in input's shape, dtype and device. Source: torch.full_like.

    >>> torch.full_like(torch.zeros(2), 3)
    tensor([3., 3.])
    """
    return finished(np.full_like(input.array, fill_value, _like(input, dtype)), None, requires_grad)


def _like(input: Tensor, dtype: Any) -> Any:
    return input.array.dtype if dtype is None else dtypes.of(dtype).dtype
