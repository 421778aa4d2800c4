"""The device "meta": arrays that have a shape, a dtype and strides, but no values.

A model made on it takes no memory, and can get its values from a file later. Whatever is computed with such arrays is
computed with zeros in their place, and of the result only shape, dtype and strides are kept. So every operation, and
all of NumPy, works on them. Rules replace most of NumPy's work on large arrays: meta_rules.py.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Sequence
from operator import getitem
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..duck_arrays import WRITERS, DuckArray, Fallback
from ..errors import MicrogadError, NoMemoryError
from ..pytree import rebuilt
from .arrays import Array, owner
from .axis_order import inverse, outermost_first
from .devices import CPU, device

np: Any = numpy  # untyped, since NumPy's stubs don't accept duck arrays
META = device("meta")
PAGES = 65536  # bytes: larger arrays get untouched pages of their own, since malloc may return used ones
HUGE = 1 << 40  # bytes: arrays from here on share pages, as nothing is written, and there aren't enough addresses
MOST = 5 << 44  # bytes that huge arrays share: nearly all of the two thirds of the addresses that lie in one piece
NO_DATA = "Cannot copy out of meta tensor; no data!"
_NEEDING_VALUES = frozenset((np.nonzero, np.argwhere, np.flatnonzero, np.unique, np.extract))


class NoValuesError(MicrogadError, NotImplementedError):
    """Raised for what can't be computed without values."""


class NoValuesFallback(Fallback, NoValuesError):
    """Raised when an operation asks for a value. It is then computed again, with zeros."""

    @staticmethod
    def forward(node: Any, arrays: Sequence[Array | None]) -> Any:
        """Compute an operation on zeros, and drop the values of the result."""
        one = type(node)()
        vars(one).update(as_zeros(vars(node)))
        found = one.forward(*as_zeros(list(arrays)))
        vars(node).update({name: vars(one)[name] for name in type(node).intermediates})
        return without_values(found, arrays)

    def derivatives(
        self, node: Any, grad: Array, onward: Sequence[Any], derive: Callable[..., Any], create_graph: bool
    ) -> Any:
        """Compute a node's derivatives on zeros, but none under create_graph: see `engine.derive`, which is passed in.

        Large ones aren't computed, since their shapes are known.
        """
        from .meta_rules import LARGE

        if create_graph:
            raise self
        shapes = [edge.shape for edge in (node, *onward) if edge is not None]
        if max(0 if type(shape) is list else math.prod(shape) for shape in shapes) >= LARGE:
            return [None if edge is None else empty(edge.shape, edge.dtype) for edge in onward]
        before, settings = node.kept, dict(vars(node))
        node.kept = as_zeros(before.unpack() if hasattr(before, "unpack") else before)
        vars(node).update(as_zeros(settings))
        try:
            return without_values(derive(node, as_zeros(grad), onward, False), ())
        finally:
            node.kept = before
            vars(node).update(settings)


