"""Sampling of 2-D and 3-D inputs at arbitrary positions (grid_sample), and the grids of affine maps (affine_grid)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ... import backend
from ...errors import ArgumentError, KindError, ShapeError, UnsupportedError
from ...errors.notices import warn
from ...function import Function
from ...function.linear_map import LinearMap
from ...state import composite
from ...type_aliases import Array, Tensor
from ..creation import from_array, linspace
from ..elementwise.selection_kernels import fast_where
from ..support.bare import bare
from ..support.blocks import batch_blocks
from .geometry import invalid
from .resample import cubic_kernel, cubic_kernel_slope

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")  # by PyTorch's numbers
TAPS = {mode: np.array(taps)[:, None] for mode, taps in zip(MODES, ([0, 1], [0], [-1, 0, 1, 2]), strict=True)}
KEPT_CELLS = 1 << 18  # in up to so many numbers (2 MB)


class GridSourceIndex(Function):
    """The source indices (N, D, P), in cells, of normalized coordinates (N, ..., D) in [-1, 1], x first.

    Index 0 is the center of the first cell. With padding "border" or "reflection", indices outside of the input are
    clipped or reflected. `turn` is the derivative of that: -1, 0 or 1.
    """

    symbol, operator, constants = "grid places", None, ("turn",)
    places: tuple[int, ...]  # the grid's shape without N and D
    size: Any  # the size of each axis, x first, (D, 1)
    scale: Any  # cells per unit of the normalized coordinates, along each axis
    align: bool
    padding: str

    def forward(self, grid):
        size, grid = self.size, grid.reshape(len(grid), math.prod(self.places), len(self.size))
        grid = grid.swapaxes(1, 2).copy() + 1  # a contiguous row for each axis makes NumPy's loops long
        if self.align:
            at = grid * self.scale
        elif len(size) == 3:
            at = (grid * size - 1) / 2
        else:
            at = unnormalize_rounded_once(grid, self.scale)
        self.turn = None
        if self.padding != "zeros":
            turn, last = None, size - 1
            if self.padding == "reflection":
                at, turn = reflect(at, size, self.align)
            inside = (at > 0) & (at < last)
            self.turn = inside if turn is None else inside * turn
            at = np.fmin(np.fmax(at, 0), last)  # this turns NaN into 0, too
        elif len(size) == 3:  # in 3-D PyTorch reads nothing at NaN and infinities, in 2-D it multiplies by them
            at = np.where(np.isfinite(at), at, -2)
        return at

    def grad_grid(self, grad, turn):
        grad = grad * self.scale if turn is None else grad * turn * self.scale
        rows = np.copy(np.swapaxes(grad, 1, 2), order="C")
        return rows.reshape((len(grad), *self.places, grad.shape[1]))


class GridSample(Function):
    """Interpolation of (N, C, ...) at source indices (N, D, P) -> (N, C, *places), in blocks of points.

    Few cells are kept for backward, where many are computed again, block by block.
    """

    symbol, operator, constants = "grid sample", "grid_sampler", ("cells",)
    places: tuple[int, ...]  # the result's shape after N and C
    size: Any  # the size of each axis, x first, (D, 1)
    taps: Any  # the cells that are read along an axis, relative to floor(index): (taps, 1)
    mode: str
    padding: str
    align: bool

    def forward(self, input, at):
        out = np.empty_like(input, shape=(*input.shape[:2], at.shape[2]), order="C")
        framed = _iter_framed(input)
        few = len(at) * at.shape[2] * len(self.taps) ** at.shape[1] <= KEPT_CELLS
        self.cells = self.cells_at(at, input.shape[2:]) if few else None
        for images, points in batch_blocks(at, at.shape[2] or 1, input.shape[1] * len(self.taps) ** at.shape[1]):
            part = at[images, :, points]
            cells = self.cells_at(part, input.shape[2:]) if self.cells is None else self.cells[images, :, points]
            weight = None if self.mode == "nearest" else _cell_weights(_weights(part, self.mode, self.taps))
            for i in range(len(part)):
                if not points.start:
                    planes = next(framed)
                values = planes.take(cells[i], 1)
                found = values[:, 0] if weight is None else np.einsum("ckp,kp->cp", values, weight[i])
                out[images.start + i, :, points] = found
        return out.reshape(*input.shape[:2], *self.places)

    def backward(self, grad, input, at, cells):
        kept, grad = cells, grad.reshape(*grad.shape[:2], at.shape[2])
        grad_input, grad_at = np.empty_like(input, order="C") if self.needs[0] else None, np.zeros_like(at)
        for images, _ in batch_blocks(at, 1, at.shape[2] * input.shape[1] * len(self.taps) ** at.shape[1]):
            part, given, x = at[images], grad[images], input[images]
            cells = self.cells_at(part, input.shape[2:]) if kept is None else kept[images]
            weights = _weights(part, self.mode, self.taps)
            if grad_input is not None:
                weight = _cell_weights(weights)
                values = (g[:, None] * w for g, w in zip(given, weight, strict=True))
                grad_input[images] = _scatter_cells(values, cells, x)
            if self.needs[1] and self.mode != "nearest":
                grad_weight = np.empty_like(part, shape=cells.shape)
                for i, planes in enumerate(_iter_framed(x)):
                    grad_weight[i] = np.einsum("ckp,cp->kp", planes.take(cells[i], 1), given[i])
                slopes = _slopes(part, self.mode, self.taps)
                for axis in range(at.shape[1]):
                    turned = np.copy(weights)
                    turned[:, axis] = slopes[:, axis]
                    grad_at[images, axis] = (grad_weight * _cell_weights(turned)).sum(1)
        return grad_input, grad_at

    def decomposition(self, input, at):
        cells = self.cells_at(bare(at), input.shape[2:])
        values = GatherCells.apply(input, cells=cells)
        out = (values * _cell_weights(_weights(at, self.mode, self.taps))[:, None]).sum(2)
        return out.reshape((*out.shape[:2], *self.places))

    def cells_at(self, at: Array, sizes: tuple[int, ...]) -> Array:
        """Return the K cells that indices (N, D, P) read, (N, K, P), as positions on the flattened, framed plane."""
        at, size = at[:, :, None], self.size[:, None]
        places = np.rint(at) if self.mode == "nearest" else np.floor(at) + self.taps
        if self.mode == "bicubic" and self.padding == "reflection":
            places = np.rint(reflect(places, size, self.align)[0])
        if self.mode == "bicubic" and self.padding != "zeros":
            places = np.clip(places, 0, size - 1)
        np.fmin(places, size, out=places)
        cells = np.fmax(places, -1, out=places).astype(np.int64)  # NaN becomes a cell outside
        cells += 1
        found = cells[:, -1]
        for axis in range(len(sizes) - 2, -1, -1):
            found = found[:, :, None] * (sizes[-1 - axis] + 2) + cells[:, axis, None]
            found = found.reshape(len(at), math.prod(found.shape[1:3]), at.shape[-1])
        return found


class GatherCells(LinearMap):
    """The cells (N, K, P) of each plane with a frame of zeros around it, (N, C, ...) -> (N, C, K, P)."""

    symbol, operator = "cells", None
    cells: Any

    def forward(self, input):
        out = np.empty_like(input, shape=(*input.shape[:2], *self.cells.shape[1:]), order="C")
        for i, planes in enumerate(_iter_framed(input)):
            out[i] = planes.take(self.cells[i], 1)
        return out

    def adjoint(self, grad):
        return _scatter_cells(grad, self.cells, np.empty_like(grad, shape=self.x_shape, order="C"))


def _iter_framed(input: Array) -> Iterator[Any]:
    """Yield each image with a frame of zeros, one cell wide, as flattened planes (C, S), always in one memory."""
    frame = np.empty_like(input, shape=(input.shape[1], *[n + 2 for n in input.shape[2:]]), order="C")
    frame.fill(0)
    inside, lines = (..., *(slice(1, -1),) * (input.ndim - 2)), frame.reshape(len(frame), math.prod(frame.shape[1:]))
    for image in input:
        frame[inside] = image
        yield lines


def _scatter_cells(values: Iterable[Any], cells: Array, x: Array) -> Array:
    """Add values (C, K, P) to the cells (K, P), for each image, as an array like x: the adjoint of GatherCells."""
    out = np.empty_like(x, order="C")
    channels, size = out.shape[1], [n + 2 for n in out.shape[2:]]
    frame = np.empty_like(x, shape=(channels, *size), order="C")
    inside, starts = (..., *(slice(1, -1),) * len(size)), np.arange(channels)[:, None, None] * math.prod(size)
    starts = backend.like(starts, x)
    for i, added in enumerate(values):
        frame[...] = 0
        for some, _ in batch_blocks(frame, 1, math.prod(cells.shape[1:])):
            places = (starts[: some.stop - some.start] + cells[i]).reshape(-1)
            backend.add_at(frame[some].reshape(-1), places, added[some].reshape(-1))
        out[i] = frame[inside]
    return out


def unnormalize_rounded_once(x: Array, scale: Array) -> Array:
    """Return x · scale - 0.5, rounded once, like the fused multiply-add that PyTorch computes 2-D positions with.

    The positions of an identity map lie on kinks of the interpolation, where the last bit decides on which side.
    """
    if x.dtype == np.float32:
        return (x.astype(np.float64) * scale - 0.5).astype(np.float32)
    high = np.floor(x * 2.0**26) / 2.0**26  # the product with half a size is exact
    return high * scale - 0.5 + np.where(np.isfinite(x), x - high, 0) * scale


def reflect(at: Array, size: Array, align: bool) -> tuple[Array, Array]:
    """Reflect source indices at both edges until they are inside; also return the derivative of that, 1 or -1.

    With `align` the edges are the centers of the outermost cells, otherwise their outer borders.
    """
    low = 0.0 if align else -0.5
    span = size - 1 if align else size
    far = np.abs(at - low)
    turns = np.floor(far / np.where(span > 0, span, 1))
    back = turns != 2 * np.floor(turns / 2)
    rest = far - turns * span
    inside = fast_where(back, span - rest, rest) + low
    inside = np.where(span > 0, inside, 0) if align else inside
    return inside, 1 - 2 * (back != (at < low)).view(np.int8)


@composite
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """Sample an input (N, C, H, W) at the positions grid (N, OH, OW, 2), x and y in [-1, 1]: (N, C, OH, OW).

    A 3-D input has a grid of x, y and z. The modes are "bilinear", "nearest" and, in 2-D, "bicubic". padding_mode says
    what is outside: "zeros", values of the "border", or a "reflection". With align_corners, -1 and 1 are the centers of
    the outermost cells, otherwise (the default) their outer borders. Raises RuntimeError for shapes that don't fit
    together, ValueError for an unknown mode. Source: torch.nn.functional.grid_sample.

    >>> x, places = torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[0.0, 0.0], [-0.5, 0.0]]]])
    >>> F.grid_sample(x, places, align_corners=False)
    tensor([[[[2., 1.]]]])
    """
    op = "grid_sample"
    if mode not in MODES or padding_mode not in PADDINGS:
        name, value, known = ("padding_mode", padding_mode, PADDINGS) if mode in MODES else ("mode", mode, MODES)
        *first, last = map(repr, known)
        raise invalid(op, f"expected {name} to be {', '.join(first)} or {last}, but got: {value!r}")
    size, align = _check_grid_sample(op, input, grid, mode), _resolve_align_corners(align_corners)
    tables = _axis_tables(size, align, mode, grid.array.dtype)
    axes, scale, taps = tables if backend.on_cpu(grid.array) else [backend.like(t, grid.array) for t in tables]
    within = "zeros" if mode == "bicubic" else padding_mode  # "bicubic" applies the padding mode to each cell it reads
    places = grid.array.shape[1:-1]
    at = GridSourceIndex.apply(grid, places=places, size=axes, scale=scale, align=align, padding=within)
    settings = {"mode": mode, "padding": padding_mode, "align": align}
    return GridSample.apply(input, at, places=places, size=axes, taps=taps, **settings)


@functools.lru_cache(maxsize=64)
def _axis_tables(size: tuple[int, ...], align: bool, mode: str, dtype: np.dtype[Any]) -> tuple[Array, Array, Array]:
    """Return the settings `size`, `scale` and `taps` of a sampling, on the CPU."""
    axes = np.array(size[::-1], dtype).reshape(-1, 1)
    return axes, (axes - align) / 2, TAPS[mode].astype(dtype)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Call `grid_sample` with the modes given by number. Source: torch.grid_sampler.

    >>> torch.grid_sampler(torch.tensor([[[[1.0, 3.0]]]]), torch.zeros(1, 1, 1, 2), 0, 0, False)
    tensor([[[[2.]]]])
    """
    return grid_sample(input, grid, MODES[interpolation_mode], PADDINGS[padding_mode], align_corners)


