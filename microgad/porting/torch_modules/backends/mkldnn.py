"""torch.backends.mkldnn: unavailable, because NumPy has its own BLAS; its flags have no effect."""

from types import SimpleNamespace

from ....lazy import define_getattr as _define_getattr

enabled, fp32_precision = True, "none"
matmul, conv, rnn = (SimpleNamespace(fp32_precision="none") for _ in range(3))


def is_available() -> bool:
    """Return False. Source: torch.backends.mkldnn.is_available."""
    return False


_define_getattr(globals())
