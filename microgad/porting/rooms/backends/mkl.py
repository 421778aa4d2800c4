"""torch.backends.mkl: NumPy has its own BLAS."""


def is_available() -> bool:
    """False. Source: torch.backends.mkl.is_available."""
    return False
