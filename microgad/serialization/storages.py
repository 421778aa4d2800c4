"""The storages of a file, and Tensors made on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .. import backend, dtypes
from ..backend import meta
from ..errors import NoMemoryError
from ..storage import TypedStorage, UntypedStorage
from ..tensor import Tensor
from .errors import FileError, shown


class Storage(NamedTuple):
    """A storage of a file: its bytes, which are read on first use, and its dtype, or None for an untyped storage."""

    memory: Callable[[], Any]
    nbytes: int
    dtype: dtypes.dtype | None
    version: list[int]  # the version counter that all Tensors on it share

    def row(self, kind: dtypes.dtype) -> Any:
        """Return the memory as a 1-D array of a dtype."""
        return UntypedStorage(self.memory()).row_of(kind.dtype)

    def whole(self) -> TypedStorage:
        """Return the storage as an object, for a file that holds it as such. An untyped one becomes one of uint8."""
        return TypedStorage(wrap_storage=UntypedStorage(self.memory()), dtype=self.dtype or dtypes.uint8)


def to_tensor(array: Any, where: str = "cpu") -> Any:
    """Make a Tensor of an array on a device. An array of a dtype that Tensors don't have stays an array: text, say."""
    return Tensor._wrap(backend.to_device(array, where)) if array.dtype in dtypes._BY_NUMPY else array


def storage_slice(memory: Any, offset: Any, size: Any, each: int) -> Any:
    """Return `size` elements of `each` bytes from a storage's memory, beginning at element `offset`."""
    if type(offset) is not int or type(size) is not int or min(offset, size) < 0:
        raise FileError("holds a view of a storage that begins before it")
    return memory[offset * each : (offset + size) * each]


def rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, dtype: dtypes.dtype | None = None
) -> Tensor:
    """Make a Tensor on a storage. Raises FileError if its geometry isn't valid or reaches beyond the storage."""
    if type(storage) is not Storage:
        raise FileError("holds a Tensor without a storage")
    kind: Any = dtype if storage.dtype is None else storage.dtype
    needed = _elements_needed(kind, offset, size, stride)
    if needed * kind.itemsize > storage.nbytes:
        raise FileError(
            f"holds a Tensor of sizes {size}, strides {stride} and offset {offset}, which reaches beyond its storage "
            f"of {storage.nbytes // kind.itemsize} elements"
        )
    row = storage.row(kind)
    view = backend.as_strided(row[offset if needed else 0 :], size, tuple(step * kind.itemsize for step in stride))
    made: Tensor = Tensor._wrap(view)
    made.version = storage.version
    return made.requires_grad_(bool(requires_grad))


def rebuild_meta_tensor(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Tensor:
    """Make a Tensor on the device "meta". Raises FileError if its geometry isn't valid."""
    needed = _elements_needed(dtype, 0, size, stride)
    try:
        memory = meta.empty((needed,), dtype.dtype)
    except NoMemoryError as error:
        raise FileError(f"holds a Tensor of sizes {size}: {error}") from None
    made: Tensor = Tensor._wrap(memory.as_strided(size, tuple(step * dtype.itemsize for step in stride)))
    return made.requires_grad_(bool(requires_grad))


def _elements_needed(dtype: Any, offset: Any, size: Any, stride: Any) -> int:
    """Return how many elements a storage has to have for a Tensor. Raises FileError if its geometry isn't valid."""
    if type(dtype) is not dtypes.dtype or type(size) is not tuple or type(stride) is not tuple:
        raise FileError("holds a Tensor without a dtype or a shape")
    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise FileError(f"holds a Tensor of sizes {shown(size)}, strides {shown(stride)} and offset {shown(offset)}")
    return offset + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if 0 not in size else 0
