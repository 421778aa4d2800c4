"""Memory layout of results. It is PyTorch's, since programs see it: in `view`, and in the order of random draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from ...backend.axis_order import lying, order_by, outermost_first
from ...backend.copies import copied_in_order, copied_row_major, faster_copy
from ...backend.memory_layout import expanded_axes as expanded_axes
from ...backend.memory_layout import row_major_strides
from ...type_aliases import Array
from .bare import bare
from .fast_numpy import moveaxis

LARGE = 1 << 15  # elements that repay the time to ask whether a reshaped array must be copied


def contiguous(x: Array) -> Array:
    """Return x, or a copy in C order if x is not in that order."""
    return x if x.flags.c_contiguous else copied_row_major(x)


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """Return x.reshape(shape), with a copy by `contiguous` if one is needed and NumPy's isn't as fast."""
    if type(x) is np.ndarray and x.size >= LARGE and not x.flags.c_contiguous and faster_copy(x) is not None:
        try:
            return x.reshape(shape, copy=False)
        except ValueError:
            x = contiguous(x)
    return x.reshape(shape)


def in_rows(x: Array) -> Array:
    """Return x in C order, or a copy: an array, or a Tensor in a derivative that is recorded."""
    array = bare(x)
    if array is x:
        return contiguous(x)
    return x if array.flags.c_contiguous else x.reshape((math.prod(x.shape),)).reshape(x.shape)


def row_major(x: Array) -> Array:
    """Return a result in C order in which axes of length 1 have PyTorch's strides, too: x, or a copy.

    NumPy gives such axes any strides, for example those of an axis over which it has summed with keepdims.
    """
    if x.flags.c_contiguous and (1 not in x.shape or x.strides == row_major_strides(x.shape, x.itemsize)):
        return x
    return x.copy()


def copy_order(x: Array) -> Any:
    """Return NumPy's `order` for a copy as PyTorch makes it: "K" keeps the strides; "C" if x is expanded."""
    return "C" if expanded_axes(x) else "K"


def copied_dense(x: Any) -> Any:
    """Return a copy without gaps, with the axes in memory as in PyTorch: see `copy_order`."""
    return copied_row_major(x) if expanded_axes(x) else copied_in_order(x)


def empty_like(x: Array) -> Array:
    """Return np.empty_like(x), but in PyTorch's order if x is expanded: NumPy would put the expanded axes innermost."""
    return keep_strides(np.empty_like(x, order="C"), x) if expanded_axes(x) else np.empty_like(x)


def zeros_like(x: Array) -> Array:
    """Return np.zeros_like of an array or a Tensor, but in C order if x is expanded, as gradients of sums are."""
    return np.zeros_like(x, order=copy_order(bare(x)))


def empty_in_format(x: Array, shape: tuple[int, ...]) -> Array:
    """Return an empty array of another shape with the dtype of x, in channels-last format if x is."""
    if channels_last(x):
        n, c, *sizes = shape
        return moveaxis(np.empty_like(x, shape=(n, *sizes, c), order="C"), -1, 1)
    return np.empty_like(x, shape=shape, order="C")


def match_strides(out: Array, x: Array) -> Array:
    """Return `out`, which has the shape of x, with its axes in memory in the order of x's, copied if necessary."""
    return out if x.flags.c_contiguous and out.flags.c_contiguous else lying(out, order_by(x.shape, x.strides))


def in_memory_order(out: Array, *inputs: Array) -> list[Array]:
    """Transpose `out`, and inputs that broadcast to it, so that the axes follow the order in the memory of `out`."""
    if out.flags.c_contiguous:
        return [out, *inputs]
    order = outermost_first(out.strides)
    whole = [x if x.size == 1 or x.shape == out.shape else np.broadcast_to(x, out.shape) for x in inputs]
    return [x.transpose(order) if x.ndim == out.ndim else x for x in (out, *whole)]


