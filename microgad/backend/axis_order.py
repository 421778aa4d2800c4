"""The order of an array's axes in memory, and the one that PyTorch gives the result of an elementwise operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arrays import Array


def inverse(order: Sequence[int]) -> list[int]:
    """The permutation that undoes `order`: np.transpose(np.transpose(x, order), inverse(order)) is x."""
    found = [0] * len(order)
    for i, axis in enumerate(order):
        found[axis] = i
    return found


def outermost_first(steps: Sequence[int]) -> list[int]:
    """The axes sorted from the widest of these strides to the narrowest; those of equal strides keep their order."""
    return sorted(range(len(steps)), key=lambda axis: -abs(steps[axis]))


def laid_out_as_operands(out: Array, operands: Sequence[Any]) -> Array:
    """The result of an elementwise operation in PyTorch's layout: copied if NumPy or CuPy chose another one."""
    first = operands[0]  # may be a number
    if getattr(first, "shape", None) == out.shape:
        alike = (first.strides, first.itemsize) == (out.strides, out.itemsize)
        if alike or (first.flags.c_contiguous and out.flags.c_contiguous):
            return out
        images = out.ndim == 4 and all(getattr(x, "shape", None) == out.shape for x in operands)
        if images and all(x.transpose(0, 2, 3, 1).flags.c_contiguous for x in operands):
            return lying(out, (0, 2, 3, 1))  # channels_last, also where axes of length 1 leave the order open
        if 0 not in first.strides:
            wide_first = sorted(range(out.ndim), key=lambda axis: (first.strides[axis], out.shape[axis]), reverse=True)
            return lying(out, wide_first)
    arrays = [x for x in operands if getattr(x, "ndim", 0)]
    if 1 not in out.shape and all(x.flags.c_contiguous for x in (out, *arrays)):
        return out  # the strides, 0 where an operand is expanded, agree with the order of the axes
    return lying(out, order_by(out.shape, *[_spread(x, out.shape) for x in arrays]))


def _spread(x: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of x broadcast to a shape. Axes of one element that aren't expanded keep theirs, unlike NumPy's."""
    lead = len(shape) - x.ndim
    own = zip(x.strides, x.shape, shape[lead:], strict=True)
    return (0,) * lead + tuple(step if n == m else 0 for step, n, m in own)


def order_by(shape: tuple[int, ...], *steps: tuple[int, ...]) -> list[int]:
    """The axes from the outermost to the innermost that PyTorch's iterator chooses, given each operand's strides.

    Of two axes, the outer one has the wider stride, or of equal strides the larger size, in the first operand that
    tells and in which none is expanded (stride 0). NumPy keeps the axes' own order where operands disagree.
    """
    # An insertion sort from the innermost outwards, which looks past axes of which no operand tells where they belong.
    order = list(range(len(shape)))[::-1]
    for start in range(1, len(order)):
        at = start
        for j in reversed(range(start)):
            inner, outer = order[j], order[at]
            pairs = ((s[inner], s[outer]) for s in steps if s[inner] and s[outer])
            wider = next((a - b or 1 for a, b in pairs if a != b or shape[inner] > shape[outer]), 0)
            if wider < 0:
                break
            if wider > 0:  # the inner axis belongs outside
                order[at], order[j] = inner, outer
                at = j
    return order[::-1]


def lying(out: Array, order: Sequence[int]) -> Array:
    """`out` without gaps and with its axes in this order in memory, the outermost first: copied if it isn't so.

    Axes of length 1, for which NumPy makes up strides, have those of the order, too.
    """
    rows = out.transpose(order)
    if rows.flags.c_contiguous and 1 not in out.shape:
        return out
    return rows.reshape(-1).reshape(rows.shape).transpose(inverse(order))
