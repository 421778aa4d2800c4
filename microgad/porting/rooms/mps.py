"""torch.mps: there is none."""

from __future__ import annotations

from ...lazy import absent as _absent
from ...ops.random import manual_seed as manual_seed


def is_available() -> bool:
    """False. Source: torch.mps.is_available."""
    return False


def device_count() -> int:
    """0. Source: torch.mps.device_count."""
    return 0


def synchronize() -> None:
    """Nothing to wait for. Source: torch.mps.synchronize."""


empty_cache = synchronize

_absent(globals())
