"""How a kernel slides over a 1-D, 2-D or 3-D input: padding, output sizes, and checks of these arguments."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...backend.axes import slice_along
from ...errors import ArgumentError, DtypeError, ShapeError, place
from ...errors.arguments import as_sizes
from ...errors.notices import once
from ...state import current
from ...type_aliases import Array

Sizes = tuple[int, ...]  # one for each spatial dimension
Size = int | Sequence[int]


class _Fields(NamedTuple):
    size: Sizes  # of the plane, (H, W)
    kernel: Sizes
    stride: Sizes
    padding: tuple[tuple[int, int], ...]  # (top, bottom), (left, right); negative numbers crop
    dilation: Sizes


class Window(_Fields):
    """A kernel that slides over a plane.

    Output (i, j) reads the cells (i, j) · stride + (k, l) · dilation of the padded plane; (k, l) is a tap of the
    kernel. "Plane" stands for 1-D and 3-D inputs, too.
    """

    @classmethod
    def sliding(
        cls, op: str, dims: int, size: Any, kernel: Any, stride: Size, padding: Size | str, dilation: Size
    ) -> Window:
        """Return the window that the arguments of a convolution or of unfold describe."""
        stride, dilation = ntuple(op, "stride", stride, dims), ntuple(op, "dilation", dilation, dims)
        if isinstance(padding, str):
            edges = named_padding(op, padding, kernel, stride, dilation)
        else:
            edges = tuple([(p, p) for p in ntuple(op, "padding", padding, dims, least=0)])
        return cached_window(tuple(size), tuple(kernel), stride, edges, dilation)

    @classmethod
    def pooling(
        cls, op: str, dims: int, size: Any, kernel: Size, stride: Size | None, padding: Size, dilation: Size,
        ceil_mode: bool,
    ) -> Window:  # fmt: skip
        """Return the window that the arguments of a pooling describe."""
        kernel = ntuple(op, "kernel_size", kernel, dims)
        stride = stride_or_kernel(op, stride, kernel)
        pads, dilation = ntuple(op, "padding", padding, dims, least=0), ntuple(op, "dilation", dilation, dims)
        return pooling_window(op, tuple(size), kernel, stride, pads, dilation, bool(ceil_mode))

    @cached_property
    def span(self) -> Sizes:
        """The number of cells from the kernel's first tap to its last, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=False))

    @cached_property
    def unpadded(self) -> bool:
        """Whether there is no padding."""
        return not any(map(any, self.padding))

    @cached_property
    def padded_size(self) -> Sizes:
        """The size of the padded plane."""
        return tuple(n + before + after for n, (before, after) in zip(self.size, self.padding, strict=True))

    @cached_property
    def inside(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Two indices: of the input's cells in the padded plane (N, C, ...), and of the same cells in the input."""
        widths = list(zip(self.size, self.padding, strict=True))
        inside = [slice(max(before, 0), n + before + min(after, 0)) for n, (before, after) in widths]
        kept = [slice(max(-before, 0), n - max(-after, 0)) for n, (before, after) in widths]
        return (..., *inside), (..., *kept)

    @cached_property
    def out(self) -> Sizes:
        """The number of positions of the kernel, (OH, OW): the output's size."""
        return tuple((n - span) // s + 1 for n, span, s in zip(self.padded_size, self.span, self.stride, strict=True))

    @cached_property
    def tap_slices(self) -> list[list[tuple[slice, ...]]]:
        """For each axis of the padded plane (N, C, ...), an index of the cells that each tap along that axis reads."""
        lines = zip(self.kernel, self.stride, self.dilation, self.out, strict=True)
        return [
            [slice_along(axis, i * d, i * d + (steps - 1) * s + 1, s) for i in range(k)]
            for axis, (k, s, d, steps) in enumerate(lines, 2)
        ]

    @cached_property
    def tap_offsets(self) -> Array:
        """The distance of each tap from the first one on the flattened plane, in row-major order, in a small dtype."""
        found = np.zeros(1, np.int64)
        for n, k, d in zip(self.size, self.kernel, self.dilation, strict=True):
            found = np.add.outer(found * n, np.arange(0, k * d, d)).reshape(-1)
        return found.astype(np.min_scalar_type(found[-1]))

    @cached_property
    def seamless(self) -> Window | None:
        """The same window with no padding left and right and one more row above and below, or None.

        It exists in 2-D and 3-D if rows are padded, have stride 1, and are as long in the output. There the cells that
        a tap reads are contiguous; `overhang` says which of them belong to another row.
        """
        width, same_width = self.size[-1], self.stride[-1] == 1 and self.out[-1] == self.size[-1]
        most, least = max(self.padding[-1]), min(map(min, self.padding))
        if len(self.size) < 2 or not same_width or not 0 < most <= width or least < 0:
            return None
        *outer, (top, bottom), _ = self.padding
        return self._replace(padding=(*outer, (top + 1, bottom + 1), (0, 0)))

    @cached_property
    def overhang(self) -> list[tuple[int, slice]]:
        """The taps along the last axis that reach beyond either end of a row, each with the positions where it does."""
        width, before = self.size[-1], self.padding[-1][0]
        offsets = [tap * self.dilation[-1] - before for tap in range(self.kernel[-1])]
        return [(tap, slice(max(width - n, 0), None) if n > 0 else slice(-n)) for tap, n in enumerate(offsets) if n]

    @cached_property
    def outer(self) -> Window:
        """The window along all axes but the last."""
        return Window(self.size[:-1], self.kernel[:-1], self.stride[:-1], self.padding[:-1], self.dilation[:-1])

    @cached_property
    def tiled(self) -> bool:
        """Whether the kernel's positions cover each cell of the plane once, without padding."""
        lines = zip(self.size, self.kernel, self.out, self.stride, strict=True)
        whole = all(n == k * steps and (s == k or steps == 1) for n, k, steps, s in lines)
        return whole and self.kernel == self.span and self.unpadded

    @cached_property
    def whole(self) -> bool:
        """Whether the kernel is the whole plane, without padding."""
        return self.tiled and max(self.out) == 1

    @cached_property
    def pointwise(self) -> bool:
        """Whether the kernel is a single cell at every cell of the plane, without padding."""
        return max(*self.kernel, *self.stride) == 1 and self.unpadded

    @cached_property
    def reached(self) -> tuple[tuple[Any, ...], Window] | None:
        """The taps from the first to the last that meet the plane, and their window; None if no others can be cut."""
        lines = []
        for size, k, s, (before, _), d, steps in zip(*self, self.out, strict=True):
            firsts = [(i, max(0, (before - i * d + s - 1) // s)) for i in range(k)]  # a tap, its first position inside
            taps = [i for i, at in firsts if at < steps and at * s + i * d - before < size]
            if not taps:
                return None
            first, count = taps[0], taps[-1] - taps[0] + 1
            before -= first * d
            edges = before, (steps - 1) * s + (count - 1) * d + 1 - size - before
            lines.append((slice(first, first + count), (size, count, s, edges, d)))
        slices, fields = zip(*lines, strict=True)
        window = Window(*zip(*fields, strict=True))
        return None if window.kernel == self.kernel else (slices, window)

    @cached_property
    def row_window(self) -> Window:
        """The window of the kernel's first row alone, at every row of the padded plane."""
        return self._replace(kernel=(1, *self.kernel[1:]), stride=(1, *self.stride[1:]))

    @cached_property
    def phases(self) -> list[tuple[tuple[Any, ...], tuple[Any, ...], Window]]:
        """The phases of a transposed convolution with stride or dilation 1: convolutions of stride 1 over its input.

        Tap t at position i writes to cell i · s + t · d - before. With dilation 1 only every s-th tap contributes to a
        cell, and cells that are a stride apart have the same taps. A phase consists of such cells, of their taps in the
        reversed kernel, and of the window with which a kernel of these taps computes the cells.
        """
        lines = []
        for size, k, s, (before, _), d, steps in zip(*self, self.out, strict=True):
            line = []
            for a in range(min(s, k)):  # taps a, a + s, ... write to cells first · s + a - before, ...
                first, taps = -((a - before) // s), len(range(a, k, s))
                start, span = s * first + a - before, (taps - 1) * d + 1
                count = len(range(start, size, s))
                edges = span - 1 - first, count + first - steps
                if count:
                    line.append((slice(start, None, s), slice((k - 1 - a) % s, None, s), (steps, taps, 1, edges, d)))
            lines.append(line)
        found = []
        for phase in itertools.product(*lines):
            cells, taps, fields = zip(*phase, strict=True)
            found.append((cells, taps, Window(*zip(*fields, strict=True))))
        return found

    @cached_property
    def disjoint(self) -> bool:
        """Whether the kernel's spans at different positions do not overlap."""
        return all(span <= step for span, step in zip(self.span, self.stride, strict=True))

    @cached_property
    def fits(self) -> bool:
        """Whether the kernel is not empty, and not larger than the padded plane."""
        return min(self.kernel) >= 1 and all(map(operator.le, self.span, self.padded_size))

    def check(self, too_large: str = "") -> None:
        """Raise ShapeError if the kernel is empty or larger than the padded plane, with what to say of the latter."""
        if self.fits:
            return
        names = ("depth", "height", "width")[-len(self.kernel) :]
        for name, kernel, span, padded in zip(names, self.kernel, self.span, self.padded_size, strict=True):
            if kernel < 1:
                raise ShapeError(f"the kernel's {name} must be at least 1, got {kernel}")
            if span > padded:
                sizes, spans = (" x ".join(map(str, lengths)) for lengths in (self.padded_size, self.span))
                too_large = too_large or (
                    f"Calculated padded input size per channel: ({sizes}). Kernel size: ({spans}). Kernel size can't "
                    "be greater than actual input size"
                )
                raise ShapeError(
                    f"{too_large}: the kernel's {name} is {span} but the padded input's is {padded}: kernel_size "
                    f"{self.kernel}, dilation {self.dilation}, padding {self.padding}, input size {self.size}"
                )


@lru_cache(maxsize=256)
def cached_window(*fields: Any) -> Window:
    """Return a window with these fields: the same object for equal fields, so that its properties are computed once."""
    return Window(*fields)


@lru_cache(maxsize=256)
def pooling_window(
    op: str, size: Sizes, kernel: Sizes, stride: Sizes, pads: Sizes, dilation: Sizes, ceil_mode: bool
) -> Window:
    """Return a pooling's window. With ceil_mode, its last position may end, but not start, beyond the far border."""
    edges: list[tuple[int, int]] = []
    for length, k, s, p, d in zip(size, kernel, stride, pads, dilation, strict=False):
        span = (k - 1) * d + 1
        if p > k // 2:
            rule = "at most half of effective kernel size" if d == 1 else "smaller than or equal to half of kernel size"
            raise invalid(op, f"pad should be {rule}, but got pad={p}, kernel_size={k} and dilation={d}")
        over = (span - length - 2 * p) % s if ceil_mode else 0  # cells missing for the last position
        last = length + 2 * p + over - span
        if last >= length + p:
            over, last = 0, last - s
        edges.append((p, p + over))
        # All taps can miss the input only at a position that begins in the padding.
        if any(all(not p <= i + t * d < p + length for t in range(k)) for i in range(0, min(p, last + 1), s)):
            settings = f"kernel_size {kernel}, dilation {dilation} and padding {pads}"
            raise invalid(op, f"with {settings} a window has no cell of the input")
    return Window(size, kernel, stride, tuple(edges), dilation)


def named_padding(op: str, name: str, kernel: Any, stride: Sizes, dilation: Sizes) -> Any:
    """Return the padding for the names "valid" (none) and "same" (keeps the size; an odd cell goes to the far end)."""
    if name not in ("same", "valid"):
        raise invalid(op, f"Invalid padding string: {name!r}, it is 'same' or 'valid'")
    if name == "valid":
        return tuple((0, 0) for _ in stride)
    if max(stride) > 1:
        raise invalid(op, f"padding='same' is not supported for strided convolutions, got stride {stride}")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=False)]
    if any(total % 2 for total in totals):
        once("padding='same' with an even kernel length and an odd dilation pads the two sides differently, by a copy.")
    return tuple((total // 2, total - total // 2) for total in totals)


def stride_or_kernel(op: str, stride: Size | None, kernel: Sizes) -> Sizes:
    """Return a stride for each dimension: the kernel's sizes if `stride` is None or empty."""
    if stride is None or (isinstance(stride, (tuple, list)) and not stride):
        return kernel
    return ntuple(op, "stride", stride, len(kernel))


_INT = {int}
TOO_SMALL = {
    "stride": "stride must be greater than zero, non-positive stride is not supported",
    "padding": "negative padding is not supported",
    "dilation": "dilation should be greater than zero",
}


def ntuple(op: str, name: str, value: Any, dims: int, least: int = 1) -> Sizes:
    """Return the argument `name` as `dims` ints. It is one int or one for each dimension, and at least `least`."""
    if type(value) is int and least <= value < 2**31:
        return (value,) * dims
    usual = type(value) is tuple and len(value) == dims and {*map(type, value)} == _INT  # as modules keep them
    if usual and least <= min(value) and max(value) < 2**31:
        return value
    omitted, sizes = "omitted, " * (name == "stride"), ("one int", "two ints", "three ints")[dims - 1]
    rule = f"{name} must either be {omitted}a single int, or a tuple of {sizes}, got {value!r}"
    try:
        iterated = op.startswith(("adaptive", "Fold", "Unfold")) and getattr(value, "ndim", 0) == 1  # as PyTorch does
        several = iterated or (isinstance(value, Sequence) and not isinstance(value, bytes))
        given = as_sizes(op, name, value if several else (value,))
    except TypeError:
        raise invalid(op, rule, DtypeError) from None
    if len(given) not in (1, dims):
        raise invalid(op, rule)
    if min(given) < least:
        raise invalid(op, f"{TOO_SMALL.get(name, f'{name} must be at least {least}')}, got {value!r}")
    if max(given) >= 2**31:
        raise invalid(op, f"{name} must be less than 2**31, got {value!r}")
    return given if len(given) == dims else given * dims


def invalid(op: str, rule: str, kind: type[Exception] = ArgumentError) -> Exception:
    """Return the error for an argument that the operation does not allow."""
    path = current().path.removesuffix(f"{op}()").removesuffix(".")  # a composite has its name there already
    return kind(f"{place(op, path)}: {rule}")
