"""torch.cuda.amp: the deprecated form of torch.amp, with "cuda" as the implied device."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .. import amp, backend
from ..errors.notices import warn as _warn
from ..type_aliases import Dtype

common = autocast_mode = grad_scaler = sys.modules[__name__]  # PyTorch's modules of these names


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


def custom_fwd(fwd: Callable[..., Any] | None = None, *, cast_inputs: Dtype = None) -> Any:
    """torch.amp.custom_fwd for "cuda", with a FutureWarning. Source: torch.cuda.amp.custom_fwd."""
    _warn_of_decorator("custom_fwd")
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Callable[..., Any]) -> Any:
    """torch.amp.custom_bwd for "cuda", with a FutureWarning. Source: torch.cuda.amp.custom_bwd."""
    _warn_of_decorator("custom_bwd")
    return amp.custom_bwd(bwd, device_type="cuda")


def _warn_of_decorator(name: str) -> None:
    instead = f"Please use `torch.amp.{name}(args..., device_type='cuda')` instead."
    _warn(f"`torch.cuda.amp.{name}(args...)` is deprecated. {instead}", FutureWarning)


def amp_definitely_not_available() -> bool:
    """Whether there is no GPU. Source: torch.cuda.amp.common.amp_definitely_not_available."""
    return not backend.gpu_count()
