"""torch.backends.openmp: NumPy has its own BLAS."""


def is_available() -> bool:
    """False. Source: torch.backends.openmp.is_available."""
    return False
