"""Copying and pickling Tensors: their values and the attributes that programs set on them, off the graph."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .. import backend, errors, function
from ..backend.copies import deep_copied
from ..lazy import LazyModule
from ..type_aliases import Array, Tensor

if TYPE_CHECKING:
    from .. import storage
else:
    storage = LazyModule("microgad.storage")


class Copies:
    """The methods that the modules `copy` and `pickle` call."""

    __slots__ = ()

    def __reduce_ex__(self: Tensor, protocol: Any) -> tuple[Any, ...]:
        if storage.reduced_for_torch is not None:
            return storage.reduced_for_torch(self)
        array, own = without_gaps(self.array), vars(self)
        if array.size and array.flags.c_contiguous:
            return rebuild_tensor, (type(self), array, self.requires_grad, own)
        return rebuild_tensor, (type(self), memory_span(array), self.requires_grad, own, array.shape, array.strides)

    def __copy__(self: Tensor) -> Tensor:
        copied: Tensor = rebuild_tensor(type(self), self.array, self.requires_grad, vars(self))
        if not self.is_inference():
            copied._version_counter = self._counter()  # the memory is the same
        return copied

    def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise errors.GraphError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment"
            )
        if id(self) in memo:
            return memo[id(self)]
        array, version = deep_copied(self.array, memo)
        copied: Tensor = rebuild_tensor(type(self), array, self.requires_grad, {})
        copied._version_counter = version
        memo[id(self)] = copied
        vars(copied).update(copy.deepcopy(vars(self), memo))
        if self.grad is not None:
            copied.grad = copy.deepcopy(self.grad, memo)
        return copied


def without_gaps(x: Array) -> Array:
    """Return an array, copied if it leaves out some of the memory between its elements. The axes keep their order."""
    gaps = not x.flags.c_contiguous and (min(x.strides) < 0 or memory_span(x).size > x.size)
    return x.copy("K") if gaps else x


def memory_span(x: Array) -> Array:
    """Return the memory from the first element of an array to its last, as a 1-D array."""
    reach = sum((n - 1) * step for n, step in zip(x.shape, x.strides, strict=True))
    return backend.as_strided(x, (reach // x.itemsize + 1,), (x.itemsize,))


def rebuild_tensor(
    cls: type[Tensor], array: Array, requires_grad: bool, own: dict[str, Any], shape: Any = None, strides: Any = None
) -> Any:
    """Make a Tensor from a copied array, or from the 1-D memory that it lies in, with strides in bytes."""
    array = array if shape is None else backend.as_strided(array, shape, strides)
    tensor = function.Tensor._wrap(array)._of_class(cls)
    vars(tensor).update(own)
    return tensor.requires_grad_(requires_grad)
