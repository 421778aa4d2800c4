"""Exact results of special functions, computed by mpmath and stored in digits.npz, so that tests need no mpmath.

`python -m tests.digits` computes them again, in about two minutes; with --thorough the tests compare them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("digits.npz")
ARGUMENTS = 3  # the most that a function has


class Digits:
    """A function's arguments and exact results, each as the nearest number and the rest in units in its last place."""

    def __init__(self, at: Any, nearest: Any, rest: Any) -> None:
        self.at, self.nearest, self.rest = at, nearest, rest

    def unit(self, scale: Any = 0) -> Any:
        """Units in the last place of the exact results, or of `scale` where that is larger."""
        return np.maximum(np.spacing(np.abs(self.nearest)), 2**-53 * np.asarray(scale))

    def ulps(self, values: Any, scale: Any = 0) -> Any:
        """The errors of values in such units."""
        unit = self.unit(scale)
        return abs((np.asarray(values) - self.nearest) / unit - self.rest * (self.unit() / unit))


@cache
def _stored() -> dict[str, Digits]:
    with np.load(FILE) as file:
        names, sizes, at, nearest, rest = (file[name] for name in ("names", "sizes", "at", "nearest", "rest"))
    ends = np.cumsum(sizes)
    parts = {name: slice(end - size, end) for name, size, end in zip(names.tolist(), sizes, ends, strict=True)}
    return {
        name: Digits([row[part] for row in at if not np.isnan(row[part]).any()], nearest[part], rest[part])
        for name, part in parts.items()
    }


def digits(name: str) -> Digits:
    return _stored()[name]
