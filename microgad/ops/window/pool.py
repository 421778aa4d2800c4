"""Max and average pooling with windows of one size."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, Protocol, overload

import numpy as np

from ... import backend
from ...backend.axes import at_axis
from ...errors import KindError, ShapeError
from ...fast_reductions import fast_sum
from ...function import Function
from ...function.half import wide
from ...function.linear_map import LinearMap
from ...function.naming import with_torch_name
from ...type_aliases import Array, Tensor
from ..elementwise import Flat
from ..support import fast_numpy, layouts
from ..support.bare import is_recorded, unrecorded
from ..support.out import into
from ..support.spelling import tensors_only
from .geometry import Size, Window, invalid
from .max_pool_kernels import FEW_CELLS, flat_positions, window_maxima, window_maxima_alone, winning_cells
from .unfold import channels_innermost, padded, reach

P = ParamSpec("P")


class MaxPool2d(Function):
    """The maximum of each window, (N, C, H, W) -> (N, C, OH, OW). Of equal values, the first in row-major order wins.

    If `indices`, the second result holds the winners' positions on the flattened plane, int64. MaxPool1d and MaxPool3d
    do the same in 1-D and 3-D.
    """

    symbol, constants, zero_link, materializes = "max_pool2d", ("winner",), Flat, False
    node_name = "MaxPool2DWithIndices"
    native_half = True  # but computed in float32: NumPy is slow at comparing float16
    window: Window
    indices: bool
    channels_last = False  # whether the gradient's channels lie innermost in memory, as the input's
    alone = False  # whether nobody sees more than the maxima, so that no winners are searched

    def forward(self, input):
        check(input, self.window, "fiu")
        x, self.winner = wide(input), None
        if self.alone:
            out = window_maxima_alone(x, self.window)
        else:
            out, self.winner = window_maxima(x, self.window)
        like = layouts.lines_as_planes(input)
        out = layouts.match_memory_format(out.astype(input.dtype, copy=False), like)
        if not self.indices:
            return out
        return out, layouts.match_memory_format(flat_positions(self.winner, self.window), like)

    def grad_input(self, grad, winner):
        grad = grad[0] if self.indices else grad
        return MaxPoolScatter.apply(grad, winner=winner, window=self.window, channels_last=self.channels_last)


class MaxPool1d(MaxPool2d):
    """The maximum of each window, (N, C, L) -> (N, C, OL)."""

    symbol, node_name = "max_pool1d", "SqueezeBackward1"


class MaxPool3d(MaxPool2d):
    """The maximum of each window, (N, C, D, H, W) -> (N, C, OD, OH, OW)."""

    symbol, node_name = "max_pool3d", "MaxPool3DWithIndices"


class MaxPoolScatter(LinearMap):
    """The derivative of max pooling, (N, C, OH, OW) -> (N, C, H, W): add each value to the cell that won its window.

    Its adjoint gathers the winners' values.
    """

    symbol, operator = "unpool", None
    window: Window
    winner: Any
    channels_last = False  # whether the result's channels lie innermost in memory

    def forward(self, x):
        last = self.channels_last
        x, winner = (fast_numpy.moveaxis(a, 1, -1) if last else a for a in (x, self.winner))
        sizes, at = self.window.size, 1 if last else 2
        out = np.empty_like(x, shape=(*x.shape[:at], *sizes, *x.shape[at + len(sizes) :]), order="C")
        for images, cells in winning_cells(x, winner, self.window, last):
            flat = out[images].reshape(-1)
            flat[...] = 0
            if self.window.disjoint:
                flat[cells] = x[images].reshape(-1)
            else:
                backend.add_at(flat, cells, x[images].reshape(-1))
        return fast_numpy.moveaxis(out, -1, 1) if last else out

    def adjoint(self, grad):
        out = np.empty_like(grad, shape=self.winner.shape, order="C")
        for images, cells in winning_cells(grad, self.winner, self.window):
            out[images] = grad[images].take(cells).reshape(out[images].shape)
        return out


class AvgPool2d(LinearMap):
    """The mean of each window, (N, C, H, W) -> (N, C, OH, OW). AvgPool1d and AvgPool3d do the same."""

    symbol, zero_link = "avg_pool2d", Flat
    window: Window
    count_include_pad: bool
    divisor_override: int | None
    channels_last = False  # whether the gradient's channels lie innermost in memory, as the input's

    def forward(self, input):
        check(input, self.window, "f", also=np.int64)
        sums = window_sums(padded(input, self.window, keep=True), self.window)
        out = divide(sums, divisor(self, input), sums if sums.base is None else None)
        like = () if input.ndim == 5 else (layouts.lines_as_planes(input),)
        return layouts.match_memory_format(out, *like)

    def adjoint(self, grad):
        window, last, grad = self.window, self.channels_last, divide(grad, divisor(self, grad))
        if last:
            grad = fast_numpy.moveaxis(grad, 1, -1)
        first = 1 if last else 2
        lines = enumerate(
            zip(window.size, window.kernel, window.stride, window.padding, window.out, strict=True), first
        )
        for axis, (size, k, s, (before, _), steps) in reversed(list(lines)):
            if window.tiled:
                grad = np.repeat(grad, k, axis)
                continue
            out = np.zeros_like(grad, shape=(*grad.shape[:axis], size, *grad.shape[axis + 1 :]), order="C")
            for at, places in (reach(size, steps, s, i - before) for i in range(k)):
                out[at_axis(axis, at)] += grad[at_axis(axis, places)]
            grad = out
        return fast_numpy.moveaxis(grad, -1, 1) if last else grad


class AvgPool1d(AvgPool2d):
    """The mean of each window, (N, C, L) -> (N, C, OL)."""

    symbol, node_name = "avg_pool1d", "SqueezeBackward1"


class AvgPool3d(AvgPool2d):
    """The mean of each window, (N, C, D, H, W) -> (N, C, OD, OH, OW)."""

    symbol = "avg_pool3d"


class _MaxPool(Protocol):
    """The type of the max pooling functions: they return a Tensor, and with return_indices two."""

    __name__: str

    @overload
    def __call__(
        self, input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
        ceil_mode: bool = False, return_indices: Literal[False] = False,
    ) -> Tensor: ...  # fmt: skip
    @overload
    def __call__(
        self, input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
        ceil_mode: bool = False, *, return_indices: Literal[True],
    ) -> tuple[Tensor, Tensor]: ...  # fmt: skip
    @overload
    def __call__(
        self, input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any: ...  # fmt: skip


def _max_pooling(pool: Callable[..., Any]) -> _MaxPool:
    return tensors_only(pool)


@_max_pooling
def max_pool1d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """Take the maximum of each window, (N, C, L) -> (N, C, OL). The rest is as in max_pool2d.

    Source: torch.nn.functional.max_pool1d.

    >>> F.max_pool1d(torch.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    if not return_indices and not is_recorded(input):  # PyTorch's kernel for this case returns contiguous results
        input = input.contiguous()
    return _max_pool(MaxPool1d, 1, input, (kernel_size, stride, padding, dilation, ceil_mode), return_indices)


@_max_pooling
def max_pool2d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """Take the maximum of each window, (N, C, H, W) -> (N, C, OH, OW). Source: torch.nn.functional.max_pool2d.

    The stride is the kernel's size by default. The padding consists of -inf. Of equal values, the first one gets the
    gradient. With return_indices the result is a pair: the maxima, and their positions on the flattened H·W plane,
    int64. An input (C, H, W), without a batch, gives (C, OH, OW). Raises RuntimeError if the kernel does not fit.

    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> torch.nn.functional.max_pool2d(x, 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return _max_pool(MaxPool2d, 2, input, (kernel_size, stride, padding, dilation, ceil_mode), return_indices)


@_max_pooling
def max_pool3d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """Take the maximum of each window, (N, C, D, H, W) -> (N, C, OD, OH, OW). The rest is as in max_pool2d.

    Source: torch.nn.functional.max_pool3d.

    >>> F.max_pool3d(torch.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    return _max_pool(MaxPool3d, 3, input, (kernel_size, stride, padding, dilation, ceil_mode), return_indices)


def _max_pool(op: type[MaxPool2d], dims: int, input: Any, settings: Any, return_indices: bool) -> Any:
    batched = input.ndim != dims + 1
    batch = input if batched else input.unsqueeze(0)
    window = Window.pooling(op.__name__, dims, batch.array.shape[2:], *settings)
    last = channels_innermost(batch.array)
    alone = not return_indices and batch.array.size > FEW_CELLS and unrecorded(batch) is not None
    found = op.apply(batch, window=window, indices=bool(return_indices), channels_last=last, alone=alone)
    if batched:
        return found
    name = f"MaxPool{dims}DWithIndices"
    return tuple(unbatch(name, x, dims) for x in found) if return_indices else unbatch(name, found, dims)


def unbatch(name: str, x: Any, dims: int) -> Any:
    """Remove the batch axis from a batch of one.

    PyTorch pools 2-D and 3-D inputs without a batch directly, so the node has the pooling's name there.
    """
    one = x.squeeze(0)
    return with_torch_name(name, one) if dims > 1 else one


def with_indices(pool: Callable[P, Any], settings: str = "2") -> Callable[P, tuple[Tensor, Tensor]]:
    """Return a pooling that always returns indices as well, such as PyTorch's max_pool2d_with_indices.

    `settings` are those with which the docstring's example pools 2, 2 × 2 or 2 × 2 × 2 numbers to one.
    """
    names, dims = inspect.signature(pool).parameters, int(pool.__name__[-2])

    @functools.wraps(pool)
    def both(*args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, Tensor]:
        given: dict[str, Any] = {**dict(zip(names, args, strict=False)), **kwargs, "return_indices": True}
        return pool(**given)  # type: ignore[call-arg]

    both.__name__ = both.__qualname__ = f"{pool.__name__}_with_indices"
    both.__doc__ = (
        f"Return the result of `{pool.__name__}` and, in its shape, the int64 places of the maxima in the input. "
        f"Source: torch.nn.functional.{both.__name__}.\n\n"
        f"    >>> _, places = F.{both.__name__}(torch.arange({2**dims}.0).reshape(1{', 2' * dims}), {settings})\n"
        f"    >>> places.item()\n    {2**dims - 1}\n"
    )
    return both


max_pool1d_with_indices = with_indices(max_pool1d)
max_pool2d_with_indices = with_indices(max_pool2d)
max_pool3d_with_indices = with_indices(max_pool3d)


@tensors_only
def avg_pool1d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """Take the mean of each window, (N, C, L) -> (N, C, OL). The rest is as in avg_pool2d. Source: torch.avg_pool1d.

    >>> F.avg_pool1d(torch.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    settings = kernel_size, stride, padding, 1, ceil_mode
    return _avg_pool(AvgPool1d, 1, input, settings, count_include_pad, None)


@tensors_only
def avg_pool2d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None, *, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Take the mean of each window, (N, C, H, W) -> (N, C, OH, OW). Source: torch.nn.functional.avg_pool2d.

    The stride is the kernel's size by default. The padding consists of zeros, which count as cells if count_include_pad
    is true. divisor_override replaces the number of cells. An input (C, H, W), without a batch, gives (C, OH, OW).
    Means of int64 are truncated. Raises RuntimeError if the kernel does not fit or the input has another integer dtype.

    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> torch.nn.functional.avg_pool2d(x, 2)
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """
    settings = kernel_size, stride, padding, 1, ceil_mode
    return into(out, _avg_pool(AvgPool2d, 2, input, settings, count_include_pad, divisor_override), exact="avg_pool2d")


@tensors_only
def avg_pool3d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None, *, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Take the mean of each window, (N, C, D, H, W) -> (N, C, OD, OH, OW). The rest is as in avg_pool2d.

    Source: torch.nn.functional.avg_pool3d.

    >>> F.avg_pool3d(torch.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[3.5000]]]])
    """
    settings = kernel_size, stride, padding, 1, ceil_mode
    return into(out, _avg_pool(AvgPool3d, 3, input, settings, count_include_pad, divisor_override), exact="avg_pool3d")


POOLS: dict[int, tuple[Any, Any]] = {
    1: (avg_pool1d, max_pool1d),
    2: (avg_pool2d, max_pool2d),
    3: (avg_pool3d, max_pool3d),
}


def _avg_pool(op: type[AvgPool2d], dims: int, input: Any, settings: Any, count_include_pad: bool, divisor: Any) -> Any:
    if divisor == 0:
        raise invalid(op.__name__, "divisor must be not zero")
    batched = input.ndim != dims + 1
    batch = input if batched else input.unsqueeze(0)
    window = Window.pooling(op.__name__, dims, batch.array.shape[2:], *settings)
    if dims == 3 and any(n < k for n, k in zip(window.size, window.kernel, strict=False)):  # as PyTorch in 3-D only
        raise invalid(
            op.__name__, f"input of size {window.size} is smaller than kernel_size {window.kernel}", ShapeError
        )
    out = op.apply(
        batch, window=window, count_include_pad=count_include_pad, divisor_override=divisor,
        channels_last=dims < 3 and channels_innermost(batch.array),  # PyTorch makes volumes contiguous
    )  # fmt: skip
    return out if batched else unbatch(f"AvgPool{dims}D", out, dims)


def check(input: Array, window: Window, kinds: str, also: Any = None) -> None:
    """Check what every pooling requires of its input: its shape, its dtype, and a kernel that fits."""
    if input.ndim != len(window.kernel) + 2 or 0 in input.shape[1:]:
        dims = len(window.kernel)
        raise ShapeError(
            f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{[*input.shape]}"
        )
    if input.dtype.kind not in kinds and input.dtype != also:
        rule = f"input must be {'floating-point' if kinds == 'f' else 'of real numbers'}"
        raise KindError(f"not implemented for {input.dtype}: {rule}")
    if min(window.out) < 1:
        given, out = ("x".join(map(str, (input.shape[1], *sizes))) for sizes in (window.size, window.out))
        window.check(f"Given input size: ({given}). Calculated output size: ({out}). Output size is too small")


def window_sums(plane: Array, window: Window) -> Array:
    """Sum each window of a padded plane, first down the rows, then across: in KH + KW steps instead of KH · KW."""
    if window.whole:
        return fast_sum(plane, tuple(range(2, plane.ndim)), True)
    for taps in window.tap_slices:
        parts = [plane[cells] for cells in taps]
        plane = parts[0] + parts[1] if len(parts) > 1 else parts[0]
        for part in parts[2:]:
            plane += part
    return plane


def divisor(node: Any, x: Array) -> Array | int:
    """Return the divisor of the windows' sums: a number, or (OH, OW) if windows at the border count fewer cells."""
    if node.divisor_override is not None:
        return node.divisor_override
    if node.window.unpadded:
        return math.prod(node.window.kernel)
    return backend.like(window_counts(node.window, bool(node.count_include_pad), x.dtype), x)


@functools.lru_cache(maxsize=8)
def window_counts(window: Window, count_include_pad: bool, dtype: np.dtype[Any]) -> Array:
    """Return the number of cells of each window, (OH, OW)."""
    counts = []
    for size, k, s, (pad, _), steps in zip(*window[:4], window.out, strict=True):
        first = np.arange(steps) * s - pad
        low, high = (-pad, size + pad) if count_include_pad else (0, size)
        counts.append(np.minimum(first + k, high) - np.maximum(first, low))
    return functools.reduce(np.multiply.outer, counts).astype(dtype)


def divide(sums: Array, by: Array | int, out: Array | None = None) -> Array:
    """Return sums / by, truncated for integers as in C; `out` is a place for the result of floating-point numbers."""
    if sums.dtype.kind != "f":
        return np.sign(sums) * np.sign(by) * (np.abs(sums) // np.abs(by))
    if type(by) is int and by.bit_count() == 1:  # a power of 2, by which a product is as exact, and faster
        return np.multiply(sums, 1 / by, out=out)
    return np.divide(sums, by, out=out)
