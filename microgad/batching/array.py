"""BatchedArray: it looks like the array of one slice, and operations on it are computed for all slices at once.

Operations are written in NumPy's functions, which dispatch on this class, so they and their derivatives work on it
unchanged. Where Python needs a plain number, as an `if` does, the value is given if it is the same in all slices.
dispatch.py implements NumPy's functions for it, and indexing.py its indexing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from .. import backend
from ..backend.copies import cloned
from ..duck_arrays import DuckArray, Fallback
from ..engine import backward_pass
from ..errors import GraphError
from ..lazy import LazyModule
from ..type_aliases import Array

if TYPE_CHECKING:
    from . import dispatch, indexing
else:
    # Both import this module.
    dispatch, indexing = LazyModule("microgad.batching.dispatch"), LazyModule("microgad.batching.indexing")

np: Any = numpy  # NumPy's stubs don't know BatchedArray


class Level:
    """One call of a mapped function: its number of slices, and its depth, the number of mappings around it."""

    def __init__(self, count: int, depth: int) -> None:
        self.count, self.depth, self.ended = count, depth, False
        self.entered: list[BatchedArray] = []  # bases of the arrays that came in from outside
        self.on_graphs: list[BatchedArray] = []  # those of them that came in on a graph
        self.written: list[tuple[Any, Any]] = []  # arrays from outside that were written to, and copies from before

    def __str__(self) -> str:
        return f"of {self.count} slices"

    def note(self, array: Array) -> None:
        """Keep a copy of an array from outside that is about to be written, so that `undo` can restore it."""
        if all(array is not known for known, _ in self.written):
            self.written.append((array, array.copy()))

    def undo(self) -> None:
        """Restore the arrays from outside that were written to."""
        for array, before in reversed(self.written):
            array[...] = before

    def check(self) -> None:
        """Raise RuntimeError if the mapping has ended, unless a backward pass goes through it."""
        if self.ended and backward_pass.current_pass() is None:
            raise GraphError(
                "vmap: your tensor may have escaped from inside a function being vmapped: it was kept beyond it, where "
                "there are no slices any more. Return what is to be used there"
            )


class Shape(tuple[int, ...]):
    """The shape of one slice, with the mappings that the array belongs to: `levels`, innermost first.

    A node keeps its result's shape, and so knows for which levels its gradient is batched.
    """

    levels: tuple[Level, ...]

    def __new__(cls, x: BatchedArray) -> Shape:
        whole = x.whole.shape
        made = super().__new__(cls, whole[1:])
        made.levels = (x.level, *getattr(whole, "levels", ()))
        return made

    def in_one_slice(self, grads: Sequence[Array | None], shapes: Sequence[Any]) -> list[Array | None]:
        """Return the gradients of a node's results, of which one has this shape, such that they can be summed.

        The inputs' gradients are summed over the slices of a mapping that has ended. That of a result which the slices
        share counts once, so it goes to the first slice, and the others get zeros.
        """
        found = list(grads)
        for level in self.levels:
            for i, (g, shape) in enumerate(zip(found, shapes, strict=True)):
                if level.ended and g is not None and level not in getattr(shape, "levels", ()):
                    array = getattr(g, "array", g)
                    first = np.zeros_like(getattr(array, "innermost", array), bool, shape=level.count)
                    first[0] = True
                    found[i] = np.where(BatchedArray(first, level), g, 0)
        return found


class Flags:
    """A slice's `ndarray.flags`: how it lies in memory, and whether it may be written."""

    aligned = True  # only writing to files asks, and slices aren't written to files

    def __init__(self, x: BatchedArray) -> None:
        flags = x.whole[0, ...].flags
        self.c_contiguous, self.f_contiguous = flags.c_contiguous, flags.f_contiguous
        self.forc = self.c_contiguous or self.f_contiguous
        self.owndata, self._all = x.base is None, x.whole.flags

    writeable = property(
        lambda self: self._all.writeable, lambda self, allowed: setattr(self._all, "writeable", allowed)
    )


def _method(function: Any) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


