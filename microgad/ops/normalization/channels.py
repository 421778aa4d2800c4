"""What normalizations share: checks of arguments, and shapes for channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import DtypeError, KindError, ShapeError
from ...fast_reductions import fast_sum
from ...fast_reductions.products import ones, row_dots, sum_rows
from ...function.half import HALF
from ...type_aliases import Array
from ..support import fast_numpy, layouts

SINGLE = np.dtype(np.float32)
FEW_CHANNELS = 8  # for which NumPy's loops over the channels of each place would take longer than transposing
LONG_RUN = 1 << 12  # numbers of a loop that is no faster for more
MANY_ROWS = 1 << 12  # numbers that one product sums or einsum adds in turn: more would cost digits
FEW = 5000  # numbers that are not worth a repetition of the channels' values


def check_channels(input: Array, **channelwise: Any) -> None:
    """Raise an error if input is not floating-point (N, C, ...), or another argument is not (C) in input's dtype."""
    if input.ndim < 2:
        raise ShapeError(f"input must be (N, C, ...), but has shape {input.shape}")
    if input.dtype.kind != "f":
        raise KindError(f"input must be floating-point, but is {input.dtype}")
    for name, x in channelwise.items():
        if x is not None and x.shape != input.shape[1:2]:
            raise ShapeError(size_rule(input, name, x))
        if x is not None and x.dtype != input.dtype:
            raise DtypeError(f"input is {input.dtype}, but {name} is {x.dtype}; convert one of them")


def is_mixed_half(input: Any, *parameters: Any) -> bool:
    """Whether input is float16 and the parameters are float32, for which PyTorch computes in float32."""
    return input.array.dtype == HALF and {x.array.dtype for x in parameters if x is not None} == {SINGLE}


def size_rule(input: Any, name: str, x: Any) -> str:
    """Return the error message for an argument of the wrong size."""
    return f"{name} must have an element for each channel of input, {tuple(input.shape[1:2])}, but has {tuple(x.shape)}"


def channel_size(input: Any) -> int:
    """Return the number of values of a channel."""
    return math.prod((*input.shape[:1], *input.shape[2:]))


def flatten(x: Array) -> Array:
    """Flatten the axes after the channels, (N, C, ...) -> (N, C, P)."""
    return x.reshape((*x.shape[:2], math.prod(x.shape[2:])))


def in_rows_of_channels(x: Array) -> bool:
    """Whether x is dense with many channels last."""
    return x.shape[1] > FEW_CHANNELS and layouts.dense_channels_last(x)


def places(x: Array, images: int, most: int = LONG_RUN) -> Array:
    """Reshape (N, C, ...) to (images, P / k, k · C): the channels of k places side by side make NumPy's loops long."""
    x, c = fast_numpy.moveaxis(x, 1, -1), x.shape[1]
    count = x.size // (images * c)
    k = next(k for k in range(max(1, most // c), 0, -1) if count % k == 0)
    return x.reshape(images, count // k, k * c)


def from_places(x: Array, like: Array) -> Array:
    """Undo `places`: a view."""
    return fast_numpy.moveaxis(x.reshape((len(like), *like.shape[2:], like.shape[1])), -1, 1)


def column(x: Any, like: Any) -> Any:
    """Reshape (C) to (C, 1, ...), which broadcasts with `like`, (N, C, ...)."""
    return x.reshape((-1, *(1,) * (like.ndim - 2)))


def per_channel(values: Array, x: Array) -> Array:
    """Reshape (C) so that it broadcasts with x: to (C) for (N, C), and to (C, 1) or (C, P) for (N, C, P).

    For short rows of many images the values are repeated, (C, P): to start a row takes NumPy as long as 1000 numbers.
    They are repeated for `places`, (n, k · C, 1), too.
    """
    if x.ndim == 2:
        return values
    n, c, p = x.shape
    if c > len(values):
        return np.tile(values, c // len(values))[:, None]
    if type(x) is not np.ndarray or x.size < FEW or n < 4 or not 1 < p <= 1 << 12 or c * p > 1 << 18:
        return values[:, None]
    return np.repeat(values, p).reshape(c, p)


def sum_by_channel(a: Array, b: Array | None = None) -> Array:
    """Sum a, or a · b, over everything but the channels: bare (N, C) or (N, C, P) -> (C)."""
    if a.ndim == 3:
        if b is not None:
            sums = row_dots(a, b)[..., 0]
        elif (p := a.shape[2]) > MANY_ROWS:
            sums = sum_rows(a.reshape(-1, p)).reshape(a.shape[:2])
        else:
            sums = a @ ones(p, a)
        return fast_sum(sums, 0, False)
    if len(a) >= MANY_ROWS:
        return fast_sum(a if b is None else a * b, 0, False)
    return ones(len(a), a) @ a if b is None else np.einsum("nc,nc->c", a, b)
