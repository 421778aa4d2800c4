"""torch.backends.mkldnn: unavailable, because NumPy has its own BLAS; its flags have no effect."""

from contextlib import AbstractContextManager
from types import SimpleNamespace

from .flag_contexts import changed
from .mkl import is_available as is_available

enabled, deterministic, allow_tf32, fp32_precision = True, False, None, "none"
matmul, conv, rnn = (SimpleNamespace(fp32_precision="none") for _ in range(3))


def flags(
    enabled: bool = False, deterministic: bool = False, allow_tf32: bool = True, fp32_precision: str = "none"
) -> AbstractContextManager[None]:
    """Return a context in which the flags have other values. Source: torch.backends.mkldnn.flags."""
    return changed(globals(), locals())
