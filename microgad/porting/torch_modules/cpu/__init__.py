"""torch.cpu: the CPU as a device, under the function names of torch.cuda."""

from __future__ import annotations

import contextlib
from typing import Any

from . import amp as amp


def is_available() -> bool:
    """Return True. Source: torch.cpu.is_available."""
    return True


is_initialized = is_available


def device_count() -> int:
    """Return 1. Source: torch.cpu.device_count."""
    return 1


def current_device() -> str:
    """Return the name "cpu". Source: torch.cpu.current_device."""
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Do nothing: there is nothing to wait for. Source: torch.cpu.synchronize."""


set_device = synchronize
Stream = stream = StreamContext = contextlib.nullcontext


def current_stream(device: Any = None) -> Any:
    """Return a stream without effect: operations run at once. Source: torch.cpu.current_stream."""
    return Stream()
