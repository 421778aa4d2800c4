"""torch.backends.mps: there is none."""


def is_available() -> bool:
    """False. Source: torch.backends.mps.is_available."""
    return False


is_built = is_available
