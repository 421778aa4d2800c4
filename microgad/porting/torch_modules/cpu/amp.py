"""torch.cpu.amp: the deprecated form of torch.amp, with "cpu" as the implied device."""

from __future__ import annotations

from typing import Any

from .... import amp
from ....cuda.amp import warn_deprecated as _warn_deprecated


class autocast(amp.autocast):
    """torch.amp.autocast("cpu", ...), with a FutureWarning. Source: torch.cpu.amp.autocast.

    >>> import warnings
    >>> warnings.simplefilter("ignore", FutureWarning)
    >>> from microgad.porting.torch_modules.cpu.amp import autocast
    >>> with autocast(False):
    ...     (torch.ones(2) @ torch.ones(2)).dtype
    torch.float32
    """

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        _warn_deprecated("autocast", "cpu")
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """torch.amp.GradScaler("cpu", ...), with a FutureWarning. Source: torch.cpu.amp.GradScaler.

    >>> import warnings
    >>> warnings.simplefilter("ignore", FutureWarning)
    >>> from microgad.porting.torch_modules.cpu.amp import GradScaler
    >>> GradScaler(1024.0).get_scale()
    1024.0
    """

    def __init__(self, init_scale: float = 65536.0, *args: Any, **options: Any) -> None:
        _warn_deprecated("GradScaler", "cpu")
        super().__init__("cpu", init_scale, *args, **options)
