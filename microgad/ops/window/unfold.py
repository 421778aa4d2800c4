"""im2col and col2im: the windows of a plane as columns, and the columns added back to where they came from.

Unfold and Fold take 2-D inputs, as in PyTorch. The functions below them take 1, 2 or 3 spatial dimensions.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from ...backend.copies import copied_row_major, copy_into
from ...errors import ShapeError
from ...function.linear_map import LinearMap
from ...function.naming import with_torch_name
from ...type_aliases import Array, Tensor
from ..support import fast_numpy, layouts
from ..support.spelling import tensors_only
from .geometry import Size, Window, ntuple

LONG_STRIDE = 8  # taps of a line that are faster to add at once than one by one


class Unfold(LinearMap):
    """im2col: every window becomes a column, (N, C, H, W) -> (N, C·KH·KW, OH·OW)."""

    symbol, operator, native_half = "unfold", "im2col", True
    window: Window

    def forward(self, input):
        _check_dimensions(input, 4)
        self.window.check(
            f"calculated shape of the array of sliding blocks as {self.window.out}, but its components must be at "
            "least one"
        )
        return im2col(input, self.window)

    def adjoint(self, grad):
        return col2im(grad, self.window)


class Fold(LinearMap):
    """col2im, the adjoint of Unfold: every column is added to its window, (N, C·KH·KW, OH·OW) -> (N, C, H, W)."""

    symbol, operator, transposed = "fold", "col2im", Unfold
    window: Window

    def forward(self, input):
        (kh, kw), (oh, ow) = self.window.kernel, self.window.out
        _check_dimensions(input, 3)
        rows, columns = input.shape[1:]
        if rows % (kh * kw):
            raise ShapeError(
                "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
                f"input.size(1)={rows} and kernel_size={self.window.kernel}."
            )
        if oh < 1 or ow < 1:
            raise ShapeError(
                f"calculated shape of the array of sliding blocks as {(oh, ow)}, which is too small (non-positive), "
                f"for output_size={self.window.size}, kernel_size={self.window.kernel}"
            )
        if columns != oh * ow:
            raise ShapeError(
                f"expected size of input's dimension 2 to match the calculated number of sliding blocks {oh} * {ow} = "
                f"{oh * ow}, but got input.size(2)={columns}, for output_size={self.window.size}, "
                f"kernel_size={self.window.kernel}"
            )
        return col2im(input, self.window)

    def adjoint(self, grad):
        return im2col(grad, self.window)


Unfold.transposed = Fold


def _check_dimensions(input: Tensor, ndim: int) -> None:
    if input.ndim != ndim or 0 in input.shape[1:]:
        raise ShapeError(
            f"Expected {ndim - 1}D or {ndim}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {[*input.shape]}"
        )


@tensors_only
def unfold(input: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """Return the windows of (N, C, H, W) as columns, (N, C·KH·KW, OH·OW): im2col. Source: torch.nn.functional.unfold.

    An input (C, H, W), without a batch, gives (C·KH·KW, OH·OW). Raises RuntimeError if the kernel is larger than the
    padded input.

    >>> x = torch.arange(6.0).reshape(1, 1, 2, 3)
    >>> torch.nn.functional.unfold(x, kernel_size=2)
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    if input.ndim == 3:
        return with_torch_name("Im2Col", unfold(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0))
    kernel = ntuple("Unfold", "kernel_size", kernel_size, 2)
    return Unfold.apply(input, window=Window.sliding("Unfold", 2, input.shape[2:], kernel, stride, padding, dilation))


