"""GPUs, through CuPy, under PyTorch's names."""

from __future__ import annotations

from . import backend
from .lazy import absent as _absent
from .ops.random import manual_seed as manual_seed

empty_cache = backend.empty_cache


def is_available() -> bool:
    """Whether there is a GPU, and CuPy to use it. Source: torch.cuda.is_available.

    >>> device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    >>> torch.ones(2, device=device).sum().item()
    2.0
    """
    return backend.gpu_count() > 0


def device_count() -> int:
    """How many GPUs CuPy sees; 0 where there is no CuPy. Source: torch.cuda.device_count.

    >>> torch.cuda.device_count() >= 0
    True
    """
    return backend.gpu_count()


_absent(globals())
