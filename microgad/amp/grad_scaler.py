"""torch.amp.GradScaler: losses are scaled up, gradients down again, and steps with infinities in them are left out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

from .. import backend, dtypes, errors
from ..tensor import Tensor


class GradScaler:
    """The scale of the losses: less where a gradient wasn't finite, more where all were for long. Source:
    torch.amp.GradScaler.

    Where there is no device of its kind it is off: losses and gradients stay as they are, and every step is made.

    >>> scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    >>> scaler.scale(torch.tensor(2.0)), scaler.get_scale()
    (tensor(8.), 4.0)
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 65536.0, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        self._device = str(device)
        if enabled and self._device.startswith("cuda") and not backend.gpu_count():
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2)
            enabled = False
        self._enabled = enabled
        if enabled and growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if enabled and backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._scale, self._growth_factor, self._backoff_factor = float(init_scale), growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._scales = False  # whether it has scaled anything
        self._found: dict[int, bool] = {}  # by the id of an optimizer: whether a gradient of its wasn't finite
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """A loss, or an iterable of them, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            self._scales = True
            return outputs * outputs.new_tensor(self._scale, dtype=dtypes.float32)  # a loss in float16 has no room
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise errors.ArgumentError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the optimizer's gradients by the scale, as before they are clipped.

        Raises RuntimeError where that was done since the last update, ValueError for gradients in float16.
        """
        if not self._enabled:
            return
        self._check("unscale_")
        key = id(optimizer)
        if key in self._stepped:
            raise errors.GraphError("unscale_() is being called after step().")
        if key in self._found:
            raise errors.GraphError("unscale_() has already been called on this optimizer since the last update().")
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if any(grad.dtype == dtypes.float16 for grad in grads):
            raise errors.ArgumentError("Attempting to unscale FP16 gradients.")
        if grads:
            self._found[key] = not all(bool(grad.isfinite().all()) for grad in grads)
        for grad in grads:
            grad.detach().mul_(1 / self._scale)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step, left out where a gradient isn't finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise errors.GraphError("Closure use is not currently supported if GradScaler is enabled.")
        key = id(optimizer)
        if key in self._stepped:
            raise errors.GraphError("step() has already been called since the last update().")
        if key not in self._found:
            self.unscale_(optimizer)
        if key not in self._found:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        self._stepped.add(key)
        return None if self._found[key] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """The next scale, after the steps of all optimizers; or `new_scale`."""
        if not self._enabled:
            return
        self._check("update")
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif any(self._found.values()):
            self._scale, self._growth_tracker = self._scale * self._backoff_factor, 0
        elif self._growth_tracker + 1 == self._growth_interval:
            grown = self._scale * self._growth_factor
            self._scale, self._growth_tracker = grown if math.isfinite(grown) else self._scale, 0
        else:
            self._growth_tracker += 1
        self._found.clear()
        self._stepped.clear()

    def _check(self, op: str) -> None:
        if not self._scales:
            raise AssertionError(f"Attempted {op} but _scale is None: call scaler.scale(loss) before")

    def get_scale(self) -> float:
        """The scale; 1 where it is off."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """What the scale is multiplied by after `growth_interval` updates without infinities."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Another `growth_factor`."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by where a gradient wasn't finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Another `backoff_factor`."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """How many updates without infinities the scale grows after."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Another `growth_interval`."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether it scales."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors and counts; nothing where it is off."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave. Raises RuntimeError where that was of one that is off."""
        if not self._enabled:
            return
        if not state_dict:
            raise errors.ArgumentError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._scale, self._growth_tracker = float(state_dict["scale"]), state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
