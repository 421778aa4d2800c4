"""torch.utils._foreach_utils: helpers by which optimizers group their parameters."""

from __future__ import annotations

from typing import Any

from ..nn.utils.clip_grad import _group_tensors_by_device_and_dtype as _group_tensors_by_device_and_dtype


def _get_foreach_kernels_supported_devices() -> list[str]:
    """Return no devices: there are no kernels for lists of Tensors."""
    return []


_get_fused_kernels_supported_devices = _get_foreach_kernels_supported_devices


def _device_has_foreach_support(device: Any) -> bool:
    """Return True: functions of lists of Tensors are there, one call for each Tensor."""
    return True


def _has_foreach_support(tensors: list[Any], device: Any) -> bool:
    """Return False: there are no kernels for lists of Tensors."""
    return False
