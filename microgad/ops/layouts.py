"""How results lie in memory: as PyTorch's do, where programs see it in `view` and in the order of random draws."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import backend
from ..backend.memory_layout import lying, order_by

# NumPy makes an array of each shape first: that takes longer than many an operation on a thousand elements.
broadcast_shapes = functools.lru_cache(maxsize=1024)(np.broadcast_shapes)


def nonzero(x: Any) -> tuple[Any, ...]:
    """np.nonzero of one dimension or more, by places of booleans in a flat array: in a tenth to half of the time."""
    if backend.is_gpu(x):
        return np.nonzero(x)
    flat = np.flatnonzero(x if x.dtype.kind == "b" else x != 0)
    return (flat,) if x.ndim == 1 else np.unravel_index(flat, x.shape)


def contiguous(x: Any) -> Any:
    """x in the order of its axes, copied where it isn't: as PyTorch lays out what an operation has put together."""
    return x if x.flags.c_contiguous else x.copy()


def copy_order(x: Any) -> Any:
    """What NumPy is given as the order of a copy that lies as x does; an expanded x lies in the order of its axes."""
    return "C" if expanded_axes(x) else "K"


def expanded_axes(x: Any) -> tuple[int, ...]:
    """The axes along which an expanded x has one element again and again."""
    if 0 not in x.strides or not x.size:
        return ()
    return tuple([i for i, step in enumerate(x.strides) if step == 0 and x.shape[i] > 1])


def empty_like(x: Any) -> Any:
    """np.empty_like, but of an expanded x in the order of its axes, as of a ufunc, not with those axes innermost."""
    return np.empty_like(x, order=copy_order(x))


def empty_in_format(x: Any, shape: tuple[int, ...]) -> Any:
    """An empty array of a shape, of the dtype of x, with its channels innermost where x has them so."""
    if channels_last(x):
        n, c, *sizes = shape
        return np.moveaxis(np.empty_like(x, shape=(n, *sizes, c), order="C"), -1, 1)
    return np.empty_like(x, shape=shape, order="C")


def match_strides(out: Any, x: Any) -> Any:
    """out, of the shape of x, copied where it doesn't lie in memory as a copy of x does."""
    return out if x.flags.c_contiguous and out.flags.c_contiguous else lying(out, order_by(x.strides))


def in_memory_order(out: Any, *inputs: Any) -> list[Any]:
    """out and inputs that broadcast to it, the axes of all in the order in which they lie in the memory of out."""
    if out.flags.c_contiguous:
        return [out, *inputs]
    order = sorted(range(out.ndim), key=lambda axis: -out.strides[axis])
    whole = [x if x.size == 1 or x.shape == out.shape else np.broadcast_to(x, out.shape) for x in inputs]
    return [x.transpose(order) if x.ndim == out.ndim else x for x in (out, *whole)]


def strided_view(x: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """A view of x, from its first element on and not beyond it, in another shape with other strides, in bytes."""
    if type(x) is np.ndarray and x.flags.c_contiguous:
        return np.ndarray(shape, x.dtype, x, 0, strides)  # in a sixth of the time
    return backend.as_strided(x, shape, strides)


def expand(x: Any, shape: tuple[int, ...]) -> Any:
    """x with axes of size 1, and new ones in front, repeated without a copy: it can be written, as torch's."""
    if math.prod(shape) == x.size:
        return x.reshape(shape)
    lead = len(shape) - x.ndim
    steps = (step if n == m else 0 for n, m, step in zip(x.shape, shape[lead:], x.strides, strict=True))
    return strided_view(x, shape, (*(0,) * lead, *steps))


def channels_last(x: Any) -> bool:
    """Whether x, planes (N, C, H, W) or volumes, has its channels innermost in memory, even with gaps.

    PyTorch chooses the layout of results by that: each stride, from the innermost out, reaches over the axes within,
    also that of an axis of one element. So a picture (H, W, C), permuted and made a batch of one, has them not.
    """
    strides = x.strides
    if x.ndim not in (4, 5) or not 0 < strides[1] <= strides[-1] or not x.size:
        return False
    reach = strides[1] * x.shape[1]
    for axis in range(x.ndim - 1, 1, -1):
        if strides[axis] < reach:
            return False
        reach = strides[axis] * x.shape[axis]
    return bool(strides[0] >= reach > strides[1])  # (N, 1, 1, 1) lies in the order of its axes, too


def lines_as_planes(x: Any) -> Any:
    """Lines (N, C, L) as planes of one row, as which PyTorch pools them; what else there is, as it is."""
    if x.ndim != 3 or x.flags.c_contiguous:
        return x
    n, c, step = x.strides
    return backend.as_strided(x, (*x.shape[:2], 1, x.shape[2]), (n, c, step * x.shape[2], step))


def match_memory_format(out: Any, *inputs: Any) -> Any:
    """out (N, C, ...) with its channels innermost where one of the inputs has them so, else in the order of its axes.

    That is PyTorch's rule for convolution, pooling, normalization, resizing and shuffling of planes and volumes.
    """
    if not any(map(channels_last, inputs)):
        return contiguous(out)
    return _channels_moved_second(contiguous(np.moveaxis(out, 1, -1)))


def normalize_channels_last(x: Any) -> Any:
    """x with the strides of channels_last where without gaps it lies so, but for those of axes of one element.

    Batch normalization takes such an x for channels_last, too.
    """
    if x.ndim not in (4, 5) or x.flags.c_contiguous:
        return x
    inner = np.moveaxis(x, 1, -1)
    return _channels_moved_second(inner) if inner.flags.c_contiguous else x


def keep_channels_last_strides(out: Any, x: Any) -> Any:
    """out, a copy of x that lies as x does, with its strides also over axes of one element, which NumPy makes anew."""
    return _channels_moved_second(np.moveaxis(out, 1, -1)) if channels_last(x) else out


def _channels_moved_second(inner: Any) -> Any:
    """(N, ..., C), in the order of its axes, as (N, C, ...).

    By way of a row axes of one element, whose strides NumPy leaves as they were, get those of that order.
    """
    return np.moveaxis(inner.reshape(-1).reshape(inner.shape), -1, 1)
