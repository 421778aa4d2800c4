"""Max pooling over boxes of any size at any place: fractional pooling, and the kernel that adaptive pooling uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, overload

import numpy as np

from ... import backend
from ... import generator as draws
from ...backend.meta import new_empty
from ...errors import DtypeError, KindError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..elementwise import Flat
from ..indexing import Gather
from ..support.bare import is_recorded
from .geometry import Size, invalid, ntuple
from .pool import with_indices

FEW_CELLS = 3 << 14  # cells of all boxes together, at most, that are compared side by side
PAYS = 0.9  # the most cells side by side, relative to those that a search along the axes reads, that take less time


class BoxArgmax(Function):
    """The position of each box's maximum on the flattened plane, (..., H, W) -> (..., OH, OW) int64.

    `tables` has one table for each dimension: the cells of all boxes along it, (taps, OH), or (taps, N, C, OH) if
    the boxes differ from plane to plane, without N if there is no batch. A box with fewer cells repeats its last one.
    Of equal values the first wins, of NaNs the last. The search goes dimension by dimension, from the last one.
    """

    symbol, operator = "argmax_pool", None
    tables: Sequence[Any]

    def forward(self, input):
        if (found := _argmax_of_few(input, self.tables)) is not None:
            return found
        best, place, step = input, None, 1
        for axis in range(-1, -len(self.tables) - 1, -1):
            best, place = max_along_axis(best, place, axis, self.tables[axis], step)
            step *= input.shape[axis]
        return place


class BoxMax(Gather):
    """The values of the winning cells of flattened planes, (..., P) -> (..., boxes)."""

    operator = None
    zero_link = Flat


class _FractionalMaxPool(Protocol):
    """The type of the fractional max pooling functions: they return a Tensor, and with return_indices two."""

    __name__: str

    @overload
    def __call__(
        self, input: Tensor, kernel_size: Size, output_size: Size | None = None,
        output_ratio: float | Sequence[float] | None = None, return_indices: Literal[False] = False,
        _random_samples: Tensor | None = None,
    ) -> Tensor: ...  # fmt: skip
    @overload
    def __call__(
        self, input: Tensor, kernel_size: Size, output_size: Size | None = None,
        output_ratio: float | Sequence[float] | None = None, *, return_indices: Literal[True],
        _random_samples: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]: ...  # fmt: skip
    @overload
    def __call__(
        self, input: Tensor, kernel_size: Size, output_size: Size | None = None,
        output_ratio: float | Sequence[float] | None = None, return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any: ...  # fmt: skip


def _fractional_max_pooling(pool: Callable[..., Any]) -> _FractionalMaxPool:
    return composite(pool)


@_fractional_max_pooling
def fractional_max_pool2d(
    input: Tensor, kernel_size: Size, output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None, return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """Take the maximum of OH · OW windows whose places are drawn for each plane, (N, C, H, W) -> (N, C, OH, OW).

    The output's size is output_size, or output_ratio times the input's. Raises ValueError unless one of them is given,
    RuntimeError for windows that don't fit. Source: Graham (2014); torch.nn.functional.fractional_max_pool2d.

    >>> F.fractional_max_pool2d(torch.arange(9.0).reshape(1, 3, 3), 2, output_size=2)
    tensor([[[4., 5.],
             [7., 8.]]])
    """
    return _fractional(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


@_fractional_max_pooling
def fractional_max_pool3d(
    input: Tensor, kernel_size: Size, output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None, return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """Apply fractional_max_pool2d to three dimensions, (N, C, D, H, W) -> (N, C, OD, OH, OW).

    Raises as fractional_max_pool2d does. Source: torch.nn.functional.fractional_max_pool3d.

    >>> F.fractional_max_pool3d(torch.arange(8.0).reshape(1, 2, 2, 2), 1, output_size=1)
    tensor([[[[7.]]]])
    """
    return _fractional(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


fractional_max_pool2d_with_indices = with_indices(fractional_max_pool2d, "1, output_size=1")
fractional_max_pool3d_with_indices = with_indices(fractional_max_pool3d, "1, output_size=1")


def _fractional(
    dims: int, input: Tensor, kernel_size: Size, output_size: Size | None, output_ratio: float | Sequence[float] | None,
    return_indices: bool, samples: Tensor | None,
) -> Any:  # fmt: skip
    op = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise invalid(op, "output_size or output_ratio must be given")
    size, kernel = check_input(op, input, dims), ntuple(op, "kernel_size", kernel_size, dims)
    if output_size is None:
        ratios: Any = output_ratio if isinstance(output_ratio, Sequence) else (output_ratio,) * dims
        if len(ratios) != dims:
            message = f"{op} requires output_ratio to either be a single Int or tuple of Ints."
            raise invalid(op, f"{message} It takes {dims} numbers, got {output_ratio}")
        output_size = [int(n * ratio) for n, ratio in zip(size, ratios, strict=True)]
    out = ntuple(op, "output_size", output_size, dims, least=0)
    planes = input.array.shape[:-dims] if input.ndim == dims + 2 else (1, input.array.shape[0])
    for n, k, m in zip(size, kernel, out, strict=True):
        if m + k - 1 > n - (dims == 3):  # PyTorch requires one cell more in 3-D
            raise invalid(op, f"{m} windows of {k} cells do not fit into {n}: kernel_size {kernel}, input {size}")
    if samples is None:
        drawn = draws.uniform_(new_empty((*planes, dims), input.array.dtype, input.device))
        drawn = backend.to_device(drawn, input.device)
    elif samples.ndim != 3 or samples.shape[0] < planes[0] or tuple(samples.shape[1:]) != (planes[1], dims):
        found = f"{(*planes, dims)}, got {tuple(samples.shape)}"
        raise invalid(op, f"Expect _random_samples to be {found}", ShapeError)
    elif samples.array.dtype != input.array.dtype:
        raise invalid(op, f"_random_samples must be {input.dtype}, as input is, got {samples.dtype}", DtypeError)
    else:
        drawn = samples.array[: planes[0]]
    # PyTorch's first random number is the width's in 2-D, but the depth's in 3-D.
    order = (0, 1, 2) if dims == 3 else (1, 0)
    tables = [random_cells(drawn[..., i], n, k, m) for i, n, k, m in zip(order, size, kernel, out, strict=True)]
    if input.ndim == dims + 1:
        tables = [table[:, 0] for table in tables]
    return max_over_boxes(input, tables, return_indices)


def check_input(op: str, input: Tensor, dims: int, empty: bool = False) -> tuple[int, ...]:
    """Check a pooling's input and return the sizes of its spatial dimensions; they may be 0 only if `empty`."""
    shape: tuple[int, ...] = input.array.shape
    if len(shape) not in (dims + 1, dims + 2):
        raise invalid(op, f"input must have {dims + 1} or {dims + 2} dimensions, got {len(shape)}", ShapeError)
    if 0 in shape[1:] and not empty:
        rule = "Expected input to have non-zero size for non-batch dimensions"
        raise invalid(op, f"{rule}, but input has sizes {[*input.shape]}", ShapeError)
    if input.array.dtype.kind != "f":
        raise invalid(op, f"not implemented for {input.dtype}: input must be floating-point", KindError)
    return shape[-dims:]


