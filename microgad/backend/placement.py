"""Where arrays lie: the memory behind them, and whether their elements share places."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from .. import backend
from ..backend.hollow import filled
from ..errors import ShapeError
from ..slices import Stand

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]


def memory_of(x: Any) -> Any:
    """All the memory that `x` lies in, as a row of elements of its dtype."""
    whole = backend.owner(x)
    flat = np.transpose(whole, axes_of(whole)).reshape(-1)
    if whole.size and backend.owner(flat) is not whole:
        raise ShapeError(f"the memory of an array of shape {whole.shape} and strides {whole.strides} has gaps")
    return flat.view(x.dtype)


def axes_of(x: Any) -> tuple[int, ...]:
    """The axes from the widest stride to the narrowest, those of equal strides in their order."""
    steps = strides(x)
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(steps[axis])))


def elsewhere(x: Any, memory: Any, row: Any) -> Any:
    """x as it lies in a copy of its memory, whose bytes are in a row."""
    row = row[address(x) - address(memory) :]
    row = row[: row.size // x.itemsize * x.itemsize].view(x.dtype)
    return backend.as_strided(row, x.shape, x.strides)


def address(x: Any) -> int:
    """Where in memory the first element is."""
    return int(x.data.ptr if backend.is_gpu(x) else filled(x).__array_interface__["data"][0])


def alone(x: Any) -> bool:
    """Whether x shows all of an array in another shape, and nothing else holds or shows that array."""
    if type(x) is not np.ndarray or type(x.base) is not np.ndarray or getrefcount(x.base) > 2:  # x's, and the call's
        return False
    return x.flags.forc and x.flags.writeable and x.nbytes == x.base.nbytes and x.base.base is None


def _sole() -> int:
    """The reference count, as the engine's `_fit` sees it, of a gradient that nobody holds but the engine's own list.

    How many references a loop and a call hold differs between Python's versions, so it is measured on a call like that
    one. A debugger or profiler holds what it looks at, and is switched off meanwhile; but not cProfile: it holds
    nothing, and couldn't be switched on again.
    """
    held, looking = getrefcount, (sys.gettrace(), sys.getprofile())
    sys.settrace(None)
    if callable(looking[1]):
        sys.setprofile(None)
    try:
        for _, x in enumerate([np.empty(0)]):
            count = (lambda x: held(x))(x)
    finally:
        sys.settrace(looking[0])
        if callable(looking[1]):
            sys.setprofile(looking[1])
    return count


SOLE = _sole()


def strides(x: Any) -> tuple[int, ...]:
    """How many elements lie between neighbours; of an empty array, for which NumPy has none, as PyTorch has them."""
    if x.size:
        return tuple(s // x.itemsize for s in x.strides)
    sizes = [max(n, 1) for n in x.shape]
    return tuple(math.prod(sizes[i + 1 :]) for i in range(len(sizes)))


def geometry(x: Any) -> Geometry:
    """The shape of an array, its strides, 0 where an axis has but one element, and where its memory it begins."""
    steps = tuple(0 if n == 1 else s // x.itemsize for n, s in zip(x.shape, x.strides, strict=True))
    return x.shape, steps, (address(x) - address(backend.owner(x))) // x.itemsize


def copied(x: Any) -> Any:
    """A copy; of an array that shows one value at many places, of the values alone."""
    if 0 not in x.strides or isinstance(x, Stand):
        return x.copy("K")
    once = x[tuple(slice(0, 1) if step == 0 else slice(None) for step in x.strides)].copy("K")
    steps = tuple(0 if step == 0 else own for step, own in zip(x.strides, once.strides, strict=True))
    return backend.as_strided(once, x.shape, steps)  # what can be written to, unlike `np.broadcast_to`


def copied_like(x: Any, values: Any) -> Any:
    """A copy of `values` whose axes lie in memory in the order of those of x; row by row where x has gaps."""
    reach = sum((n - 1) * abs(stride) for n, stride in zip(x.shape, x.strides, strict=True))
    if x.flags.c_contiguous or reach + x.itemsize != x.nbytes:
        return values.copy()
    out = np.empty_like(x, values.dtype, shape=values.shape)
    out[...] = values
    return out


def as_operands(out: Any, operands: Sequence[Any]) -> Any:
    """The result of an elementwise operation as PyTorch lays it out: copied, where NumPy laid it out in another way."""
    first = operands[0]
    if first.shape == out.shape:
        alike = (first.strides, first.itemsize) == (out.strides, out.itemsize)
        if alike or (first.flags.c_contiguous and out.flags.c_contiguous):
            return out
        if 0 not in first.strides:
            return lying(out, sorted(range(out.ndim), key=first.strides.__getitem__, reverse=True))
    return lying(out, order_by(*[np.broadcast_to(x, out.shape).strides for x in operands if getattr(x, "ndim", 0)]))


def order_by(*steps: tuple[int, ...]) -> list[int]:
    """The axes from the outermost to the innermost, by the strides of one operand or more, 0 where one is expanded.

    Of two axes that one lies outside that has the wider stride in the first operand that tells them apart, as in
    PyTorch's iterator. NumPy does the same, but where operands disagree, for which it takes the axes' own order.
    """
    order = list(range(len(steps[0])))[::-1]  # from the innermost out
    for start in range(1, len(order)):
        at = start
        for j in reversed(range(start)):
            inner, outer = order[j], order[at]
            told = next((s[inner] - s[outer] for s in steps if s[inner] and s[outer] not in (0, s[inner])), 0)
            if told < 0:
                break
            if told > 0:
                order[at], order[j] = inner, outer
                at = j
    return order[::-1]


def lying(out: Any, order: Sequence[int]) -> Any:
    """out with its axes in this order, the outermost first, and no gaps; copied where it lies otherwise."""
    rows = out.transpose(order)
    return out if rows.flags.c_contiguous else rows.copy().transpose([order.index(i) for i in range(out.ndim)])


def together(operands: Sequence[Any]) -> list[Any] | None:
    """Operands with those of no dimension brought from the CPU to the GPU of the others, as PyTorch takes them.

    None where there is nothing to bring, or something else.
    """
    arrays = [getattr(x, "array", x) for x in operands]
    where = next((backend.device_of(a) for a in arrays if backend.is_gpu(a)), None)
    if where is None or {a.ndim for a in arrays if isinstance(a, np.ndarray)} != {0}:
        return None
    return [
        x if not isinstance(a, np.ndarray) else backend.to_device(a, where) if a is x else x.to(where)
        for x, a in zip(operands, arrays, strict=True)
    ]


def overlaps(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether two elements of an array may lie at one place."""
    reach = 0  # of the narrower axes together
    for stride, n in sorted((abs(stride), n) for stride, n in zip(strides, shape, strict=True) if n > 1):
        if stride <= reach:
            return True
        reach += stride * (n - 1)
    return False


def within(place: Geometry, other: Geometry) -> bool:
    """Whether all elements of one geometry are elements of another one of the same memory."""
    mine, others = (
        offset + np.tensordot(np.array(steps, np.int64), np.indices(shape), 1)
        for shape, steps, offset in (place, other)
    )
    return bool(np.isin(mine, others).all())
