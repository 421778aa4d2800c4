"""Large arrays a block at a time: what a formula of many passes works on stays in a core's cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from .. import backend
from . import layouts

BLOCK_SIZE = 1 << 16  # elements a block, for a formula that writes into `out` and makes few arrays
FLOAT64_BLOCK_SIZE = 1 << 16  # elements a block, for one that makes many arrays of float64
BATCH_BYTES = 1 << 19  # bytes a block, for what is done to images
GPU_BATCH_BYTES = 1 << 28
UFUNC_BUFFER = 1 << 13  # elements: the size of NumPy's own buffer
SHORT_RUN = 1 << 8  # elements: in shorter runs NumPy spends most of the time on beginning them


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
    whole = n <= BLOCK_SIZE or type(out) is not np.ndarray
    if whole or not all(x.flags.c_contiguous and x.size in (1, n) for x in (out, *inputs)):
        formula(out, *inputs)
        return
    parts = [x.reshape(-1) for x in (out, *inputs)]
    for i in range(0, n, BLOCK_SIZE):
        formula(*[x[i : i + BLOCK_SIZE] if x.size > 1 else x for x in parts])


def in_blocks(formula: Callable[..., Any], *inputs: Any) -> Any:
    """formula(*inputs), broadcast, in the dtype of the inputs; Python scalars come as arrays of that dtype as well.

    The result lies in memory as the first input does that isn't expanded.
    """
    like = next((x for x in inputs if hasattr(x, "dtype")), np.empty(0))
    if len(inputs) > 1:
        arrays = [x if hasattr(x, "dtype") else np.full_like(like, x, shape=()) for x in inputs]
        inputs = tuple(np.broadcast_arrays(*arrays))
    out = layouts.empty_like(next((x for x in inputs if not layouts.expanded_axes(x)), inputs[0]))
    flat, *parts = [x.reshape(-1) for x in layouts.in_memory_order(out, *inputs)]
    size = max(out.size, 1) if backend.is_gpu(out) else FLOAT64_BLOCK_SIZE
    with np.errstate(all="ignore"):
        if 0 < out.size <= size:
            flat[...] = formula(*parts)
            return out
        for i in range(0, out.size, size):
            flat[i : i + size] = formula(*[x[i : i + size] for x in parts])
    return out


def in_double(formula: Callable[..., Any], *inputs: Any) -> Any:
    """formula(*inputs), broadcast, computed in float64 and given in the dtype of the inputs."""
    return in_blocks(lambda *parts: formula(*[x.astype(np.float64) for x in parts]), *inputs)


def batch_blocks(x: Any, rows: int, numbers: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the batch x and of `rows`, `numbers` numbers each."""
    room = (GPU_BATCH_BYTES if backend.is_gpu(x) else BATCH_BYTES) // x.itemsize
    take = max(1, room // max(1, numbers))
    take_images, take_rows = max(1, take // rows), min(rows, take)
    for i in range(0, len(x), take_images):
        for r in range(0, rows, take_rows):
            yield slice(i, min(i + take_images, len(x))), slice(r, min(r + take_rows, rows))


class _ShortBuffer:
    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = np.setbufsize(SHORT_RUN)

    def __exit__(self, *_: object) -> None:
        np.setbufsize(self.before)


_UNCHANGED = nullcontext()


def unbuffered(x: Any, axis: int) -> AbstractContextManager[None]:
    """A context for x beside what has length 1 along an axis, and changes with every run of so many elements.

    Outside of it NumPy goes through several runs at once where they fit into its buffer, and to that end first copies
    what is broadcast into the buffer. That takes longer than the arithmetic.
    """
    if type(x) is not np.ndarray or x.size < UFUNC_BUFFER:
        return _UNCHANGED
    return unbuffered_runs(math.prod(x.shape[axis:][1:] or x.shape[axis:]))


def unbuffered_runs(length: int) -> AbstractContextManager[None]:
    """The same for many runs of this length."""
    return _ShortBuffer() if SHORT_RUN <= length < UFUNC_BUFFER else _UNCHANGED
