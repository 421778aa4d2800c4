"""Strategies of numbers to fill Tensors with: readable ones away from kinks, special values, and scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ... import dtypes
from ...errors import ArgumentError


def numbers(
    low: float = -3, high: float = 3, *, away_from: Sequence[float] = (), by: float = 0.1
) -> st.SearchStrategy[float]:
    """Draw multiples of 1/8 from `low` to `high`, none within `by` of the points `away_from` (a function's kinks).

    At least every tenth is zero, which code often treats specially, unless it is excluded.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.numbers(away_from=[0]), lambda x: x < 0)
    -0.125
    """
    return _numbers(low, high, tuple(away_from), by)


@cache  # hypothesis validates a strategy object only once
def _numbers(low: float, high: float, away_from: tuple[float, ...], by: float) -> st.SearchStrategy[float]:
    first, last = math.ceil(8 * low), math.floor(8 * high)
    if first > last:
        raise ArgumentError(f"numbers: there is no multiple of 1/8 from {low} to {high}")
    again = (last - first) // 8 if first <= 0 <= last and not any(abs(kink) < by for kink in away_from) else 0
    eighths = st.integers(first, last + again).map(lambda n: n / 8 if n <= last else 0.0)
    return eighths.filter(lambda x: all(abs(x - kink) >= by for kink in away_from)) if away_from else eighths


def special_numbers(
    dtype: Any = dtypes.float64,
    *,
    zeros: bool = True,
    ties: bool = True,
    subnormals: bool = True,
    tiny: bool = True,
    huge: bool = True,
    inf: bool = True,
    nan: bool = True,
) -> st.SearchStrategy[float]:
    """Draw numbers on which floating-point code often fails, exact in `dtype`; use as `numbers() | special_numbers()`.

    `zeros`: 0 and -0. `ties`: ±1 and ±1/2, so few that elements are often equal, or equal in magnitude. `huge`: the
    largest number, and a power of 2 whose square overflows. `tiny`: the smallest normal number, and a power of 2 whose
    square is 0. `subnormals`: the smallest and the largest. All have both signs, `inf` too. They shrink towards the
    classes named first, NaN is the last.

    Raises ValueError if all classes are switched off, or if the dtype isn't floating-point.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.special_numbers(torch.float32), lambda x: x > 1)
    1.8446744073709552e+19
    """
    kind = dtypes.of(dtype)
    if not kind.is_floating_point:
        raise ArgumentError(f"special_numbers: dtype must be a floating-point one, got {kind!r}")
    info = np.finfo(kind.dtype)
    least, smallest, largest = (float(x) for x in (info.smallest_subnormal, info.smallest_normal, info.max))
    vanishing = 2.0 ** (math.frexp(least)[1] // 2 - 1)  # its square is at most half of the smallest subnormal
    classes = [
        (zeros, (0.0, -0.0)),
        (ties, (1.0, -1.0, 0.5, -0.5)),
        (huge, (2.0 ** (info.maxexp // 2), -(2.0 ** (info.maxexp // 2)), largest, -largest)),
        (tiny, (vanishing, -vanishing, smallest, -smallest)),
        (subnormals, (least, -least, smallest - least, least - smallest)),
        (inf, (math.inf, -math.inf)),
        (nan, (math.nan, math.nan)),  # a single value would be no choice, which hypothesis takes for the simplest
    ]
    chosen = [st.sampled_from(values) for wanted, values in classes if wanted]
    if not chosen:
        raise ArgumentError("special_numbers: every class of numbers is switched off")
    return st.one_of(chosen)


def scales(low: float = 1e-30, high: float = 1e30) -> st.SearchStrategy[float]:
    """Draw powers of 10 from `low` to `high`, for the `scale` of `tensors`. They shrink to 1.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.scales(), lambda scale: scale < 1)
    0.1
    """
    return st.integers(math.ceil(math.log10(low)), math.floor(math.log10(high))).map(lambda n: float(f"1e{n}"))