@tensors_only
def fold(
    input: Tensor, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> Tensor:
    """Add columns (N, C·KH·KW, OH·OW) up on a plane (N, C, H, W) of output_size: col2im, the adjoint of unfold.

    An input (C·KH·KW, OH·OW), without a batch, gives (C, H, W). Raises RuntimeError if there is not one column for each
    position of the kernel. Source: torch.nn.functional.fold.

    >>> torch.nn.functional.fold(torch.ones(1, 4, 2), output_size=(2, 3), kernel_size=2)
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    if input.ndim == 2:
        one = fold(input.unsqueeze(0), output_size, kernel_size, dilation, padding, stride).squeeze(0)
        return with_torch_name("Col2Im", one)
    size, kernel = (ntuple("Fold", n, v, 2) for n, v in (("output_size", output_size), ("kernel_size", kernel_size)))
    return Fold.apply(input, window=Window.sliding("Fold", 2, size, kernel, stride, padding, dilation))


def im2col(x: Array, window: Window) -> Array:
    """Return the windows as columns, (N, C, H, W) -> (N, C·KH·KW, OH·OW), a copy."""
    cells, overhang = tap_cells(x, window)
    columns = copied_row_major(cells)
    for places in overhang:
        columns[places] = 0
    return columns.reshape(len(x), x.shape[1] * math.prod(window.kernel), math.prod(window.out))


def col2im(columns: Array, window: Window) -> Array:
    """Add every column to its window, (N, C·KH·KW, OH·OW) -> (N, C, H, W)."""
    n, k = len(columns), math.prod(window.kernel)
    c = columns.shape[1] // k
    x = np.zeros_like(columns, shape=(n, c, *window.size), order="C")
    add_columns(columns.reshape(n, c, k, *window.out), x, window)
    return x


def add_columns(columns: Array, x: Array, window: Window, first: int = 0) -> None:
    """Add columns (..., KH·KW, rows, OW), of output rows from `first` on, to their cells of x (..., H, W)."""
    if min(window.stride[-1], window.kernel[-1]) >= LONG_STRIDE and window.dilation[-1] == 1:
        _add_runs(columns, x, window, first)
        return
    for k, cells, places in taps(window, first, columns.shape[-len(window.kernel)]):
        x[cells] += columns[(..., k, *places)]


def _add_runs(columns: Array, x: Array, window: Window, first: int) -> None:
    """Do the work of `add_columns` a stride at a time: so many taps of a line lie side by side in x."""
    dims, kernel, stride, n = len(window.kernel), window.kernel[-1], window.stride[-1], columns.shape[-1]
    shape = columns.shape
    columns = columns.reshape((*shape[: -dims - 1], -1, kernel, *shape[-dims:]))
    columns = fast_numpy.moveaxis(columns, -dims - 1, -1)  # (..., KH, rows, OW, KW)
    runs = np.zeros_like(x, shape=(*x.shape[:-1], n - 1 - -kernel // stride, stride), order="C")
    for k, cells, places in taps(window.outer, first, shape[-dims]) if dims > 1 else [(0, (...,), ())]:
        for i in range(0, kernel, stride):
            run = columns[(..., k, *places, slice(None), slice(i, i + stride))]
            runs[(*cells, slice(i // stride, i // stride + n), slice(run.shape[-1]))] += run
    line, before = runs.reshape((*x.shape[:-1], -1)), window.padding[-1][0] - (first * stride if dims == 1 else 0)
    start = max(0, -before)
    stop = max(start, min(x.shape[-1], line.shape[-1] - before))  # no cells where all windows lie in the padding
    x[..., start:stop] += line[..., start + before : stop + before]


@functools.lru_cache(maxsize=64)
def taps(window: Window, first: int, rows: int) -> list[tuple[int, Any, tuple[slice, ...]]]:
    """Return for each tap of the kernel, in row-major order: its number, the cells it reads, and the output positions.

    Positions at which the tap reads padding are left out. `first` and `rows` select a part of the output's rows.
    """
    lines: list[Any] = []
    for size, k, s, (before, _), d, steps in zip(*window, window.out, strict=True):
        if not lines:
            before, steps = before - first * s, rows
        lines.append([reach(size, steps, s, i * d - before) for i in range(k)])
    pairs = [zip(*tap, strict=True) for tap in itertools.product(*lines)]
    return [(k, (..., *cells), places) for k, (cells, places) in enumerate(pairs)]


def reach(size: int, steps: int, stride: int, offset: int) -> tuple[slice, slice]:
    """Return, along one axis of `size` cells, the cells that a tap starting at `offset` reads, and at which steps."""
    first = max(0, -(offset // stride))
    count = max(0, min(steps, (size - 1 - offset) // stride + 1) - first)
    start = offset + first * stride
    return slice(start, start + count * stride, stride) if count else slice(0), slice(first, first + count)


def channels_innermost(x: Array) -> bool:
    """Whether x (N, C, ...) is in channels-last format, or a line that is: (N, L, C) transposed."""
    return layouts.channels_last(layouts.lines_as_planes(x))


def padded(x: Array, window: Window, value: float = 0, keep: bool = False) -> Array:
    """Return x padded with `value`, (N, C, H, W) -> (N, C, *window.padded_size); x itself if there is no padding.

    If told to `keep` them there, channels that are innermost in memory stay so.
    """
    if window.unpadded:
        return x
    if keep and channels_innermost(x):
        out = np.empty_like(x, shape=(len(x), *window.padded_size, x.shape[1]), order="C")
        out = fast_numpy.moveaxis(out, -1, 1)
    else:
        out = np.empty_like(x, shape=(*x.shape[:2], *window.padded_size), order="C")
    out.fill(value)
    inside, kept = window.inside
    copy_into(out[inside], x[kept])
    return out


def tap_cells(x: Array, window: Window) -> tuple[Any, list[tuple[Any, ...]]]:
    """Return the cells that the taps read, (N, C, H, W) -> (N, C, KH, KW, OH, OW), and where a copy needs zeros.

    The cells are a view of a padded plane, for the caller to copy. If possible, the plane has no padding at the ends of
    rows: a tap's cells are contiguous then, and copied twice as fast. But where a tap reaches beyond its row, the view
    shows a cell of another row, for which the copy needs a zero.
    """
    level = window.seamless
    if level is None:
        return windows(padded(x, window), window), []
    plane, dims = padded(x, level), len(window.kernel)
    first = plane.reshape(-1)[window.size[-1] - window.padding[-1][0] :]  # a row down: `level` has one more row above
    rest = (slice(None),) * (dims - 1)
    return windows(plane, window, first), [(..., tap, *rest, places) for tap, places in window.overhang]


def windows(plane: Array, window: Window, first: Array | None = None) -> Array:
    """Return a view of a padded plane with all windows, (N, C, H, W) -> (N, C, KH, KW, OH, OW); windows may overlap.

    They begin at the plane's first cell, or at that of `first`, a view of the plane.
    """
    lead, steps = plane.strides[:2], plane.strides[2:]
    taps = [n * d for n, d in zip(steps, window.dilation, strict=True)]
    places = [n * s for n, s in zip(steps, window.stride, strict=True)]
    shape = (*plane.shape[:2], *window.kernel, *window.out)
    return layouts.strided_view(plane if first is None else first, shape, (*lead, *taps, *places))
