"""torch.mps: Apple's GPUs, which are unavailable."""

from __future__ import annotations


def is_available() -> bool:
    """Return False. Source: torch.mps.is_available."""
    return False


_is_in_bad_fork = is_available


def device_count() -> int:
    """Return 0. Source: torch.mps.device_count."""
    return 0


def synchronize() -> None:
    """Do nothing: there is nothing to wait for. Source: torch.mps.synchronize."""


empty_cache = synchronize


def manual_seed(seed: int) -> None:
    """Do nothing: the device has no generator. Source: torch.mps.manual_seed."""
