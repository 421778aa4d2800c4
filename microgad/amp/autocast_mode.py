"""torch.autocast and related functions. They have no effect: operations compute in the dtype of their operands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..dtypes import unsupported
from ..errors import ArgumentError, DeviceError
from ..errors.arguments import check_bool
from ..errors.notices import once as _once
from ..type_aliases import Dtype

_DEVICE_TYPES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class autocast(contextlib.ContextDecorator):
    """Do nothing in a block or function, and warn of that once, unless `enabled` is false. Source: torch.autocast.

    Raises ValueError if device_type isn't a string, such as `torch.device("cpu").type`, and RuntimeError if it is none
    of PyTorch's types.

    >>> with torch.autocast("cpu", enabled=False):
    ...     (torch.ones(2) @ torch.ones(2)).dtype
    torch.float32
    """

    def __init__(
        self, device_type: str, dtype: Dtype = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ArgumentError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type.partition(":")[0] not in _DEVICE_TYPES:
            kinds = ", ".join(_DEVICE_TYPES)
            raise DeviceError(f"Expected one of {kinds} device type at start of device string: {device_type}")
        self.device, self.fast_dtype = device_type, dtype or get_autocast_dtype(device_type)
        if enabled:
            _once("torch.autocast: microgad computes in the dtype that the operands have; nothing is cast")

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *raised: Any) -> None:
        pass


def custom_fwd(fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: Dtype = None) -> Any:
    """Return the forward of a Function unchanged, or without it a decorator that does. Source: torch.amp.custom_fwd.

    >>> torch.amp.custom_fwd(abs, device_type="cpu") is abs
    True
    """
    return (lambda fwd: fwd) if fwd is None else fwd


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Return the backward of a Function unchanged, or a decorator that does. Source: torch.amp.custom_bwd.

    >>> torch.amp.custom_bwd(abs, device_type="cpu") is abs
    True
    """
    return (lambda bwd: bwd) if bwd is None else bwd


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return False: nothing is cast. Source: torch.is_autocast_enabled.

    >>> with torch.autocast("cpu", enabled=False):
    ...     torch.is_autocast_enabled("cpu")
    False
    """
    return False


is_autocast_cpu_enabled = is_autocast_cache_enabled = is_autocast_enabled


def set_autocast_enabled(device_type: str | bool | None = None, enabled: bool | None = None) -> None:
    """Do nothing; the device type may be left out. Raises TypeError without a bool. Source: torch.set_autocast_enabled.

    >>> torch.set_autocast_enabled("cpu", False)
    """
    check_bool("set_autocast_enabled", enabled=device_type if enabled is None else enabled)


def set_autocast_cache_enabled(enabled: bool, /) -> None:
    """Do nothing. Raises TypeError unless given a bool. Source: torch.set_autocast_cache_enabled.

    >>> torch.set_autocast_cache_enabled(True)
    """
    check_bool("set_autocast_cache_enabled", enabled=enabled)


def set_autocast_dtype(device_type: str, dtype: Dtype) -> None:
    """Do nothing. Source: torch.set_autocast_dtype.

    >>> torch.set_autocast_dtype("cpu", torch.float16)
    """


def set_autocast_gpu_dtype(dtype: Dtype, /) -> None:
    """Do nothing. Source: torch.set_autocast_gpu_dtype.

    >>> torch.set_autocast_gpu_dtype(torch.float16)
    """


set_autocast_cpu_enabled, set_autocast_cpu_dtype = set_autocast_cache_enabled, set_autocast_gpu_dtype


def get_autocast_dtype(device_type: str = "cuda") -> Any:
    """Return the dtype that PyTorch would cast to. Source: torch.get_autocast_dtype.

    >>> torch.get_autocast_dtype("cuda"), torch.get_autocast_dtype("cpu")
    (torch.float16, torch.bfloat16)
    """
    return unsupported.bfloat16 if device_type == "cpu" else dtypes.float16


def get_autocast_cpu_dtype() -> Any:
    """Return the dtype that PyTorch would cast to on the CPU. Source: torch.get_autocast_cpu_dtype.

    >>> torch.get_autocast_cpu_dtype()
    torch.bfloat16
    """
    return get_autocast_dtype("cpu")


get_autocast_gpu_dtype = get_autocast_dtype


def is_autocast_available(device_type: str) -> bool:
    """Return False: nothing is cast. Source: torch.amp.is_autocast_available.

    >>> torch.amp.is_autocast_available("cpu")
    False
    """
    return False


def clear_autocast_cache() -> None:
    """Do nothing: nothing is cached. Source: torch.clear_autocast_cache.

    >>> torch.clear_autocast_cache()
    """
