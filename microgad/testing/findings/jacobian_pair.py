"""JacobianPair: the numerical and the analytical Jacobian of a finding, prepared for the recognizers of mistakes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ... import backend
from ...engine import stretches
from ...type_aliases import Array
from .finding import Finding

Matrix = Any  # (x.size, y.size): row i is the derivative of the whole output by element i of the input


class JacobianPair:
    """A finding, with the properties that several recognizers need.

    `n` is the numerical Jacobian and `a` the analytical one. A grid is a Jacobian reshaped to the axes of the input
    followed by those of the output; `x_axes` and `y_axes` are their positions in it.
    """

    def __init__(self, finding: Finding, elsewhere: JacobianPair | None = None, only: bool = True) -> None:
        self.elsewhere = elsewhere  # the same at perturbed inputs
        self.only = only  # whether there is no finding at perturbed inputs
        self.only_here = finding.only_here
        self.order = finding.order
        self.operations = " ".join((finding.op, *finding.operations)).lower()
        self.n, self.a = (np.asarray(j, np.float64) for j in (finding.numerical, finding.analytical))
        self.error = np.nan_to_num(np.asarray(finding.error, np.float64), nan=0.0, posinf=np.inf)
        self.wrong = finding.excess() > 0
        self.n_nonzero = (np.abs(self.n) > self.error) & np.isfinite(self.n)
        self.a_nonzero = np.abs(self.a) > self.error
        self.x_shape, self.y_shape = tuple(finding.input_shape), tuple(finding.output_shape)
        self.shape = self.x_shape + self.y_shape
        self.x_axes = list(range(len(self.x_shape)))
        self.y_axes = list(range(len(self.x_shape), len(self.shape)))
        self.name = finding.names[finding.input]
        self.at = argument_positions(finding.names)[finding.input]
        names = dict(zip(argument_positions(finding.names), finding.names, strict=True))
        self.arguments = [(names.get(i, f"argument {i}"), value) for i, value in enumerate(finding.arguments)]

    @cached_property
    def x(self) -> Array:
        """The input's value, flattened; None if it isn't among the arguments."""
        found = [value for i, _, value in self.values() if i == self.at and value.shape == self.x_shape]
        return found[0].reshape(-1) if found else None

    def values(self) -> Iterator[tuple[int, str, Any]]:
        """Yield (position, name, value) of each argument that is a number or an array of numbers."""
        for i, (name, value) in enumerate(self.arguments):
            number = isinstance(value, (int, float, np.number))
            array = np.asarray(value) if number else backend.to_numpy(value) if backend.is_array(value) else None
            if array is not None and array.dtype.kind in "fiu":
                yield i, name, array.astype(np.float64)

    def explains(self, prediction: Matrix, error: Matrix) -> bool:
        """Whether the analytical Jacobian equals a prediction, wherever both are known."""
        known = np.isfinite(prediction) & np.isfinite(self.a) & np.isfinite(error)
        close = np.abs(self.a - prediction) <= error
        return bool(known[self.wrong].mean() > 0.5 and np.all(close | ~known))

    def moved_by(self, move: Callable[..., Any], *how: Any) -> bool:
        """Whether `move(grid, *how)` turns the numerical Jacobian into the analytical one."""
        n, error = (move(j.reshape(self.shape), *how).reshape(j.shape) for j in (self.n, self.error))
        return self.explains(n, error)

    @cached_property
    def factor(self) -> float | None:
        """The k with analytical = k · numerical; None if there is none, or another one at perturbed inputs."""
        k = self.factor_where(np.ones_like(self.n_nonzero))
        if k is not None and self.elsewhere is not None:
            other = self.elsewhere.factor
            if other is None or not math.isclose(k, other, rel_tol=1e-4):
                return None
        return k

    def factor_where(self, where: Matrix) -> float | None:
        """Return the k with analytical = k · numerical in some of the entries; None if there is none."""
        known = where & np.isfinite(self.n) & np.isfinite(self.a)
        clear = np.where(known & self.n_nonzero, np.abs(self.n) / np.maximum(self.error, 1e-16 * np.abs(self.n)), 0.0)
        if not clear.any():
            return None
        best = np.unravel_index(clear.argmax(), clear.shape)
        k = float(self.a[best] / self.n[best])
        for candidate in (near_fraction(k), k) if math.isfinite(k) else ():
            close = np.abs(self.a - candidate * self.n) <= (1 + abs(candidate)) * self.error
            if np.all(close | ~known):
                return candidate
        return None

    @cached_property
    def elementwise(self) -> bool:
        """Whether both Jacobians are diagonal: element i of the output depends only on element i of the input."""
        return self.x_shape == self.y_shape and not off_diagonal(self.n_nonzero | self.a_nonzero).any()

    @cached_property
    def reduced(self) -> int:
        """How many elements of the input each element of the output depends on.

        1 if the output isn't smaller than the input, or if its elements differ in this number.
        """
        counts = np.unique(self.n_nonzero.sum(0))
        return int(counts[0]) if counts.size == 1 and self.n_nonzero.shape[1] < self.n_nonzero.shape[0] else 1

    @cached_property
    def same_values(self) -> bool:
        """Whether the two Jacobians may have the same entries, in other places."""
        error = self.error.max()
        return not np.isfinite(error) or bool(np.all(np.abs(np.sort(self.a, None) - np.sort(self.n, None)) <= error))

    @cached_property
    def no_effect(self) -> Any:
        """(x.size,): mask of the input elements that don't influence the output."""
        return ~self.n_nonzero.any(1)

    @cached_property
    def summed(self) -> list[int]:
        """The axes of the output along which each input element influences several positions or none."""
        axes = []
        for axis in self.y_axes:
            grid = self.n_nonzero.reshape(-1, *self.y_shape)
            others = tuple(k for k in range(1, grid.ndim) if k != axis - len(self.x_shape) + 1)
            reached = grid.any(others).sum(1)
            if reached.any() and not (reached == 1).any():
                axes.append(axis)
        return axes

    def present(self, where: Matrix, axis: int) -> Any:
        """Return a mask of the indices along an axis of the grid at which `where` has an entry."""
        return where.reshape(self.shape).any(tuple(k for k in range(len(self.shape)) if k != axis))

    def axes(self, axes: Sequence[int]) -> str:
        """Return text such as "axes 0 and 1 of x, axis 0 of the output"."""
        start, parts = len(self.x_shape), []
        for whose, numbers in (
            (self.name, [k for k in axes if k < start]),
            ("the output", [k - start for k in axes if k >= start]),
        ):
            if numbers:
                parts.append(f"{'axis' if len(numbers) == 1 else 'axes'} {' and '.join(map(str, numbers))} of {whose}")
        return ", ".join(parts)

    def shared(self, axes: Sequence[int]) -> str:
        """Return text such as "axis 0 of the output, where b is broadcast"."""
        how = "broadcast" if stretches(self.x_shape, self.y_shape) else "used again"
        return f"{self.axes(axes)}, where {self.name} is {how}"


