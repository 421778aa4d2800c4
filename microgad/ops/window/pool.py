"""Pooling: the largest value or the mean of each window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import backend
from ...errors import DtypeError, ShapeError
from ...function import Function, LinearMap
from .geometry import Size, Window, refusal
from .unfold import blocks, padded, reach, taps, windows

if TYPE_CHECKING:
    from ...tensor import Tensor


class MaxPool2d(Function):
    """(N, C, H, W) -> (N, C, OH, OW): the largest value of each window. At a tie the first in row-major order wins."""

    symbol, constants = "max_pool2d", ("winner",)
    window: Window

    def forward(self, input):
        check(input, self.window, "fiu")
        out, self.winner = largest(input, self.window)
        return out

    def grad_input(self, grad, winner):
        return Unpool.apply(grad, winner=winner, window=self.window)


class Unpool(LinearMap):
    """(N, C, OH, OW) -> (N, C, H, W): each value to the cell that won its window. The adjoint picks from them."""

    symbol = "unpool"
    window: Window
    winner: Any

    def forward(self, x):
        out = np.empty_like(x, shape=(*x.shape[:2], *self.window.size), order="C")
        for images, cells in winning_cells(x, self.winner, self.window):
            out[images] = 0
            backend.add_at(out[images].reshape(-1), cells, x[images].reshape(-1))
        return out

    def adjoint(self, grad):
        out = np.empty_like(grad, shape=self.winner.shape, order="C")
        for images, cells in winning_cells(grad, self.winner, self.window):
            out[images] = np.take(grad[images], cells).reshape(out[images].shape)
        return out


class MaxPool2dIndices(Function):
    """(N, C, H, W) -> (N, C, OH, OW) int64: where on the flat H·W plane each window's winner is."""

    symbol = "argmax_pool2d"
    window: Window

    def forward(self, input):
        check(input, self.window, "fiu")
        _, winner = largest(input, self.window)
        return positions(winner, self.window)


