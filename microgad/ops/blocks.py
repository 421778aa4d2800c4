"""Large arrays a block at a time: what a formula of many passes works on stays in a core's cache."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from .. import backend
from ..limits import highest, lowest
from . import layouts

IN_PLACE = 1 << 16  # elements of a formula that writes where its result belongs: it reads and makes several arrays
IN_DOUBLE = 1 << 16  # elements of one that makes many arrays of float64
BATCH = 1 << 19  # bytes of images
BATCH_ON_GPU = 1 << 28
BUFFER = 1 << 13  # elements: NumPy's own
SHORT = 1 << 5  # elements of an axis that NumPy reduces as fast as it begins to
BEGUN = 1 << 9  # runs that NumPy begins in as much time as another way to reduce takes
RUN = 1 << 8  # and the least that makes up for the beginning of a run
ADDED = 1 << 10  # elements that a product with ones adds up at once: more would cost digits
LONG, PART = 1 << 17, 1 << 12  # elements of a row whose products aren't added up in one go, and those that are


def by_blocks(formula: Callable[..., Any], *inputs: Any) -> Any:
    """What formula(out, *inputs), elementwise, writes into out. It is given arrays of one dimension or more."""
    out = layouts.empty_like(inputs[0])
    if out.ndim:
        piecewise(formula, out, *inputs)
    else:
        formula(*[x.reshape(1) for x in (out, *inputs)])
    return out


def piecewise(formula: Callable[..., Any], out: Any, *inputs: Any) -> None:
    """formula(out, *inputs), elementwise, of large arrays piece by piece; inputs have out's shape, or are single."""
    n = out.size
    whole = n <= IN_PLACE or type(out) is not np.ndarray
    if whole or not all(x.flags.c_contiguous and x.size in (1, n) for x in (out, *inputs)):
        formula(out, *inputs)
        return
    parts = [x.reshape(-1) for x in (out, *inputs)]
    for i in range(0, n, IN_PLACE):
        formula(*[x[i : i + IN_PLACE] if x.size > 1 else x for x in parts])


def in_blocks(formula: Callable[..., Any], *inputs: Any) -> Any:
    """formula(*inputs), broadcast, in the dtype of the inputs; Python scalars come as arrays of that dtype as well.

    The result lies in memory as the first input does that isn't expanded.
    """
    like = next((x for x in inputs if hasattr(x, "dtype")), np.empty(0))
    if len(inputs) > 1:
        arrays = [x if hasattr(x, "dtype") else np.full_like(like, x, shape=()) for x in inputs]
        inputs = tuple(np.broadcast_arrays(*arrays))
    out = layouts.empty_like(next((x for x in inputs if not layouts.stretched(x)), inputs[0]))
    flat, *parts = [x.reshape(-1) for x in layouts.as_stored(out, *inputs)]
    size = max(out.size, 1) if backend.is_gpu(out) else IN_DOUBLE
    with np.errstate(all="ignore"):
        if 0 < out.size <= size:
            flat[...] = formula(*parts)
            return out
        for i in range(0, out.size, size):
            flat[i : i + size] = formula(*[x[i : i + size] for x in parts])
    return out


def in_double(formula: Callable[..., Any], *inputs: Any) -> Any:
    """formula(*inputs), broadcast, computed in float64 and given in the dtype of the inputs."""
    return in_blocks(lambda *blocks: formula(*[x.astype(np.float64) for x in blocks]), *inputs)


