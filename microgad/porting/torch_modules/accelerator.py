"""torch.accelerator: the GPU, if CuPy sees one."""

from __future__ import annotations

from ... import backend, cuda

is_available, device_count, synchronize = cuda.is_available, cuda.device_count, cuda.synchronize
memory_allocated, empty_cache, current_device_index = cuda.memory_allocated, cuda.empty_cache, cuda.current_device
set_device_index = cuda.set_device


def current_accelerator(check_available: bool = False) -> backend.device | None:
    """Return the device "cuda" if there is one, else None. Source: torch.accelerator.current_accelerator.

    >>> device = torch.accelerator.current_accelerator() or torch.device("cpu")
    """
    return backend.device("cuda") if is_available() else None
