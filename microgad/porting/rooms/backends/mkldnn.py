"""torch.backends.mkldnn: NumPy has its own BLAS."""

from ....lazy import absent as _absent


def is_available() -> bool:
    """False. Source: torch.backends.mkldnn.is_available."""
    return False


_absent(globals())
