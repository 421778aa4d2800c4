"""poisson and binomial: draws that take a random number of uniform numbers each (ATen's Distributions).

They are made one after the other, as each begins in the stream where the one before it ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .fills import check_floating
from .stream import Generator, generator_or_default
from .uniform_buffer import UniformBuffer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Unit = Callable[[], float]


def _draw_each(draw: Callable[..., float], generator: Generator | None, *parameters: Array) -> Array:
    """Make a draw for each element of the parameters, in row-major order."""
    units = UniformBuffer(generator_or_default(generator), parameters[0].size)
    values = [draw(units, *each) for each in zip(*(p.reshape(-1).tolist() for p in parameters), strict=True)]
    units.rewind()
    return np.array(values, np.float64).astype(parameters[0].dtype).reshape(parameters[0].shape)


def poisson(rates: Array, *, generator: Generator | None = None) -> Array:
    """Draw from Poisson distributions: a new array of the shape and dtype of rates, `torch.poisson`.

    Rates below 10 use Knuth's product of uniform numbers, others Hoermann's transformed rejection (1993). Raises
    RuntimeError for a rate below 0 or NaN, NotImplementedError for dtypes that aren't floating-point.

    >>> poisson(np.array([3.0, 30.0, 7.0]), generator=Generator().manual_seed(2024))
    array([ 3., 37.,  5.])
    """
    check_floating("poisson", rates, "rates")
    if not (rates >= 0).all():
        raise RuntimeError("poisson: rates must be >= 0, but some are negative or NaN")
    return _draw_each(_poisson, generator, rates)


def _poisson(unit: Unit, rate: float) -> float:
    """Draw one Poisson-distributed value."""
    if rate in (0, math.inf):
        return rate
    if rate >= 10:
        return _poisson_by_rejection(unit, rate)
    least, product, count = math.exp(-rate), unit(), 0
    while product > least:
        product *= unit()
        count += 1
    return count


def _poisson_by_rejection(unit: Unit, rate: float) -> float:
    """Draw one value for a rate of 10 or more by Hoermann's transformed rejection."""
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    tight = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = unit() - 0.5
        v = unit()
        edge = 0.5 - abs(u)
        count = math.floor((2 * a / edge + b) * u + rate + 0.43)
        if edge >= 0.07 and v <= tight:
            return count
        if count < 0 or (edge < 0.013 and v > edge):
            continue
        height = _log(v) + math.log(inverse_alpha) - math.log(a / (edge * edge) + b)
        if height <= -rate + count * log_rate - math.lgamma(count + 1):
            return count


def binomial(counts: Array, probabilities: Array, *, generator: Generator | None = None) -> Array:
    """Draw from binomial distributions, given counts and probabilities of one shape: `torch.binomial`.

    Where fewer than 10 successes are expected it sums geometric gaps (Devroye 1986), else it uses Hoermann's BTRS
    (1993). Raises ValueError for dtypes that aren't floating-point, NotImplementedError for float16.

    >>> binomial(np.array([10.0, 200.0]), np.array([0.5, 0.4]), generator=Generator().manual_seed(2024))
    array([ 6., 78.])
    """
    check_floating("binomial", counts, "counts", ValueError)
    check_floating("binomial", probabilities, "probabilities", ValueError)
    if np.float16 in (counts.dtype, probabilities.dtype):
        raise NotImplementedError("binomial: not implemented for float16")
    return _draw_each(_binomial, generator, counts, probabilities)


def _binomial(unit: Unit, count: float, p: float) -> float:
    """Draw one binomially distributed value."""
    if count <= 0 or p <= 0:
        return 0
    if p >= 1:
        return count
    if not p <= 1:
        return math.nan
    if not count < math.inf:
        return count
    rare = min(p, 1 - p)
    found = _btrs(unit, count, rare) if count * rare >= 10 else _binomial_by_gaps(unit, count, rare)
    return found if p <= 0.5 else count - found


def _binomial_by_gaps(unit: Unit, count: float, p: float) -> float:
    """Count the successes by the geometric gaps between them."""
    log_failure = math.log1p(-p)
    place = successes = 0.0
    while True:
        u = unit()
        place += math.ceil(math.log(u) / log_failure) if u else math.inf
        if place > count:
            return successes
        successes += 1


def _btrs(unit: Unit, count: float, p: float) -> float:
    """Hoermann's transformed rejection with squeeze."""
    deviation = math.sqrt(count * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    center = count * p + 0.5
    tight = 0.92 - 4.2 / b
    odds = p / (1 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    mode = math.floor((count + 1) * p)
    while True:
        u = unit() - 0.5
        v = unit()
        edge = 0.5 - abs(u)
        k = math.floor((2 * a / edge + b) * u + center)
        if edge >= 0.07 and v <= tight:
            return k
        if k < 0 or k > count:
            continue
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (count - mode + 1)))
            + (count + 1) * math.log((count - mode + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            + _stirling_tail(mode)
            + _stirling_tail(count - mode)
            - _stirling_tail(k)
            - _stirling_tail(count - k)
        )
        if _log(v * alpha / (a / (edge * edge) + b)) <= bound:
            return k


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _stirling_tail(k: float) -> float:
    """Return the error of Stirling's approximation of log k!."""
    if k <= 9:
        return math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi))
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
