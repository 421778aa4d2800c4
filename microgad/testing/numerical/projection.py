"""Projection: a derivative along one direction, seen through one combination of the results, found in two ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .estimates import Estimate

SAFETY = 10  # times an estimate's error: it is an estimate itself
ROUNDING = 1e-9  # of a written derivative, relative to what it adds up


class Projection(NamedTuple):
    """u · J v, found in two ways, and how far apart the two may be."""

    numerical: float
    analytical: float
    tolerance: float
    finite: bool

    @property
    def agrees(self) -> bool:
        """Whether the two are the same. Where results overflow, 0 · inf makes NaN of what was not asked for."""
        close = abs(self.analytical - self.numerical) <= self.tolerance
        return close or not (self.finite or np.isfinite(self.analytical))


def project(u: Any, found: Estimate, directions: Sequence[Any], grads: Sequence[Any], finite: bool) -> Projection:
    """u · (J v) by an estimate along v and (Jᵀ u) · v by gradients, of one input or of several together."""
    used = u != 0
    value, error = u[used] * found.value[used], np.abs(u[used]) * found.error[used]
    tolerance = SAFETY * float(error.sum()) + ROUNDING * float(np.abs(value).sum())
    analytical = 0.0
    for v, g in zip(directions, grads, strict=True):
        if g is not None and v is not None:
            products = np.where(v == 0, 0, g * v)
            analytical += float(products.sum())
            tolerance += ROUNDING * float(np.abs(products).sum())
    return Projection(float(value.sum()), analytical, tolerance, finite)
