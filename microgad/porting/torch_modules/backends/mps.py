"""torch.backends.mps: unavailable."""

from .mkl import is_available as is_available


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Return False. Source: torch.backends.mps.is_macos_or_newer."""
    return False


is_built = is_available
