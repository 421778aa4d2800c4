"""im2col and col2im: windows of a plane as columns, and columns added back where they came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ... import backend
from ...errors import ShapeError
from ...function import LinearMap
from .geometry import Size, Window, pair

if TYPE_CHECKING:
    from ...tensor import Tensor


class Unfold(LinearMap):
    """(N, C, H, W) -> (N, C·KH·KW, OH·OW): im2col, every window a column."""

    symbol = "unfold"
    window: Window

    def forward(self, input):
        if input.ndim != 4:
            raise ShapeError(f"input must be (N, C, H, W) or (C, H, W), got {input.ndim} dimensions")
        self.window.check()
        return im2col(input, self.window)

    def adjoint(self, grad):
        return col2im(grad, self.window)


class Fold(LinearMap):
    """(N, C·KH·KW, OH·OW) -> (N, C, H, W): col2im, every column added to its window. Unfold's adjoint."""

    symbol, transposed = "fold", Unfold
    window: Window

    def forward(self, input):
        (kh, kw), (oh, ow) = self.window.kernel, self.window.out
        if input.ndim != 3:
            raise ShapeError(f"input must be (N, C·KH·KW, OH·OW) or (C·KH·KW, OH·OW), got {input.ndim} dimensions")
        if input.shape[1] % (kh * kw):
            raise ShapeError(f"input has {input.shape[1]} rows, which is no multiple of the kernel's {kh}·{kw}")
        if oh < 1 or ow < 1 or input.shape[2] != oh * ow:
            raise ShapeError(
                f"input has {input.shape[2]} columns, but a kernel {self.window.kernel} over output_size "
                f"{self.window.size} takes {max(oh, 0)}·{max(ow, 0)} places"
            )
        return col2im(input, self.window)

    def adjoint(self, grad):
        return im2col(grad, self.window)


Unfold.transposed = Fold


def unfold(input: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """The windows of (N, C, H, W) as columns, (N, C·KH·KW, OH·OW): im2col. Source: torch.nn.functional.unfold.

    Without a batch, (C, H, W) gives (C·KH·KW, OH·OW). Raises RuntimeError where the kernel is larger than the padded
    input.

    >>> x = torch.arange(6.0).reshape(1, 1, 2, 3)
    >>> torch.nn.functional.unfold(x, kernel_size=2)
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    if input.ndim == 3:
        return unfold(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)
    kernel = pair("Unfold", "kernel_size", kernel_size)
    return Unfold.apply(input, window=Window.sliding("Unfold", input.shape[2:], kernel, stride, padding, dilation))


def fold(
    input: Tensor, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> Tensor:
    """Columns (N, C·KH·KW, OH·OW) added up on a plane (N, C, H, W) of output_size: col2im, the adjoint of unfold.

    Source: torch.nn.functional.fold. Without a batch, (C·KH·KW, OH·OW) gives (C, H, W). Raises RuntimeError where the
    columns are not as many as the kernel has places.

    >>> torch.nn.functional.fold(torch.ones(1, 4, 2), output_size=(2, 3), kernel_size=2)
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    if input.ndim == 2:
        return fold(input.unsqueeze(0), output_size, kernel_size, dilation, padding, stride).squeeze(0)
    size, kernel = pair("Fold", "output_size", output_size), pair("Fold", "kernel_size", kernel_size)
    return Fold.apply(input, window=Window.sliding("Fold", size, kernel, stride, padding, dilation))


def im2col(x: Any, window: Window) -> Any:
    """(N, C, H, W) -> (N, C·KH·KW, OH·OW), a copy."""
    taps = windows(padded(x, window), window)
    n, c, kh, kw, oh, ow = taps.shape
    return taps.copy().reshape(n, c * kh * kw, oh * ow)


def col2im(columns: Any, window: Window) -> Any:
    """(N, C·KH·KW, OH·OW) -> (N, C, H, W)."""
    (kh, kw), (oh, ow) = window.kernel, window.out
    n, c = len(columns), columns.shape[1] // (kh * kw)
    x = np.zeros_like(columns, shape=(n, c, *window.size), order="C")
    add_columns(columns.reshape(n, c, kh * kw, oh, ow), x, window)
    return x


def add_columns(columns: Any, x: Any, window: Window, first: int = 0) -> None:
    """Add columns (..., KH·KW, rows, OW), of output rows from `first` on, to where they came from in x (..., H, W)."""
    for k, cells, (rows, places) in taps(window, first, columns.shape[-2]):
        x[cells] += columns[..., k, rows, places]


def taps(window: Window, first: int = 0, rows: int | None = None) -> Iterator[tuple[int, Any, tuple[slice, slice]]]:
    """Each tap of the kernel in row-major order: its number, the cells that it meets, at which places of the output.

    Places where it meets the padding are left out. `first` and `rows` take a part of the output's rows.
    """
    (h, w), (kh, kw), (sh, sw), ((top, _), (left, _)), (dh, dw) = window
    oh, ow = window.out
    across = [reach(w, ow, sw, j * dw - left) for j in range(kw)]
    for i in range(kh):
        cells, places = reach(h, oh if rows is None else rows, sh, i * dh - top + first * sh)
        for j in range(kw):
            yield i * kw + j, (..., cells, across[j][0]), (places, across[j][1])


def reach(size: int, steps: int, stride: int, offset: int) -> tuple[slice, slice]:
    """Along one axis: the cells of a line of `size` that a tap, starting at `offset`, meets, and at which steps."""
    first = max(0, -(offset // stride))
    count = max(0, min(steps, (size - 1 - offset) // stride + 1) - first)
    start = offset + first * stride
    return slice(start, start + count * stride, stride) if count else slice(0), slice(first, first + count)


def padded(x: Any, window: Window, value: float = 0) -> Any:
    """(N, C, H, W) -> (N, C, *window.padded): x itself where nothing is to be done."""
    if window.padding == ((0, 0), (0, 0)):
        return x
    (top, bottom), (left, right) = window.padding
    (h, w), (ph, pw) = window.size, window.padded
    out = np.full_like(x, value, shape=(*x.shape[:2], ph, pw), order="C")
    inside = np.s_[..., max(top, 0) : ph - max(bottom, 0), max(left, 0) : pw - max(right, 0)]
    out[inside] = x[..., max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
    return out


def windows(plane: Any, window: Window) -> Any:
    """A padded plane (N, C, H, W) -> (N, C, KH, KW, OH, OW): a read-only view."""
    (sh, sw), (dh, dw) = window.stride, window.dilation
    places = sliding_window_view(plane, window.span, axis=(2, 3))[:, :, ::sh, ::sw, ::dh, ::dw]
    return np.transpose(places, (0, 1, 4, 5, 2, 3))


def blocks(x: Any, rows: int, numbers: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the batch and of `rows`, `numbers` numbers each, that fit a core's cache; a GPU takes larger ones."""
    room = (1 << 28 if backend.is_gpu(x) else 1 << 20) // x.itemsize
    take = max(1, room // max(1, numbers))
    take_images, take_rows = max(1, take // rows), min(rows, take)
    for i in range(0, len(x), take_images):
        for r in range(0, rows, take_rows):
            yield slice(i, min(i + take_images, len(x))), slice(r, min(r + take_rows, rows))
