"""torch.utils._foreach_utils: helpers by which optimizers group their parameters."""

from __future__ import annotations

from typing import Any


def _group_tensors_by_device_and_dtype(
    tensorlistlist: list[list[Any]], with_indices: bool = False
) -> dict[Any, tuple[list[list[Any]], list[int]]]:
    """Split parallel lists into groups, by the device and dtype of the Tensors in the first list.

    >>> from microgad.utils._foreach_utils import _group_tensors_by_device_and_dtype
    >>> groups = _group_tensors_by_device_and_dtype([[torch.ones(1), torch.ones(2)], [torch.ones(1), None]])
    >>> list(groups), [len(lists[0]) for lists, _ in groups.values()]
    ([(device(type='cpu'), torch.float32)], [2])
    """
    groups: dict[Any, tuple[list[list[Any]], list[int]]] = {}
    for i, first in enumerate(tensorlistlist[0]):
        lists, indices = groups.setdefault((first.device, first.dtype), ([[] for _ in tensorlistlist], []))
        for found, given in zip(lists, tensorlistlist, strict=True):
            if given:
                found.append(given[i])
        if with_indices:
            indices.append(i)
    return groups


def _get_foreach_kernels_supported_devices() -> list[str]:
    """Return no devices: there are no kernels for lists of Tensors."""
    return []


_get_fused_kernels_supported_devices = _get_foreach_kernels_supported_devices


def _has_foreach_support(tensors: list[Any], device: Any) -> bool:
    """Return False: there are no kernels for lists of Tensors."""
    return False
