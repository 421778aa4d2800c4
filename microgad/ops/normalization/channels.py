"""What normalizations have in common: checks, and the shapes of channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...dtypes.number_kinds import HALF
from ...errors import DtypeError, KindError, ShapeError

SINGLE = np.dtype(np.float32)


def check_channels(input: Any, **channelwise: Any) -> None:
    if input.ndim < 2:
        raise ShapeError(f"input must be (N, C, ...), but has shape {input.shape}")
    if input.dtype.kind != "f":
        raise KindError(f"input must be floating-point, but is {input.dtype}")
    for name, x in channelwise.items():
        if x is not None and x.shape != input.shape[1:2]:
            raise ShapeError(channel_size_rule(input, name, x))
        if x is not None and x.dtype != input.dtype:
            raise DtypeError(f"input is {input.dtype}, but {name} is {x.dtype}; convert one of them")


def is_mixed_half(input: Any, *parameters: Any) -> bool:
    """Whether an input of float16 comes with parameters of float32, as PyTorch takes it: it is computed as float32."""
    return input.array.dtype == HALF and {x.array.dtype for x in parameters if x is not None} == {SINGLE}


def channel_size_rule(input: Any, name: str, x: Any) -> str:
    return f"{name} must have an element for each channel of input, {tuple(input.shape[1:2])}, but has {tuple(x.shape)}"


def channel_size(input: Any) -> int:
    """How many values a channel has."""
    return math.prod((*input.shape[:1], *input.shape[2:]))


def flatten_positions(x: Any) -> Any:
    """(N, C, ...) -> (N, C, P)"""
    return x.reshape((*x.shape[:2], math.prod(x.shape[2:])))


def channel_column(x: Any, like: Any) -> Any:
    """(C) -> (C, 1, ...), to broadcast with (N, C, ...)"""
    return x.reshape((-1, *(1,) * (like.ndim - 2)))


def per_channel(values: Any, x: Any) -> Any:
    """(C) to broadcast with x: (C) with (N, C); with (N, C, P) it is (C, 1), or (C, P), the same numbers.

    NumPy takes as long to begin a row as for a thousand numbers, so for short rows of many images they are written out.
    """
    if x.ndim == 2:
        return values
    n, c, p = x.shape
    if type(x) is not np.ndarray or n < 4 or not 1 < p <= 1 << 12 or c * p > 1 << 18:
        return values[:, None]
    return np.repeat(values, p).reshape(c, p)


def sum_over_batch(x: Any) -> Any:
    """(N, C, ...) -> (C): the sum."""
    return x.sum((0, *range(2, x.ndim)))
