"""New Tensors of random numbers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ... import backend, dtypes, formats, function
from ... import generator as draws
from ...errors import ArgumentError
from ...generator import Generator, fills
from ...stand_ins import Device, Dtype, Tensor
from ..creation import finished, in_format, made_beside, refuse, size_of
from ..movement import broadcast_shapes
from ..out import into
from ..spelling import tensors_only
from .in_place import normal_, random_, uniform_
from .sampling import for_draw, without_gradient


def _empty(size: tuple[Any, ...], dtype: Any, out: Tensor | None = None, default: Any = None) -> Tensor:
    """`out` in that size, or a new Tensor in the computer's memory: what a draw is to fill."""
    return for_draw(size_of(size), dtypes.of(dtype or default or dtypes.get_default_dtype()).dtype, out)


def _empty_like(input: Tensor, dtype: Any, memory_format: Any) -> Tensor:
    """The same in input's shape, laid out in memory as PyTorch would."""
    kind = input.array.dtype if dtype is None else dtypes.of(dtype).dtype
    if memory_format not in (None, formats.preserve_format):
        return finished(in_format("empty_like", lambda shape: np.empty(shape, kind), input.array.shape, memory_format))
    return finished(fills.empty_like(input.array, kind))


def _sizes(size: tuple[Any, ...], options: dict[str, Any], op: str) -> tuple[Any, ...]:
    """Sizes given one by one, as a sequence, or as `size=`."""
    refuse(op, options, {"size"})
    return (options["size"],) if options else size


@tensors_only
def rand(
    *size: Any, generator: Generator | None = None, out: Tensor | None = None, dtype: Dtype = None, layout: Any = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool = False, **sizes: Any,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1). Source: torch.rand.

    >>> _ = torch.manual_seed(2024)
    >>> torch.rand(3)
    tensor([0.5317, 0.8313, 0.9718])
    """
    filled = _empty(_sizes(size, sizes, "rand"), dtype, out)
    if out is not None:
        return uniform_(filled, generator=generator)
    return finished(draws.uniform_(filled.array, generator=generator), backend.chosen(device), requires_grad)


@tensors_only
def randn(
    *size: Any, generator: Generator | None = None, out: Tensor | None = None, dtype: Dtype = None, layout: Any = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool = False, **sizes: Any,
) -> Tensor:  # fmt: skip
    """Standard normal numbers. Source: torch.randn.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randn(3)
    tensor([-0.0404,  1.7260, -0.8140])
    """
    filled = _empty(_sizes(size, sizes, "randn"), dtype, out)
    if out is not None:
        return normal_(filled, generator=generator)
    return finished(draws.normal_(filled.array, generator=generator), backend.chosen(device), requires_grad)


@tensors_only
def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Dtype = None, layout: Any = None,
    device: Device = None, requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1) in input's shape, dtype and device. Source: torch.rand_like.

    >>> torch.rand_like(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """
    made = uniform_(_empty_like(input, dtype, memory_format), generator=generator)
    return finished(made.array, input.device if device is None else device, requires_grad)


@tensors_only
def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Dtype = None, layout: Any = None,
    device: Device = None, requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Standard normal numbers in input's shape, dtype and device. Source: torch.randn_like.

    >>> torch.randn_like(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """
    made = normal_(_empty_like(input, dtype, memory_format), generator=generator)
    return finished(made.array, input.device if device is None else device, requires_grad)


@tensors_only
def randint(
    low: Any = None, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: Dtype = None, layout: Any = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Integers (int64) in [low, high); with one bound, from 0. Source: torch.randint.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randint(0, 10, (6,))
    tensor([2, 0, 4, 0, 3, 0])
    """
    if size is None:
        low, high, size = None, low, high
    low, high = _bounds(low, high)
    made = random_(_empty((size,), dtype, out, dtypes.int64), low, high, generator=generator)
    return made if out is not None else finished(made.array, backend.chosen(device), requires_grad)


@tensors_only
def randint_like(
    input: Tensor, low: Any = None, high: Any = None, *, generator: Generator | None = None, dtype: Dtype = None,
    layout: Any = None, device: Device = None, requires_grad: bool = False, memory_format: Any = None,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Integers in [low, high), with one bound from 0, in input's shape, dtype and device. Source: torch.randint_like.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randint_like(torch.zeros(3), 10)
    tensor([2., 0., 4.])
    """
    low, high = _bounds(low, high)
    made = random_(_empty_like(input, dtype, memory_format), low, high, generator=generator)
    return finished(made.array, input.device if device is None else device, requires_grad)


def _bounds(low: Any, high: Any) -> tuple[int, int]:
    """The bounds of a draw of integers, of which one may have been left out."""
    if high is None:
        low, high = None, low
    if high is None:
        raise TypeError("randint(): missing argument 'high'")
    return 0 if low is None else operator.index(low), operator.index(high)


@tensors_only
def randperm(
    n: int, *, generator: Generator | None = None, out: Tensor | None = None, dtype: Dtype = None, layout: Any = None,
    device: Device = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The integers below n in random order. Source: torch.randperm.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randperm(8)
    tensor([0, 1, 6, 3, 7, 4, 2, 5])
    """
    kind = dtypes.of(dtype) if dtype is not None else dtypes.int64 if out is None else out.dtype
    return made_beside(out, draws.randperm(n, kind.dtype, generator=generator), device, requires_grad)


@tensors_only
def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: Dtype = None, layout: Any = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers with a mean and a standard deviation each: numbers with a size, or Tensors, which broadcast.

    Draws don't depend on the two smoothly: their gradients are zeros. Source: torch.normal.

    >>> torch.normal(0.0, 1.0, (2, 3)).shape
    torch.Size([2, 3])
    """
    if size is not None:
        made = normal_(_empty((size,), dtype, out), mean, std, generator=generator)
        return made if out is not None else finished(made.array, backend.chosen(device), requires_grad)
    tensors = [x for x in (mean, std) if isinstance(x, function.Tensor)]
    if not tensors:
        raise ArgumentError("normal: with numbers for mean and std, size must be given")
    a, b = (x.detach() if isinstance(x, function.Tensor) else x for x in (mean, std))
    if not (b >= 0 if b is std else (b >= 0).all()):
        raise ArgumentError("normal expects all elements of std >= 0.0")
    drawn = for_draw(broadcast_shapes(*(x.array.shape for x in tensors)), tensors[0].array.dtype, out, tensors[0])
    if isinstance(std, function.Tensor):
        normal_(drawn, generator=generator).mul_(b)
    else:
        normal_(drawn, 0, std, generator=generator)
    return into(out, without_gradient(drawn.add_(a), *tensors), quiet=True)
