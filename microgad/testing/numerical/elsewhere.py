"""The same Tensors with other arrays, while it lasts: nearby values, or another dtype."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import backend
from ...function import Leaf
from ...tensor import Tensor
from ..calls import signed
from .estimates import unit


@contextmanager
def away(tensors: list[Tensor], rng: np.random.Generator, share: float = 0.1) -> Iterator[None]:
    """The Tensors with other values nearby, while it lasts: moved by a share of `unit`."""
    saved = [t.array for t in tensors]
    try:
        for t in tensors:
            there = np.empty_like(t.array)
            far = share * signed(rng, t.array.shape)
            np.add(t.array, unit(t.array) * backend.like(far, t.array), out=there)
            t.array = there
        yield
    finally:
        for t, array in zip(tensors, saved, strict=True):
            t.array = array


@contextmanager
def in_float64(args: list[Any]) -> Iterator[None]:
    """Every floating-point Tensor among the arguments in float64, while it lasts."""
    tensors = [x for x in args if isinstance(x, Tensor) and x.array.dtype.kind == "f" and x.array.dtype != np.float64]
    saved = [(t.array, t.node) for t in tensors]
    try:
        for t in tensors:
            t.array = t.array.astype(np.float64)
            if t.node is not None:
                t.node = Leaf(t)
        yield
    finally:
        for t, (array, node) in zip(tensors, saved, strict=True):
            t.array, t.node = array, node
