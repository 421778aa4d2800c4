"""Finite differences: the numerical derivatives with which gradcheck compares analytical ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import backend
from ...type_aliases import Array
from ..calls import Direction, Vector, moved
from .complex_step import complex_step


class FiniteDifferences:
    """Numerical derivatives of `values()`, a Vector computed from the arrays of `tensors`.

    A function that takes complex input is differentiated by the complex step, any other by central differences with the
    steps eps and eps/2, extrapolated to 0 (Richardson). For a smooth function the error is O(eps⁴).
    """

    def __init__(self, values: Callable[[], Vector], tensors: Sequence[Any], eps: float) -> None:
        self.values, self.tensors, self.eps = values, tensors, eps
        self.takes_complex = self._takes_complex()

    def along(self, directions: Sequence[Direction | None]) -> Vector:
        """Return the derivative along a direction for each Tensor; None leaves the Tensor fixed."""
        exact = complex_step(self.values, self.tensors, directions) if self.takes_complex else None
        return self._central(directions)[0] if exact is None else exact

    def jacobian(self, i: int) -> Array:
        """Return (x.size, m): row j is the derivative by element j of Tensor i, flattened."""
        rows = [self.along(self._only(i, j)) for j in range(self.tensors[i].array.size)]
        return np.stack(rows) if rows else np.zeros((0, self.values().size))

    def one_sided(self, i: int, j: int) -> tuple[Vector, Vector]:
        """Return the one-sided derivatives by element j of Tensor i, from below and above: they differ at a kink."""
        directions = self._only(i, j)
        h = self._step(directions)
        here = self.values()
        return (here - self._moved(directions, -h)) / h, (self._moved(directions, h) - here) / h

    def _only(self, i: int, j: int) -> list[Direction | None]:
        """Return the directions that move only element j of Tensor i."""
        direction = np.zeros_like(self.tensors[i].array, order="C")
        direction.reshape(-1)[j] = 1
        return [direction if k == i else None for k in range(len(self.tensors))]

    def _central(self, directions: Sequence[Direction | None], h: float | None = None) -> tuple[Vector, Vector]:
        """Return the derivative, and by how much halving the step changed it."""
        h = h or self._step(directions)
        coarse = (self._moved(directions, h) - self._moved(directions, -h)) / (2 * h)
        fine = (self._moved(directions, h / 2) - self._moved(directions, -h / 2)) / h
        return (4 * fine - coarse) / 3, np.abs(fine - coarse)

    def _step(self, directions: Sequence[Direction | None]) -> float:
        """Return eps, times the largest moved |x| if that is above 1: a smaller step would be lost in rounding."""
        moved = [t.array[d != 0] for t, d in zip(self.tensors, directions, strict=True) if d is not None]
        return self.eps * max([1.0, *(float(np.abs(x).max()) for x in moved if x.size)])

    def _takes_complex(self) -> bool:
        """Whether the complex step agrees with central differences along a random direction, so that it can be trusted.

        Every x is moved in proportion to its size, so that differences are accurate at any scale.
        """
        rng = np.random.default_rng(0)
        directions = []
        for t in self.tensors:
            share = backend.like(rng.uniform(0.5, 1, t.shape), t.array)
            directions.append(share * np.where(t.array == 0, 1.0, np.abs(t.array)))
        exact = complex_step(self.values, self.tensors, directions)
        if exact is None:
            return False
        central, error = self._central(directions, self.eps)
        if exact.shape != central.shape:  # complex results count as pairs
            return False
        agrees = np.abs(exact - central) <= 1e-3 * np.abs(exact) + 10 * error + 1e-8 * np.abs(self.values())
        return bool(np.all(np.isfinite(exact) & (agrees | ~np.isfinite(central))))

    def _moved(self, directions: Sequence[Direction | None], step: complex) -> Vector:
        return moved(self.values, self.tensors, directions, step)
