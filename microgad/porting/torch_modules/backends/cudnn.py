"""torch.backends.cudnn: flags without effect."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import SimpleNamespace

from .flag_contexts import changed

enabled, benchmark, deterministic, allow_tf32, benchmark_limit = True, False, False, True, 10
fp32_precision, depthwise_kernel = "none", "auto"
conv, rnn = SimpleNamespace(fp32_precision="tf32"), SimpleNamespace(fp32_precision="tf32")


def is_available() -> bool:
    """Return False. Source: torch.backends.cudnn.is_available.

    >>> torch.backends.cudnn.benchmark = True
    >>> torch.backends.cudnn.is_available()
    False
    """
    return False


def version() -> None:
    """Return None: cuDNN isn't used. Source: torch.backends.cudnn.version."""


def flags(
    enabled: bool = False, benchmark: bool = False, benchmark_limit: int = 10, deterministic: bool = False,
    allow_tf32: bool = True, fp32_precision: str = "none", depthwise_kernel: str = "auto",
) -> AbstractContextManager[None]:  # fmt: skip
    """Return a context in which the flags have other values. Source: torch.backends.cudnn.flags."""
    return changed(globals(), locals())
