"""Global settings of torch: threads, determinism and matmul precision. Most have no effect."""

from __future__ import annotations

import os
from typing import Any

from ... import cuda
from ...backend import uninitialized
from ...backend.devices import device as _device
from ...backend.devices import get_default_device
from ...errors import ArgumentError, DtypeError, notices
from ...errors.arguments import check_bool
from ...training.environment import environment, set_threads
from . import cpu


def get_num_threads() -> int:
    """Return the number of threads of the BLAS, or of cores if threadpoolctl isn't installed.

    Source: torch.get_num_threads.

    >>> torch.get_num_threads() >= 1
    True
    """
    return environment()["threads"] or os.cpu_count() or 1


def set_num_threads(num_threads: int) -> None:
    """Set the number of threads of the BLAS; does nothing without threadpoolctl. Source: torch.set_num_threads.

    Raises RuntimeError if it is not a positive int.

    >>> torch.set_num_threads(torch.get_num_threads())
    """
    set_threads(_positive("set_num_threads", num_threads))


def _positive(op: str, number: int) -> int:
    if type(number) is not int:
        raise RuntimeError(f"{op} expects an int, but got {type(number).__name__}")
    if not 1 <= number < 2**31:
        raise ArgumentError(f"{op} expects a positive integer, and one of 32 bits")
    return number


def get_num_interop_threads() -> int:
    """Return 1: operations run one after the other. Source: torch.get_num_interop_threads.

    >>> torch.get_num_interop_threads()
    1
    """
    return 1


def set_num_interop_threads(num_threads: int) -> None:
    """Check the number, which has no effect.

    Raises RuntimeError if it is not a positive int. Source: torch.set_num_interop_threads.

    >>> torch.set_num_interop_threads(1)
    """
    _positive("set_num_interop_threads", num_threads)


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Make `empty` and its like fill their memory: all else is deterministic anyway on the CPU.

    Source: torch.use_deterministic_algorithms.

    >>> torch.use_deterministic_algorithms(True)
    >>> torch.are_deterministic_algorithms_enabled(), torch.get_deterministic_debug_mode()
    (True, 2)
    >>> torch.use_deterministic_algorithms(False)
    """
    check_bool("use_deterministic_algorithms", mode=mode, warn_only=warn_only)
    uninitialized.deterministic, _settings["warn_only"] = mode, warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """Return the value that was set. Source: torch.are_deterministic_algorithms_enabled.

    >>> torch.are_deterministic_algorithms_enabled()
    False
    """
    return uninitialized.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return the value that was set. Source: torch.is_deterministic_algorithms_warn_only_enabled.

    >>> torch.is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return bool(_settings["warn_only"])


def get_deterministic_debug_mode() -> int:
    """Return 0 without determinism, 1 with warn_only, else 2. Source: torch.get_deterministic_debug_mode.

    >>> torch.get_deterministic_debug_mode()
    0
    """
    return (1 if _settings["warn_only"] else 2) if uninitialized.deterministic else 0


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Call `use_deterministic_algorithms`. Raises RuntimeError for modes other than 0, 1, 2 or their names.

    Source: torch.set_deterministic_debug_mode.

    >>> torch.set_deterministic_debug_mode("default")
    """
    names = ("default", "warn", "error")
    if debug_mode not in (*names, 0, 1, 2):
        raise ArgumentError(f"invalid value of debug_mode, expected one of {names}, or 0, 1, 2, but got {debug_mode!r}")
    mode = names.index(debug_mode) if isinstance(debug_mode, str) else debug_mode
    use_deterministic_algorithms(mode != 0, warn_only=mode == 1)


def get_device_module(device: Any = None) -> Any:
    """Return `torch.cuda` or `torch.cpu` for a device. Source: torch.get_device_module.

    >>> torch.get_device_module("cpu").device_count()
    1
    """
    where = get_default_device() if device is None else _device(device)
    return cuda if where.type == "cuda" else cpu


def set_warn_always(b: bool) -> None:
    """Set whether warnings that are given once are repeated. Source: torch.set_warn_always.

    >>> torch.set_warn_always(False)
    >>> torch.is_warn_always_enabled()
    False
    """
    check_bool("set_warn_always", b=b)
    notices.always = b


def is_warn_always_enabled() -> bool:
    """Return the value that was set. Source: torch.is_warn_always_enabled.

    >>> torch.is_warn_always_enabled()
    False
    """
    return notices.always


def is_vulkan_available() -> bool:
    """Return False. Source: torch.is_vulkan_available.

    >>> torch.is_vulkan_available()
    False
    """
    return False


has_mkl = has_openmp = False
has_lapack = has_spectral = True


def set_vital(*args: Any) -> None:
    """Do nothing but warn that the function is deprecated. Source: torch.set_vital.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     torch.set_vital("Dataloader", "enabled", "True")
    """
    notices.warn("'set_vital' is deprecated, please do not call")


def get_float32_matmul_precision() -> str:
    """Return the value that was set, at first "highest". Source: torch.get_float32_matmul_precision.

    >>> torch.get_float32_matmul_precision()
    'highest'
    """
    return str(_settings["precision"])


def set_float32_matmul_precision(precision: str) -> None:
    """Store the setting, which has no effect on the BLAS.

    Warns about other names than "highest", "high" and "medium"; raises RuntimeError for what is no string.
    Source: torch.set_float32_matmul_precision.

    >>> torch.set_float32_matmul_precision("highest")
    >>> torch.get_float32_matmul_precision()
    'highest'
    """
    if not isinstance(precision, str):
        raise DtypeError(f"set_float32_matmul_precision expects a str, but got {type(precision).__name__}")
    if precision not in ("highest", "high", "medium"):
        notices.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; set_float32_matmul_precision has no effect."
        )
    else:
        _settings["precision"] = precision


def set_flush_denormal(mode: bool) -> bool:
    """Return False: flushing can't be set. Source: torch.set_flush_denormal.

    >>> torch.set_flush_denormal(True)
    False
    """
    check_bool("set_flush_denormal", mode=mode)
    return False


_settings: dict[str, Any] = {"warn_only": False, "precision": "highest"}
