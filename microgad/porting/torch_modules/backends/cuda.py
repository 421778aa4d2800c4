"""torch.backends.cuda: flags without effect."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from types import SimpleNamespace
from typing import Any

from ....backend import gpu_count
from ....errors.notices import warn

matmul = SimpleNamespace(
    allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True,
    fp32_precision="none",
)  # fmt: skip


def is_built() -> bool:
    """Whether CuPy finds a GPU. Source: torch.backends.cuda.is_built.

    >>> torch.backends.cuda.matmul.allow_tf32 = True
    >>> torch.backends.cuda.is_built() == torch.cuda.is_available()
    True
    """
    return gpu_count() > 0


def enable_flash_sdp(enabled: bool) -> None:
    """Do nothing: attention has one implementation. Source: torch.backends.cuda.enable_flash_sdp."""


enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp


class _LinalgBackend(Enum):
    Default = 0


def preferred_linalg_library(backend: str | _LinalgBackend | None = None) -> _LinalgBackend:
    """Return that the library is chosen by CuPy. Source: torch.backends.cuda.preferred_linalg_library.

    Raises RuntimeError for another `backend` than "default", as PyTorch does where it has been compiled without others.

    >>> torch.backends.cuda.preferred_linalg_library("default")
    <_LinalgBackend.Default: 0>
    """
    if backend not in (None, "default", _LinalgBackend.Default):
        raise RuntimeError(f"preferred_linalg_library: CuPy chooses it: backend must be 'default', not {backend}")
    return _LinalgBackend.Default


def sdp_kernel(*args: Any, **options: Any) -> AbstractContextManager[None]:
    """Return a context without effect; deprecated. Source: torch.backends.cuda.sdp_kernel."""
    warn("torch.backends.cuda.sdp_kernel() is deprecated: torch.nn.attention.sdpa_kernel() is there", FutureWarning)
    return nullcontext()


def flash_sdp_enabled() -> bool:
    """Return False. Source: torch.backends.cuda.flash_sdp_enabled."""
    return False


mem_efficient_sdp_enabled = cudnn_sdp_enabled = flash_sdp_enabled


def math_sdp_enabled() -> bool:
    """Return True: attention follows its formula. Source: torch.backends.cuda.math_sdp_enabled."""
    return True
