"""gamma and dirichlet: draws by rejection, one after the other (ATen's Distributions)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import cos, inf, log, log1p, nan, pi, sin, sqrt
from typing import Any

import numpy as np

from .stream import Generator, generator_or_default
from .uniform_buffer import NUMBERS, UniformBuffer

Array = np.ndarray[Any, Any]

# In PyTorch these constants are float32, even where it computes in float64.
_THIRD, _SQUEEZE = float(np.float32(1) / np.float32(3)), float(np.float32(0.0331))


def gamma(shapes: Array, *, generator: Generator | None = None) -> Array:
    """Draw from the density x^(a-1) exp(-x) / Γ(a) for each a >= 0 in `shapes`: `torch._standard_gamma`.

    The method is Marsaglia and Tsang's (2000), in row-major order. Results are at least the smallest normal number of
    the dtype, also where a is NaN.

    >>> gamma(np.array([0.5, 3.0]), generator=Generator().manual_seed(2024)).round(4)
    array([0.7375, 1.4583])
    """
    source, kind, flat = generator_or_default(generator), shapes.dtype.type, shapes.reshape(-1)
    units, values = UniformBuffer(source, flat.size), np.empty_like(flat)
    for first in range(0, flat.size, NUMBERS):
        a = flat[first : first + NUMBERS]
        with np.errstate(divide="ignore"):
            parameters = a, a + (a < 1) - kind(_THIRD), kind(1) / a
        each = zip(*(x.tolist() for x in parameters), strict=True)
        drawn, source.cached_normal = _draw_each(units.next, source.cached_normal, each)
        np.fmax(np.array(drawn, a.dtype), np.finfo(kind).tiny, out=values[first : first + NUMBERS])
    units.rewind()
    return values.reshape(shapes.shape)


def _draw_each(
    unit: Callable[[], float], cached: float | None, parameters: Iterable[tuple[float, ...]]
) -> tuple[list[float], float | None]:
    """Draw a value for each (a, d, 1/a), where d is a - 1/3, or a + 2/3 for a < 1. `cached` is a normal number."""
    values = []
    for a, d, exponent in parameters:
        if a == 0:
            values.append(0.0)
            continue
        # for a < 1, a draw for a + 1 times a power of a uniform number
        scale = _power(1 - unit(), exponent) if a < 1 else 1.0
        c = 1 / sqrt(9 * d) if d > 0 else nan
        while True:
            if cached is None:
                angle, radius = unit() * (2 * pi), sqrt(log1p(-unit()) * -2)
                x, cached = radius * cos(angle), radius * sin(angle)
            else:
                x, cached = cached, None
            root = 1 + c * x
            if root <= 0:
                continue
            v, u, square = root * root * root, 1 - unit(), x * x
            if u < 1 - _SQUEEZE * square * square or log(u) < 0.5 * square + d * (1 - v + log(v)):
                values.append(scale * d * v)
                break
    return values, cached


def _power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except OverflowError:  # in Python's power; a negative shape has a large negative exponent
        return inf


def dirichlet(concentrations: Array, *, generator: Generator | None = None) -> Array:
    """Draw from Dirichlet distributions: `torch._sample_dirichlet`.

    (..., K) concentrations -> (..., K) probabilities, which add up to 1 along the last axis.

    >>> dirichlet(np.ones((1, 2)), generator=Generator().manual_seed(2024)).sum()
    np.float64(1.0)
    """
    parts = gamma(concentrations.astype(np.float64), generator=generator)
    parts /= parts.sum(-1, keepdims=True)
    shares = parts.astype(concentrations.dtype)
    one = shares.dtype.type(1)
    return np.clip(shares, np.finfo(shares.dtype).tiny, np.nextafter(one, 0 * one), out=shares)
