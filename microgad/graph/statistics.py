"""Statistics of arrays: range, mean, spread, a histogram, and counts of NaN, infinities and zeros."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backend
from ..function.half import HALF
from ..type_aliases import Array

SAMPLE = 65_536  # elements, evenly spaced, of which the histogram is made
BINS = 32


@dataclass(slots=True, frozen=True)
class Stats:
    """Range, mean and standard deviation of an array's finite values, and how many values are 0, NaN or infinite.

    >>> stats_of(np.array([0.0, 1.0, 3.0, np.nan]))
    <0 … 3, mean 1.333 ± 1.247; 33.3 % zeros; 1 NaN>
    """

    size: int
    minimum: float
    maximum: float
    mean: float
    std: float
    zeros: float  # share among the finite values, from 0 to 1
    nans: int
    infs: int
    counts: tuple[int, ...] = ()  # histogram of a sample, with BINS equal bins over the range

    @property
    def finite(self) -> int:
        """The number of finite values."""
        return self.size - self.nans - self.infs

    @property
    def norm(self) -> float:
        """The Euclidean norm of the finite values."""
        return math.sqrt(self.finite) * math.hypot(self.std, self.mean)

    def __repr__(self) -> str:
        words = [f"{self.minimum:.4g} … {self.maximum:.4g}, mean {self.mean:.4g} ± {self.std:.4g}"]
        words = words if self.finite or not self.size else ["nothing finite"]
        if self.zeros:
            words.append(f"{100 * self.zeros:.1f} % zeros")
        words += [f"{n:,} {name}" for n, name in ((self.nans, "NaN"), (self.infs, "inf")) if n]
        return f"<{'; '.join(words)}>"


def stats_of(array: Array) -> Stats:
    """Return the Stats of an array. For a complex array they are those of the magnitudes."""
    x = _real(backend.to_numpy(array).reshape(-1))
    size, nans, infs = x.size, 0, 0
    low, high = _range(x)
    if not (math.isfinite(low) and math.isfinite(high)):
        nans = int(np.isnan(x).sum())
        x = x[np.isfinite(x)]
        infs = size - nans - x.size
        low, high = _range(x)
    if not x.size:
        return Stats(size, low, high, 0.0, 0.0, 0.0, nans, infs)
    zeros = 1 - np.count_nonzero(x) / x.size if low <= 0 <= high else 0.0
    unit, largest = 1.0, max(high, -low)
    if largest > 1e15:  # sums of squares could overflow float32
        unit, x = largest, x / np.float64(largest)
    mean = float(x.mean(dtype=np.float64 if x.dtype.kind != "f" or x.size < SAMPLE else None))
    away = x - x.dtype.type(mean) if x.dtype.kind == "f" else x - mean
    std = float(np.vdot(away, away) / x.size) ** 0.5 if high > low else 0.0
    counts = _histogram(x[:: -(-x.size // SAMPLE)], low / unit, high / unit)
    return Stats(size, low, high, unit * mean, unit * std, float(zeros), nans, infs, counts)


def _real(x: Array) -> Array:
    """Take magnitudes of complex values, and convert float16, whose squares overflow, and bool to float32."""
    x = np.abs(x) if x.dtype.kind == "c" else x
    return x.astype(np.float32) if x.dtype.kind not in "fiu" or x.dtype == HALF else x


def _range(x: Array) -> tuple[float, float]:
    return (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)


def _histogram(x: Array, low: float, high: float) -> tuple[int, ...]:
    """Count the values in each of BINS equal bins from low to high; in one bin if the range is tiny or infinite."""
    x = x if x.dtype == np.float32 else x.astype(np.float64)
    scale = BINS / (high - low) if high > low else 0.0
    if not 0 < scale < 1e30:
        return (x.size,)
    counts = np.bincount(((x - low) * scale).astype(np.uint8), minlength=BINS + 1).tolist()  # np.histogram is slower
    return (*counts[: BINS - 1], counts[BINS - 1] + counts[BINS])  # the largest value belongs to the last bin


def makes_infinity(inputs: Iterable[Any], result: Array) -> bool:
    """Whether an infinity in the result of an elementwise operation is at a place where all its inputs are finite.

    >>> makes_infinity([np.array([1000.0, -np.inf])], np.array([np.inf, 0.0]))
    True
    >>> makes_infinity([np.array([1000.0, -np.inf]), 2], np.array([2000.0, -np.inf]))
    False
    """
    made = np.isinf(backend.to_numpy(result))
    if made.any():
        for x in inputs:
            if x is not None:
                made = made & np.isfinite(backend.to_numpy(x) if backend.is_array(x) else x)
    return bool(made.any())


def value_flag(array: Array) -> str:
    """Return "NaN" or "inf" if an array contains one, "zeros" if all its values are 0, and "" otherwise.

    >>> value_flag(np.array([1.0, np.nan])), value_flag(np.zeros(2)), value_flag(np.ones(2))
    ('NaN', 'zeros', '')
    """
    x = backend.to_numpy(array)
    with np.errstate(all="ignore"):
        total = np.abs(x).sum()  # one pass over the array
    if np.isfinite(total):
        return "" if total or not x.size else "zeros"
    return "NaN" if np.isnan(x).any() else "inf" if np.isinf(x).any() else ""
