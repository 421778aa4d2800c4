"""torch.backends.mkl: unavailable, because NumPy has its own BLAS."""

from ....lazy import define_getattr as _define_getattr


def is_available() -> bool:
    """Return False. Source: torch.backends.mkl.is_available."""
    return False


_define_getattr(globals())
