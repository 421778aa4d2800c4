"""Resampling along an axis by a sparse matrix: each output is a weighted sum of a few cells."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import backend
from ...backend.axes import at_axis, slice_along
from ...function.linear_map import LinearMap
from ...type_aliases import Array
from ..support import fast_numpy, layouts
from ..support.blocks import BLOCK_SIZE

FEW_CELLS = 1 << 13  # cells of all taps together, at most, that are taken at once
# Cells of a line for each tap, at most, for which a product with the dense matrix is faster: along the last axis, where
# taking cells copies single numbers, and along others.
DENSE_LAST, DENSE_INNER = 24, 14
MOST_DENSE = 1 << 16  # numbers of a dense matrix, at most
FEW_PRODUCTS = 1 << 10  # of a plane, at most, for which one product for all planes is faster than one for each


@dataclass(frozen=True, eq=False)
class ResampleMatrix:
    """A sparse matrix (steps, size) whose row i has the weights `weights[:, i]` in the columns `cells[:, i]`.

    Both arrays are (taps, steps). Without weights, all are 1. A row with fewer taps is filled up with the cell `size`,
    which counts as 0. If `ordered`, float32 is summed in PyTorch's order, bit for bit.
    """

    size: int
    cells: Any
    weights: Any = None
    ordered: bool = False

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def parts(size: int, steps: int) -> ResampleMatrix:
        """Return the matrix of the means of `steps` nearly equal parts, for adaptive pooling."""
        cells, stop = parts(size, steps)
        inside = cells < stop
        return ResampleMatrix(size, np.where(inside, cells, size), inside / inside.sum(0))

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def resizing(
        mode: str, size: int, steps: int, align: bool, scale: float | None, antialias: bool, dtype: str
    ) -> ResampleMatrix:
        """Return the matrix of `interpolate` along one axis. Like PyTorch, it computes positions with `dtype`."""
        real = np.dtype(dtype).type
        if align:
            step = real(size - 1) / real(steps - 1) if steps > 1 else real(0)
        else:
            step = real(1 / scale) if scale else real(size) / real(steps)
        i = np.arange(steps, dtype=real)
        if antialias:
            return antialiased(mode, size, step, i)
        if mode.startswith("nearest"):
            cells = np.floor((i if mode == "nearest" else i + 0.5) * step).astype(np.int64)
            return ResampleMatrix(size, np.minimum(cells, size - 1)[None])
        # Centers are computed by a fused multiply-add, which rounds once.
        at = i * step if align else ((i.astype(np.float64) + 0.5) * float(step) - 0.5).astype(real)
        if mode == "bicubic":
            low = np.floor(at)
            cells = np.clip(low.astype(np.int64) + np.arange(-1, 3)[:, None], 0, size - 1)
            return ResampleMatrix(size, cells, cubic_weights(at - low))
        at = np.maximum(at, 0)
        low = np.minimum(at.astype(np.int64), size - 1)
        part = np.clip(at - low, 0, 1)
        return ResampleMatrix(size, np.stack([low, np.minimum(low + 1, size - 1)]), np.stack([1 - part, part]))

    @functools.cached_property
    def transposed(self) -> ResampleMatrix:
        """The transposed matrix."""
        steps = self.cells.shape[1]
        cells = self.cells.reshape(-1)
        order = np.argsort(cells, kind="stable")
        order = order[cells[order] < self.size]
        cells = cells[order]
        rank = np.arange(len(cells)) - np.searchsorted(cells, cells)  # the index of each tap among those of its cell
        turned = np.full((rank.max(initial=0) + 1, self.size), steps)
        turned[rank, cells] = order % steps
        if self.weights is None:
            return ResampleMatrix(steps, turned)
        weights = np.zeros(turned.shape, self.weights.dtype)
        weights[rank, cells] = self.weights.reshape(-1)[order]
        return ResampleMatrix(steps, turned, weights)

    @functools.cached_property
    def ragged(self) -> bool:
        """Whether a row has fewer taps than others."""
        return bool(self.cells.max(initial=0) == self.size)

    @functools.cached_property
    def rounded(self) -> ResampleMatrix:
        """The matrix with its weights rounded to 15 bits, with which PyTorch resizes uint8."""
        weights = self.weights.copy()
        for i in range(1, len(weights)):  # taps beyond the border read its cell, by one weight for all of them
            same = self.cells[i] == self.cells[i - 1]
            weights[i] += np.where(same, weights[i - 1], 0)
            weights[i - 1][same] = 0
        largest = weights.max()
        bits = next((bits for bits in range(22) if int(largest * 2 ** (bits + 1) + 0.5) >= 2**15), 22)
        return ResampleMatrix(self.size, self.cells, np.trunc(weights * 2**bits + np.copysign(0.5, weights)) / 2**bits)

    @functools.cached_property
    def spans(self) -> list[tuple[int, int]]:
        """The first cell and the end of each row, if there are few rows of many adjacent taps; otherwise []."""
        taps, steps = self.cells.shape
        side_by_side = (self.cells == self.cells[0] + np.arange(taps)[:, None]) | (self.cells == self.size)
        if 2 * steps >= taps or not side_by_side.all():
            return []
        count = np.count_nonzero(self.cells < self.size, 0)
        return list(zip(self.cells[0].tolist(), (self.cells[0] + count).tolist(), strict=True))

    @functools.cached_property
    def fused_taps(self) -> list[Any]:
        """For each tap, whether PyTorch rounds its product and the sum once: True, False, or a mask of the rows."""
        first = 1 + (np.count_nonzero(self.cells < self.size, 0) - 1) // 4 * 4
        masks = [first <= i for i in range(len(self.cells))]
        return [bool(fused[0]) if (fused == fused[0]).all() else fused for fused in masks]

    def times(self, x: Array, axis: int) -> Array:
        """Multiply the matrix and x along one axis."""
        if self.ordered and x.dtype == np.float32:
            return self._times_in_order(x, axis)
        (taps, steps), planes, inner = self.cells.shape, math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        if taps == 1 and self.weights is None and not self.ragged:
            return x.take(backend.like(self.cells[0], x), axis)
        shape, lines = (*x.shape[:axis], steps, *x.shape[axis + 1 :]), x.reshape(planes, self.size, inner)
        if self._dense_pays(x, inner):
            out = self._times_densely(lines)
            flat = out.reshape(-1)
            if np.isfinite(np.dot(flat, flat)):  # otherwise an infinity or NaN may have met a weight of 0
                return out.reshape(shape)
        if self.spans:
            parts = [(row, lines[:, span]) for span, row in self._rows(x)]
            sums = [part[..., 0] @ row if inner == 1 else row @ part for row, part in parts]
            return np.stack(sums, 1).reshape(shape)
        out = np.empty_like(x, shape=(planes, steps, inner), order="C")
        room = BLOCK_SIZE if type(x) is np.ndarray else max(x.size, out.size)
        most = max(1, room // max(1, inner * max(steps, self.size)))
        for i in range(0, planes, most):
            self._sum_taps(lines[i : i + most], out[i : i + most])
        return out.reshape(shape)

    def _dense_pays(self, x: Array, inner: int) -> bool:
        """Whether `_times_densely` is faster than one step for each tap."""
        if type(x) is not np.ndarray or x.dtype.char not in "fd" or self.weights is None:
            return False
        taps, steps = self.cells.shape
        most = DENSE_INNER if inner > 1 else 0 if self.spans else DENSE_LAST
        return self.size * (1 if x.itemsize == 4 else 1.5) <= most * taps and self.size * steps <= MOST_DENSE

    def _times_densely(self, x: Array) -> Array:
        """Multiply the matrix, with all its zeros, and x (planes, size, inner) by BLAS."""
        planes, size, inner = x.shape
        if inner == 1 or size * self.cells.shape[1] * inner * inner <= FEW_PRODUCTS:
            return x.reshape(planes, size * inner) @ dense(self, inner, x.dtype).T
        return np.matmul(dense(self, 1, x.dtype), x)

    def _sum_taps(self, x: Array, out: Array) -> None:
        """Write the product with x (planes, size, n) into out (planes, steps, n)."""
        if self.ragged:
            given, x = x, np.empty_like(x, shape=(len(x), self.size + 1, x.shape[2]), order="C")
            x[:, :-1], x[:, -1] = given, 0
        cells = backend.like(self.cells, x)
        weights = None if self.weights is None else backend.like(self.weights, x, x.dtype)[..., None]
        if type(x) is np.ndarray and weights is not None and len(cells) > 1 and out.size * len(cells) <= FEW_CELLS:
            parts = x.take(cells, 1)  # of all taps at once, which saves calls
            parts *= weights
            np.add(parts[:, 0], parts[:, 1], out=out)
            for i in range(2, len(cells)):
                out += parts[:, i]
            return
        for i, row in enumerate(cells):
            part = x.take(row, 1)
            if weights is not None:
                np.multiply(part, weights[i], out=part if i else out)
            elif i == 0:
                out[...] = part
            if i > 0:
                out += part

    def _times_in_order(self, x: Any, axis: int) -> Any:
        """`times` as PyTorch's compiled loop: fours of products are rounded and then added, others are fused."""
        before, after = range(axis), range(axis + 1, x.ndim)
        x = x.transpose((axis, *before, *after))
        lines = np.empty_like(x, order="C", shape=(self.size + 1, math.prod(x.shape[1:])))
        lines[:-1], lines[-1] = x.reshape(self.size, -1), 0
        cells, weights = backend.like(self.cells, x), backend.like(self.weights, x, x.dtype)[..., None]
        out = lines.take(cells[0], 0) * weights[0]
        for i, fused in enumerate(self.fused_taps[1:], 1):
            part = lines.take(cells[i], 0)
            if fused is not False:
                exact = np.multiply(part, weights[i], dtype=np.float64)
                exact += out
            if fused is not True:
                part *= weights[i]
                out += part
            if fused is True:
                out = exact.astype(x.dtype)
            elif fused is not False:
                out = np.where(backend.like(fused, x)[:, None], exact.astype(x.dtype), out)
        return out.reshape(len(out), *x.shape[1:]).transpose((*range(1, axis + 1), 0, *after)).copy()

    def transposed_times(self, x: Array, axis: int) -> Array:
        """Multiply the transposed matrix and x along one axis."""
        if not self.spans or self.transposed._dense_pays(x, math.prod(x.shape[axis + 1 :])):
            return self.transposed.times(x, axis)
        out = np.zeros_like(x, shape=(*x.shape[:axis], self.size, *x.shape[axis + 1 :]))
        for i, (span, row) in enumerate(self._rows(x)):
            weights = row.reshape(-1, *(1,) * (x.ndim - axis - 1))
            out[at_axis(axis, span)] += x[slice_along(axis, i, i + 1)] * weights
        return out

    def _rows(self, x: Array) -> Iterator[tuple[slice, Any]]:
        """Yield the slice of cells and the weights of each row of a matrix that has `spans`."""
        weights = backend.like(np.ones(self.cells.shape) if self.weights is None else self.weights, x, x.dtype)
        for (start, stop), row in zip(self.spans, weights.T.copy(), strict=True):
            yield slice(start, stop), row[: stop - start]