@composite
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return a grid (N, H, W, 2) for grid_sample: the affine maps theta (N, 2, 3) applied to a plane's cells.

    `size` is (N, C, H, W). In 3-D, theta is (N, 3, 4) and the grid (N, D, H, W, 3). Raises ValueError if theta and size
    do not fit. Source: torch.nn.functional.affine_grid.

    >>> F.affine_grid(torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]]), (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.5000],
              [ 0.5000,  0.5000]]]])
    """
    op = "affine_grid"
    if theta.array.dtype.kind != "f":
        raise invalid(op, f"Expected theta to have floating point type, but got {theta.dtype}")
    dims = len(size) - 2
    if dims not in (2, 3):
        message = "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size"
        raise invalid(op, f"{message} {size}", UnsupportedError)
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        expected = f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {size}"
        raise invalid(op, f"{expected}. Got {theta.shape}.")
    if min(size[1:]) <= 0:
        raise invalid(op, f"Expected non-zero, positive output size. Got {size}")
    if len(theta.array) != size[0]:
        raise invalid(op, f"theta must have {size[0]} maps for size {size}, got {len(theta.array)}")
    align, dtype = _resolve_align_corners(align_corners), theta.array.dtype
    if align and 1 in size[2:]:
        warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This "
            "is not an intended use case of affine_grid. See the documentation of affine_grid for details."
        )
    base = np.ones((*size[2:], dims + 1), dtype)
    for axis, n in enumerate(size[2:]):
        base[..., dims - 1 - axis] = _cell_centers(n, align, dtype).reshape(-1, *(1,) * (dims - 1 - axis))
    base = base.reshape(1, -1, dims + 1)
    cells = from_array(backend.like(base, theta.array))
    grid: Tensor
    if cells.numel() * dims < 400:  # below that PyTorch calls no BLAS: this has the same rounding
        grid = (cells.unsqueeze(-1) * theta.transpose(1, 2).unsqueeze(1)).sum(2)
    else:
        grid = cells @ theta.transpose(1, 2)
    return grid.reshape(size[0], *size[2:], dims)


@functools.lru_cache(maxsize=64)
def _cell_centers(n: int, align: bool, dtype: np.dtype[Any]) -> Array:
    """Return the normalized coordinates of the centers of n cells, rounded as PyTorch's."""
    line = linspace(-1, 1, n, dtype=dtype, device="cpu").array if n > 1 else np.zeros(1, dtype)
    return line if align else line * (n - 1) / n


