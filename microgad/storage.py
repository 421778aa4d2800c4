"""Storages: the memory behind Tensors, as bytes or as elements of a dtype. Source: torch.storage."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from sys import byteorder
from typing import Any, Self

import numpy as np

from . import backend, dtypes
from .backend import meta
from .backend.copies import deep_copied
from .backend.memory_layout import address, memory_of, shared_memory_of
from .backend.meta import NoValuesError
from .dtypes.type_names import TYPE_NAMES
from .errors import ArgumentError, DtypeError, GraphError
from .lazy import define_getattr as _define_getattr

# Pickles typed storages and Tensors so that PyTorch reads them (it reads no untyped ones): set by `as_torch`.
reduced_for_torch: Callable[[Any], tuple[Any, ...]] | None = None


def _as(dtype: dtypes.dtype) -> Any:
    """Make the method that converts the elements of a storage to a dtype."""

    def method(self: Any) -> TypedStorage:
        return TypedStorage(wrap_storage=UntypedStorage(self.row.astype(dtype.dtype)), dtype=dtype)

    method.__doc__ = f"Return a copy of the elements, converted to {dtype.name}."
    return method


class _Conversions:
    """The methods named like Python's types: as a base class, since no annotation can use those names beside them."""

    half, float, double = _as(dtypes.float16), _as(dtypes.float32), _as(dtypes.float64)
    complex_float, complex_double = _as(dtypes.complex64), _as(dtypes.complex128)
    byte, char, bool = _as(dtypes.uint8), _as(dtypes.int8), _as(dtypes.bool_)
    short, int, long = _as(dtypes.int16), _as(dtypes.int32), _as(dtypes.int64)