@functools.lru_cache(maxsize=64)
def dense(matrix: ResampleMatrix, inner: int, dtype: np.dtype[Any]) -> Array:
    """Return the matrix as an array, for lines whose cells are rows of `inner` numbers."""
    steps = matrix.cells.shape[1]
    out = np.zeros((steps, matrix.size + 1), dtype)
    np.add.at(out, (np.arange(steps), matrix.cells), matrix.weights)
    return np.kron(out[:, :-1], np.eye(inner, dtype=dtype))


def parts(size: int, steps: int) -> tuple[Array, Array]:
    """Return the cells of nearly equal parts of one dimension, (taps, steps), and the end of each part, (steps,)."""
    i, count = np.arange(steps), max(steps, 1)
    start, stop = i * size // count, -((i + 1) * -size // count)
    return start + np.arange((stop - start).max(initial=1))[:, None], stop


class Resample(LinearMap):
    """A product with a ResampleMatrix along one axis, (..., n, ...) -> (..., m, ...)."""

    symbol, operator = "resample", None
    axis: int
    matrix: ResampleMatrix

    def forward(self, input):
        return layouts.match_memory_format(_in_memory_format(self.matrix.times, input, self.axis), input)

    def adjoint(self, grad):
        return _in_memory_format(self.matrix.transposed_times, grad, self.axis)


