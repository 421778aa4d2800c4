"""The device "meta": arrays that have a shape, a dtype and strides, but no values.

A model made on it takes no memory, and can get its values from a file later. Whatever is computed with such arrays is
computed with zeros in their place, and of the result only shape, dtype and strides are kept. So every operation, and
all of NumPy, works on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..errors import MicrogadError
from ..slices import Apart, Stand
from .devices import device

np: Any = numpy  # untyped, since NumPy's stubs don't accept duck arrays
META = device("meta")
PAGES = 65536  # bytes: larger arrays get untouched pages of their own, since malloc may return used ones
NO_DATA = "Cannot copy out of meta tensor; no data!"
# NumPy functions that write into their first argument.
_WRITERS = frozenset((np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask))
_NEEDING_VALUES = frozenset((np.nonzero, np.argwhere, np.flatnonzero, np.unique, np.extract))


class NoValuesError(MicrogadError, NotImplementedError):
    """Raised for what can't be computed without values."""


class ValuesAskedError(Apart, NoValuesError):
    """Raised when an operation asks for a value. It is then computed again, with zeros."""

    @staticmethod
    def forward(node: Any, arrays: Sequence[Any]) -> Any:
        """Compute an operation on zeros, and drop the values of the result."""
        one = type(node)()
        vars(one).update(filled(vars(node)))
        found = one.forward(*filled(list(arrays)))
        vars(node).update({name: vars(one)[name] for name in type(node).computed})
        return emptied(found, arrays)

    @staticmethod
    def derivatives(node: Any, grad: Any, onward: Sequence[Any], derive: Callable[..., Any]) -> Any:
        """Compute a node's derivatives on zeros: see `engine.derive`, which is passed in."""
        before, settings = node.kept, dict(vars(node))
        node.kept = filled(before.unpack() if hasattr(before, "unpack") else before)
        vars(node).update(filled(settings))
        try:
            return emptied(derive(node, filled(grad), onward, False), ())
        finally:
            node.kept = before
            vars(node).update(settings)


class Hollow(Stand, NDArrayOperatorsMixin):
    """An array without values. `zeros` has its shape, dtype and strides; `base` is the array that it is a view of."""

    __slots__ = ("__weakref__", "base", "zeros")
    __hash__ = None  # type: ignore[assignment]
    device = META

    def __init__(self, like: Any, base: Hollow | None = None) -> None:
        """An array laid out like `like`. For a view of `base`, `like` is its `zeros` itself."""
        self.zeros, self.base = like if base is not None else _zeros_like(like), base

    def made_of(self, function: Callable[[Any], Any]) -> Any:
        """Apply a function to the zeros, and wrap its result."""
        return emptied(function(self.zeros), (self,))

    @staticmethod
    def gradient_for(gradient: Any, edge: Any) -> Any:
        """The gradient, unchanged."""
        return gradient

    def as_strided(self, shape: tuple[int, ...], strides: tuple[int, ...]) -> Hollow:
        """A view that starts at the first element, with strides in bytes."""
        return emptied(np.lib.stride_tricks.as_strided(self.zeros, shape, strides), (self,))

    def item(self, *_: Any, **__: Any) -> Any:
        """Raise NotImplementedError: there are no values."""
        raise ValuesAskedError("Tensor.item() cannot be called on meta tensors: they have no values")

    __bool__ = __int__ = __float__ = __complex__ = __index__ = item

    def tolist(self, *_: Any, **__: Any) -> Any:
        """Raise NotImplementedError: there are no values."""
        raise ValuesAskedError(NO_DATA)

    __array__ = tobytes = get = tolist

    real = property(lambda self: emptied(self.zeros.real, (self,)), lambda self, x: None)
    imag = property(lambda self: emptied(self.zeros.imag, (self,)), lambda self, x: None)

    def __len__(self) -> int:
        return len(self.zeros)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # such as __array_interface__, by which NumPy would read the zeros
            raise AttributeError(name)
        found = getattr(self.zeros, name)
        if not callable(found):
            return emptied(found, (self,))
        return lambda *args, **kwargs: emptied(found(*filled(args), **filled(kwargs)), (self, args))

    def __getitem__(self, index: Any) -> Any:
        if any(isinstance(x, Hollow) and x.dtype == bool for x in (index if isinstance(index, tuple) else (index,))):
            raise NoValuesError("a mask without values selects an unknown number of elements")
        return emptied(self.zeros[filled(index)], (self,))

    def __setitem__(self, index: Any, value: Any) -> None:
        np.broadcast_to(filled(value), self.zeros[filled(index)].shape)  # raises for a wrong shape; nothing is written

    def fill(self, value: Any) -> None:
        """Do nothing: there are no values to write."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **kwargs: Any) -> Any:
        if method == "at" or any(x is not None and not isinstance(x, Hollow) for x in out):
            if isinstance(inputs[0] if method == "at" else None, Hollow):
                return None
            raise ValuesAskedError(NO_DATA)
        if out:
            return out[0] if len(out) == 1 else out
        return emptied(getattr(ufunc, method)(*filled(inputs), **filled(kwargs)), inputs)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = kwargs.pop("out", None)
        if func in _WRITERS:
            out = args[0]
        if func in _NEEDING_VALUES:
            raise NoValuesError(f"{func.__name__}: the number of elements depends on values, and there are none")
        if out is not None and not isinstance(out, Hollow):
            raise ValuesAskedError(NO_DATA)
        if func in _WRITERS:
            return None
        found = emptied(func(*filled(args), **filled(kwargs)), args)
        return found if out is None else out


def made_for(x: Any, where: Any) -> Any:
    """The NumPy array `x` for a device: without its values if that is "meta", else unchanged."""
    return Hollow(x) if where is not None and device(where) == META else x


def filled(x: Any) -> Any:
    """Replace arrays without values by zeros: `x` itself, or those inside of tuples, lists and dicts."""
    if isinstance(x, Hollow):
        return x.zeros
    if isinstance(x, dict):
        return {name: filled(value) for name, value in x.items()}
    return type(x)([filled(value) for value in x]) if type(x) in (tuple, list) else x


def emptied(found: Any, given: Any) -> Any:
    """Wrap what was computed from zeros, without its values. Views of the arrays in `given` become views of those."""
    if isinstance(found, (tuple, list)):
        if type(found) in (tuple, list) and not any(isinstance(x, (np.ndarray, tuple, list)) for x in found):
            return found  # a tuple of numbers, such as a shape
        parts = [emptied(x, given) for x in found]
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    if isinstance(found, np.generic):
        found = np.asarray(found)
    if not isinstance(found, np.ndarray):
        return found
    memory = _owner(found)
    return Hollow(found, next((x for x in _roots(given) if _owner(x.zeros) is memory), None))


def _roots(given: Any) -> list[Hollow]:
    if isinstance(given, Hollow):
        return [given if given.base is None else given.base]
    return [root for x in given for root in _roots(x)] if isinstance(given, (tuple, list)) else []


def _owner(x: Any) -> Any:
    while isinstance(getattr(x, "base", None), np.ndarray) or hasattr(getattr(x, "base", None), "base"):
        x = x.base
    return x


def _zeros_like(x: Any) -> Any:
    """Zeros laid out like `x`, without its gaps. They are in untouched pages, which take no memory."""
    axes = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    if x.nbytes < PAGES:
        zeros = np.zeros(x.size, x.dtype)
    else:
        import mmap  # missing on some systems

        zeros = np.frombuffer(mmap.mmap(-1, x.nbytes), x.dtype)
    return zeros.reshape([x.shape[axis] for axis in axes]).transpose([axes.index(axis) for axis in range(x.ndim)])
