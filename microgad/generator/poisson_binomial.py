"""poisson and binomial: draws that take a random number of uniform numbers each (ATen's Distributions).

Each begins in the stream where the one before it ended.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import numpy as np

from .fills import FLOAT64, check_floating
from .stream import Generator, generator_or_default
from .transformed_rejection import Btrs, Ptrs, draw, draw_many
from .uniform_buffer import FEW, NUMBERS, UniformBuffer, give_back, numbers

Array = np.ndarray[Any, Any]

TINY = 1e-30  # a probability for which a gap is a number, however small the uniform number is
BLOCK = 1 << 11  # uniform numbers drawn at a time

Unit = Callable[[], float]


def _draw_each(draw_one: Callable[..., float], source: Generator, *parameters: Array) -> Array:
    """Make one draw after the other, for each of the parameters."""
    units = UniformBuffer(source, parameters[0].size)
    drawn = (draw_one(units.next, *each) for each in numbers(*parameters))
    values = np.fromiter(drawn, np.float64, parameters[0].size)
    units.rewind()
    return values


def _alike(x: Array) -> bool:
    """Whether there are many numbers, all the same, so that arrays make draws faster than a loop."""
    return x.size > FEW and x[0] == x[-1] and bool((x == x[0]).all())


def _steps_within(source: Generator, limits: Array, step: Callable[[Array], Array]) -> Array:
    """For each limit, count the steps that fit in it, and take one more. `step` makes steps of uniform numbers."""
    start, used, units = source.snapshot(), 0, np.empty(0)
    counts, totals, place, before = list[int](), list[float](), 0, 0.0
    for limit in limits.tolist():
        while (end := bisect_right(totals, before + limit, place)) == len(totals):
            units = np.concatenate((units[place:], source.uniform(BLOCK, FLOAT64)))
            totals = np.cumsum(step(units)).tolist()
            used, place, before = used + place, 0, 0.0
        counts.append(end - place)
        place, before = end + 1, totals[end]
    give_back(source, start, used + place)
    return np.array(counts, np.float64)


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
    source, rate = generator_or_default(generator), rates.reshape(-1).astype(np.float64)
    rate += 0  # so that -0 gives 0
    values = None
    if _alike(rate) and 10 <= rate[0] < np.inf:
        values = draw_many(source, rate.size, Ptrs, float(rate[0]))
    elif rate.size > FEW:
        values, drawn = rate, (rate > 0) & (rate < np.inf)
        values[drawn] = _poisson_each(source, rate[drawn])
    if values is None:
        values = _draw_each(_poisson, source, rate)
    return values.astype(rates.dtype).reshape(rates.shape)


def _poisson_each(source: Generator, rates: Array) -> Array:
    """Draw for rates in (0, ∞) as `_poisson` does, without a call for each that is below 10."""
    units, values = UniformBuffer(source, rates.size), np.empty_like(rates)
    unit, exp = units.next, math.exp
    for first in range(0, rates.size, NUMBERS):
        found = list[float]()
        for rate in rates[first : first + NUMBERS].tolist():
            if rate >= 10:
                found.append(draw(unit, Ptrs, rate))
                continue
            least, product, count = exp(-rate), unit(), 0
            while product > least:
                product *= unit()
                count += 1
            found.append(count)
        values[first : first + NUMBERS] = found
    units.rewind()
    return values


def _poisson(unit: Unit, rate: float) -> float:
    """Draw one Poisson-distributed value."""
    if rate in (0, math.inf):
        return rate
    if rate >= 10:
        return draw(unit, Ptrs, rate)
    least, product, count = math.exp(-rate), unit(), 0
    while product > least:
        product *= unit()
        count += 1
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
    source, kind = generator_or_default(generator), counts.dtype.type
    count, p = counts.reshape(-1), probabilities.reshape(-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # where nothing is drawn
        rare = np.minimum(p, 1 - p)
        mean = count * rare
        # As in PyTorch, these are rounded to the dtype of the parameters; all else is computed in float64.
        rounded = rare, mean, np.sqrt(mean * (1 - rare)), rare / (1 - rare), np.floor((count + 1) * rare)
    each, values = np.array([p, count, *rounded], np.float64), None
    if count.size > FEW and rare.min() > TINY and count.min() > 0 and count.max() < np.inf:
        if mean.max() >= 10:
            if _alike(p) and _alike(count):
                values = draw_many(source, count.size, Btrs, *each[1:, 0].tolist())
        elif _alike(p):
            log_failure = _log_failure(float(rare[0]), kind)
            values = _steps_within(source, each[1], lambda unit: np.ceil(np.log(unit) / log_failure))
        else:
            values = _by_gaps(source, each[1], [_log_failure(p, kind) for p in each[2].tolist()])
    if values is None:
        values = _draw_each(functools.partial(_binomial, kind), source, *each)
    else:
        values = np.where(p > 0.5, count - values, values)
    return values.astype(counts.dtype).reshape(counts.shape)


def _binomial(kind: Any, unit: Unit, p: float, count: float, rare: float, mean: float, *more: float) -> float:
    """Draw one binomially distributed value."""
    if count <= 0 or p <= 0:
        return 0
    if p >= 1:
        return count
    if not p <= 1:
        return math.nan
    if not count < math.inf:
        return count
    found = draw(unit, Btrs, count, rare, mean, *more) if mean >= 10 else _binomial_by_gaps(unit, count, rare, kind)
    return found if p <= 0.5 else count - found


def _by_gaps(source: Generator, counts: Array, log_failures: list[float]) -> Array:
    """Draw as `_binomial_by_gaps` does for each count, without a call for each value."""
    units = UniformBuffer(source, counts.size, lambda unit: np.log(np.maximum(unit, 1e-300)))
    log_unit, ceil, found = units.next, math.ceil, list[int]()
    for count, log_failure in zip(counts.tolist(), log_failures, strict=True):
        place, successes = ceil(log_unit() / log_failure), 0
        while place <= count:
            place += ceil(log_unit() / log_failure)
            successes += 1
        found.append(successes)
    units.rewind()
    return np.array(found, np.float64)


def _binomial_by_gaps(unit: Unit, count: float, p: float, kind: Any) -> float:
    """Count the successes by the geometric gaps between them."""
    log_failure = _log_failure(p, kind)
    place = successes = 0.0
    while True:
        u = unit()
        place += math.ceil(math.log(u) / log_failure) if u else math.inf
        if place > count:
            return successes
        successes += 1


def _log_failure(p: float, kind: Any) -> float:
    """Return log(1 - p), rounded to a dtype."""
    return float(kind(math.log1p(-p)))