def blocks(x: Any, rows: int, numbers: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the batch x and of `rows`, `numbers` numbers each."""
    room = (BATCH_ON_GPU if backend.is_gpu(x) else BATCH) // x.itemsize
    take = max(1, room // max(1, numbers))
    take_images, take_rows = max(1, take // rows), min(rows, take)
    for i in range(0, len(x), take_images):
        for r in range(0, rows, take_rows):
            yield slice(i, min(i + take_images, len(x))), slice(r, min(r + take_rows, rows))


def sum_of_squares(x: Any) -> Any:
    """(n) -> ()"""
    return x @ x if x.size <= LONG else dot_of_rows(x, x)[0]


def reduced(method: str, ufunc: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """x.method(axis, keepdims=keepdims), which is the ufunc's reduction.

    NumPy takes as long to begin a run of elements as for some thirty of them: many short runs are put together.
    """
    if isinstance(axis, tuple) and len(axis) == 1:
        (axis,) = axis
    if x.size < 4 * BEGUN or type(axis) is not int or type(x) is not np.ndarray or not x.flags.c_contiguous:
        return getattr(x, method)(axis, keepdims=keepdims)
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis:][1:]
    out = _of_lines(method, ufunc, x.reshape(-1, n, math.prod(after)))
    return out.reshape((*before, *(1,) * keepdims, *after))


def _of_lines(method: str, ufunc: Any, lines: Any) -> Any:
    """(m, n, width) -> (m, width)"""
    m, n, width = lines.shape
    if n == 1 or width > 2 * SHORT or (m if width == 1 else m * n) < BEGUN:
        return getattr(lines, method)(1)
    if width > 1 and n > SHORT:  # rows are put together
        k = min(RUN // width, n // 4)
        rest = n % k
        found = getattr(lines[:, rest:].reshape(m, n // k, k * width), method)(1)
        found = _of_lines(method, ufunc, found.reshape(m, k, width))
        return ufunc(found, getattr(lines[:, :rest], method)(1)) if rest else found
    kind, extremum = lines.dtype.kind, ufunc in (np.maximum, np.minimum)
    if n > SHORT and extremum and kind != "b":  # a start that changes nothing, or NumPy copies the first ones
        return getattr(lines, method)(1, initial=(lowest if ufunc is np.maximum else highest)(lines.dtype))
    if n > SHORT and not (ufunc is np.multiply and kind in "fc"):
        return getattr(lines, method)(1)
    if width == 1 and extremum and lines.dtype.char == "f" and n > 8 and n % 4 == 0:
        fours = _of_lines(method, ufunc, lines.reshape(m, n // 4, 4))
        return _of_lines(method, ufunc, fours.reshape(m, 4, 1))
    out = np.empty((m, width), getattr(lines[0, :, 0], method)().dtype)
    whole = "D" if width * lines.itemsize == 16 else lines.dtype  # as what the elements that lie together are moved
    step = max(1, IN_PLACE // (n * width))
    for i in range(0, m, step):
        block = lines[i : i + step]
        if width > 1 or lines.itemsize == 1 or (extremum and kind == "f"):
            turned = block.view(whole).swapaxes(0, 1).copy().view(lines.dtype)
            ufunc.reduce(turned, 0, out=out[i : i + step])
        else:
            out[i : i + step, 0] = _by_pairs(ufunc, block[..., 0].astype(out.dtype, copy=False))
    return out


def _by_pairs(ufunc: Any, rows: Any) -> Any:
    """(m, n) -> (m): neighbours first, all of which are one run."""
    n = rows.shape[1]
    while n > 1:
        found = ufunc(rows[:, : n - 1 : 2], rows[:, 1::2])
        if n % 2:
            ufunc(found[:, 0], rows[:, -1], out=found[:, 0])
        rows, n = found, n // 2
    return rows[:, 0]


_ones = functools.lru_cache(maxsize=16)(np.ones)


def total(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum of an array; over axes that lie together in memory by products with ones, 3 × as fast as NumPy's sum."""
    if x.size < 20_000 or x.dtype.char not in "fd" or backend.is_gpu(x):
        return reduced("sum", np.add, x, axis, keepdims)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis % x.ndim,)
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        return total(x.T, tuple([x.ndim - 1 - a for a in axes]), keepdims).T
    lead = x.ndim
    while lead and lead - 1 in axes:
        lead -= 1
    if lead == x.ndim or not x.flags.c_contiguous:
        return reduced("sum", np.add, x, axis, keepdims)
    length = math.prod(x.shape[lead:])
    rows, size = x.reshape(-1, length), length if length <= 2 * ADDED else ADDED
    whole = length - length % size
    sums = rows[:, :whole].reshape(-1, size) @ _ones(size, x.dtype)
    if size < whole:
        sums = sums.reshape(len(rows), -1).sum(1)
    if whole < length:
        sums += rows[:, whole:].sum(1)
    sums = sums.reshape(x.shape[:lead])
    if others := tuple([a for a in axes if a < lead]):
        sums = sums.sum(others)
    return sums.reshape([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else sums


def dot_of_rows(a: Any, b: Any) -> Any:
    """(..., n) twice -> (..., 1): sums of products. BLAS has the fastest, but of long rows they lose digits."""
    n = a.shape[-1]
    if n <= LONG:
        return np.matmul(a[..., None, :], b[..., None])[..., 0]
    rest = n % PART
    parts = (x[..., rest:].reshape((*x.shape[:-1], n // PART, PART)) for x in (a, b))
    return dot_of_rows(*parts).sum(-2) + dot_of_rows(a[..., :rest], b[..., :rest])


class _Runs:
    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = np.setbufsize(RUN)

    def __exit__(self, *_: object) -> None:
        np.setbufsize(self.before)


_AS_IT_IS = nullcontext()


def in_runs(x: Any, axis: int) -> AbstractContextManager[None]:
    """A context for x beside what has length 1 along an axis, and changes with every run of so many elements.

    Outside of it NumPy goes through several runs at once where they fit into its buffer, and to that end first copies
    what is broadcast into the buffer. That takes longer than the arithmetic.
    """
    if type(x) is not np.ndarray or x.size < BUFFER:
        return _AS_IT_IS
    return runs_of(math.prod(x.shape[axis:][1:] or x.shape[axis:]))


def runs_of(length: int) -> AbstractContextManager[None]:
    """The same for many runs of this length."""
    return _Runs() if RUN <= length < BUFFER else _AS_IT_IS
