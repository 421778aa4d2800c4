"""Values that are given to a replay: how they become arrays, and replace results."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import backend
from ...errors import ArgumentError
from ...tensor import Tensor
from ...type_aliases import Array


def edited(x: Tensor, change: Any) -> Tensor:
    """Return what a result becomes. A function's result stays connected to the graph."""
    if callable(change) and not isinstance(change, Tensor):
        return change(x)
    y = change if isinstance(change, Tensor) else Tensor._wrap(array_like(change, x.array))
    if y.array.shape not in ((), x.array.shape):
        raise ArgumentError(f"replay: a result of shape {x.array.shape} can't become one of shape {y.array.shape}")
    return y if y.array.shape == x.array.shape else y.expand(x.shape)


def array_like(value: Any, like: Array) -> Array:
    """Return a Tensor's array, or convert anything else to an array of the dtype and device of `like`."""
    if isinstance(value, Tensor):
        return value.array
    if backend.is_gpu(value):
        return value.astype(like.dtype)
    return backend.to_device(np.asarray(value).astype(like.dtype, casting="same_kind"), backend.device_of(like))
