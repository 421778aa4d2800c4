"""torch.backends.openmp: unavailable, because NumPy has its own BLAS."""


def is_available() -> bool:
    """Return False. Source: torch.backends.openmp.is_available."""
    return False