class AvgPool2d(LinearMap):
    """(N, C, H, W) -> (N, C, OH, OW): the mean of each window."""

    symbol = "avg_pool2d"
    window: Window
    count_include_pad: bool
    divisor_override: int | None

    def forward(self, input):
        check(input, self.window, "f")
        return sweep(np.add, padded(input, self.window), self.window) / divisor(self, input)

    def adjoint(self, grad):
        (h, w), (kh, kw), (sh, sw), ((top, _), (left, _)), _ = self.window
        (oh, ow), grad = self.window.out, grad / divisor(self, grad)
        if (sh, sw) == (kh, kw) and (top, left, h, w) == (0, 0, oh * kh, ow * kw):  # the windows tile the plane
            return np.repeat(np.repeat(grad, kw, 3), kh, 2)
        lines = np.zeros_like(grad, shape=(*grad.shape[:3], w), order="C")
        for at, steps in (reach(w, ow, sw, j - left) for j in range(kw)):
            lines[..., at] += grad[..., steps]
        out = np.zeros_like(grad, shape=(*grad.shape[:2], h, w), order="C")
        for at, steps in (reach(h, oh, sh, i - top) for i in range(kh)):
            out[:, :, at] += lines[:, :, steps]
        return out


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of each window, (N, C, H, W) -> (N, C, OH, OW). Source: torch.nn.functional.max_pool2d.

    The stride is the kernel's size by default; the padding is of -inf. At a tie the first one has the gradient. With
    return_indices the result comes with the winners' places on the flat H·W plane, int64. Without a batch, (C, H, W)
    gives (C, OH, OW). Raises RuntimeError where the kernel does not fit.

    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> torch.nn.functional.max_pool2d(x, 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    if input.ndim == 3:
        out = max_pool2d(input.unsqueeze(0), kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        return tuple(x.squeeze(0) for x in out) if return_indices else out.squeeze(0)
    window = Window.pooling("MaxPool2d", input.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    out = MaxPool2d.apply(input, window=window)
    return (out, MaxPool2dIndices.apply(input, window=window)) if return_indices else out


def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window, (N, C, H, W) -> (N, C, OH, OW). Source: torch.nn.functional.avg_pool2d.

    The stride is the kernel's size by default; the padding, of zeros, counts unless count_include_pad is false;
    divisor_override replaces the number of cells. Without a batch, (C, H, W) gives (C, OH, OW). Raises RuntimeError
    where the kernel does not fit or the input is not floating-point.

    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> torch.nn.functional.avg_pool2d(x, 2)
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """
    if input.ndim == 3:
        batch = input.unsqueeze(0)
        return avg_pool2d(batch, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override).squeeze(
            0
        )
    if divisor_override == 0:
        raise refusal("AvgPool2d", "divisor_override must not be 0")
    window = Window.pooling("AvgPool2d", input.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    return AvgPool2d.apply(input, window=window, count_include_pad=count_include_pad, divisor_override=divisor_override)


def check(input: Any, window: Window, kinds: str) -> None:
    """What every pooling asks of its input."""
    if input.ndim != 4 or 0 in input.shape[1:]:
        raise ShapeError("input must be (N, C, H, W) or (C, H, W), and only N may be 0")
    if input.dtype.kind not in kinds:
        raise DtypeError(f"input must be {'floating-point' if kinds == 'f' else 'of real numbers'}, got {input.dtype}")
    window.check()


def sweep(ufunc: np.ufunc, plane: Any, window: Window) -> Any:
    """Combine each window's taps on a padded plane, down the rows, then across: in KH + KW steps, not KH · KW."""
    for axis, k, s, d, steps in zip((2, 3), window.kernel, window.stride, window.dilation, window.out, strict=True):
        parts = [plane[(slice(None),) * axis + (slice(i * d, i * d + (steps - 1) * s + 1, s),)] for i in range(k)]
        plane = ufunc(parts[0], parts[1]) if k > 1 else parts[0].copy()
        for part in parts[2:]:
            ufunc(plane, part, out=plane)
    return plane


def divisor(node: Any, x: Any) -> Any:
    """By what an average's sums are divided: a number, or (OH, OW) where windows at the border count fewer cells."""
    if node.divisor_override is not None:
        return node.divisor_override
    if node.window.padding == ((0, 0), (0, 0)):
        return node.window.kernel[0] * node.window.kernel[1]
    counts = []
    for size, k, s, (pad, _), steps in zip(*node.window[:4], node.window.out, strict=True):
        first = np.arange(steps) * s - pad
        low, high = (-pad, size + pad) if node.count_include_pad else (0, size)
        counts.append(np.minimum(first + k, high) - np.maximum(first, low))
    return backend.like(np.multiply.outer(*counts), x, x.dtype)


def largest(x: Any, window: Window) -> tuple[Any, Any]:
    """The largest value of each window, NaN where it has one, and how far its cell is from the window's corner.

    That distance, on the flat H·W plane, is a small unsigned integer. Of several equal values the first wins, of
    several NaNs the last. Each tap's cells are copied to lie together: what follows then costs little.
    """
    (_, w), (kh, kw), _, _, (dh, dw) = window
    offsets, shape = [i * dh * w + j * dw for i in range(kh) for j in range(kw)], (*x.shape[:2], *window.out)
    small = np.min_scalar_type(offsets[-1])
    first = np.zeros(window.out, small)  # a window's first cell that isn't padding
    for k, _, at in reversed(list(taps(window))):
        first[at] = offsets[k]
    first, plane = backend.like(first, x), padded(x, window, -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)
    out, winner = np.empty_like(x, shape=shape, order="C"), np.empty_like(x, shape=shape, dtype=small, order="C")
    cells = windows(plane, window)
    for images, _ in blocks(plane, 1, math.prod(plane.shape[1:])):
        seen, maximum, won = cells[images], out[images], winner[images]
        maximum[...], won[...] = seen[:, :, 0, 0], first
        for k, offset in enumerate(offsets[1:], 1):
            column = seen[:, :, k // kw, k % kw].copy()
            np.maximum(won, (column > maximum).view(np.uint8) * small.type(offset), out=won)
            np.maximum(maximum, column, out=maximum)
    if (out != out).any():
        for k, offset in enumerate(offsets):
            column = cells[:, :, k // kw, k % kw]
            winner[column != column] = offset
    return out, winner


def positions(winner: Any, window: Window) -> Any:
    """The places on the flat H·W plane, int64, of the cells that won."""
    return backend.like(corners(window), winner, np.int64) + winner


def corners(window: Window) -> Any:
    """(OH, OW): the places on the flat H·W plane, int64, of the windows' corners; outside of it, in the padding."""
    (_, w), _, (sh, sw), ((top, _), (left, _)), _ = window
    oh, ow = window.out
    return (np.arange(oh)[:, None] * sh - top) * w + np.arange(ow) * sw - left


def winning_cells(x: Any, winner: Any, window: Window) -> Iterator[tuple[slice, Any]]:
    """The same a block of images of x's dtype at a time, flat, on the block's flat memory."""
    channels, plane = winner.shape[1], math.prod(window.size)
    for images, _ in blocks(x, 1, channels * plane):
        if images.start == 0:  # no later block is larger
            planes = np.arange(images.stop * channels).reshape(images.stop, channels, 1, 1) * plane
            starts = backend.like(planes + corners(window), winner, np.int64)
        yield images, (starts[: images.stop - images.start] + winner[images]).reshape(-1)
