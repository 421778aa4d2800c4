"""torch.backends.mkl: unavailable, because NumPy has its own BLAS."""


def is_available() -> bool:
    """Return False. Source: the functions of this name in torch.backends.mkl, mkldnn, mps, openmp and opt_einsum."""
    return False
