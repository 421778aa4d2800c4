"""Contexts in which Tensors have other values: perturbed ones, or the same in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import backend
from ...tensor import Tensor
from ...type_aliases import Array
from ..calls import random_signed, with_arrays
from .estimates import step_unit


def perturbed(tensors: Sequence[Tensor], rng: np.random.Generator, share: float = 0.1) -> with_arrays:
    """Context in which every element is moved by up to `share` of its `step_unit`."""

    def nearby(x: Array) -> Array:
        far = backend.like(share * random_signed(rng, x.shape), x)
        return np.add(x, step_unit(x) * far, out=np.empty_like(x))

    return with_arrays(tensors, [nearby(t.array) for t in tensors])


def in_float64(args: Sequence[Any]) -> with_arrays:
    """Context in which all floating-point Tensors among the arguments are float64."""
    tensors = [x for x in args if isinstance(x, Tensor) and x.array.dtype.kind == "f" and x.array.dtype != np.float64]
    return with_arrays(tensors, [t.array.astype(np.float64) for t in tensors])
