"""Laws of what a module's first output may depend on: rows of a batch, positions of a sequence, their order.

Each is checked by gradients, which must be zero where there is no dependence, and by values, which must not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ... import backend
from ...errors import ArgumentError
from ...tensor import Tensor
from ..calls import max_abs
from .assertions import assert_agree
from .case import vjp
from .module_case import ModuleCase

MOST_POSITIONS = 16  # of an example: each takes a forward and a backward pass


def samples(case: ModuleCase) -> None:
    """A row of a batch has the same result as alone, and doesn't depend on other rows."""
    if not case.independent or case.batch_statistics:
        return
    batch = [x for x in case.given if isinstance(x, Tensor)]
    n = _length(case, batch, 0)
    for row in _positions(case, n):
        _no_leak(case, batch, 0, np.arange(n) == row, f"row {row}", "other rows")
        if not case.draws:
            alone = case.outputs(_changed(case, batch, lambda a, row=row: a[row : row + 1]))
            _same_output(case, alone[0].array, case.outs[0].array[row : row + 1], f"row {row} alone")


def causal(case: ModuleCase) -> None:
    """A position along the axis doesn't depend on later ones."""
    if case.causal is None:
        return
    n = _length(case, case.given[:1], case.causal)
    for last in _positions(case, n - 1):  # the last one has no later ones
        _no_leak(case, case.given[:1], case.causal, np.arange(n) <= last, f"positions up to {last}", "later ones")


def permutation_equivariant(case: ModuleCase) -> None:
    """Permuting the input along the axis permutes results and gradients in the same way.

    Every permutation is made of the two that are tried: each moved by one, and the first two swapped.
    """
    axis = case.permutation_equivariant
    if axis is None or case.draws:
        return
    n = _length(case, case.given[:1], axis)
    if n > 1:
        _same_permuted(case, np.roll(np.arange(n), 1), axis)
    if n > 2:
        _same_permuted(case, np.r_[1, 0, 2:n], axis)


def _same_permuted(case: ModuleCase, order: Any, axis: int) -> None:
    """Check that the input in this order along the axis gives results and gradients in this order."""
    back = np.argsort(order)
    inputs = _changed(case, case.given[:1], lambda a: np.take(a, order, axis))
    found = case.evaluate(inputs, [np.take(case.grad_outputs[0], order, axis), *case.grad_outputs[1:]])
    _same_output(case, np.take(found.outs[0], back, axis), case.outs[0].array, "in another order")
    for i, (g, h) in enumerate(zip(case.gradients, found.gradients, strict=True)):
        moved = h is not None and case.wanted[i] is case.given[0]
        case.same_gradient(i, np.take(h, back, axis) if moved else h, g, "in another order the gradient of")


def _positions(case: ModuleCase, n: int) -> Any:
    """Return the positions to check: all of a few, and of many some that are drawn, unless the check is thorough."""
    return range(n) if case.thorough or n <= MOST_POSITIONS else np.sort(case.rng.permutation(n)[:MOST_POSITIONS])


def _no_leak(case: ModuleCase, inputs: Sequence[Tensor], axis: int, watched: Any, which: str, others: str) -> None:
    """Check that at the `watched` positions along an axis the output depends on the inputs at no other position."""
    first, *rest = case.grad_outputs
    seeds = [np.where(_along(watched, first, axis), first, 0), *map(np.zeros_like, rest)]
    for i, (x, g) in enumerate(zip(case.wanted, vjp(case.outs, case.wanted, seeds), strict=True)):
        if g is not None and any(x is y for y in inputs):
            leak = max_abs(np.where(_along(watched, g, axis), 0, g))
            if leak > case.gradient_tolerance(i):
                raise AssertionError(
                    f"the gradient of {which} for {case.input_name(i)} should be 0 at {others}, but is {leak:.3g}"
                )
    found = case.outputs(_changed(case, inputs, lambda a: np.where(_along(watched, a, axis), a, _otherwise(a, axis))))
    there, here = (np.where(_along(watched, y.array, axis), y.array, 0) for y in (found[0], case.outs[0]))
    _same_output(case, there, here, f"with {others} changed, at {which}")


def _length(case: ModuleCase, inputs: Sequence[Any], axis: int) -> int:
    """Return the length of the inputs and the first output along an axis. Raise ValueError if they differ."""
    found = {f"input {i}": tuple(x.shape) for i, x in enumerate(inputs)} | {"output 0": tuple(case.outs[0].shape)}
    lengths = {shape[axis] if -len(shape) <= axis < len(shape) else None for shape in found.values()}
    if len(lengths) != 1 or None in lengths:
        message = ", ".join(f"{name} {shape}" for name, shape in found.items())
        raise ArgumentError(f"inputs and output must have the same length along axis {axis}: {message}")
    (n,) = lengths
    assert n is not None
    return n


def _along(mask: Any, a: Any, axis: int) -> Any:
    """Reshape a mask of positions along an axis to broadcast with an array."""
    shape = [1] * a.ndim
    shape[axis] = -1
    return backend.like(mask, a).reshape(shape)


def _otherwise(a: Any, axis: int) -> Any:
    """Return other values of the same kind: moved along the axis and, if floating-point, times 1.5."""
    return np.roll(a, 1, axis) * 1.5 if a.dtype.kind == "f" else np.roll(a, 1, axis)


def _changed(case: ModuleCase, inputs: Sequence[Any], change: Any) -> list[Any]:
    """Return the case's inputs and parameters, with some of the inputs changed."""
    arrays = [x.array for x in inputs]
    return case.map_arrays(lambda a: change(a) if any(a is b for b in arrays) else a)


def _same_output(case: ModuleCase, found: Any, expected: Any, how: str) -> None:
    assert_agree(found, expected, partial(case.output_tolerance, 0), f"{how}, output 0")