class MetaArray(DuckArray, NDArrayOperatorsMixin):
    """An array without values. `zeros` has its shape, dtype and strides; `base` is the array that it is a view of."""

    __slots__ = ("__weakref__", "base", "zeros")
    __hash__ = None  # type: ignore[assignment]
    device = META

    def __init__(self, like: Array, base: MetaArray | None = None) -> None:
        """An array laid out like `like`. For a view of `base`, `like` is its `zeros` itself."""
        self.zeros, self.base = like if base is not None else zeros(like.shape, like.dtype, like.strides), base

    def map_innermost(self, function: Callable[[Any], Any]) -> Array:
        """Apply a function to the zeros, and wrap its result."""
        return without_values(function(self.zeros), (self,))

    @staticmethod
    def gradient_for(gradient: Array, edge: Any) -> Array:
        """The gradient, unchanged."""
        return gradient

    def as_strided(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> MetaArray:
        """A view that starts at the first element, with strides in bytes."""
        return without_values(np.lib.stride_tricks.as_strided(self.zeros, shape, strides), (self,))

    def item(self, *_: Any, **__: Any) -> Any:
        """Raise NotImplementedError: there are no values."""
        raise NoValuesFallback("Tensor.item() cannot be called on meta tensors: they have no values")

    __bool__ = __int__ = __float__ = __complex__ = __index__ = item

    def tolist(self, *_: Any, **__: Any) -> Any:
        """Raise NotImplementedError: there are no values."""
        raise NoValuesFallback(NO_DATA)

    __array__ = tobytes = get = tolist

    real = property(lambda self: without_values(self.zeros.real, (self,)), lambda self, x: None)
    imag = property(lambda self: without_values(self.zeros.imag, (self,)), lambda self, x: None)

    def __len__(self) -> int:
        return len(self.zeros)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # such as __array_interface__, by which NumPy would read the zeros
            raise AttributeError(name)
        found = getattr(self.zeros, name)
        if not callable(found):
            return without_values(found, (self,))
        return lambda *args, **kwargs: computed(name, getattr(np.ndarray, name), (self, *args), kwargs)

    def __getitem__(self, index: Any) -> Array:
        if _masks(index):
            raise NoValuesError("a mask without values selects an unknown number of elements")
        return computed("getitem", getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Array | float) -> None:
        if not _masks(index):
            np.broadcast_to(as_zeros(value), self[index].shape)  # raises if it doesn't fit

    def fill(self, value: Any) -> None:
        """Do nothing: there are no values to write."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = (), **kwargs: Any) -> Any:
        if any(map(_is_tensor, inputs)):
            return NotImplemented
        if method == "at" or any(x is not None and not isinstance(x, MetaArray) for x in out):
            if isinstance(inputs[0] if method == "at" else None, MetaArray):
                return None
            raise NoValuesFallback(NO_DATA)
        if out:
            return out[0] if len(out) == 1 else out
        name = method if method != "__call__" else ufunc.__name__ if ufunc.signature else "ufunc"
        return computed(name, getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if any(map(_is_tensor, types)):
            return NotImplemented
        out = kwargs.pop("out", None)
        if func in WRITERS:
            out = args[0]
        if func in _NEEDING_VALUES:
            raise NoValuesFallback(f"{func.__name__}: the number of elements depends on values, and there are none")
        if out is not None and not isinstance(out, MetaArray):
            raise NoValuesFallback(NO_DATA)
        if func in WRITERS:
            return None
        found = computed(func.__name__, func, args, kwargs)
        return found if out is None else out


def _is_tensor(x: Any) -> bool:
    """Whether x is a Tensor, or their class, to which a function of it and of a bare array is left: it records."""
    return hasattr(x, "requires_grad")


def empty(shape: tuple[int, ...], dtype: Any) -> MetaArray:
    """An array without values, of any size."""
    return MetaArray(np.broadcast_to(np.empty((), dtype), shape))


def new_empty(shape: tuple[int, ...], dtype: Any, where: Any) -> Array:
    """A new NumPy array for a device: one without values if that is "meta"."""
    return empty(shape, dtype) if where not in (None, CPU) and device(where) == META else np.empty(shape, dtype)


def placed_on(x: Array, where: Any) -> Array:
    """The NumPy array `x` for a device: without its values if that is "meta", else unchanged."""
    return MetaArray(x) if where not in (None, CPU) and device(where) == META else x


def computed(name: str, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function or method of NumPy returns for arrays without values."""
    from .meta_rules import by_rule  # not at the top: most programs have no such arrays

    zeros, kwargs = as_zeros(args), as_zeros(kwargs)
    found = by_rule(name, call, zeros, kwargs)
    return without_values(call(*zeros, **kwargs) if found is None else found, args)


def _masks(index: Any) -> bool:
    """Whether there is a mask without values in an index."""
    items = index if isinstance(index, tuple) else (index,)
    return any(isinstance(x, MetaArray) and x.dtype == bool for x in items)


def known(condition: Array | bool) -> bool:
    """Whether a condition on values holds; not if there are none."""
    return not isinstance(condition, MetaArray) and bool(condition)


def as_zeros(x: Any) -> Any:
    """Replace arrays without values by zeros: `x` itself, or those inside of tuples, lists and dicts."""
    if isinstance(x, MetaArray):
        return x.zeros
    if isinstance(x, dict):
        return {name: as_zeros(value) for name, value in x.items()}
    return type(x)([as_zeros(value) for value in x]) if type(x) in (tuple, list) else x


def without_values(found: Any, given: Any) -> Any:
    """Wrap what was computed from zeros, without its values. Views of the arrays in `given` become views of those."""
    if isinstance(found, (tuple, list)):
        if type(found) in (tuple, list) and not any(isinstance(x, (np.ndarray, tuple, list)) for x in found):
            return found  # a tuple of numbers, such as a shape
        return rebuilt(found, [without_values(x, given) for x in found])
    if isinstance(found, np.generic):
        found = np.asarray(found)
    if not isinstance(found, np.ndarray):
        return found
    memory = owner(found)
    return MetaArray(found, next((x for x in _roots(given) if owner(x.zeros) is memory), None))


def _roots(given: Any) -> list[MetaArray]:
    if isinstance(given, MetaArray):
        return [given if given.base is None else given.base]
    return [root for x in given for root in _roots(x)] if isinstance(given, (tuple, list)) else []


def zeros(shape: Sequence[int], dtype: Any, strides: Sequence[int]) -> Array:
    """Zeros whose axes have the order of these strides. Many are in untouched pages, which take no memory."""
    axes, size = outermost_first(strides), math.prod(shape)
    if (nbytes := size * dtype.itemsize) < PAGES:
        memory = np.zeros(size, dtype)
    else:
        pages = _reserved(nbytes) if nbytes < HUGE else _shared(max(nbytes, MOST))
        memory = np.frombuffer(pages, dtype, size)
    return memory.reshape([shape[axis] for axis in axes]).transpose(inverse(axes))


def _reserved(nbytes: int) -> Any:
    """Untouched pages."""
    import mmap  # missing on some systems

    # Linux then allows more than there is; Python has had a name for the flag MAP_NORESERVE since 3.12.
    flags = (mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000,) if sys.platform == "linux" else ()
    try:
        return mmap.mmap(-1, nbytes, *flags)
    except (OSError, OverflowError):
        raise NoMemoryError(f"meta: there are no addresses left for {nbytes} bytes") from None


_shared = functools.cache(_reserved)