def max_over_boxes(input: Tensor, tables: Sequence[Array], return_indices: bool) -> Any:
    """Return the maximum of each box, and with return_indices a pair of it and its position."""
    tables = [backend.like(t, input.array) if isinstance(t, np.ndarray) else t for t in tables]
    place = BoxArgmax.apply(input, tables=tables)
    lead, area = input.array.shape[: -len(tables)], math.prod(input.array.shape[-len(tables) :])
    flat = place.array.reshape(*lead, math.prod(place.shape[-len(tables) :]))
    flat = flat.copy() if return_indices and is_recorded(input) else flat  # the caller may write to them
    out = BoxMax.apply(input.reshape(*lead, area), index=flat, axis=len(lead)).reshape(place.shape)
    return (out, place) if return_indices else out


def _argmax_of_few(x: Array, tables: Sequence[Array]) -> Array | None:
    """Compute `BoxArgmax` from the cells of all boxes side by side, if they are few and none is NaN; else None.

    Few are also fewer than a search along one axis after another reads, which goes through rows that no box contains.
    """
    dims, planes = len(tables), math.prod(x.shape[: -len(tables)])
    size, out = x.shape[-dims:], [table.shape[-1] for table in tables]
    count = planes * math.prod([len(table) * n for table, n in zip(tables, out, strict=True)])
    along_axes = planes * sum([math.prod((*size[:i], len(table), *out[i:])) for i, table in enumerate(tables)])
    if not 0 < count <= max(FEW_CELLS, PAYS * along_axes) or any(type(a) is not np.ndarray for a in (x, *tables)):
        return None
    cells: Any = 0
    for i, (table, n) in enumerate(zip(tables, size, strict=True)):
        lead, between = table.shape[1:-1], (1,) * (dims - 1)
        turned = table.transpose((*range(1, table.ndim), 0))
        cells = cells * n + turned.reshape(*lead, *between[:i], table.shape[-1], *between, len(table), *between[i:])
    taps, shape = math.prod(map(len, tables)), (*x.shape[:-dims], *out)
    starts = np.arange(0, x.size, x.size // planes)[:, None, None]
    cells = cells.reshape(-1, count // planes // taps, taps) + starts
    values = x.reshape(-1).take(cells)
    if math.isnan(np.maximum.reduce(values, None)):
        return None
    first = np.arange(0, count, taps).reshape(planes, -1)
    return (cells.reshape(-1).take(values.argmax(-1) + first) - starts[..., 0]).reshape(shape)


def random_cells(sample: Array, size: int, kernel: int, steps: int) -> Array:
    """Return the windows' cells along one dimension for random numbers in [0, 1): (N, C) -> (taps, N, C, steps)."""
    dtype = sample.dtype.type
    u, i = sample[..., None], backend.like(np.arange(steps, dtype=dtype), sample)
    step = dtype(size - kernel) / dtype(max(steps - 1, 1))
    start = ((i + u) * step).astype(np.int64) - (u * step).astype(np.int64)
    start[..., -1:] = size - kernel
    return start + backend.like(np.arange(kernel), sample).reshape(-1, 1, 1, 1)


def max_along_axis(x: Array, place: Array | None, axis: int, table: Array, step: int) -> tuple[Array, Array]:
    """Return the maximum of the boxes along one axis (a negative number), and its position.

    `place` has the positions that x's values come from; `step` is the distance of neighbors on the flattened plane.
    """
    *planes, steps = table.shape[1:]
    gpu = backend.is_gpu(x)  # asking whether there is a NaN would wait for the GPU, so every value is compared there
    aligned = (*planes, *(1,) * (x.ndim + axis - len(planes)), steps, *(1,) * (-axis - 1))
    best = take_along(x, table[0].reshape(aligned), axis)
    won = np.zeros_like(best, dtype=np.min_scalar_type(len(table)))  # the tap of the best value so far
    for tap, cells in enumerate(table[1:], 1):
        value = take_along(x, cells.reshape(aligned), axis)
        better = value > best
        if gpu:
            better |= value != value
        np.maximum(won, better * won.dtype.type(tap), out=won)
        np.maximum(best, value, out=best)
    if not gpu and (best != best).any():
        for tap, cells in enumerate(table):
            value = take_along(x, cells.reshape(aligned), axis)
            np.copyto(won, tap, where=value != value)
    window = backend.like(np.arange(table[0].size).reshape(aligned), x)
    cells = table.take(won * np.int64(table[0].size) + window)
    return best, cells * step if place is None else cells * step + np.take_along_axis(place, cells, axis)


def take_along(x: Array, cells: Array, axis: int) -> Array:
    """Take x's cells along an axis; `cells` is one list for all planes, or has an entry for each."""
    if cells.size == cells.shape[axis]:
        return x.take(cells.reshape(-1), axis)
    return np.take_along_axis(x, cells, axis)
