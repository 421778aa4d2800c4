"""torch.backends.mkldnn: NumPy has its own BLAS; a flag without effect."""

from ....lazy import absent as _absent

enabled = True


def is_available() -> bool:
    """False. Source: torch.backends.mkldnn.is_available."""
    return False


_absent(globals())
