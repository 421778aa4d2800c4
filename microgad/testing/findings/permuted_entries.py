"""Recognizers of right numbers in the wrong places: transposed, flipped, rolled."""

from __future__ import annotations

import math
from itertools import chain, combinations, permutations, product
from typing import Any

import numpy as np

from .factors import subsets
from .jacobian_pair import JacobianPair


def transposed(pair: JacobianPair) -> str | None:
    """Recognize a missing or wrong transpose, and a sum over the wrong axis."""
    if not pair.same_values:
        return None
    for order in _orders(pair.shape):
        if pair.moved_by(np.transpose, order):
            moved = [axis for axis, came in enumerate(order) if came != axis]
            over = [axis for axis in moved if axis in pair.summed]
            summed = f": the wrong axis is summed, not {pair.shared(over)}" if over and moved[0] in pair.y_axes else ""
            return f"{pair.axes(moved)} are exchanged{summed}"
    for axes in permutations(pair.x_axes) if len(pair.x_axes) < 6 else ():
        if pair.moved_by(np.transpose, (*axes, *pair.y_axes)):
            return f"the gradient of {pair.name} is reshaped where its axes have to be transposed"
    return None


def _orders(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the permutations of axes that keep a shape, smallest moves first; if too many, only the swaps of two."""
    groups = [[axis for axis, n in enumerate(shape) if n == size] for size in sorted({*shape} - {1})]
    if math.prod(math.factorial(len(group)) for group in groups) <= 720:
        choices = product(*map(permutations, groups))
        moves = [dict(zip(chain(*groups), chain(*choice), strict=True)) for choice in choices]
    else:
        moves = [{i: j, j: i} for group in groups for i, j in combinations(group, 2)]
    orders = [tuple(move.get(axis, axis) for axis in range(len(shape))) for move in moves]
    return sorted(orders, key=lambda order: sum(axis != i for i, axis in enumerate(order)))


def flipped(pair: JacobianPair) -> str | None:
    """Recognize a missing flip, such as a kernel that isn't rotated."""
    for axes in subsets([axis for axis, n in enumerate(pair.shape) if n > 1][:8]) if pair.same_values else ():
        if pair.moved_by(np.flip, axes):
            kernel = {*axes} & {*pair.x_axes} and {*axes} & {*pair.y_axes}
            rotated = ", as by a kernel that isn't rotated" if kernel else ""
            return f"the analytical derivative is the numerical one, backwards along {pair.axes(axes)}{rotated}"
    return None


def rolled(pair: JacobianPair) -> str | None:
    """Recognize indices off by one or more, with wrap-around or zeros at the border."""
    for axis, size in enumerate(pair.shape):
        for by in sorted(range(1 - size, size), key=abs) if size > 2 else ():  # for size 2 it is a flip
            again = by and pair.same_values and pair.moved_by(np.roll, by, axis)
            if again or (0 < 2 * abs(by) < min(size, 5) and pair.moved_by(_shifted, by, axis)):
                return f"off by {abs(by)} along {pair.axes([axis])}"
    return None


def _shifted(grid: Any, by: int, axis: int) -> Any:
    """Roll like np.roll, but shift zeros in."""
    shifted = np.moveaxis(np.roll(grid, by, axis), axis, 0).copy()
    shifted[slice(by) if by > 0 else slice(by, None)] = 0
    return np.moveaxis(shifted, 0, axis)


def wrong_places(pair: JacobianPair) -> str | None:
    """Recognize other permutations: the first of a window in place of its maximum, tile in place of repeat."""
    if not np.all(np.abs(np.sort(pair.a, 0) - np.sort(pair.n, 0)) <= pair.error.max()) or np.isinf(pair.error).any():
        return None
    return f"for each element of the output the numbers are right, but they go to other elements of {pair.name}"


def transposed_inside(pair: JacobianPair) -> str | None:
    """Recognize a matrix that is transposed before a nonlinearity, up to factors of its rows or columns."""
    if not pair.x_shape or pair.x_shape != pair.y_shape or pair.x_shape[-1] < 2:
        return None
    size = pair.x_shape[-1]
    n, a, error = (j.reshape(-1, size, len(j) // size, size) for j in (pair.n, pair.a, pair.error))
    for row in range(len(n)):
        numbers, written = n[row, :, row].T, a[row, :, row]
        ratio = written / numbers
        if not np.isfinite(ratio).all() or not (np.abs(numbers) > error[row, :, row].T).all():
            return None
        if not np.allclose(np.diagonal(ratio), 1, 1e-6) or not np.allclose(ratio * ratio.T, 1, 1e-6):
            return None
    return "but for factors of its rows or columns, the analytical derivative is that of a transposed matrix"
