"""gamma and dirichlet: draws by rejection, one after the other (ATen's Distributions)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .stream import Generator, generator_or_default
from .uniform_buffer import UniformBuffer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# In PyTorch these constants are float32, even where it computes in float64.
_THIRD, _SQUEEZE = float(np.float32(1) / np.float32(3)), float(np.float32(0.0331))


def gamma(shapes: Array, *, generator: Generator | None = None) -> Array:
    """Draw from the density x^(a-1) exp(-x) / Γ(a) for each a >= 0 in `shapes`: `torch._standard_gamma`.

    The method is Marsaglia and Tsang's (2000), in row-major order. Results are at least the smallest normal number of
    the dtype.

    >>> gamma(np.array([0.5, 3.0]), generator=Generator().manual_seed(2024)).round(4)
    array([0.7375, 1.4583])
    """
    units = UniformBuffer(generator_or_default(generator), shapes.size)
    kind = shapes.dtype.type
    values = [_gamma(units, a, kind) for a in shapes.reshape(-1)]
    units.rewind()
    return np.maximum(np.array(values, shapes.dtype), np.finfo(kind).tiny).reshape(shapes.shape)


def _gamma(unit: UniformBuffer, a: Any, kind: Any) -> float:
    """Draw one value for the shape parameter a; `kind` is the scalar type of its dtype."""
    if a == 0:
        return 0.0
    scale = 1.0
    if a < 1:  # a draw for a + 1, times a power of a uniform number
        scale = (1 - unit()) ** float(kind(1) / a)
        a = a + kind(1)
    d = float(a - kind(_THIRD))
    c = 1 / math.sqrt(9 * d)
    while True:
        x = unit.normal()
        v = (1 + c * x) ** 3
        if v <= 0:
            continue
        u, square = 1 - unit(), x * x
        if u < 1 - _SQUEEZE * square * square or math.log(u) < 0.5 * square + d * (1 - v + math.log(v)):
            return scale * d * v


def dirichlet(concentrations: Array, *, generator: Generator | None = None) -> Array:
    """Draw from Dirichlet distributions: `torch._sample_dirichlet`.

    (..., K) concentrations -> (..., K) probabilities, which add up to 1 along the last axis.

    >>> dirichlet(np.ones((1, 2)), generator=Generator().manual_seed(2024)).sum()
    np.float64(1.0)
    """
    parts = gamma(concentrations.astype(np.float64), generator=generator)
    shares = (parts / parts.sum(-1, keepdims=True)).astype(concentrations.dtype)
    one = shares.dtype.type(1)
    return np.clip(shares, np.finfo(shares.dtype).tiny, np.nextafter(one, 0 * one))
