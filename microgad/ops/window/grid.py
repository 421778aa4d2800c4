"""Values of planes and volumes at places between their cells, and the grids of such places that affine maps make."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import backend
from ...errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from ...function import Function
from ...linear_map import LinearMap
from ...notices import warn
from ...state import composite
from ..creation import finished, linspace
from .geometry import refusal
from .resample import cubic

if TYPE_CHECKING:
    from ...tensor import Tensor

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


class GridPlaces(Function):
    """(N, D, P), in [-1, 1] from edge to edge, x first -> (N, D, P), in cells: 0 is the middle of the first one.

    With padding "border" or "reflection" what is outside comes back inside, and doesn't move with its place any more,
    or moves against it.
    """

    symbol, constants = "grid places", ("turn",)
    size: Any  # of the axes, x first, (D, 1)
    scale: Any  # how many cells a place moves by when its number grows by one, along each axis
    align: bool
    padding: str

    def forward(self, grid):
        size, grid = self.size, np.copy(grid, "C") + 1  # each axis by itself: long loops
        if self.align:
            at = grid * self.scale
        elif len(size) == 3:
            at = (grid * size - 1) / 2
        else:
            at = rounded_once(grid, self.scale)
        self.turn = None
        if self.padding != "zeros":
            turn = np.ones_like(at, dtype=np.int8)
            if self.padding == "reflection":
                at, turn = reflected(at, size, self.align)
            self.turn = np.where((at > 0) & (at < size - 1), turn, 0)
            at = np.fmin(np.fmax(at, 0), size - 1)  # 0 too for what is no number
        return at

    def grad_grid(self, grad, turn):
        return grad * self.scale if turn is None else grad * turn * self.scale


class Cells(LinearMap):
    """(N, C, S) -> (N, C, P): the cells (N, P) of each line; S stands for a zero."""

    symbol = "cells"
    cells: Any

    def forward(self, input):
        n, c, size = input.shape
        out = np.empty_like(input, shape=(n, c, self.cells.shape[1]), order="C")
        lines = np.zeros_like(input, shape=(c, size + 1), order="C")
        for i, cells in enumerate(self.cells):
            lines[:, :size] = input[i]
            out[i] = np.take(lines, cells, 1)
        return out

    def adjoint(self, grad):
        n, c, size = self.x_shape
        out = np.zeros_like(grad, shape=(n, c, size + 1), order="C")
        starts = backend.like(np.arange(c)[:, None] * (size + 1), grad)
        for i, cells in enumerate(self.cells):
            backend.add_at(out[i].reshape(-1), (starts + cells).reshape(-1), grad[i].reshape(-1))
        return out[:, :, :size]


def rounded_once(x: Any, scale: Any) -> Any:
    """x · scale - 0.5, rounded once, as the fused instruction does it that PyTorch's places in planes come from.

    The places of a map that moves nothing lie on kinks, where the last bit chooses the side.
    """
    if x.dtype == np.float32:
        return (x.astype(np.float64) * scale - 0.5).astype(np.float32)
    high = np.floor(x * 2.0**26) / 2.0**26  # its product with half a size is exact
    return high * scale - 0.5 + np.where(np.isfinite(x), x - high, 0) * scale


def reflected(at: Any, size: Any, align: bool) -> tuple[Any, Any]:
    """Places, in cells, mirrored at both edges as often as it takes, and 1 or -1 where each moves with or against.

    With `align` the edges are the middles of the outermost cells.
    """
    low = 0.0 if align else -0.5
    span = size - 1 if align else size
    far = np.abs(at - low)
    turns = np.floor(far / np.where(span > 0, span, 1))
    back = turns != 2 * np.floor(turns / 2)
    rest = far - turns * span
    inside = np.where(span > 0, np.where(back, span - rest, rest) + low, 0)
    turn = np.where(back == (at < low), 1, -1) * (span > 0)
    return inside, turn.astype(np.int8)


@composite
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Values of (N, C, H, W) at places (N, OH, OW, 2), x and y in [-1, 1]: (N, C, OH, OW). Volumes have x, y and z.

    Modes: "bilinear", "nearest", "bicubic" (of planes). Outside are zeros, the border's values, or reflections. With
    align_corners -1 and 1 are the middles of the outermost cells, else their outer edges, which is the default. Source:
    torch.nn.functional.grid_sample.

    >>> x, places = torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[0.0, 0.0], [-0.5, 0.0]]]])
    >>> F.grid_sample(x, places, align_corners=False)
    tensor([[[[2., 1.]]]])
    """
    op = "grid_sample"
    for name, value, known in (("mode", mode, MODES), ("padding_mode", padding_mode, PADDINGS)):
        if value not in known:
            raise refusal(op, f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
    size, align = _checked(op, input, grid, mode), _aligned(align_corners)
    n, *out, dims = grid.shape
    area, places = math.prod(size), math.prod(out)
    padding = "zeros" if mode == "bicubic" else padding_mode  # which is applied to each of its cells
    axes = backend.like(size[::-1], grid.array, grid.array.dtype).reshape(-1, 1)
    scale = (axes - align) / 2
    lines = grid.reshape(n, places, dims).transpose(1, 2)
    at = GridPlaces.apply(lines, size=axes, scale=scale, align=align, padding=padding)
    place: Any = 0
    outside: Any = False
    taps = {"nearest": 1, "bilinear": 2, "bicubic": 4}[mode]
    along = [(n, *(taps if i == k else 1 for k in range(dims)), places) for i in range(dims)]
    for i, length in enumerate(size):  # each axis has its taps along an axis of its own
        cell = _cells(at.array[:, None, -1 - i], length, mode, padding_mode, align).reshape(along[i])
        place, outside = place * length + cell, outside | (cell < 0) | (cell >= length)
    cells, taps = np.where(outside, area, place), taps**dims
    values = Cells.apply(input.reshape(n, input.shape[1], area), cells=cells.reshape(n, taps * places))
    if mode == "nearest" and not at.requires_grad:
        return values.reshape(n, input.shape[1], *out)
    weights = _weights(at, mode)
    weight = functools.reduce(operator.mul, (weights[:, :, -1 - i].reshape(along[i]) for i in range(dims)))
    sums: Tensor = (values.reshape(n, input.shape[1], taps, places) * weight.reshape(n, 1, taps, places)).sum(2)
    return sums.reshape(n, input.shape[1], *out)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sample`, its modes by number. Source: torch.grid_sampler.

    >>> torch.grid_sampler(torch.tensor([[[[1.0, 3.0]]]]), torch.zeros(1, 1, 1, 2), 0, 0, False)
    tensor([[[[2.]]]])
    """
    return grid_sample(input, grid, MODES[interpolation_mode], PADDINGS[padding_mode], align_corners)


@composite
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Places for grid_sample: affine maps (N, 2, 3) of a plane's cells, (N, H, W, 2), for size (N, C, H, W).

    Of volumes (N, 3, 4) give (N, D, H, W, 3). Raises ValueError where theta and size do not fit. Source:
    torch.nn.functional.affine_grid.

    >>> F.affine_grid(torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]]), (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.5000],
              [ 0.5000,  0.5000]]]])
    """
    op, size = "affine_grid", tuple(size)
    if theta.array.dtype.kind != "f":
        raise refusal(op, f"theta must be floating-point, got {theta.dtype}")
    dims = len(size) - 2
    if dims not in (2, 3):
        raise refusal(op, f"size must be of 4 or 5 dimensions, got {size}", UnsupportedError)
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        raise refusal(op, f"theta must be (N, {dims}, {dims + 1}) for size {size}, got {tuple(theta.shape)}")
    if min(size) <= 0:
        raise refusal(op, f"size must be positive, got {size}")
    if len(theta.array) != size[0]:
        raise refusal(op, f"theta must have {size[0]} maps for size {size}, got {len(theta.array)}")
    lines, align_corners = [], _aligned(align_corners)
    for n in size[2:]:
        line = linspace(-1, 1, n, dtype=theta.dtype, device="cpu").array if n > 1 else np.zeros(1, theta.array.dtype)
        lines.append(line if align_corners else line * (n - 1) / n)  # rounded as PyTorch's are
    places = np.meshgrid(*lines, indexing="ij")
    base = np.stack([*places[::-1], np.ones_like(places[0])], -1).reshape(1, -1, dims + 1)
    cells = finished(backend.like(base, theta.array))
    grid: Tensor = cells @ theta.transpose(1, 2)
    return grid.reshape(size[0], *size[2:], dims)


def _aligned(align_corners: bool | None) -> bool:
    """False where it isn't said, with PyTorch's warning: once it was True."""
    if align_corners is None:
        said = "grid_sample and affine_grid take align_corners=False by default; give align_corners to say so."
        warn(said)
    return bool(align_corners)


def _checked(op: str, input: Tensor, grid: Tensor, mode: str) -> tuple[int, ...]:
    """The sizes of the plane or volume."""
    dims, shapes = input.ndim - 2, f"got input {tuple(input.shape)} and grid {tuple(grid.shape)}"
    if dims not in (2, 3) or grid.ndim != input.ndim:
        raise refusal(op, f"input and grid must both have 4 dimensions, or both 5; {shapes}", ShapeError)
    if input.array.dtype.kind != "f" or grid.array.dtype != input.array.dtype:
        raise refusal(op, f"input and grid must be of one floating-point dtype, got {input.dtype} and {grid.dtype}",
                      DtypeError)  # fmt: skip
    if grid.shape[0] != input.shape[0]:
        raise refusal(op, f"input and grid must have the same batch size; {shapes}", ShapeError)
    if grid.shape[-1] != dims:
        raise refusal(op, f"grid must have size {dims} in its last dimension; {shapes}", ShapeError)
    if 0 in input.shape[2:]:
        raise refusal(op, f"input must not be empty but in its batch and its channels; {shapes}", ShapeError)
    if mode == "bicubic" and dims == 3:
        raise refusal(op, "mode 'bicubic' takes 4-D input only, got 5-D", ArgumentError)
    return tuple(input.shape[2:])


def _cells(at: Any, size: int, mode: str, padding: str, align: bool) -> Any:
    """Along one axis the cells that places (N, 1, P) read, (N, taps, P), as int64; too far ones a few cells outside."""
    if mode == "nearest":
        places = np.rint(at)
    else:
        taps = range(2) if mode == "bilinear" else range(-1, 3)
        places = np.floor(at) + backend.like(taps, at, at.dtype).reshape(-1, 1)
    if mode == "bicubic" and padding == "reflection":
        places = np.rint(reflected(places, backend.like(size, at, at.dtype), align)[0])
    if mode == "bicubic" and padding != "zeros":
        places = np.clip(places, 0, size - 1)
    return np.clip(np.where(places == places, places, -4), -4, size + 4).astype(np.int64)


def _weights(at: Tensor, mode: str) -> Any:
    """Of places (N, D, P) the weights of the cells that they read along each axis, (N, taps, D, P)."""
    if mode == "nearest":
        return (at.nan_to_num(0.0, 0.0, 0.0) * 0 + 1)[:, None]  # which have no derivative, but are asked for one
    part = (at - finished(np.floor(at.array)))[:, None]
    column = [
        finished(backend.like(c, at.array, at.array.dtype).reshape(-1, 1, 1)) for c in ([-1, 1], [1, 0], range(-1, 3))
    ]
    return part * column[0] + column[1] if mode == "bilinear" else cubic(part - column[2], -0.75)
