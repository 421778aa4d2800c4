"""Projection: the number u · J v, computed numerically and analytically, for a cheap check of a whole Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...type_aliases import Array
from .estimates import Estimate

SAFETY = 10  # factor on the error of an estimate, which is itself an estimate
ROUNDING = 1e-9  # error of an analytical derivative, relative to the terms that it sums


class Projection(NamedTuple):
    """u · J v, computed in two ways, and the tolerance of their difference."""

    numerical: float
    analytical: float
    tolerance: float
    finite: bool

    @property
    def agrees(self) -> bool:
        """Whether the two agree. Where results overflow, an analytical NaN, as of 0 · inf, is accepted."""
        close = abs(self.analytical - self.numerical) <= self.tolerance
        return close or not (self.finite or np.isfinite(self.analytical))


def project(
    u: Array, found: Estimate, directions: Sequence[Array], grads: Sequence[Array | None], finite: bool
) -> Projection:
    """Compute u · (J v) from the estimate along v, and (Jᵀ u) · v from gradients, for one or several inputs."""
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
