"""PyTorch's legacy types, `torch.FloatTensor(2, 3)`, `torch.FloatStorage`, and `torch.set_default_tensor_type`.

Programs from before 2018 use them, and `x.type()` still returns their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import backend, dtypes
from .backend.devices import set_default_device
from .errors import DeviceError, DtypeError
from .errors.notices import once
from .ops.creation import legacy_new
from .storage import TYPED_STORAGE_IS_DEPRECATED, TypedStorage, UntypedStorage
from .tensor import Tensor


class _TensorType(type):
    """The metaclass of the legacy types: each is a dtype on a device, and its instances are the Tensors with both."""

    dtype: dtypes.dtype
    device: str
    is_cuda = property(lambda cls: cls.device == "cuda")

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor) and x.dtype == cls.dtype and x.is_cuda == cls.is_cuda

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"

    def __getattr__(cls, name: str) -> Any:
        if not name.startswith("__") and callable(method := getattr(Tensor, name, None)):
            return method  # FloatTensor.add(x, y)
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


def _make(name: str, dtype: dtypes.dtype, place: str = "cpu") -> Any:
    """Make the legacy type of Tensors of a dtype on a device."""

    def make(cls: Any, *args: Any, device: Any = place) -> Tensor:
        if backend.device(device).type != place:
            raise DeviceError(
                f"{name} makes Tensors on {place}, but got device {device}: see torch.empty, torch.tensor"
            )
        return legacy_new(*args, dtype=dtype, device=device)

    home = "torch" if place == "cpu" else f"torch.{place}"
    doc = f"Tensors of {dtype.name}: uninitialized ones of given sizes, or ones of given data. Source: {home}.{name}."
    return _TensorType(name, (), {"__new__": make, "__doc__": doc, "__module__": home, "dtype": dtype, "device": place})


class _StorageType(type):
    """The metaclass of the legacy storages: instances of each are the TypedStorages of a dtype on a device."""

    dtype: dtypes.dtype
    place: str
    _dtype = property(lambda cls: cls.dtype)

    def __instancecheck__(cls, x: Any) -> bool:
        return type(x) is TypedStorage and x.dtype == cls.dtype and x.device.type == cls.place


class _LegacyStorage(TypedStorage, metaclass=_StorageType):
    """The base class of the legacy storages: each is a TypedStorage of a dtype on a device."""

    def __new__(cls, *args: Any, wrap_storage: Any = None, **options: Any) -> Any:
        """Return a TypedStorage. Its dtype and device are those of the class, and so can't be specified."""
        wrong: str | None = next((f"Keyword argument '{name}' cannot be specified" for name in options), None)
        if args and wrap_storage is not None:
            wrong = "No positional arguments should be given when using 'wrap_storage'"
        elif len(args) > 1:
            wrong = "Too many positional arguments"
        elif args and not isinstance(args[0], int | np.integer | Sequence):
            wrong = f"Argument type not recognized: {type(args[0])}"
        elif wrap_storage is not None and not isinstance(wrap_storage, UntypedStorage):
            wrong = f"Argument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}"
        elif wrap_storage is not None and wrap_storage.device.type != cls.place:
            wrong = f"Device of 'wrap_storage' must be {cls.place}, but got {wrap_storage.device.type}"
        if wrong:
            raise DtypeError(
                f"{cls}.__new__ received an invalid combination of arguments. Expected one of:\n * no arguments\n"
                f" * (int size)\n * (Sequence data)\n * (*, UntypedStorage wrap_storage)\n{wrong}"
            )
        once(TYPED_STORAGE_IS_DEPRECATED)
        place = cls.place if wrap_storage is None else None
        return TypedStorage(*args, wrap_storage=wrap_storage, dtype=cls.dtype, device=place)

    @classmethod
    def from_buffer(cls, *args: Any, **options: Any) -> TypedStorage:
        """Copy elements from a buffer: see `UntypedStorage.from_buffer`."""
        once(TYPED_STORAGE_IS_DEPRECATED)
        return TypedStorage.from_buffer(*args, dtype=cls.dtype, device=cls.place, **options)

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, size: int = 0) -> TypedStorage:
        """Map a file of `size` elements into memory: see `torch.from_file`."""
        memory = UntypedStorage.from_file(filename, shared, size * cls.dtype.itemsize)
        return TypedStorage(wrap_storage=memory, dtype=cls.dtype)


