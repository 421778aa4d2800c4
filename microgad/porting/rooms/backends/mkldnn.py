"""torch.backends.mkldnn: NumPy has its own BLAS."""


def is_available() -> bool:
    """False. Source: torch.backends.mkldnn.is_available."""
    return False
