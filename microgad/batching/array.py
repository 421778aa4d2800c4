"""An array of slices that are computed together: it looks like one of them, and what is done to it is done to each.

Operations are written for arrays that take NumPy's functions. Given this one they compute for all slices at once, their
derivatives too, and know nothing of it. What only a number can answer, such as an `if`, it answers where all slices
agree. What NumPy's functions make of it is in functions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import backend
from ..duck_arrays import DuckArray, Fallback
from ..engine import leaves
from ..errors import GraphError


class Level:
    """One call of a mapped function: how many slices it has, and in how many other mappings it was called."""

    def __init__(self, count: int, depth: int) -> None:
        self.count, self.depth, self.over = count, depth, False
        self.came_in: list[BatchedArray] = []  # bases of what has come in, and of that what is on a graph there
        self.on_graphs: list[BatchedArray] = []
        self.written: list[tuple[Any, Any]] = []  # what isn't its slices' and they wrote to, and what was there

    def note(self, array: Any) -> None:
        """Something is about to be written."""
        if all(array is not known for known, _ in self.written):
            self.written.append((array, array.copy()))

    def undo(self) -> None:
        """Put what was there before back to where it was."""
        for array, before in reversed(self.written):
            array[...] = before

    def check(self) -> None:
        """Raise RuntimeError where the mapping is over, and no backward pass goes through it."""
        if self.over and leaves.current_pass() is None:
            raise GraphError(
                "vmap: your tensor may have escaped from inside a function being vmapped: it was kept beyond it, where "
                "there are no slices any more. Return what is to be used there"
            )


class Shape(tuple[int, ...]):
    """The shape of one slice, which also knows the mappings that the array belongs to: `levels`, the innermost first.

    A node keeps its result's shape, and so knows by it which gradients are a slice's own.
    """

    levels: tuple[Level, ...]

    def __new__(cls, x: BatchedArray) -> Shape:
        whole = x.whole.shape
        made = super().__new__(cls, whole[1:])
        made.levels = (x.level, *getattr(whole, "levels", ()))
        return made


class Flags:
    """How each slice lies in memory, and whether it may be written."""

    aligned = True  # what isn't goes to a file as a copy, and slices don't go there

    def __init__(self, x: BatchedArray) -> None:
        flags = x.whole[0, ...].flags
        self.c_contiguous, self.f_contiguous = flags.c_contiguous, flags.f_contiguous
        self.forc = self.c_contiguous or self.f_contiguous
        self.owndata, self._all = x.base is None, x.whole.flags

    writeable = property(
        lambda self: self._all.writeable, lambda self, allowed: setattr(self._all, "writeable", allowed)
    )


class BatchedArray(DuckArray):
    """Looks like one slice's array, (*shape); `whole`, (slices, *shape), has all: Batched, too, in nested mappings."""

    __slots__ = ("__weakref__", "base", "innermost", "level", "whole")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, whole: Any, level: Level, base: BatchedArray | None = None) -> None:
        if whole.dtype == np.float16:
            raise Fallback  # it is computed in float32, which is seen to where there are NumPy's arrays
        level.check()
        self.whole, self.level = whole, level
        self.innermost = getattr(whole, "innermost", whole)
        self.base = base  # whose memory it shows, as of NumPy's arrays

    def map_innermost(self, function: Callable[[Any], Any]) -> BatchedArray:
        """Apply a function to the NumPy or CuPy array behind all mappings, and wrap its result like this one."""
        found = self.whole.map_innermost(function) if isinstance(self.whole, BatchedArray) else function(self.whole)
        return self if found is self.whole else BatchedArray(found, self.level)

    def like(self, whole: Any) -> BatchedArray:
        """Wrap what NumPy made from `whole`: where it is a view, `base` says of what, as an array's does."""
        shown = whole.base is not None and backend.owner(whole) is backend.owner(self.whole)
        return BatchedArray(whole, self.level, (self if self.base is None else self.base) if shown else None)

    def record_write(self) -> None:
        """Tell the mappings into which its memory has come that it is about to be written."""
        for base in self.level.came_in:
            if base is self.base:
                self.level.note(base.whole)
                if isinstance(base.whole, BatchedArray):
                    base.whole.record_write()

    # How a slice looks

    shape = property(Shape)
    ndim = property(lambda self: self.whole.ndim - 1)
    dtype = property(lambda self: self.whole.dtype)
    itemsize = property(lambda self: self.whole.itemsize)
    strides = property(lambda self: self.whole.strides[1:])
    size = property(lambda self: self.whole.size // self.level.count)
    nbytes = property(lambda self: self.whole.nbytes // self.level.count)

    flags = property(lambda self: Flags(self))
    device = property(lambda self: self.innermost.device)

    def __len__(self) -> int:
        return len(self.whole[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    # What only numbers can answer

    def item(self, *index: int) -> Any:
        """The one value, if it is the same of all slices. Raises Fallback where it isn't."""
        values = self[index].whole if index else self.whole  # type: ignore[index]
        if isinstance(values, BatchedArray):
            values = np.asarray([value.item() for value in values])
        values = values.reshape(self.level.count, -1)
        same = (values == values[0]) | ((values != values) & (values[0] != values[0]))
        return values[0].item() if same.all() else self.refuse()

    __bool__ = lambda self: bool(self.item())  # noqa: E731
    __int__ = lambda self: int(self.item())  # noqa: E731
    __float__ = lambda self: float(self.item())  # noqa: E731
    __complex__ = lambda self: complex(self.item())  # noqa: E731

    def __index__(self) -> int:
        if self.dtype.kind not in "biu":
            raise TypeError("only integer arrays can be converted to an index")
        return int(self.item())

    def refuse(self, *_: Any, **__: Any) -> Any:
        """Raise Fallback; where there are no slices any more, RuntimeError."""
        self.level.check()
        raise Fallback

    __array__ = tolist = tobytes = __repr__ = __reduce_ex__ = refuse
    data = __array_interface__ = property(refuse)

    # The same memory, or the same values, in another form

    def get(self) -> BatchedArray:
        """The same in the computer's memory, as of CuPy's arrays."""
        return self.map_innermost(backend.to_numpy)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> BatchedArray:
        return self.map_innermost(lambda whole: whole.astype(dtype, *args, **kwargs))

    def copy(self, order: str = "C") -> BatchedArray:
        return self.like(self.whole.copy(order))

    def view(self, dtype: Any = None) -> BatchedArray:
        if dtype is not None and not self.ndim and np.dtype(dtype).itemsize != self.itemsize:
            raise Fallback
        return self.like(self.whole.view() if dtype is None else self.whole.view(dtype))

    def as_strided(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> BatchedArray:
        """A view of each slice's memory, from its first element on."""
        places = (self.level.count, *shape), (self.whole.strides[0], *strides)
        return self.like(backend.as_strided(self.whole, *places))


def batched_view(whole: Any, level: Level) -> BatchedArray:
    """Slices that are a view of an array which others hold: a write into them is a write into that."""
    return BatchedArray(whole, level, BatchedArray(whole, level))
