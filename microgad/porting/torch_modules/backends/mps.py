"""torch.backends.mps: unavailable."""


def is_available() -> bool:
    """Return False. Source: torch.backends.mps.is_available."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Return False. Source: torch.backends.mps.is_macos_or_newer."""
    return False


is_built = is_available