class BatchedArray(DuckArray, NDArrayOperatorsMixin):
    """Looks like one slice's array, (*shape); `whole`, (slices, *shape), holds all slices.

    In nested mappings `whole` is a BatchedArray itself, of the level outside.
    """

    __slots__ = ("__weakref__", "base", "innermost", "level", "whole")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, whole: Array, level: Level, base: BatchedArray | None = None) -> None:
        if whole.dtype == np.float16:
            raise Fallback  # float16 is computed in float32, by code that handles NumPy's arrays only
        level.check()
        self.whole, self.level = whole, level
        self.innermost = getattr(whole, "innermost", whole)
        self.base = base  # as for NumPy's arrays: the array whose memory this one views

    def map_innermost(self, function: Callable[[Any], Any]) -> BatchedArray:
        """Apply a function to the NumPy or CuPy array behind all levels, and wrap its result like this array."""
        found = self.whole.map_innermost(function) if isinstance(self.whole, BatchedArray) else function(self.whole)
        return self if found is self.whole else BatchedArray(found, self.level)

    def like(self, whole: Array) -> BatchedArray:
        """Wrap a result that NumPy computed from `self.whole`, and set `base` if it is a view of that."""
        is_view = whole.base is not None and backend.owner(whole) is backend.owner(self.whole)
        return BatchedArray(whole, self.level, (self if self.base is None else self.base) if is_view else None)

    def record_write(self) -> None:
        """Tell each mapping into which this memory came from outside that it is about to be written."""
        for base in self.level.entered:
            if base is self.base:
                self.level.note(base.whole)
                if isinstance(base.whole, BatchedArray):
                    base.whole.record_write()

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        return dispatch.array_ufunc(*args, **kwargs)

    def __array_function__(self, *args: Any) -> Any:
        return dispatch.array_function(*args)

    def __getitem__(self, index: Any) -> Array:
        return indexing.getitem(self, index)

    def __setitem__(self, index: Any, value: Array | complex) -> None:
        indexing.setitem(self, index, value)

    shape = property(Shape)
    ndim = property(lambda self: self.whole.ndim - 1)
    dtype = property(lambda self: self.whole.dtype)
    itemsize = property(lambda self: self.whole.itemsize)
    strides = property(lambda self: self.whole.strides[1:])
    size = property(lambda self: self.whole.size // self.level.count)
    nbytes = property(lambda self: self.whole.nbytes // self.level.count)

    flags = property(lambda self: Flags(self))
    device = property(lambda self: self.innermost.device)

    T = property(np.transpose)
    mT = property(lambda self: np.swapaxes(self, -1, -2))
    real = property(lambda self: self.like(self.whole.real), lambda self, x: self.real.fill(x))
    imag = property(lambda self: self.like(self.whole.imag), lambda self, x: self.imag.fill(x))

    all, any, nonzero = map(_method, (np.all, np.any, np.nonzero))
    max, min, argmax, argmin = map(_method, (np.max, np.min, np.argmax, np.argmin))
    sum, prod, cumsum, cumprod, trace = map(_method, (np.sum, np.prod, np.cumsum, np.cumprod, np.trace))
    mean, std, var, round, conj, dot = map(_method, (np.mean, np.std, np.var, np.round, np.conj, np.dot))
    argsort, argpartition, take, repeat = map(_method, (np.argsort, np.argpartition, np.take, np.repeat))
    diagonal, ravel, squeeze, swapaxes = map(_method, (np.diagonal, np.ravel, np.squeeze, np.swapaxes))

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:
        return np.clip(self, min, max, out=out)

    def fill(self, value: Any) -> None:
        self[...] = value

    def flatten(self, order: str = "C") -> Any:
        return np.reshape(self, -1, order=order).copy()

    def reshape(self, *shape: Any, order: str = "C") -> Array:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)

    def sort(self, axis: int = -1, **options: Any) -> None:
        self[...] = np.sort(self, axis, **options)

    def transpose(self, *axes: Any) -> Array:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def __len__(self) -> int:
        return len(self.whole[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def item(self, *index: int) -> Any:
        """Return the one value if it is the same in all slices. Raises Fallback if it isn't."""
        values = self[index].whole if index else self.whole
        if isinstance(values, BatchedArray):
            values = np.asarray([value.item() for value in values])
        values = values.reshape(self.level.count, -1)
        same = (values == values[0]) | ((values != values) & (values[0] != values[0]))
        return values[0].item() if same.all() else self.refuse()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.ndim or self.dtype.kind not in "biu":  # NumPy would take an array of one index for the index
            raise TypeError("only integer scalar arrays can be converted to an index")
        return int(self.item())

    def refuse(self, *_: Any, **__: Any) -> Any:
        """Raise Fallback, or RuntimeError if the mapping has ended."""
        self.level.check()
        raise Fallback

    __array__ = tolist = tobytes = __repr__ = __reduce_ex__ = refuse
    data = __array_interface__ = property(refuse)

    def get(self) -> BatchedArray:
        """Copy to the CPU, as CuPy's arrays do."""
        return self.map_innermost(backend.to_numpy)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> BatchedArray:
        def convert(whole: Array) -> Array:  # NumPy would put expanded axes innermost
            return (cloned(whole) if 0 in whole.strides else whole).astype(dtype, *args, **kwargs)

        return self.map_innermost(convert)

    def copy(self, order: str = "C") -> BatchedArray:
        return self.like(self.whole.copy(order))

    def view(self, dtype: Any = None) -> BatchedArray:
        if dtype is not None and not self.ndim and np.dtype(dtype).itemsize != self.itemsize:
            raise Fallback
        return self.like(self.whole.view() if dtype is None else self.whole.view(dtype))

    def as_strided(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> BatchedArray:
        """Return a view of each slice's memory, from its first element on."""
        geometry = (self.level.count, *shape), (self.whole.strides[0], *strides)
        return self.like(backend.as_strided(self.whole, *geometry))


def on_levels(whole: Array, levels: Sequence[Level]) -> Array:
    """Wrap a NumPy or CuPy array, of which the first axes are the batch axes of `levels`, innermost level first."""
    for level in levels[::-1]:
        whole = BatchedArray(whole, level)
    return whole


def batched_view(whole: Array, level: Level) -> BatchedArray:
    """Wrap an array that others hold as a view of it, so that writes into the slices are seen as writes into it."""
    return BatchedArray(whole, level, BatchedArray(whole, level))


def innermost_level(values: Any) -> Any:
    """Return the innermost level at which one of the values, also in tuples and lists, is batched; None for none."""
    found = None
    for x in values:
        level = x.level if type(x) is BatchedArray else innermost_level(x) if type(x) in (tuple, list) else None
        if level is not None:
            level.check()
        if level is not None and (found is None or level.depth > found.depth):
            found = level
    return found


def is_batched_at(x: Any, level: Level) -> bool:
    """Whether x is batched at this level, so that each slice has its own values."""
    return type(x) is BatchedArray and x.level is level


def ndim_of(x: Array | complex | None) -> int:
    """Return the number of dimensions of x; 0 for a Python number."""
    return getattr(x, "ndim", 0)


def align(x: Any, level: Level, ndim: int) -> Any:
    """Prepare x for broadcasting with the batch axis in front: pad its slices with axes of length 1 to `ndim`."""
    if not is_batched_at(x, level):
        return x
    missing = ndim - x.ndim
    return x.whole[(slice(None), *(None,) * missing)] if missing > 0 else x.whole
