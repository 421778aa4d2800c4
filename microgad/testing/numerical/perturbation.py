"""Contexts in which Tensors have other values: perturbed ones, or the same in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ... import backend
from ...tensor import Tensor
from ...type_aliases import Array
from ..calls import random_signed, with_arrays
from .estimates import step_unit


def perturbed(tensors: Sequence[Tensor], rng: np.random.Generator, share: float = 0.1) -> with_arrays:
    """Context in which every element is moved by up to `share` of its `step_unit`."""
    return _moved(tensors, [share * random_signed(rng, t.array.shape) for t in tensors], step_unit)


def on_both_sides(tensors: Sequence[Tensor], rng: np.random.Generator, share: float) -> Iterator[with_arrays]:
    """Yield a context in which every element is moved by up to `share` of its size, and one with the opposite moves.

    Zeros are moved as far as the smallest of the other elements: very near to 0, many functions look alike.
    """
    far = [share * random_signed(rng, t.array.shape) for t in tensors]
    for sign in (1, -1):
        yield _moved(tensors, [sign * f for f in far], _size)


def _size(x: Array) -> Array:
    size = np.abs(x)
    others = size[size > 0]
    return np.where(size > 0, size, others.min() if others.size else 1.0)


def _moved(tensors: Sequence[Tensor], far: Sequence[Any], unit: Callable[[Array], Array]) -> with_arrays:
    def nearby(x: Array, far: Any) -> Array:
        return np.add(x, unit(x) * backend.like(far, x), out=np.empty_like(x))

    return with_arrays(tensors, [nearby(t.array, f) for t, f in zip(tensors, far, strict=True)])


def in_float64(args: Sequence[Any]) -> with_arrays:
    """Context in which all floating-point Tensors among the arguments are float64."""
    tensors = [x for x in args if isinstance(x, Tensor) and x.array.dtype.kind == "f" and x.array.dtype != np.float64]
    return with_arrays(tensors, [t.array.astype(np.float64) for t in tensors])
