"""The storages of a file, and Tensors made on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

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
    changed: dict[Any, tuple[Any, list[int]]] | None = None  # its conjugate, its negative, and their version counters

    def row(self, kind: dtypes.dtype, metadata: Any = None) -> tuple[Any, list[int]]:
        """Return the memory as a 1-D array of a dtype, and its version counter.

        A conjugation or negation that PyTorch had put off, as the metadata say, is carried out, once for all Tensors.
        """
        row = UntypedStorage(self.memory()).row_of(kind.dtype)
        names = [name for name in ("conj", "neg") if type(metadata) is dict and metadata.get(name)]
        if not names:
            return row, self.version
        if self.changed is None:  # the values aren't read yet
            raise FileError("holds a conjugate in PyTorch's old format")
        if (found := self.changed.get((kind, *names))) is None:
            for name in names:
                row = np.conj(row) if name == "conj" else np.negative(row)
            found = self.changed[kind, *names] = row, [0]
        return found

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
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, dtype: dtypes.dtype | None = None,
    metadata: Any = None,
) -> Tensor:  # fmt: skip
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
    row, version = storage.row(kind, metadata)
    view = backend.as_strided(row[offset if needed else 0 :], size, tuple(step * kind.itemsize for step in stride))
    made: Tensor = Tensor._wrap(view)
    made._version_counter = version
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
