"""torch.cuda.amp: the deprecated form of torch.amp, with "cuda" as the implied device."""

from __future__ import annotations

from typing import Any

from .. import amp, backend
from ..amp import custom_bwd as custom_bwd
from ..amp import custom_fwd as custom_fwd
from ..errors.notices import warn as _warn


def warn_deprecated(name: str, device: str = "cuda") -> None:
    """Warn that a class of torch.cuda.amp or torch.cpu.amp is deprecated."""
    instead = f"Please use `torch.amp.{name}('{device}', args...)` instead."
    _warn(f"`torch.{device}.amp.{name}(args...)` is deprecated. {instead}", FutureWarning)


class autocast(amp.autocast):
    """torch.amp.autocast("cuda", ...), with a FutureWarning. Source: torch.cuda.amp.autocast.

    >>> import warnings
    >>> warnings.simplefilter("ignore", FutureWarning)
    >>> with torch.cuda.amp.autocast(False):
    ...     (torch.ones(2) @ torch.ones(2)).dtype
    torch.float32
    """

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        warn_deprecated("autocast")
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """torch.amp.GradScaler("cuda", ...), with a FutureWarning. Source: torch.cuda.amp.GradScaler.

    >>> import warnings
    >>> warnings.simplefilter("ignore", FutureWarning)
    >>> torch.cuda.amp.GradScaler(1024.0, enabled=False).is_enabled()
    False
    """

    def __init__(self, init_scale: float = 65536.0, *args: Any, **options: Any) -> None:
        warn_deprecated("GradScaler")
        super().__init__("cuda", init_scale, *args, **options)


def amp_definitely_not_available() -> bool:
    """Whether there is no GPU. Source: torch.cuda.amp.common.amp_definitely_not_available."""
    return not backend.gpu_count()
