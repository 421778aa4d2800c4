"""Cache blocking: a formula of many passes is evaluated on a large array block by block, so that blocks stay cached."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from .. import backend
from ..fast_reductions.lines import BLOCK_SIZE, SHORT_RUN
from . import layouts

ROOM = {"cpu": 1 << 19, "cuda": 1 << 28, "meta": 1 << 62}  # bytes of a block of images
UFUNC_BUFFER = 1 << 13  # elements of the buffer that NumPy's ufuncs use by default


def by_blocks(formula: Callable[..., Any], *inputs: Any) -> Any:
    """Return a new `out` into which an elementwise formula(out, *inputs) writes; 0-d arrays are passed to it as 1-D."""
    out = layouts.empty_like(inputs[0])
    if out.ndim:
        write_by_blocks(formula, out, *inputs)
    else:
        formula(*[x.reshape(1) for x in (out, *inputs)])
    return out


def by_blocks_if_bare(formula: Callable[..., Any], *inputs: Any) -> Any:
    """Call `by_blocks` for NumPy's arrays; else, for Tensors and on a GPU, return formula(None, *inputs)."""
    bare = all(type(x) is np.ndarray for x in inputs)
    return by_blocks(formula, *inputs) if bare else formula(None, *inputs)


def write_by_blocks(formula: Callable[..., Any], out: Any, *inputs: Any) -> None:
    """Call an elementwise formula(out, *inputs) block by block, in the order of out's memory.

    Inputs have out's shape or a single element.
    """
    if out.size <= BLOCK_SIZE or type(out) is not np.ndarray:
        formula(out, *inputs)
        return
    arrays = layouts.in_memory_order(out, *inputs)
    if not all(x.flags.c_contiguous and x.size in (1, out.size) for x in arrays):
        formula(*arrays)
        return
    arrays = [x.reshape(-1) for x in arrays]
    for i in range(0, out.size, BLOCK_SIZE):
        formula(*[x[i : i + BLOCK_SIZE] if x.size > 1 else x for x in arrays])


def in_blocks(formula: Callable[..., Any], *inputs: Any) -> Any:
    """Return formula(*inputs), broadcast, in the inputs' dtype; the formula gets 1-D blocks, also for Python scalars.

    The result has the memory order of the first input that is not expanded.
    """
    if len(inputs) > 1:
        like = next((x for x in inputs if hasattr(x, "dtype")), np.empty(0))
        arrays = [x if hasattr(x, "dtype") else backend.make_like(np.full_like, like, x, shape=()) for x in inputs]
        inputs = tuple(np.broadcast_arrays(*arrays))
    out = layouts.empty_like(next((x for x in inputs if not layouts.expanded_axes(x)), inputs[0]))
    flat, *parts = [x.reshape(-1) for x in layouts.in_memory_order(out, *inputs)]
    n = out.size
    with np.errstate(all="ignore"):
        if n <= BLOCK_SIZE or backend.is_gpu(out):
            flat[...] = formula(*parts) if n else 0
        else:
            for i in range(0, n, BLOCK_SIZE):
                flat[i : i + BLOCK_SIZE] = formula(*[x[i : i + BLOCK_SIZE] for x in parts])
    return out


def in_double(formula: Callable[..., Any], *inputs: Any) -> Any:
    """Return formula(*inputs), broadcast, computed in float64 and converted to the dtype of the inputs."""
    return in_blocks(lambda *parts: formula(*[x.astype(np.float64) for x in parts]), *inputs)


def batch_blocks(x: Any, rows: int, numbers: int) -> Iterator[tuple[slice, slice]]:
    """Yield pairs of slices, of the batch x and of its `rows`, that fit into a block. A row has `numbers` numbers."""
    room = ROOM[backend.device_of(x).type] // x.itemsize
    take = max(1, room // max(1, numbers))
    take_images, take_rows = max(1, take // rows), min(rows, take)
    for i in range(0, len(x), take_images):
        for r in range(0, rows, take_rows):
            yield slice(i, min(i + take_images, len(x))), slice(r, min(r + take_rows, rows))


class _ShortBuffer:
    """A context in which NumPy's ufunc buffer is shorter than a run."""

    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = np.setbufsize(SHORT_RUN)

    def __exit__(self, *_: object) -> None:
        np.setbufsize(self.before)


_UNCHANGED = nullcontext()


def unbuffered(x: Any, axis: int) -> AbstractContextManager[None]:
    """Return a context for elementwise arithmetic of x with an array of length 1 along an axis.

    Outside of it, NumPy processes several runs of x at once if they fit into its buffer, and first copies the broadcast
    operand into that buffer, which takes longer than the arithmetic. The context makes the buffer smaller than a run;
    for a small array or short runs this takes longer than it saves.
    """
    if type(x) is not np.ndarray or x.size < BLOCK_SIZE:
        return _UNCHANGED
    return unbuffered_runs(math.prod(x.shape[axis:][1:] or x.shape[axis:]))


def unbuffered_runs(length: int) -> AbstractContextManager[None]:
    """Return the context of `unbuffered` for many runs of a given length."""
    return _ShortBuffer() if 1.5 * SHORT_RUN <= length < UFUNC_BUFFER else _UNCHANGED
