"""Private helpers of torch.optim.optimizer, under PyTorch's names, that optimizers written for PyTorch import."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .. import dtypes, state
from ..backend import device
from ..errors import KindError
from ..ops.elementwise import view_as_real
from ..tensor import Tensor

__all__ = [
    "DeviceDict", "DeviceDtypeDict", "_capturable_doc", "_default_to_fused_or_foreach", "_device_dtype_check_for_fused",
    "_differentiable_doc", "_disable_dynamo_if_unsupported", "_dispatch_sqrt", "_foreach_doc", "_fused_doc",
    "_get_capturable_supported_devices", "_get_scalar_dtype", "_get_value", "_maximize_doc", "_params_doc",
    "_stack_if_compiling", "_to_scalar", "_use_grad_for_differentiable", "_view_as_real",
]  # fmt: skip

DeviceDict, DeviceDtypeDict = dict[device, Tensor], dict[tuple[device, dtypes.dtype], Tensor]

_params_doc = _foreach_doc = _fused_doc = _maximize_doc = _capturable_doc = _differentiable_doc = ""


def _use_grad_for_differentiable(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `step` so that it runs with grad mode on only if the optimizer is differentiable."""

    @functools.wraps(func)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        with state.scope(grad_enabled=bool(self.defaults.get("differentiable"))):
            return func(self, *args, **kwargs)

    return step


def _get_value(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor) else x


def _get_scalar_dtype(is_fused: bool | None = None) -> dtypes.dtype:
    """Return the dtype of a Tensor that counts steps."""
    default = dtypes.get_default_dtype()
    return default if default == dtypes.float64 and not is_fused else dtypes.float32


def _to_scalar(x: Any) -> Any:
    return x.squeeze() if isinstance(x, Tensor) else x


def _stack_if_compiling(x: Any) -> Any:
    return x


def _device_dtype_check_for_fused(p: Tensor, cuda_unsupported: bool = False) -> None:
    if not p.is_floating_point():
        raise KindError(f"`fused=True` requires all the params to be floating point Tensors, but got {p.dtype}")


def _dispatch_sqrt(x: Any) -> Any:
    return x.sqrt() if isinstance(x, Tensor) else math.sqrt(x)


def _default_to_fused_or_foreach(params: Any, differentiable: bool, use_fused: bool = False) -> tuple[bool, bool]:
    """Return (False, False): each parameter is updated by itself."""
    return False, False


def _get_capturable_supported_devices(supports_xla: bool = True) -> list[str]:
    return ["cuda"]


def _disable_dynamo_if_unsupported(single_tensor_fn: Any = None) -> Callable[[Any], Any]:
    return lambda func: func


def _view_as_real(params: list[Tensor], *state_and_grads: list[Tensor]) -> None:
    """Replace complex parameters, and the Tensors that belong to them, by views as pairs of real numbers."""
    for i, p in enumerate(params):
        if p.is_complex():
            for tensors in (params, *state_and_grads):
                tensors[i] = view_as_real(tensors[i])
