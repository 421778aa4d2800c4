"""What normalizations have in common: checks, and the shapes of channels."""

from __future__ import annotations

import math
from typing import Any

from ...errors import DtypeError, KindError, ShapeError


def check(input: Any, **channelwise: Any) -> None:
    if input.ndim < 2:
        raise ShapeError(f"input must be (N, C, ...), but has shape {input.shape}")
    if input.dtype.kind != "f":
        raise KindError(f"input must be floating-point, but is {input.dtype}")
    for name, x in channelwise.items():
        if x is not None and x.shape != input.shape[1:2]:
            raise ShapeError(size_rule(input, name, x))
        if x is not None and x.dtype != input.dtype:
            raise DtypeError(f"input is {input.dtype}, but {name} is {x.dtype}; convert one of them")


def size_rule(input: Any, name: str, x: Any) -> str:
    return f"{name} must have an element for each channel of input, {tuple(input.shape[1:2])}, but has {tuple(x.shape)}"


def channel_size(input: Any) -> int:
    """How many values a channel has."""
    return math.prod((*input.shape[:1], *input.shape[2:]))


def flat(x: Any) -> Any:
    """(N, C, ...) -> (N, C, P)"""
    return x.reshape((*x.shape[:2], math.prod(x.shape[2:])))


def column(x: Any, like: Any) -> Any:
    """(C) -> (C, 1, ...), to broadcast with (N, C, ...)"""
    return x.reshape((-1, *(1,) * (like.ndim - 2)))


def over_batch(x: Any) -> Any:
    """(N, C, ...) -> (C): the sum."""
    return x.sum((0, *range(2, x.ndim)))