def _in_memory_format(times: Callable[[Any, int], Any], x: Array, axis: int) -> Array:
    """Apply `times` to x along an axis; a channels-last x is passed as (N, ..., C)."""
    if axis < 2 or not layouts.channels_last(x):
        return times(x, axis)
    return fast_numpy.moveaxis(times(fast_numpy.moveaxis(x, 1, -1), axis - 1), -1, 1)


def linear_kernel(x: Array) -> Array:
    """Evaluate the kernel of linear interpolation: 1 at 0, falling linearly to 0 at ±1."""
    return np.maximum(1 - np.abs(x), 0)


def cubic_kernel(x: Array) -> Array:
    """Evaluate the cubic kernel of Keys (1981) with a = -0.75: 1 at 0, 0 at all other integers and beyond ±2."""
    far, square = np.abs(x), x * x  # |x|² would have no second derivative at 0
    inner, outer = (1.25 * far - 2.25) * square + 1, (((far - 5) * far + 8) * far - 4) * -0.75
    return np.where(far <= 1, inner, np.where(far > 2, 0, outer))  # `outer` also at 2, for its derivatives, and for NaN


def cubic_kernel_slope(x: Array) -> Array:
    """Evaluate the derivative of `cubic_kernel`."""
    far = np.abs(x)
    inner, outer = (3.75 * far - 4.5) * x, np.sign(x) * ((3 * far - 10) * far + 8) * -0.75
    return np.where(far <= 1, inner, np.where(far > 2, 0, outer))


