"""torch.amp: everything stays in its own precision, so nothing is cast and no gradient has to be scaled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from . import dtypes, unheld
from .lazy import absent as _absent
from .notices import once as _once
from .tensor import Tensor


class autocast(contextlib.ContextDecorator):
    """A block, or a function, that changes nothing. Says so once, unless `enabled` is false. Source: torch.autocast.

    >>> with torch.autocast("cpu", enabled=False):
    ...     (torch.ones(2) @ torch.ones(2)).dtype
    torch.float32
    """

    def __init__(
        self, device_type: str = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device, self.fast_dtype = device_type, dtype
        if enabled:
            _once("torch.autocast: microgad computes in the dtype that the operands have; nothing is cast")

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: Any) -> None:
        pass


class GradScaler:
    """A scale of 1. Source: torch.amp.GradScaler.

    >>> scaler = torch.amp.GradScaler("cpu")
    >>> scaler.scale(torch.tensor(2.0)), scaler.get_scale()
    (tensor(2.), 1.0)
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 65536.0, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        self._enabled = enabled

    def scale(self, outputs: Any) -> Any:
        """The losses as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing was scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step, left out where a gradient isn't finite."""
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        return optimizer.step(*args, **kwargs) if all(_finite(grad) for grad in grads) else None

    def update(self, new_scale: Any = None) -> None:
        """The scale stays."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def is_enabled(self) -> bool:
        """What it was made with."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to take over."""


def _finite(x: Tensor) -> bool:
    return bool(x.isfinite().all())


def custom_fwd(fwd: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Give a Function's forward as it is; also as a decorator. Source: torch.amp.custom_fwd."""
    return (lambda fwd: fwd) if fwd is None else fwd


custom_bwd = custom_fwd


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """False: nothing is cast. Source: torch.is_autocast_enabled.

    >>> with torch.autocast("cpu", enabled=False):
    ...     torch.is_autocast_enabled("cpu")
    False
    """
    return False


is_autocast_cpu_enabled = is_autocast_cache_enabled = is_autocast_enabled


def set_autocast_enabled(*args: Any) -> None:
    """No effect. Source: torch.set_autocast_enabled."""


set_autocast_cpu_enabled = set_autocast_cache_enabled = set_autocast_dtype = set_autocast_enabled
set_autocast_cpu_dtype = set_autocast_gpu_dtype = set_autocast_enabled


def get_autocast_dtype(device_type: str = "cuda") -> Any:
    """The dtype that PyTorch would cast to. Source: torch.get_autocast_dtype.

    >>> torch.get_autocast_dtype("cuda"), torch.get_autocast_dtype("cpu")
    (torch.float16, torch.bfloat16)
    """
    return unheld.bfloat16 if device_type == "cpu" else dtypes.float16


def get_autocast_cpu_dtype() -> Any:
    """The one for the CPU. Source: torch.get_autocast_cpu_dtype."""
    return get_autocast_dtype("cpu")


get_autocast_gpu_dtype = get_autocast_dtype


def is_autocast_available(device_type: str) -> bool:
    """False. Source: torch.amp.is_autocast_available."""
    return False


def clear_autocast_cache() -> None:
    """Nothing was cached. Source: torch.clear_autocast_cache."""


_absent(globals())
