"""torch.amp.GradScaler: scales losses up and gradients down, and skips steps whose gradients aren't finite."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from .. import backend, dtypes, errors
from ..errors.notices import warn
from ..ops.creation import full
from ..tensor import Tensor


class GradScaler:
    """Scales losses so that gradients in low precision don't underflow. Source: torch.amp.GradScaler.

    The scale shrinks when a gradient isn't finite, and grows when all were finite for `growth_interval` updates. With
    enabled=False, and for "cuda" without a GPU, nothing is scaled and every step is made. Raises AssertionError unless
    growth_factor > 1 and backoff_factor < 1.

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
            warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.")
            enabled = False
        self._enabled = enabled
        if enabled and growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if enabled and backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._init_scale, self._init_growth_tracker = float(init_scale), 0
        self._scale: Tensor | None = None  # a Tensor from the first call of `scale` on, as is _growth_tracker
        self._growth_tracker: Tensor | None = None
        self._found_inf: dict[int, bool] = {}  # by the optimizer's id: whether one of its gradients isn't finite
        self._stepped: set[int] = set()  # ids of optimizers that have stepped since the last update

    def scale(self, outputs: Any) -> Any:
        """Multiply a loss, or an iterable of losses, by the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                self._lazy_init_scale_growth_tracker(outputs.device)
            scale: Any = self._scale
            return outputs * scale.to(outputs.device)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise errors.ArgumentError("outputs must be a Tensor or an iterable of Tensors")

    def _lazy_init_scale_growth_tracker(self, dev: Any) -> None:
        self._scale = full((), self._init_scale, dtype=dtypes.float32, device=dev)
        self._growth_tracker = full((), self._init_growth_tracker, dtype=dtypes.int32, device=dev)

    def unscale_(self, optimizer: Any) -> None:
        """Divide the optimizer's gradients by the scale, for example to clip them before `step`.

        Raises RuntimeError if that was done already since the last update, ValueError for gradients in float16.
        """
        if not self._enabled:
            return
        scale, _ = self._check_scale_growth_tracker("unscale_")
        key = id(optimizer)
        if key in self._stepped:
            raise errors.GraphError("unscale_() is being called after step().")
        if key in self._found_inf:
            raise errors.GraphError("unscale_() has already been called on this optimizer since the last update().")
        grads = _grads_of(optimizer)
        if any(grad.dtype == dtypes.float16 for grad in grads):
            raise errors.ArgumentError("Attempting to unscale FP16 gradients.")
        self._look_for_inf(key, grads)
        _multiply(grads, 1 / scale.item())

    def _look_for_inf(self, key: int, grads: list[Tensor]) -> None:
        if grads:
            self._found_inf[key] = not all(bool(grad.isfinite().all()) for grad in grads)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the optimizer's step, unless a gradient isn't finite; with fused=True gradients then stay scaled.

        An optimizer with a true attribute `_step_supports_amp_scaling` steps in any case, with gradients as they are.
        It finds the Tensors `grad_scale` and `found_inf` as its attributes, or takes the scaler as `grad_scaler`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise errors.GraphError("Closure use is not currently supported if GradScaler is enabled.")
        scale, _ = self._check_scale_growth_tracker("step")
        key = id(optimizer)
        if key in self._stepped:
            raise errors.GraphError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            self._stepped.add(key)
            return self._step_scaled(scale, optimizer, args, kwargs)
        if key not in self._found_inf:
            if getattr(optimizer, "defaults", {}).get("fused"):
                self._unscale_unless_inf(optimizer)
            else:
                self.unscale_(optimizer)
        if key not in self._found_inf:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        self._stepped.add(key)
        return None if self._found_inf[key] else optimizer.step(*args, **kwargs)

    def _unscale_unless_inf(self, optimizer: Any) -> None:
        """Do what PyTorch's fused optimizers do in place of `unscale_`: a skipped step leaves its gradients scaled."""
        grads, (scale, _) = _grads_of(optimizer), self._check_scale_growth_tracker("step")
        self._look_for_inf(id(optimizer), grads)
        if not self._found_inf.get(id(optimizer)):
            _multiply(grads, 1 / scale.item())

    def _step_scaled(self, scale: Tensor, optimizer: Any, args: Any, kwargs: Any) -> Any:
        """Call the step of an optimizer that handles the scale."""
        if "grad_scaler" in inspect.signature(optimizer.step).parameters:
            message = "GradScaler is going to stop passing itself to optimizers: use their grad_scale and found_inf"
            warn(message, FutureWarning)
            return optimizer.step(*args, grad_scaler=self, **kwargs)
        if id(optimizer) not in self._found_inf:  # or unscale_ was called
            self._look_for_inf(id(optimizer), _grads_of(optimizer))
            optimizer.grad_scale = scale * getattr(optimizer, "grad_scale", 1)
        else:
            optimizer.grad_scale = getattr(optimizer, "grad_scale", None)
        optimizer.found_inf = scale.new_tensor(float(self._found_inf.get(id(optimizer), False)))
        result = optimizer.step(*args, **kwargs)
        del optimizer.grad_scale, optimizer.found_inf
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Update the scale after the steps of all optimizers, or set it to `new_scale`."""
        if not self._enabled:
            return
        scale, growth_tracker = self._check_scale_growth_tracker("update")
        if new_scale is not None:
            scale.fill_(float(new_scale))
        elif not self._found_inf:
            raise AssertionError("No inf checks were recorded prior to update.")
        else:
            found_inf = scale.new_tensor(float(any(self._found_inf.values())))
            factors = self._growth_factor, self._backoff_factor, self._growth_interval
            _amp_update_scale_(scale, growth_tracker, found_inf, *factors)
        self._found_inf.clear()
        self._stepped.clear()

    def _check_scale_growth_tracker(self, funcname: str) -> tuple[Tensor, Tensor]:
        if self._scale is None or self._growth_tracker is None:
            raise AssertionError(f"Attempted {funcname} but _scale is None: call scaler.scale(loss) before")
        return self._scale, self._growth_tracker

    def get_scale(self) -> float:
        """Return the scale, or 1 if the scaler is disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale)

    def _get_growth_tracker(self) -> int:
        return self._init_growth_tracker if self._growth_tracker is None else int(self._growth_tracker)

    def get_growth_factor(self) -> float:
        """Return the factor by which the scale grows after `growth_interval` updates with finite gradients."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set `growth_factor`."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Return the factor by which the scale shrinks when a gradient isn't finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set `backoff_factor`."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Return after how many updates with finite gradients the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set `growth_interval`."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether the scaler is enabled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Return the scale, factors and counts; an empty dict if the scaler is disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned. Raises RuntimeError if it came from a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise errors.ArgumentError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        factors = state_dict["growth_factor"], state_dict["backoff_factor"], state_dict["growth_interval"]
        self._init_scale, self._init_growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        if self._scale is not None:
            self._lazy_init_scale_growth_tracker(self._scale.device)
        self._growth_factor, self._backoff_factor, self._growth_interval = factors

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes, with numbers for the Tensors, which may be on a GPU."""
        if self._found_inf or self._stepped:
            raise AssertionError(
                "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                "scaler.update()."
            )
        numbers = {"_init_scale": self.get_scale(), "_init_growth_tracker": self._get_growth_tracker()}
        return {**vars(self), **numbers, "_scale": None, "_growth_tracker": None}


def _multiply(grads: list[Tensor], factor: float) -> None:
    for grad in grads:
        grad.detach().mul_(factor)


def _grads_of(optimizer: Any) -> list[Tensor]:
    return [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def _amp_foreach_non_finite_check_and_unscale_(grads: Iterable[Tensor], found_inf: Tensor, inv_scale: Tensor) -> None:
    """Multiply gradients by inv_scale, and write 1 to found_inf if one isn't finite, for scalers of programs."""
    for grad in grads:
        if not grad.isfinite().all():
            found_inf.fill_(1.0)
        grad.mul_(inv_scale)


def _amp_update_scale_(
    scale: Tensor, growth_tracker: Tensor, found_inf: Tensor, growth_factor: float, backoff_factor: float,
    growth_interval: int,
) -> Tensor:  # fmt: skip
    """Shrink the scale in place if found_inf isn't 0, or count an update, and let the scale grow after growth_interval.

    It doesn't become infinite.
    """
    if found_inf.item():
        scale.mul_(backoff_factor)
    elif (n := growth_tracker.item() + 1) != growth_interval:
        growth_tracker.fill_(n)
        return scale
    elif (scale * growth_factor).isfinite():
        scale.mul_(growth_factor)
    growth_tracker.fill_(0)
    return scale
