"""Adaptive pooling: the input is divided into nearly equal parts, one for each cell of the output."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, overload

import numpy as np

from ...errors.wording import plural
from ...state import composite
from ...type_aliases import Tensor
from ..elementwise import Flat
from .fractional_pool import check_input, max_over_boxes
from .geometry import invalid, ntuple
from .pool import POOLS, with_indices
from .resample import Resample, ResampleMatrix, parts
from .unpool import laid_out_as

Sizes = int | Sequence[int | None]


class AdaptiveAvg(Resample):
    """Means of nearly equal parts along one axis, (..., n, ...) -> (..., m, ...), by `ResampleMatrix.parts`."""

    operator = None
    zero_link = Flat


class _AdaptiveMaxPool(Protocol):
    """The type of the adaptive max pooling functions: they return a Tensor, and with return_indices two."""

    __name__: str

    @overload
    def __call__(self, input: Tensor, output_size: Sizes, return_indices: Literal[False] = False) -> Tensor: ...
    @overload
    def __call__(self, input: Tensor, output_size: Sizes, return_indices: Literal[True]) -> tuple[Tensor, Tensor]: ...
    @overload
    def __call__(self, input: Tensor, output_size: Sizes, return_indices: bool) -> Any: ...


def _adaptive_max_pooling(pool: Callable[..., Any]) -> _AdaptiveMaxPool:
    return composite(pool)


@_adaptive_max_pooling
def adaptive_max_pool1d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Take the maximum of output_size nearly equal parts, (N, C, L) -> (N, C, OL): see adaptive_max_pool2d.

    Raises as adaptive_max_pool2d does. Source: torch.nn.functional.adaptive_max_pool1d.

    >>> F.adaptive_max_pool1d(torch.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[3., 3.]])
    """
    return _adaptive_max(1, input, output_size, return_indices)


@_adaptive_max_pooling
def adaptive_max_pool2d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Take the maximum of each of OH · OW nearly equal parts of a plane, (N, C, H, W) -> (N, C, OH, OW).

    Part i reaches from floor(i · H / OH) to ceil((i + 1) · H / OH). None in output_size keeps that dimension. With
    return_indices the result is a pair: the maxima, and their positions on the flattened plane. Raises RuntimeError for
    integers, for other dimensions and for empty planes. Source: torch.nn.functional.adaptive_max_pool2d.

    >>> F.adaptive_max_pool2d(torch.arange(9.0).reshape(1, 3, 3), 2)
    tensor([[[4., 5.],
             [7., 8.]]])
    """
    return _adaptive_max(2, input, output_size, return_indices)


@_adaptive_max_pooling
def adaptive_max_pool3d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """Apply adaptive_max_pool2d to three dimensions, (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Raises as adaptive_max_pool2d does. Source: torch.nn.functional.adaptive_max_pool3d.

    >>> F.adaptive_max_pool3d(torch.arange(8.0).reshape(1, 2, 2, 2), (1, 1, 2))
    tensor([[[[6., 7.]]]])
    """
    return _adaptive_max(3, input, output_size, return_indices)


@composite
def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """Take the mean of output_size nearly equal parts, (N, C, L) -> (N, C, OL): see adaptive_avg_pool2d.

    Raises as adaptive_max_pool2d does. Source: torch.nn.functional.adaptive_avg_pool1d.

    >>> F.adaptive_avg_pool1d(torch.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[2.0000, 2.5000]])
    """
    return _adaptive_avg(1, input, output_size)


@composite
def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """Take the mean of each of OH · OW nearly equal parts of a plane, (N, C, H, W) -> (N, C, OH, OW).

    The parts are those of adaptive_max_pool2d. Raises as adaptive_max_pool2d does.
    Source: torch.nn.functional.adaptive_avg_pool2d.

    >>> F.adaptive_avg_pool2d(torch.arange(9.0).reshape(1, 3, 3), (1, None))
    tensor([[[3., 4., 5.]]])
    """
    return _adaptive_avg(2, input, output_size)


@composite
def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """Apply adaptive_avg_pool2d to three dimensions, (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Raises as adaptive_max_pool2d does. Source: torch.nn.functional.adaptive_avg_pool3d.

    >>> F.adaptive_avg_pool3d(torch.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[3.5000]]]])
    """
    return _adaptive_avg(3, input, output_size)


adaptive_max_pool1d_with_indices = with_indices(adaptive_max_pool1d, "1")
adaptive_max_pool2d_with_indices = with_indices(adaptive_max_pool2d, "1")
adaptive_max_pool3d_with_indices = with_indices(adaptive_max_pool3d, "1")


def _adaptive_max(dims: int, input: Tensor, output_size: Sizes, return_indices: bool) -> Any:
    """Pool with equal windows if all parts are equal, otherwise by tables of cells."""
    op = f"adaptive_max_pool{dims}d"
    size, out = check_input(op, input, dims), output_sizes(op, input, output_size, dims)
    input = input.contiguous() if dims == 3 else input  # PyTorch's 3-D results are contiguous
    kernel = whole_parts(size, out) if input.array.size else ()
    if kernel:
        found = POOLS[dims][1](input, kernel, return_indices=return_indices)
    else:
        tables = [np.minimum(cells, stop - 1) for cells, stop in map(parts, size, out)]
        found = max_over_boxes(input, tables, return_indices)
    return tuple(laid_out_as(x, input, dims) for x in found) if return_indices else laid_out_as(found, input, dims)


def _adaptive_avg(dims: int, input: Tensor, output_size: Sizes) -> Tensor:
    """Pool with equal windows if all parts are equal, otherwise by sparse matrices."""
    op = f"adaptive_avg_pool{dims}d"
    size, out = check_input(op, input, dims, empty=True), output_sizes(op, input, output_size, dims)
    if set(out) == {1}:  # this gives NaN for an empty input
        return laid_out_as(input.mean(tuple(range(-dims, 0)), keepdim=True), input, dims)
    if 0 in (input.array.shape[1:] if dims == 3 else size):
        check_input(op, input, dims)
    found, kernel = input.contiguous() if dims == 3 else input, whole_parts(size, out) if input.array.size else ()
    if kernel:
        found = POOLS[dims][0](found, kernel)
    else:
        for axis, (n, m) in enumerate(zip(size, out, strict=True), input.ndim - dims):
            found = AdaptiveAvg.apply(found, axis=axis, matrix=ResampleMatrix.parts(n, m))
    return laid_out_as(found, input, dims)


def output_sizes(op: str, input: Tensor, output_size: Sizes, dims: int) -> tuple[int, ...]:
    """Return an adaptive pooling's output_size as ints; None stands for the input's own size."""
    if isinstance(output_size, Sequence) and not isinstance(output_size, bytes):
        if len(output_size) != dims:
            raise invalid(op, f"output_size must be an int or {plural(dims, 'int')}, got {output_size!r}")
        output_size = [n if m is None else m for m, n in zip(output_size, input.array.shape[-dims:], strict=False)]
    return ntuple(op, "output_size", output_size, dims, least=0)


@functools.lru_cache(maxsize=256)
def whole_parts(size: tuple[int, ...], out: tuple[int, ...]) -> tuple[int, ...]:
    """Return the size of each part if all parts are equal, otherwise ()."""
    whole = all(m and n % m == 0 for n, m in zip(size, out, strict=True))
    return tuple(n // m for n, m in zip(size, out, strict=True)) if whole else ()
