"""New Tensors of random numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Unpack, overload

import numpy as np

from ... import backend, dtypes, function
from ... import generator as draws
from ...backend import memory_formats
from ...backend.meta import as_zeros
from ...errors import ArgumentError
from ...errors.arguments import as_sizes
from ...function.naming import with_torch_name
from ...generator import Generator, fills
from ...generator.vmap_randomness import shared_part
from ...type_aliases import (
    Array,
    Device,
    Dtype,
    GivenNumber,
    Layout,
    LikeOptions,
    MemoryFormat,
    RandomOptions,
    Real,
    Tensor,
)
from ..creation import from_array, from_array_into, in_memory_format, parse_shape
from ..creation.filled import resolve_dtype
from ..creation.scalars import as_scalar
from ..movement import broadcast_shapes
from ..support import layouts
from ..support.out import into
from ..support.spelling import tensors_only
from .in_place import normal_, random_, uniform_
from .sampling import fill_out_or_new, with_zero_gradients

_NAMES: dict[Callable[..., Tensor], str] = {uniform_: "rand", normal_: "randn", random_: "randint"}


def _filled(
    fill: Callable[..., Tensor], size: tuple[Any, ...], dtype: Any, out: Tensor | None, device: Device,
    requires_grad: bool, *by: float, generator: Generator | None, default: Any = None,
) -> Tensor:  # fmt: skip
    """Fill `out`, resized, or a new Tensor of a size, by the in-place draw `fill` with the parameters `by`."""
    op = _NAMES[fill]
    kind = dtypes.of(resolve_dtype(op, dtype, out) or default or dtypes.get_default_dtype()).dtype
    shape, where = parse_shape(op, size), backend.chosen(device)
    made = fill_out_or_new(fill, shape, kind, out, where, *by, generator=generator, requires_grad=requires_grad)
    return made if out is None or not made.is_leaf else made.requires_grad_(bool(requires_grad))


def _empty_like(input: Tensor, dtype: Any, memory_format: Any, device: Any) -> Array:
    """Return an uninitialized CPU array with input's shape, and with the memory order that PyTorch gives it."""
    x = input.array if device is None else as_zeros(input.array)
    kind = x.dtype if dtype is None else dtypes.of(dtype).dtype
    if memory_format not in (None, memory_formats.preserve_format):
        return in_memory_format("empty_like", lambda shape: np.empty(shape, kind), x.shape, memory_format)
    return shared_part(layouts.keep_strides(fills.empty_like(x, kind), x))


