"""PyTorch's first spelling of dtypes, as types: `torch.FloatTensor(2, 3)`, `torch.set_default_tensor_type`.

Programs of before 2018 use them, and `x.type()` still answers in them.
"""

from __future__ import annotations

from typing import Any

from . import backend, dtypes
from .backend.devices import set_default_device
from .errors import DeviceError, DtypeError
from .errors.notices import once
from .ops.creation import legacy_new
from .tensor import Tensor


class _TensorType(type):
    dtype: dtypes.dtype
    device: str
    is_cuda = property(lambda cls: cls.device == "cuda")

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor) and x.dtype == cls.dtype and x.is_cuda == cls.is_cuda

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"


def _tensor_type(name: str, dtype: dtypes.dtype, place: str = "cpu") -> Any:
    """The type of Tensors of a dtype on a device."""

    def make(cls: Any, *args: Any, device: Any = place) -> Tensor:
        if backend.device(device).type != place:
            raise DeviceError(
                f"{name} makes Tensors on {place}, but got device {device}: see torch.empty, torch.tensor"
            )
        return legacy_new(*args, dtype=dtype, device=device)

    room = "torch" if place == "cpu" else f"torch.{place}"
    doc = f"Tensors of {dtype.name}: made of sizes, whatever their memory holds, or of data. Source: {room}.{name}."
    return _TensorType(name, (), {"__new__": make, "__doc__": doc, "__module__": room, "dtype": dtype, "device": place})


HalfTensor, FloatTensor = _tensor_type("HalfTensor", dtypes.float16), _tensor_type("FloatTensor", dtypes.float32)
DoubleTensor, ByteTensor = _tensor_type("DoubleTensor", dtypes.float64), _tensor_type("ByteTensor", dtypes.uint8)
CharTensor, ShortTensor = _tensor_type("CharTensor", dtypes.int8), _tensor_type("ShortTensor", dtypes.int16)
IntTensor, LongTensor = _tensor_type("IntTensor", dtypes.int32), _tensor_type("LongTensor", dtypes.int64)
BoolTensor = _tensor_type("BoolTensor", dtypes.bool_)
ON_GPU = {
    name: _tensor_type(name, kind.dtype, "cuda") for name, kind in list(globals().items()) if type(kind) is _TensorType
}


def set_default_tensor_type(t: Any) -> None:
    """Make the dtype of a type, or of its name, the one of new floating-point Tensors, and its device that of all.

    Source: torch.set_default_tensor_type.

    >>> torch.set_default_tensor_type(torch.DoubleTensor)
    >>> torch.tensor(1.5).dtype
    torch.float64
    >>> torch.set_default_tensor_type("torch.FloatTensor")
    """
    once("torch.set_default_tensor_type() is deprecated: torch.set_default_dtype() and set_default_device() are there.")
    found = t
    if isinstance(t, str):
        room, _, name = t.removeprefix("torch.").rpartition(".")
        found = (ON_GPU if room == "cuda" else globals()).get(name)
    if not isinstance(found, _TensorType):
        raise DtypeError(f"set_default_tensor_type: invalid type object {t!r}")
    set_default_device(found.device)
    dtypes.set_default_dtype(found.dtype)


def typename(obj: Any) -> str:
    """The name of an object's type, with its module. Source: torch.typename.

    >>> torch.typename(torch.ones(1)), torch.typename(3)
    ('torch.FloatTensor', 'int')
    """
    if isinstance(obj, Tensor):
        kind: str = obj.type()
        return kind
    place = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(place, "__module__", None)
    return place.__qualname__ if module in (None, "builtins") else f"{module}.{place.__qualname__}"


def _has_compatible_shallow_copy_type(input: Tensor, from_: Tensor) -> bool:
    """Whether the one can take the other's memory over, which any can."""
    return True


def _cast_Long(input: Tensor, non_blocking: bool = False) -> Tensor:
    """In int64."""
    return input.long()
