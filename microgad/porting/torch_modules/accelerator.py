"""torch.accelerator: the GPU, if CuPy sees one."""

from __future__ import annotations

from ... import backend, cuda

is_available, device_count, synchronize = cuda.is_available, cuda.device_count, cuda.synchronize
current_device_index = current_device_idx = cuda.current_device
set_device_index = set_device_idx = cuda.set_device
device_index, current_stream, set_stream = cuda.device, cuda.current_stream, cuda.set_stream
empty_cache, get_memory_info, memory_stats = cuda.empty_cache, cuda.mem_get_info, cuda.memory_stats
memory_allocated, memory_reserved = cuda.memory_allocated, cuda.memory_reserved
max_memory_allocated, max_memory_reserved = cuda.max_memory_allocated, cuda.max_memory_reserved
reset_peak_memory_stats = reset_accumulated_memory_stats = cuda.reset_peak_memory_stats


def current_accelerator(check_available: bool = False) -> backend.device | None:
    """Return the device "cuda" if there is one, else None. Source: torch.accelerator.current_accelerator.

    >>> device = torch.accelerator.current_accelerator() or torch.device("cpu")
    """
    return backend.device("cuda") if is_available() else None
