"""torch.backends.mps: there is none."""

from ....lazy import absent as _absent


def is_available() -> bool:
    """False. Source: torch.backends.mps.is_available."""
    return False


is_built = is_available


_absent(globals())