def _storage(name: str, dtype: dtypes.dtype, place: str = "cpu") -> Any:
    """Make the legacy class of storages of a dtype on a device."""
    home = "torch" if place == "cpu" else f"torch.{place}"
    doc = f"Storages of {dtype.name}. Source: {home}.{name}."
    facts = {"__doc__": doc, "__module__": home, "dtype": dtype, "place": place}
    return _StorageType(name, (_LegacyStorage,), facts)


if TYPE_CHECKING:
    from .legacy_types import *  # noqa: F403
else:
    HalfTensor, FloatTensor = _make("HalfTensor", dtypes.float16), _make("FloatTensor", dtypes.float32)
    DoubleTensor, ByteTensor = _make("DoubleTensor", dtypes.float64), _make("ByteTensor", dtypes.uint8)
    CharTensor, ShortTensor = _make("CharTensor", dtypes.int8), _make("ShortTensor", dtypes.int16)
    IntTensor, LongTensor = _make("IntTensor", dtypes.int32), _make("LongTensor", dtypes.int64)
    BoolTensor = _make("BoolTensor", dtypes.bool_)
    HalfStorage, FloatStorage = _storage("HalfStorage", dtypes.float16), _storage("FloatStorage", dtypes.float32)
    DoubleStorage, ByteStorage = _storage("DoubleStorage", dtypes.float64), _storage("ByteStorage", dtypes.uint8)
    CharStorage, ShortStorage = _storage("CharStorage", dtypes.int8), _storage("ShortStorage", dtypes.int16)
    IntStorage, LongStorage = _storage("IntStorage", dtypes.int32), _storage("LongStorage", dtypes.int64)
    BoolStorage = _storage("BoolStorage", dtypes.bool_)
    ComplexFloatStorage = _storage("ComplexFloatStorage", dtypes.complex64)
    ComplexDoubleStorage = _storage("ComplexDoubleStorage", dtypes.complex128)
ON_GPU = {
    name: (_make if type(kind) is _TensorType else _storage)(name, kind.dtype, "cuda")
    for name, kind in list(globals().items())
    if type(kind) is _TensorType or (type(kind) is _StorageType and kind is not _LegacyStorage)
}


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype and device to those of a legacy type, given itself or by name.

    Raises TypeError for anything else. Source: torch.set_default_tensor_type.

    >>> torch.set_default_tensor_type(torch.DoubleTensor)
    >>> torch.tensor(1.5).dtype
    torch.float64
    >>> torch.set_default_tensor_type("torch.FloatTensor")
    """
    once(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use torch.set_default_dtype() and "
        "torch.set_default_device() as alternatives."
    )
    found = t
    if isinstance(t, str):
        place, _, name = t.removeprefix("torch.").rpartition(".")
        found = (ON_GPU if place == "cuda" else globals()).get(name)
    if not isinstance(found, _TensorType):
        raise DtypeError(f"set_default_tensor_type: invalid type object {t!r}")
    set_default_device(found.device)
    dtypes.set_default_dtype(found.dtype)


def typename(obj: Any) -> str:
    """Return the name of an object's type, with its module. Source: torch.typename.

    >>> torch.typename(torch.ones(1)), torch.typename(3)
    ('torch.FloatTensor', 'int')
    """
    if isinstance(obj, Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(named, "__module__", None)
    return named.__qualname__ if module in (None, "builtins") else f"{module}.{named.__qualname__}"


def _has_compatible_shallow_copy_type(input: Tensor, from_: Tensor) -> bool:
    """Return True: any Tensor can take over the memory of any other."""
    return True


def _cast_Long(input: Tensor, non_blocking: bool = False) -> Tensor:
    """Convert to int64."""
    return input.long()
