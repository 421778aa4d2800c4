"""How long the inner loops of NumPy's ufuncs are, and whether these first copy to a buffer."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, copy_context
from typing import Any

import numpy as np

from .arrays import Array

SHORT_RUN = 1 << 8  # elements: NumPy spends most of the time of a shorter inner loop on starting it
UFUNC_BUFFER = 1 << 13  # elements of the buffer that NumPy's ufuncs use by default
LARGE = 1 << 16  # elements that repay a change of NumPy's buffer
UNCHANGED = nullcontext()


def _settings() -> ContextVar[Any] | None:
    """Return the variable in which NumPy keeps the buffer's length, and what to do about floating-point errors."""
    context = copy_context()
    before = dict(context)
    context.run(np.setbufsize, SHORT_RUN)
    return next((variable for variable, value in context.items() if before.get(variable) is not value), None)


_SETTINGS: Any = _settings()


class _ShortBuffer:
    """A context in which NumPy's ufunc buffer is shorter than a run.

    Two calls of np.setbufsize would take 2 µs, as much as they save for 50,000 elements.
    """

    __slots__ = ("before",)
    known: tuple[Any, Any] = None, None  # settings, and the same with the shorter buffer

    def __enter__(self) -> None:
        self.before = _SETTINGS.get()
        known, short = _ShortBuffer.known
        if self.before is known:
            _SETTINGS.set(short)
        else:
            np.setbufsize(SHORT_RUN)
            _ShortBuffer.known = self.before, _SETTINGS.get()

    def __exit__(self, *_: object) -> None:
        _SETTINGS.set(self.before)


_shortened: type[AbstractContextManager[None]] = nullcontext if _SETTINGS is None else _ShortBuffer


def unbuffered_runs(length: int) -> AbstractContextManager[None]:
    """Return a context in which NumPy's ufuncs don't copy operands with many runs of a given length to their buffer."""
    return _shortened() if 1.5 * SHORT_RUN <= length < UFUNC_BUFFER else UNCHANGED


def unbuffered_into(out: Array, *operands: Any) -> AbstractContextManager[None]:
    """Return the context of `unbuffered_runs` for elementwise arithmetic that is written into `out`."""
    if out.size < LARGE or type(out) is not np.ndarray or out.flags.c_contiguous:
        return UNCHANGED
    length = run_length(out.shape, out, *[x for x in operands if type(x) is np.ndarray])
    return _shortened() if SHORT_RUN < length < UFUNC_BUFFER else UNCHANGED


def run_length(shape: tuple[int, ...], *operands: Array) -> int:
    """The number of elements of the innermost axes of a shape in which each operand is contiguous or constant."""
    return _run_length(shape, *[(x.shape, x.strides, x.itemsize) for x in operands])


@functools.lru_cache(maxsize=1024)
def _run_length(shape: tuple[int, ...], *parts: tuple[tuple[int, ...], tuple[int, ...], int]) -> int:
    """`run_length` of operands of which shape, strides and itemsize are given."""
    run, first = 1, None
    for axis in range(-1, -len(shape) - 1, -1):
        if shape[axis] == 1:
            continue
        steps = [steps[axis] if len(sizes) >= -axis and sizes[axis] > 1 else 0 for sizes, steps, _ in parts]
        first = first or [part[2] if step else 0 for part, step in zip(parts, steps, strict=True)]
        if steps != [run * one for one in first]:
            break
        run *= shape[axis]
    return run