def reduced(grid: Any, reduce: Callable[..., Any], axis: int) -> Any:
    """Return a sum or a mean over an axis, broadcast along it again."""
    return np.broadcast_to(reduce(grid, axis, keepdims=True), grid.shape)


def argument_positions(names: tuple[str, ...]) -> list[int]:
    """Return the position of each input among the arguments, from its name.

    "input 2" and "input 2, weight" are argument 2, and other names are in order. An incoming gradient gets -1.
    """
    found = []
    for k, name in enumerate(names):
        number = re.match(r"input (\d+)\b", name)
        found.append(int(number[1]) if number else -1 if name.startswith("grad_outputs[") else k)
    return found


def off_diagonal(where: Matrix) -> Matrix:
    """Return a boolean matrix with its diagonal set to False."""
    return where & (np.arange(where.shape[0])[:, None] != np.arange(where.shape[1]))


def expanded(value: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast a value to a shape and flatten it, (n,)."""
    return np.broadcast_to(value, shape).reshape(-1)


def nearest_fraction(k: float) -> Fraction:
    """Return the fraction with a denominator up to 16 that is nearest to a finite number."""
    return Fraction(k).limit_denominator(16)


def near_fraction(k: float) -> float:
    """Return the nearest small fraction if it is within 1e-5, relative, of a finite number, else the number."""
    near = float(nearest_fraction(k))
    return near if math.isclose(k, near, rel_tol=1e-5) else k


def fraction_text(k: float) -> str:
    """Return "1/3" or "0.123457"."""
    return str(nearest_fraction(k)) if float(nearest_fraction(k)) == k else f"{k:.6g}"