def strided_view(x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """Return a view of x with another shape and strides (in bytes), which must stay within the memory of x."""
    if type(x) is np.ndarray and x.flags.c_contiguous:
        return np.ndarray(shape, x.dtype, x, 0, strides)  # in a sixth of the time of as_strided
    return backend.as_strided(x, shape, strides)


def expand(x: Array, shape: tuple[int, ...]) -> Array:
    """Return a view of x expanded to a shape, as torch.Tensor.expand does. Unlike np.broadcast_to, it is writable."""
    if math.prod(shape) == x.size and x.ndim:
        return x.reshape(shape)
    lead = len(shape) - x.ndim
    steps = [step if n == m else 0 for n, m, step in zip(x.shape, shape[lead:], x.strides, strict=True)]
    for i in reversed(range(lead)):
        steps.insert(0, shape[i + 1] * steps[0] if shape[i] == 1 and steps else 0)
    return strided_view(x, shape, tuple(steps))


def channels_last(x: Array) -> bool:
    """Whether x, (N, C, H, W) or (N, C, D, H, W), is in channels-last format, possibly with gaps.

    By this, PyTorch chooses the format of results. Each stride, from the innermost axis outwards, must reach over the
    axes inside of it; this holds for axes of one element, too. So an image (H, W, C) that was permuted and made a batch
    of one is not in channels-last format.
    """
    strides = x.strides
    if x.ndim not in (4, 5) or not 0 < strides[1] <= strides[-1] or not x.size:
        return False
    reach = strides[1] * x.shape[1]
    for axis in range(x.ndim - 1, 1, -1):
        if strides[axis] < reach:
            return False
        reach = strides[axis] * x.shape[axis]
    return bool(strides[0] >= reach > strides[1])  # (N, 1, 1, 1) counts as contiguous


def dense_channels_last(x: Any) -> bool:
    """Whether a bare x (N, C, ...) on the CPU is dense with its channels last."""
    dense = type(x) is np.ndarray and x.ndim > 2 and x.size and not x.flags.c_contiguous
    return bool(dense and moveaxis(x, 1, -1).flags.c_contiguous)


def lines_as_planes(x: Array) -> Array:
    """Return a non-contiguous (N, C, L) as (N, C, 1, L), the form that PyTorch pools, and anything else as it is."""
    if x.ndim != 3 or x.flags.c_contiguous:
        return x
    n, c, step = x.strides
    return backend.as_strided(x, (*x.shape[:2], 1, x.shape[2]), (n, c, step * x.shape[2], step))


def match_memory_format(out: Array, *inputs: Array) -> Array:
    """Return `out` (N, C, ...) in channels-last format if one of the inputs is, otherwise contiguous.

    This is PyTorch's rule for convolution, pooling, normalization, resizing and channel shuffles in 2-D and 3-D.
    """
    return in_format(out, any(map(channels_last, inputs)))


def in_format(out: Array, channels_last: bool) -> Array:
    """Return `out` (N, C, ...) in channels-last format, or contiguous; a copy if it isn't."""
    return _channels_moved_second(contiguous(moveaxis(out, 1, -1))) if channels_last else contiguous(out)


def normalize_channels_last(x: Array) -> Array:
    """Return x with strides that `channels_last` recognizes, if only the strides of axes of one element prevent that.

    Batch normalization treats such an x as channels-last, too.
    """
    if x.ndim not in (4, 5) or x.flags.c_contiguous:
        return x
    inner = moveaxis(x, 1, -1)
    return _channels_moved_second(inner) if inner.flags.c_contiguous else x


def keep_strides(out: Array, x: Array) -> Array:
    """Give `out`, a copy of x, also the strides that x has for axes of one element; NumPy makes up others.

    An expanded x has no strides to keep: the axes then lie in PyTorch's order.
    """
    if expanded_axes(x):
        return lying(out, order_by(x.shape, x.strides))
    if 1 not in x.shape:
        return out
    strides = tuple(step // x.itemsize * out.itemsize for step in x.strides)
    differ = [n for n, step, made in zip(x.shape, strides, out.strides, strict=True) if step != made]
    return strided_view(out, out.shape, strides) if differ and set(differ) == {1} else out


def _channels_moved_second(inner: Array) -> Array:
    """Return a contiguous (N, ..., C) as (N, C, ...).

    It is flattened on the way, so that axes of one element get the strides of a contiguous array; NumPy would keep
    others.
    """
    return moveaxis(inner.reshape(-1).reshape(inner.shape), -1, 1)