def cubic_weights(part: Array) -> Array:
    """Return `cubic_kernel` for four cells, (4, steps), of places `part` behind the second, rounded as by PyTorch."""
    near = np.stack([part, 1 - part])
    far = near + 1
    inner = (1.25 * near - 2.25) * near * near + 1
    fused = np.add(np.multiply(3.75 - 0.75 * far, far, dtype=np.float64), -6).astype(part.dtype)
    outer = fused * far + 3
    return np.stack([outer[0], inner[0], inner[1], outer[1]])


def fused_cubic_kernel(x: Array) -> Array:
    """Evaluate Keys's kernel with a = -0.5 in the dtype of x, products and sums rounded together as by PyTorch."""
    far = np.abs(x)

    def fused(a: Array | float, c: float) -> Array:
        return np.add(np.multiply(a, far, dtype=np.float64), c).astype(x.dtype)

    inner, outer = fused(fused(1.5, -2.5) * far, 1), fused(fused(fused(-0.5, 2.5), -4), 2)
    return np.where(far < 1, inner, np.where(far < 2, outer, 0))


def lanczos_kernel(x: Array) -> Array:
    """Evaluate the Lanczos kernel of radius 3."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


# The radius of each kernel of antialiased interpolation, and its function.
KERNELS: dict[str, tuple[int, Callable[..., Any]]] = {
    "bilinear": (1, linear_kernel),
    "bicubic": (2, fused_cubic_kernel),
    "lanczos": (3, lanczos_kernel),
}


def antialiased(mode: str, size: int, step: Any, i: Array) -> ResampleMatrix:
    """Return the matrix of antialiased resizing: the kernel is stretched by the step if that is more than 1 cell.

    The weights are PyTorch's, bit for bit in float32, whose compiler rounds a · b + c once.
    """
    reach, kernel = KERNELS[mode]
    real, wide = step.dtype.type, max(step, 1)
    center = (i + 0.5) * step
    low, high = (np.float64(center + side * reach * wide) + 0.5 for side in (-1, 1))
    start, stop = np.maximum(low.astype(np.int64), 0), np.minimum(high.astype(np.int64), size)
    cells = start + np.arange((stop - start).max(initial=1))[:, None]
    at = (np.float64(real(cells) - center) + 0.5) * real(1 / wide)
    weights = np.where(cells < stop, kernel(at.astype(real)), 0).astype(real)
    total = weights.cumsum(0)[-1]
    weights /= np.where(total == 0, 1, total)
    return ResampleMatrix(size, np.where(cells < stop, cells, size), weights, ordered=True)
