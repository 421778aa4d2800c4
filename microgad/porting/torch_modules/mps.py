"""torch.mps: there is none."""

from __future__ import annotations

from ...lazy import define_getattr as _define_getattr


def is_available() -> bool:
    """False. Source: torch.mps.is_available."""
    return False


def device_count() -> int:
    """0. Source: torch.mps.device_count."""
    return 0


def synchronize() -> None:
    """Nothing to wait for. Source: torch.mps.synchronize."""


empty_cache = synchronize


def manual_seed(seed: int) -> None:
    """Nothing is drawn there. Source: torch.mps.manual_seed."""


_define_getattr(globals())
