"""Storages: the memory behind Tensors, as bytes or as elements of a dtype. Source: torch.storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from . import backend, dtypes
from .backend.memory_layout import address, memory_of
from .errors import DtypeError
from .lazy import define_getattr as _define_getattr


class UntypedStorage:
    """The whole memory that a Tensor lies in, or new memory, as bytes. Source: torch.UntypedStorage.

    >>> x = torch.arange(6.0)
    >>> x[2:].untyped_storage().nbytes(), x[2:].untyped_storage().data_ptr() == x.data_ptr()
    (24, True)
    >>> torch.UntypedStorage(8).nbytes(), torch.UntypedStorage([1, 2, 255]).tolist()
    (8, [1, 2, 255])
    """

    def __init__(self, row: Any = 0) -> None:
        """Take a 1-D array as the memory, a number of bytes to allocate uninitialized, or a list of bytes."""
        if isinstance(row, int):
            row = np.empty(row, np.uint8)
        self.row = np.array(row, np.uint8) if isinstance(row, (list, tuple)) else row

    def nbytes(self) -> int:
        """Return the number of bytes."""
        n: int = self.row.nbytes
        return n

    def __len__(self) -> int:
        return int(self.row.size)

    def __repr__(self) -> str:
        kind = f"TypedStorage(dtype={self.dtype}, " if isinstance(self, TypedStorage) else "UntypedStorage("
        elements = "".join(f" {x}\n" for x in self.tolist())
        return f"{elements}[torch.storage.{kind}device={self.device}) of size {len(self)}]"

    size = __len__

    def clone(self) -> Self:
        """Return a copy."""
        return type(self)(self.row.copy())

    def cpu(self) -> Self:
        """Return the storage on the CPU: itself, if it is there."""
        return self.to(device="cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Self:
        """Return the storage on a GPU: itself, if it is there. Raises RuntimeError if there is no such GPU."""
        return self.to(device="cuda" if device is None else device)

    def to(self, *, device: Any, non_blocking: bool = False) -> Self:
        """Return the storage on a device: itself, if it is there. Raises RuntimeError if there is no such device."""
        row = backend.to_device(self.row, device)
        return self if row is self.row else type(self)(row)

    def __sizeof__(self) -> int:
        return super().__sizeof__() + self.nbytes()

    def resizable(self) -> bool:
        """Return True, though only `Tensor.resize_` gives a Tensor more memory."""
        return True

    def data_ptr(self) -> int:
        """Return the address of the first byte."""
        return address(self.row)

    @property
    def _cdata(self) -> int:
        """A number that identifies the memory, which libraries compare."""
        return self.data_ptr()

    def element_size(self) -> int:
        """Return the bytes of one element."""
        n: int = self.row.itemsize
        return n

    def row_of(self, dtype: Any) -> Any:
        """Return the memory as a 1-D array of a dtype. A TypedStorage of another dtype raises RuntimeError."""
        return self.row.view(dtype)

    def __getitem__(self, index: Any) -> Any:
        found = self.row[index]
        return found.item() if found.ndim == 0 else type(self)(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.row[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """Return the elements as Python numbers."""
        values: list[Any] = self.row.tolist()
        return values

    @property
    def device(self) -> backend.device:
        """The device that holds the memory."""
        return backend.device_of(self.row)

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is on a GPU."""
        return backend.is_gpu(self.row)


class TypedStorage(UntypedStorage):
    """The whole memory that a Tensor lies in, as elements of the Tensor's dtype. Source: torch.TypedStorage.

    >>> torch.arange(6)[2:].storage().tolist()
    [0, 1, 2, 3, 4, 5]
    """

    @property
    def dtype(self) -> dtypes.dtype:
        """The dtype of the elements."""
        return dtypes.of(self.row.dtype)

    def row_of(self, dtype: Any) -> Any:
        """Return the memory as a 1-D array, which has to be of that dtype already."""
        if self.row.dtype != dtype:
            raise DtypeError(f"expected a storage of {dtypes.of(dtype)} or an UntypedStorage, but got {self.dtype}")
        return self.row

    def untyped(self) -> UntypedStorage:
        """Return the same memory as an UntypedStorage."""
        return UntypedStorage(self.row.view("uint8"))


def untyped(array: Any) -> UntypedStorage:
    """Return the storage of an array, as bytes."""
    return UntypedStorage(memory_of(array).view("uint8"))


def typed(array: Any) -> TypedStorage:
    """Return the storage of an array, as elements of its dtype."""
    return TypedStorage(memory_of(array))


def is_storage(obj: Any) -> bool:
    """Whether obj is a storage. Source: torch.is_storage.

    >>> x = torch.tensor(1)
    >>> torch.is_storage(x), torch.is_storage(x.untyped_storage())
    (False, True)
    """
    return isinstance(obj, UntypedStorage)


_define_getattr(globals())
