"""torch.backends.mkl: unavailable, because NumPy has its own BLAS."""


def is_available() -> bool:
    """Return False. Source: torch.backends.mkl.is_available."""
    return False