def _resolve_align_corners(align_corners: bool | None) -> bool:
    """Return align_corners, or False with PyTorch's warning if it is None: it used to default to True."""
    if align_corners is None:
        warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. "
            "See the documentation of grid_sample for details."
        )
    return bool(align_corners)


def _check_grid_sample(op: str, input: Tensor, grid: Tensor, mode: str) -> tuple[int, ...]:
    """Check the arguments of grid_sample and return the input's spatial sizes."""
    x, places, found = input.array, grid.array, ""
    dims = x.ndim - 2
    if places.shape[:1] != x.shape[:1]:
        found = "expected grid and input to have same batch size"
    elif places.shape[-1:] != (dims,):
        found = f"expected grid to have size {dims} in last dimension"
    elif dims not in (2, 3) or places.ndim != x.ndim:
        found = "expected 4D or 5D input and grid with same number of dimensions"
    elif x.dtype.kind != "f" or places.dtype != x.dtype:
        message = f"input and grid must be of one floating-point dtype, got {input.dtype} and {grid.dtype}"
        raise invalid(op, message, KindError)
    elif 0 in x.shape[2:]:
        found = "expected input to have non-empty spatial dimensions"
    if found:
        sizes = f"input with sizes {[*x.shape]} and grid with sizes {[*places.shape]}"
        raise invalid(op, f"{found}, but got {sizes}", ShapeError)
    if mode == "bicubic" and dims == 3:
        raise invalid(op, "bicubic interpolation only supports 4D input", ArgumentError)
    return x.shape[2:]


def _weights(at: Array, mode: str, taps: Array) -> Array:
    """Return the weights of the cells that source indices (N, D, P) read along each axis, (N, D, taps, P)."""
    if mode == "nearest":
        return (np.where(np.isfinite(at), at, 0.0) * 0.0 + 1.0)[:, :, None]
    part = (at - np.floor(at))[:, :, None]
    return np.concatenate((1 - part, part), 2) if mode == "bilinear" else cubic_kernel(part - taps)


def _slopes(at: Array, mode: str, taps: Array) -> Array:
    """Return the derivatives of `_weights` by the source indices."""
    part = (at - np.floor(at))[:, :, None]
    return np.zeros_like(part) + (2 * taps - 1) if mode == "bilinear" else cubic_kernel_slope(part - taps)


def _cell_weights(weights: Array) -> Array:
    """Multiply weights of each axis, (N, D, taps, P), x first, into those of all cells, (N, K, P), x fastest."""
    n, dims, taps, places = weights.shape
    out = weights[:, -1]
    for axis in range(dims - 2, -1, -1):
        out = (out[:, :, None] * weights[:, axis][:, None]).reshape((n, out.shape[1] * taps, places))
    return out
