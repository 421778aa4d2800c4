"""torch.backends.openmp: NumPy has its own BLAS."""

from ....lazy import absent as _absent


def is_available() -> bool:
    """False. Source: torch.backends.openmp.is_available."""
    return False


_absent(globals())