@overload
def rand(size: int, /, *sizes: int, **options: Unpack[RandomOptions]) -> Tensor: ...
@overload
def rand(size: Sequence[int], **options: Unpack[RandomOptions]) -> Tensor: ...
@tensors_only
def rand(
    size: Any, *sizes: Any, generator: Generator | None = None, out: Tensor | None = None, dtype: Dtype = None,
    layout: Layout = None, device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return uniform numbers in [0, 1).

    Raises RuntimeError for a negative size and for a dtype of integers. Source: torch.rand.

    >>> _ = torch.manual_seed(2024)
    >>> torch.rand(3)
    tensor([0.5317, 0.8313, 0.9718])
    """
    return _filled(uniform_, (size, *sizes), dtype, out, device, requires_grad, generator=generator)


@overload
def randn(size: int, /, *sizes: int, **options: Unpack[RandomOptions]) -> Tensor: ...
@overload
def randn(size: Sequence[int], **options: Unpack[RandomOptions]) -> Tensor: ...
@tensors_only
def randn(
    size: Any, *sizes: Any, generator: Generator | None = None, out: Tensor | None = None, dtype: Dtype = None,
    layout: Layout = None, device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return standard normal numbers.

    Raises RuntimeError for a negative size and for a dtype of integers. Source: torch.randn.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randn(3)
    tensor([-0.0404,  1.7260, -0.8140])
    """
    return _filled(normal_, (size, *sizes), dtype, out, device, requires_grad, generator=generator)


@tensors_only
def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, memory_format: MemoryFormat = None,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return uniform numbers in [0, 1) in input's shape, dtype and device. Source: torch.rand_like.

    >>> torch.rand_like(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """
    made = draws.uniform_(_empty_like(input, dtype, memory_format, device), generator=generator)
    return from_array(made, input.device if device is None else device, requires_grad)


@tensors_only
def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False, memory_format: MemoryFormat = None,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return standard normal numbers in input's shape, dtype and device. Source: torch.randn_like.

    >>> torch.randn_like(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """
    made = draws.normal_(_empty_like(input, dtype, memory_format, device), generator=generator)
    return from_array(made, input.device if device is None else device, requires_grad)


@overload
def randint(high: int, size: Sequence[int], **options: Unpack[RandomOptions]) -> Tensor: ...
@overload
def randint(low: int, high: int, size: Sequence[int], **options: Unpack[RandomOptions]) -> Tensor: ...
@tensors_only  # type: ignore[misc]  # an argument has two names
def randint(
    low: GivenNumber = None, high: GivenNumber = None, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return integers (int64) in [low, high); with one bound, from 0.

    Raises RuntimeError unless low < high, TypeError without a bound. Source: torch.randint.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randint(0, 10, (6,))
    tensor([2, 0, 4, 0, 3, 0])
    """
    if size is None:
        low, high, size = None, low, high
    size = as_sizes("randint", "size", size)
    low, high = _bounds(low, high)
    rest = out, device, requires_grad, low, high
    return _filled(random_, (size,), dtype, *rest, generator=generator, default=dtypes.int64)


@overload
def randint_like(input: Tensor, high: int | Tensor, **options: Unpack[LikeOptions]) -> Tensor: ...
@overload
def randint_like(input: Tensor, low: int, high: int, **options: Unpack[LikeOptions]) -> Tensor: ...
@tensors_only  # type: ignore[misc]  # an argument has two names
def randint_like(
    input: Tensor, low: Any = None, high: Any = None, *, generator: Generator | None = None, dtype: Dtype = None,
    layout: Layout = None, device: Device = None, requires_grad: bool = False, memory_format: MemoryFormat = None,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return integers in [low, high), with one bound from 0, in input's shape, dtype and device.

    Raises as randint does. Source: torch.randint_like.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randint_like(torch.zeros(3), 10)
    tensor([2., 0., 4.])
    """
    low, high = _bounds(low, high)
    made = draws.random_(_empty_like(input, dtype, memory_format, device), low, high, generator=generator)
    return from_array(made, input.device if device is None else device, requires_grad)


def _bounds(low: Any, high: Any) -> tuple[int, int]:
    """Return (low, high) of a draw of integers; a single bound is high."""
    if high is None:
        low, high = None, low
    if high is None:
        raise TypeError("randint(): missing argument 'high'")
    return 0 if low is None else operator.index(low), operator.index(high)


@tensors_only
def randperm(
    n: int, *, generator: Generator | None = None, out: Tensor | None = None, dtype: Dtype = None,
    layout: Layout = None, device: Device = None, requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return a random permutation of the integers from 0 to n - 1.

    Raises RuntimeError for a negative n. Source: torch.randperm.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randperm(8)
    tensor([0, 1, 6, 3, 7, 4, 2, 5])
    """
    kind = dtypes.of(resolve_dtype("randperm", dtype, out) or dtypes.int64).dtype
    drawn = draws.randperm(n, kind, generator=generator)
    if out is not None and tuple(out.shape) != drawn.shape:
        out.resize_(drawn.shape)  # also one of as many elements
    return from_array_into(out, drawn, device, requires_grad)


@tensors_only
def normal(
    mean: Real = 0.0, std: Real = 1.0, size: Sequence[int] | None = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Return normal numbers. mean and std are numbers, with a size, or one or both are Tensors, which broadcast.

    As in PyTorch the gradients of mean and std are zeros. Raises RuntimeError for a negative std. Source: torch.normal.

    >>> torch.normal(0.0, 1.0, (2, 3)).shape
    torch.Size([2, 3])
    """
    if size is not None:
        a, b = as_scalar("normal", "mean", mean), as_scalar("normal", "std", std)
        size = as_sizes("normal", "size", size)
        return _filled(normal_, (size,), dtype, out, device, requires_grad, a, b, generator=generator)
    tensors = [x for x in (mean, std) if isinstance(x, function.Tensor)]
    if not tensors:
        raise ArgumentError("normal: with numbers for mean and std, size must be given")
    given: tuple[Any, Any] = mean, std
    a, b = (x.detach() if isinstance(x, function.Tensor) else x for x in given)
    scales = b.array if isinstance(b, function.Tensor) and type(b.array) is np.ndarray else b  # without Tensors
    if not (b >= 0 if b is std else b.is_meta or (scales >= 0).all()):
        raise ArgumentError("normal expects all elements of std >= 0.0")
    shapes, like = [x.array.shape for x in tensors], tensors[0]
    shape = shapes[0] if shapes[0] == shapes[-1] else broadcast_shapes(*shapes)
    by = () if isinstance(std, function.Tensor) else (0, as_scalar("normal", "std", std))
    drawn = fill_out_or_new(normal_, shape, like.array.dtype, out, like.device, *by, generator=generator)
    if not by:
        drawn.mul_(b)
    kind = 3 if len(tensors) == 2 else 1 if tensors[0] is mean else 2
    return into(out, with_torch_name(f"NormalBackward{kind}", with_zero_gradients(drawn.add_(a), *tensors)), quiet=True)
