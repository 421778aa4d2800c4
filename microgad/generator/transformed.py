"""Fills by a function of uniform or normal numbers: exponential_, cauchy_, geometric_, log_normal_; rrelu_noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .fills import FLOAT64, check_floating, fill, fma, normal_pairs, working_dtype
from .stream import Generator, generator_or_default

Array = np.ndarray[Any, Any]


def _fill_by(name: str, array: Array, generator: Generator | None, function: Callable[[Array], Array]) -> Array:
    """Fill an array with function(uniform numbers), which have 53 bits whatever the dtype."""
    source = generator_or_default(generator)

    def draw(part: Array) -> None:
        with np.errstate(over="ignore"):  # float16 overflows
            part[...] = function(source.uniform(part.size, FLOAT64)).astype(working_dtype(part))

    return fill(name, array, draw)


def exponential_(array: Array, lambd: float = 1.0, *, generator: Generator | None = None) -> Array:
    """Fill an array of any shape from the density lambd·exp(-lambd·x), and return it: `Tensor.exponential_`.

    Raises RuntimeError for lambd <= 0, and for dtypes that aren't floating-point.

    >>> exponential_(np.empty(1), generator=Generator().manual_seed(2024)).round(6)
    array([0.292664])
    """
    check_floating("exponential_", array, error=RuntimeError)
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    return _fill_by("exponential_", array, generator, lambda unit: np.log1p(-unit) * (-1 / lambd))


def cauchy_(array: Array, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Array:
    """Fill an array from the density sigma/π / ((x - median)² + sigma²), and return it: `Tensor.cauchy_`.

    Raises RuntimeError for sigma <= 0, and for dtypes that aren't floating-point.

    >>> cauchy_(np.empty(1), generator=Generator().manual_seed(2024)).round(6)
    array([-0.976851])
    """
    check_floating("cauchy_", array, error=RuntimeError)
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    return _fill_by("cauchy_", array, generator, lambda unit: fma(np.tan(math.pi * (unit - 0.5)), sigma, median))


def geometric_(array: Array, p: float, *, generator: Generator | None = None) -> Array:
    """Fill an array with the number of trials up to the first success, and return it: `Tensor.geometric_`.

    p is the probability of success. Raises RuntimeError for p outside of (0, 1), NotImplementedError for complex and
    bool dtypes.

    >>> geometric_(np.empty(4, np.int64), 0.3, generator=Generator().manual_seed(2024))
    array([4, 1, 4, 1])
    """
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if array.dtype.kind not in "iuf":
        raise NotImplementedError(f"geometric_: not implemented for {array.dtype}")

    def trials(unit: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.ceil(np.log(unit) / math.log1p(-p))

    return _fill_by("geometric_", array, generator, trials)


def log_normal_(array: Array, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Array:
    """Fill an array with exp of draws of N(mean, std²), and return it: `Tensor.log_normal_`.

    Raises RuntimeError for std <= 0, NotImplementedError for dtypes that aren't floating-point.

    >>> log_normal_(np.empty(1), generator=Generator().manual_seed(2024)).round(6)
    array([2.507138])
    """
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    check_floating("log_normal_", array)
    source = generator_or_default(generator)

    def draw(part: Array) -> None:
        with np.errstate(over="ignore"):
            part[...] = np.exp(fma(normal_pairs(source, part.size), std, mean)).astype(working_dtype(part))

    return fill("log_normal_", array, draw)


def rrelu_noise(x: Array, low: float, high: float, *, generator: Generator | None = None) -> Array:
    """Return the noise of `torch.rrelu`: uniform in [low, high) where x <= 0, drawn in row-major order, else 1.

    >>> rrelu_noise(np.array([1.0, -1.0]), 0.25, 0.5, generator=Generator().manual_seed(2024)).round(4)
    array([1.    , 0.3134])
    """
    made, drawn = np.ones_like(x), x <= 0
    made[drawn] = generator_or_default(generator).uniform(int(drawn.sum()), FLOAT64) * (high - low) + low
    return made