class _StorageBase(_Conversions):
    """What storages of bytes and of elements have in common. Source: torch.StorageBase.

    >>> isinstance(torch.ones(2).untyped_storage(), torch.StorageBase)
    True
    """

    row: Any  # the memory as a 1-D array
    is_sparse = is_sparse_csr = False

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self.row.nbytes

    def __len__(self) -> int:
        return int(self.row.size)

    def __repr__(self) -> str:
        kind = f"TypedStorage(dtype={self.dtype}, " if isinstance(self, TypedStorage) else "UntypedStorage("
        elements = "..." if self.device.type == "meta" else " " + "\n ".join(str(x) for x in self.tolist())
        return f"{elements}\n[torch.storage.{kind}device={self.device}) of size {len(self)}]"

    size = _size = __len__
    _nbytes = nbytes

    def cpu(self) -> Self:
        """Return the storage on the CPU: itself, if it is there."""
        return self.to(device="cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Self:
        """Return the storage on a GPU: itself, if it is there. Raises RuntimeError if there is no such GPU."""
        return self.to(device="cuda" if device is None else device)

    def to(self, *, device: Any, non_blocking: bool = False) -> Self:
        """Return the storage on a device: itself, if it is there. Raises RuntimeError if there is no such device."""
        raise NotImplementedError

    def clone(self) -> Self:
        """Return a copy."""
        raise NotImplementedError

    def __copy__(self) -> Self:
        return self.clone()

    def __sizeof__(self) -> int:
        return super().__sizeof__() + self.nbytes()

    def resizable(self) -> bool:
        """Return True, though `resize_` refuses where Tensors lie in the memory."""
        return True

    def data_ptr(self) -> int:
        """Return the address of the first byte; 0 on the device "meta", where there is no memory."""
        return 0 if self.device.type == "meta" else address(self.row)

    _data_ptr = data_ptr

    @property
    def _cdata(self) -> int:
        """A number that identifies the memory, which libraries compare."""
        return address(self.row)

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return self.row.itemsize

    _element_size = element_size

    def fill_(self, value: Any) -> Self:
        """Set all elements to a number."""
        self[:] = value
        return self

    def __getitem__(self, index: Any) -> Any:
        self._check_values()
        self._check_index(index)
        return self.row[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check_index(index)
        self.row[index] = value

    def _check_index(self, index: Any) -> None:
        """Raise IndexError for a number that is out of range, or an error for what is no index."""
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range for storage of size {len(self)}")
        if not isinstance(index, (int, slice)):
            raise DtypeError(f"can't index a {type(self)} with {type(index)}")

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """Return the elements as Python numbers."""
        self._check_values()
        return self.row.tolist()

    def _check_values(self) -> None:
        if self.device.type == "meta":
            raise NoValuesError("Not available for 'meta' device type")

    @property
    def device(self) -> backend.device:
        """The device that holds the memory."""
        return backend.device_of(self.row)

    def get_device(self) -> int | None:
        """Return the number of the GPU that holds the memory, or None on the CPU."""
        return self.device.index

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is on a GPU."""
        return backend.is_gpu(self.row)

    def is_pinned(self, device: Any = None) -> bool:
        """Return False: memory is never pinned."""
        return False

    def pin_memory(self, device: Any = None) -> Self:
        """Return this storage: CuPy copies from memory that isn't pinned, too."""
        return self

    def is_shared(self) -> bool:
        """Whether other processes share the memory: that of a GPU, and what `Tensor.share_memory_` made."""
        return self.is_cuda or shared_memory_of(self.row) is not None

    @property
    def filename(self) -> str | None:
        """The name of the file that `from_file(…, shared=True)` mapped into this memory, or None."""
        mapped = backend.owner(self.row)
        return os.fspath(mapped.filename) if getattr(mapped, "mode", "c") != "c" else None


class UntypedStorage(_StorageBase):
    """The whole memory that a Tensor lies in, or new memory, as bytes.

    Raises TypeError for other arguments. Source: torch.UntypedStorage.

    >>> x = torch.arange(6.0)
    >>> x[2:].untyped_storage().nbytes(), x[2:].untyped_storage().data_ptr() == x.data_ptr()
    (24, True)
    >>> x.untyped_storage() == x[2:].untyped_storage() != x.clone().untyped_storage()
    True
    >>> torch.UntypedStorage(8).nbytes(), torch.UntypedStorage([1, 2, 255]).tolist()
    (8, [1, 2, 255])
    """

    tensor: Any = None  # whose storage it is, if that isn't on a graph

    def __init__(self, data: Any = 0, *, device: Any = None) -> None:
        """Take a 1-D array as the memory, a number of bytes to allocate uninitialized, or a sequence of bytes."""
        if backend.is_array(data):
            self.row = data if data.dtype == np.uint8 else data.view("uint8")
            return
        if not isinstance(data, (int, Sequence)):
            raise DtypeError(f"torch.UntypedStorage(): Expected a sequence type, but got {type(data).__name__}")
        for x in () if isinstance(data, int) else data:
            if not isinstance(x, int):
                raise DtypeError(
                    f"torch.UntypedStorage(): tried to construct a storage from a sequence ({type(data).__name__}), "
                    f"but one of the items was of type {type(x).__name__} instead of int"
                )
        row = np.empty(data, np.uint8) if isinstance(data, int) else np.array(data, np.int64).astype(np.uint8)
        self.row = backend.to_device(row, device)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and (self._cdata, len(self)) == (other._cdata, len(other))

    def __hash__(self) -> int:
        return hash(self._cdata)

    def __getstate__(self) -> dict[str, Any]:
        return {"row": self.row}  # without the Tensor

    def __deepcopy__(self, memo: dict[Any, Any]) -> UntypedStorage:
        return UntypedStorage(deep_copied(self.row, memo)[0])

    def clone(self) -> UntypedStorage:
        """Return a copy."""
        return UntypedStorage(self.row.copy())

    def new(self) -> UntypedStorage:
        """Return an empty storage on this one's device."""
        return UntypedStorage(device=self.device)

    def type(self) -> str:
        """Return the name of this class."""
        return "torch.storage.UntypedStorage"

    def untyped(self) -> UntypedStorage:
        """Return this storage."""
        return self

    def to(self, *, device: Any, non_blocking: bool = False) -> UntypedStorage:
        """Return the storage on a device: itself, if it is there. Raises RuntimeError if there is no such device."""
        row = backend.to_device(self.row, device)
        return self if row is self.row else UntypedStorage(row)

    def copy_(self, source: _StorageBase, non_blocking: bool = False) -> UntypedStorage:
        """Copy the bytes of a storage into this one. Raises RuntimeError if it has another number of them."""
        if source.nbytes() != self.nbytes():
            raise ArgumentError(
                f"size does not match, self was {self.nbytes()} bytes but src was {source.nbytes()} bytes"
            )
        self.row[...] = backend.to_device(source.row, self.device).view("uint8")
        return self

    def resize_(self, size: int) -> UntypedStorage:
        """Change the number of bytes. Those at the beginning stay. The Tensor whose storage grows moves along.

        Raises RuntimeError if there are other Tensors, which PyTorch would move along, or if a Tensor's memory shrinks.
        Other storage objects of the Tensor, and NumPy arrays that share its memory, stay in the old memory.
        """
        if self.device.type == "meta":
            self.row = meta.empty((size,), np.uint8)
            return self
        row, self.row = self.row, None  # since Python 3.14 NumPy takes the attribute for another reference
        try:
            row.resize(size)  # checks that nothing else refers to the memory
        except (ValueError, AttributeError):
            self.row = row
            if self.tensor is None or untyped(self.tensor.array, self.tensor) != self:  # it has been moved elsewhere
                raise GraphError("resize_: the memory belongs to a Tensor or another storage, or to a GPU") from None
            row = self.tensor._enlarge_storage(size).view("uint8")
        finally:
            self.row = row
        return self

    def byteswap(self, dtype: dtypes.dtype) -> None:
        """Reverse the order of the bytes of each element of a dtype, and of each part of a complex number."""
        numbers = self.row.reshape(-1, dtype.itemsize // (1 + dtype.is_complex))
        numbers[...] = np.flip(numbers, 1).copy()

    def row_of(self, dtype: Any) -> Any:
        """Return the memory as a 1-D array of a dtype, without bytes at the end that are no whole element."""
        return self.row[: self.row.size // dtype.itemsize * dtype.itemsize].view(dtype)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return super().__getitem__(index)
        if index.step not in (None, 1):
            raise ArgumentError(f"Trying to slice with a step of {index.step}, but only a step of 1 is supported")
        return UntypedStorage(self.row[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(value, int):
            raise DtypeError(f"can only set storage content with a int types, but got {type(value).__name__} instead")
        super().__setitem__(index, value & 255)

    @classmethod
    def _new_shared(cls, size: int, *, device: Any = "cpu") -> UntypedStorage:
        """Return new memory for a batch. It is copied, not shared, when a worker process sends it."""
        return cls(size, device=device)

    @classmethod
    def from_buffer(
        cls, buffer: Any, byte_order: str | None = None, count: int = -1, offset: int = 0, dtype: Any = None
    ) -> UntypedStorage:
        """Copy `count` elements of a dtype (-1: all) from a buffer whose byte order is "big", "little" or "native"."""
        if dtype is None:
            raise ArgumentError("argument 'dtype' cannot be None")
        if byte_order is None and dtype.itemsize > 1:
            raise ArgumentError("function missing required argument 'byte_order' (pos 2)")
        if byte_order not in ("big", "little", "native", None):
            raise ArgumentError(f"invalid byte_order '{byte_order}' (expected 'big', 'little', or 'native')")
        each = dtype.itemsize
        nbytes = memoryview(buffer).nbytes - offset
        if count < 0 and nbytes % each:
            raise ArgumentError(f"buffer size ({nbytes}) must be a multiple of element size ({each})")
        made = cls(np.frombuffer(buffer, np.uint8, -1 if count < 0 else count * each, offset).copy())
        if byte_order not in (byteorder, "native", None):
            made.byteswap(dtype)
        return made if dtype != dtypes.bool_ else cls(made.row != 0)

    @classmethod
    def from_file(cls, filename: Any, shared: bool | None = False, nbytes: int = 0) -> UntypedStorage:
        """Map a file into memory: see `torch.from_file`."""
        mode: Any = "c" if not shared else "r+" if os.path.exists(filename) else "w+"
        return cls(np.asarray(np.memmap(filename, np.uint8, mode, shape=(nbytes,))))


TYPED_STORAGE_IS_DEPRECATED = (
    "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage class. "
    "This should only matter to you if you are using storages directly.  To access UntypedStorage directly, use "
    "tensor.untyped_storage() instead of tensor.storage()"
)
_ARGUMENTS = (
    "TypedStorage.__init__ received an invalid combination of arguments. Expected one of:\n"
    " * (*, torch.device device, torch.dtype dtype)\n"
    " * (int size, *, torch.device device, torch.dtype dtype)\n"
    " * (Sequence data, *, torch.device device, torch.dtype dtype)\n"
    " * (*, UntypedStorage wrap_storage, torch.dtype dtype)\n"
)


class TypedStorage(_StorageBase):
    """The whole memory that a Tensor lies in, as elements of the Tensor's dtype.

    Raises TypeError for arguments that contradict each other. Source: torch.TypedStorage.

    >>> torch.arange(6)[2:].storage().tolist()
    [0, 1, 2, 3, 4, 5]
    >>> torch.TypedStorage([1, 2], dtype=torch.int16).nbytes(), torch.TypedStorage(3).dtype
    (4, torch.float32)
    """

    dtype: dtypes.dtype  # of the elements

    def __init__(self, *args: Any, wrap_storage: Any = None, dtype: Any = None, device: Any = None) -> None:
        """Take the memory of an UntypedStorage, a number of elements to allocate, or a sequence of elements."""
        if dtype is None and wrap_storage is None:
            dtype = dtypes.get_default_dtype()
        wrong = None
        if wrap_storage is not None and args:
            wrong = "No positional arguments should be given when using 'wrap_storage'"
        elif len(args) > 1:
            wrong = "Too many positional arguments"
        elif dtype is None:
            wrong = "Argument 'dtype' must be specified"
        elif not isinstance(dtype, dtypes.dtype):
            wrong = f"Argument 'dtype' must be torch.dtype, not {type(dtype)}"
        elif wrap_storage is not None and device is not None:
            wrong = "Argument 'device' should not be specified when 'wrap_storage' is given"
        elif not isinstance(wrap_storage, UntypedStorage | None):
            wrong = f"Argument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}"
        elif args and not isinstance(args[0], (int, np.integer, Sequence)):
            wrong = f"Argument type not recognized: {type(args[0])}"
        if wrong:
            raise DtypeError(_ARGUMENTS + wrong)
        if wrap_storage is None:
            (data,) = args or (0,)
            if isinstance(data, Sequence):
                wrap_storage = UntypedStorage(np.array(data, dtype.dtype)).clone().to(device=device)  # has its memory
            else:
                wrap_storage = UntypedStorage(int(data) * dtype.itemsize, device=device)
        self._untyped_storage, self.dtype = wrap_storage, dtype

    @property
    def row(self) -> Any:
        """The memory as a 1-D array of the dtype."""
        return self._untyped_storage.row_of(self.dtype.dtype)

    @property
    def _dtype(self) -> dtypes.dtype:
        return self.dtype

    def row_of(self, dtype: Any) -> Any:
        """Return the memory as a 1-D array, which has to be of that dtype already. Raises RuntimeError if it isn't."""
        if self.dtype != dtype:
            expected, got = TYPE_NAMES[dtypes.of(dtype)], TYPE_NAMES[self.dtype]
            raise DtypeError(f"Expected a Storage of type {expected} or an UntypedStorage, but got {got}")
        return self.row

    def untyped(self) -> UntypedStorage:
        """Return the same memory as an UntypedStorage."""
        return self._untyped_storage

    def _wrapped(self, memory: UntypedStorage) -> Self:
        return type(self)(wrap_storage=memory, dtype=self.dtype)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return super().__reduce_ex__(protocol) if reduced_for_torch is None else reduced_for_torch(self)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Self:
        return self._wrapped(self._untyped_storage.__deepcopy__(memo))

    def clone(self) -> Self:
        """Return a copy."""
        return self._wrapped(self._untyped_storage.clone())

    def to(self, *, device: Any, non_blocking: bool = False) -> Self:
        """Return the storage on a device, in the same memory if it is there."""
        return self._wrapped(self._untyped_storage.to(device=device))

    def type(self) -> str:
        """Return the name of the legacy class of storages of this dtype."""
        return f"torch.{'cuda.' if self.is_cuda else ''}{self.pickle_storage_type()}"

    def pickle_storage_type(self) -> str:
        """Return the name of the legacy class, without its module."""
        return f"{TYPE_NAMES[self.dtype]}Storage"

    def copy_(self, source: _StorageBase, non_blocking: bool = False) -> Self:
        """Copy the bytes of a storage into this one. Raises RuntimeError if it has another number of them."""
        self._untyped_storage.copy_(source)
        return self

    def resize_(self, size: int) -> None:
        """Change the number of elements: see `UntypedStorage.resize_`."""
        self._untyped_storage.resize_(size * self.element_size())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise ArgumentError("slices are only supported in UntypedStorage.__getitem__")
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if is_storage(value):
            raise DtypeError(f"cannot set item with value type {type(value)}")
        super().__setitem__(index, value)

    def _new_shared(self, size: int, *, device: Any = "cpu") -> TypedStorage:
        """Return new memory for `size` elements of the same dtype: see `UntypedStorage._new_shared`."""
        return TypedStorage(size, dtype=self.dtype, device=device)

    @classmethod
    def from_buffer(
        cls, buffer: Any, byte_order: str | None = None, count: int = -1, offset: int = 0, *, dtype: Any = None,
        device: Any = None,
    ) -> TypedStorage:  # fmt: skip
        """Copy elements from a buffer: see `UntypedStorage.from_buffer`."""
        dtype = dtypes.get_default_dtype() if dtype is None else dtype
        memory = UntypedStorage.from_buffer(buffer, byte_order, count, offset, dtype)
        return TypedStorage(wrap_storage=memory.to(device=device), dtype=dtype)


def untyped(array: Any, tensor: Any) -> UntypedStorage:
    """Return the storage of a Tensor with this array, as bytes."""
    made = UntypedStorage(memory_of(backend.owner(array)))
    made.tensor = None if tensor.requires_grad else tensor
    return made


def typed(array: Any, tensor: Any) -> TypedStorage:
    """Return the storage of a Tensor with this array, as elements of its dtype."""
    return TypedStorage(wrap_storage=untyped(array, tensor), dtype=dtypes.of(array.dtype))


def _load_from_bytes(b: bytes) -> Any:
    """Return the storage that PyTorch's pickles hold as a file in the file. Source: torch.storage._load_from_bytes."""
    return importlib.import_module("microgad.serialization").load(io.BytesIO(b), weights_only=False)


_load_from_bytes.__module__ = "torch.storage"


def is_storage(obj: Any) -> bool:
    """Whether obj is a storage. Source: torch.is_storage.

    >>> x = torch.tensor(1)
    >>> torch.is_storage(x), torch.is_storage(x.untyped_storage())
    (False, True)
    """
    return isinstance(obj, _StorageBase)


_define_getattr(globals())
