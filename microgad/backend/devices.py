"""Where arrays live, and where new ones are made."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from .. import backend
from ..errors import DeviceError
from ..state.contexts import decorate
from .arrays import Array

# All but the first three are accepted as names, for comparisons in programs: no Tensor can be there.
KNOWN = ("cpu", "cuda", "meta", "mps", "xpu", "xla", "hpu", "mtia", "ipu", "vulkan", "hip", "maia", "privateuseone")
F = TypeVar("F", bound=Callable[..., Any])


class device:
    """Where an array lives: `device("cpu")`, `device("cuda")`, `device("cuda:1")`, `device("cuda", 1)`.

    Raises RuntimeError for other strings and negative numbers, TypeError for other arguments. Source: torch.device.

    >>> import microgad
    >>> microgad.device("cuda:1").type, microgad.device("cuda:1").index, microgad.device("cpu")
    ('cuda', 1, device(type='cpu'))
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(
        self,
        type: str | device | int | None = None,
        index: int | None = None,
        *,
        device: str | device | int | None = None,
    ) -> None:
        if device is not None:  # PyTorch's other form
            if (type, index) != (None, None):
                raise TypeError("device() takes either a device or a type and an index")
            type = device
        if isinstance(type, self.__class__):
            self.type, self.index = type.type, type.index
            return
        if not isinstance(type, (str, int)):
            raise TypeError(f"argument 'device' must be torch.device, not {type.__class__.__name__}")
        kind, colon, number = f"cuda:{type}".partition(":") if isinstance(type, int) else type.partition(":")
        if colon and (index is not None or not re.fullmatch("0|[1-9][0-9]*", number)):
            raise DeviceError(f"invalid device: '{type}'{'' if index is None else f' with index {index}'}")
        if index is not None and index < 0:
            raise DeviceError(f"device index must not be negative, got {index}")
        if kind not in KNOWN:
            raise DeviceError(f"Expected one of cpu, cuda device type at start of device string: {type}")
        self.type = kind
        self.index = int(number) if number else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        _defaults.set((*_defaults.get(), None if self == CPU else self))
        return self

    def __exit__(self, *raised: Any) -> None:
        if len(_defaults.get()) == 1:
            raise RuntimeError("torch.device: trying to pop from empty mode stack: no block has begun")
        _defaults.set(_defaults.get()[:-1])

    def __call__(self, function: F) -> F:
        """Decorate a function: its new Tensors are on this device."""
        return decorate(lambda: self, function)


CPU = device("cpu")
# The GPU that "cuda" without a number means. CuPy's own current device is another thing: that of the last operands.
current_gpu: ContextVar[int] = ContextVar("current gpu", default=0)
# A stack of default devices: each `with device(...)` pushes one, set_default_device replaces the last. None is the CPU.
_defaults: ContextVar[tuple[device | None, ...]] = ContextVar("defaults", default=(None,))


def set_default_device(device: Any) -> None:
    """Set the device of new Tensors that are given none; None is the CPU. Source: torch.set_default_device.

    `with torch.device("cuda"):` does the same for a block. Raises RuntimeError if there is no such device.

    >>> torch.set_default_device("cpu")
    >>> torch.get_default_device()
    device(type='cpu')
    """
    where = None if device is None or (given := type(CPU)(device)) == CPU else given
    _defaults.set((*_defaults.get()[:-1], where))


def get_default_device() -> device:
    """The device of new Tensors that are given none. Source: torch.get_default_device.

    >>> torch.get_default_device()
    device(type='cpu')
    """
    default = chosen(None)
    return device("cuda", current_gpu.get()) if default == device("cuda") else default or CPU


def chosen(where: Any) -> Any:
    """The device for a new Tensor: `where`, or the default device if that is None. A result of None is the CPU."""
    return _defaults.get()[-1] if where is None else None if where in (CPU, "cpu") else where


def follow(where: device) -> bool:
    """Let CuPy compute on a GPU, and return whether that is another one than before.

    CuPy computes on its current device, wherever the operands are. `to_device` makes the destination the current one,
    so a program that uses one GPU has nothing to follow.
    """
    runtime = sys.modules["cupy"].cuda.runtime
    if apart := where.index not in (None, runtime.getDevice()):
        runtime.setDevice(where.index)
    return apart


def on_one_device(operands: Sequence[Any], error: Exception | None = None, move: bool = True) -> list[Array] | None:
    """Move 0-d operands from the CPU to the GPU of the others, as PyTorch allows, or let CuPy compute on that GPU.

    Returns None where neither helps against `error`, as where operands with dimensions are on several devices.
    """
    arrays = [getattr(x, "array", x) for x in operands]
    places = {backend.device_of(a) for a in arrays if backend.is_gpu(a)}
    if len(places) != 1:
        return None
    (where,) = places
    if "current device" in str(error) and backend.follow(where):  # where GPUs can't read each other's memory
        return list(operands)
    if not move or {a.ndim for a in arrays if isinstance(a, np.ndarray)} != {0}:
        return None
    return [
        x if not isinstance(a, np.ndarray) else backend.to_device(a, where) if a is x else x.to(where)
        for x, a in zip(operands, arrays, strict=True)
    ]
