"""Hoermann's transformed rejection (1993): PTRS for Poisson distributions, BTRS for binomial ones.

A try takes two uniform numbers: the first proposes a value k, the second decides whether it is accepted. A quick test
decides most tries; for the others k's probability is computed.

A method, `Ptrs` or `Btrs`, consists of formulas that are the same for numbers and arrays: they are given `OfNumbers` or
`OfArrays` as `of`. `hat(*parameters)` returns what the proposals and the quick test need: a, b, the center, the bound
of v, and the largest k. `fits` is the other test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .fills import FLOAT64
from .stream import Generator
from .uniform_buffer import give_back

Array = np.ndarray[Any, np.dtype[np.float64]]

BLOCK = 1 << 12  # tries made at a time, so that temporaries stay in the cache
Hat = tuple[float, float, float, float, float]


class OfNumbers:
    """Functions of a number."""

    log, lgamma = math.log, math.lgamma

    @staticmethod
    def tail(k: float) -> float:
        """Return the error of Stirling's approximation of log k!."""
        if k <= 9:
            return math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi))
        return _tail_beyond_9(k)


class OfArrays:
    """The same functions of an array."""

    log = np.log

    @staticmethod
    def lgamma(x: Array) -> Array:
        return np.array(list(map(math.lgamma, x.tolist())))

    @staticmethod
    def tail(k: Array) -> Array:
        up_to_9 = np.array([OfNumbers.tail(i) for i in range(10)])
        return np.where(k <= 9, up_to_9[np.minimum(k, 9).astype(np.int64)], _tail_beyond_9(k))


def _tail_beyond_9(k: Any) -> Any:
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


class Ptrs:
    """For Poisson distributions with rates of 10 or more."""

    @staticmethod
    def hat(rate: float) -> Hat:
        b = 0.931 + 2.53 * math.sqrt(rate)
        return -0.059 + 0.02483 * b, b, rate + 0.43, 0.9277 - 3.6224 / (b - 2), math.inf

    @staticmethod
    def fits(of: Any, k: Any, v: Any, edge: Any, a: float, b: float, rate: float) -> Any:
        height = of.log(v) + math.log(1.1239 + 1.1328 / (b - 3.4)) - of.log(a / (edge * edge) + b)
        return ((edge >= 0.013) | (v <= edge)) & (height <= -rate + k * math.log(rate) - of.lgamma(k + 1))


class Btrs:
    """For binomial distributions with p <= 0.5 that expect 10 successes or more."""

    @staticmethod
    def hat(count: float, p: float, mean: float, deviation: float, odds: float, mode: float) -> Hat:
        b = 1.15 + 2.53 * deviation
        return -0.0873 + 0.0248 * b + 0.01 * p, b, mean + 0.5, 0.92 - 4.2 / b, count

    @staticmethod
    def fits(of: Any, k: Any, v: Any, edge: Any, a: float, b: float, count: float, *more: float) -> Any:
        _, _, deviation, odds, mode = more
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (count - mode + 1)))
            + (count + 1) * of.log((count - mode + 1) / (count - k + 1))
            + (k + 0.5) * of.log(odds * (count - k + 1) / (k + 1))
            + OfNumbers.tail(mode)
            + OfNumbers.tail(count - mode)
            - of.tail(k)
            - of.tail(count - k)
        )
        return of.log(v * ((2.83 + 5.1 / b) * deviation) / (a / (edge * edge) + b)) <= bound


def draw(unit: Callable[[], float], method: Any, *parameters: float) -> float:
    """Draw one value; `unit` returns the next uniform number."""
    a, b, center, tight, largest = method.hat(*parameters)
    while True:
        u = unit() - 0.5
        v = unit() or 1e-300  # log 0 would raise
        edge = 0.5 - abs(u)
        k = math.floor((2 * a / edge + b) * u + center)
        if edge >= 0.07 and v <= tight:
            return k
        if 0 <= k <= largest and method.fits(OfNumbers, k, v, edge, a, b, *parameters):
            return k


def draw_many(source: Generator, count: int, method: Any, *parameters: float) -> Array:
    """Draw `count` values with the same parameters: those that `draw` gives one after the other."""
    a, b, center, tight, largest = method.hat(*parameters)
    start, tries, found = source.snapshot(), 0, list[Any]()
    while count:
        units = source.uniform(2 * min(BLOCK, 2 * count), FLOAT64)
        u, v = units[::2] - 0.5, units[1::2]
        edge = 0.5 - np.abs(u)
        k = np.floor((2 * a / edge + b) * u + center)
        accepted = (edge >= 0.07) & (v <= tight)
        rest = np.flatnonzero(~accepted & (k >= 0) & (k <= largest))
        accepted[rest] = method.fits(OfArrays, k[rest], v[rest], edge[rest], a, b, *parameters)
        at = np.flatnonzero(accepted)[:count]
        found.append(k[at])
        count -= len(at)
        tries += len(u) if count else int(at[-1]) + 1
    give_back(source, start, 2 * tries)
    return np.concatenate(found)
