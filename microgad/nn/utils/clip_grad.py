"""Gradient clipping, by total norm or by value."""

from __future__ import annotations

from collections.abc import Iterable
from types import GeneratorType
from typing import Any

import numpy as np

from ... import backend, state
from ...errors import ArgumentError
from ...errors.notices import warn
from ...function.half import HALF, norm
from ...ops.creation import from_array, zeros
from ...tensor import Tensor
from ...type_aliases import Array
from ...updates import update
from ..deprecation import deprecated_alias


def _group_tensors_by_device_and_dtype(
    tensorlistlist: list[list[Any]], with_indices: bool = False
) -> dict[Any, tuple[list[list[Any]], list[int]]]:
    """Split parallel lists into groups, by the device and dtype of the Tensors in the first list.

    >>> from microgad.nn.utils.clip_grad import _group_tensors_by_device_and_dtype
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


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients in place so that their total norm is at most max_norm; return the norm that they had.

    With error_if_nonfinite, raises RuntimeError for a norm that isn't finite, and leaves the gradients unchanged.
    `foreach` has no effect. Source: torch.nn.utils.clip_grad_norm_; Pascanu et al. (2013).

    >>> p = nn.Parameter(torch.zeros(2))
    >>> p.grad = torch.tensor([3.0, 4.0])
    >>> nn.utils.clip_grad_norm_(p, max_norm=1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    grads = _gradients(parameters)
    total_norm = get_total_norm(grads, norm_type, error_if_nonfinite)
    _scale(grads, max_norm, total_norm)
    return total_norm


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all Tensors as if they were one vector, detached; 0 for no Tensors.

    norm_type is a number or a text such as "inf". With error_if_nonfinite, raises RuntimeError for a norm that isn't
    finite. `foreach` has no effect. Source: torch.nn.utils.get_total_norm.

    >>> nn.utils.get_total_norm([torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])])
    tensor(5.)
    """
    each, norm_type = [tensors] if isinstance(tensors, Tensor) else list(tensors), float(norm_type)
    if not each:
        return zeros(())
    norms = np.stack([_norm(x.array, norm_type) for x in each])
    total = from_array(backend.as_array(_norm(norms, norm_type)))
    if error_if_nonfinite and not total.isfinite():
        raise ArgumentError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite: nothing was clipped. "
            "With error_if_nonfinite=False they are scaled by it all the same"
        )
    return total


def _norm(x: Array, order: float) -> Array:
    found = norm(x, order)
    return found.astype(x.dtype) if x.dtype == HALF else found


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients in place by max_norm / total_norm if that is less than 1. `foreach` has no effect.

    Source: torch.nn.utils.clip_grads_with_norm_.

    >>> p = nn.Parameter(torch.zeros(2))
    >>> p.grad = torch.tensor([3.0, 4.0])
    >>> nn.utils.clip_grads_with_norm_(p, 1.0, torch.tensor(10.0))
    >>> p.grad
    tensor([0.3000, 0.4000])
    """
    _scale(_gradients(parameters), max_norm, total_norm)


def _scale(grads: list[Tensor], max_norm: float, total_norm: Tensor) -> None:
    with state.scope(grad_enabled=False):
        scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        # On a GPU a number would wait for the norm; a tape would lose where it is from.
        as_number = scale.is_cpu and not scale.ndim and state.current().observer is None
        factor = scale.item() if as_number else None
        for grad in grads:
            grad.mul_(scale.to(grad.device) if factor is None else factor)


clip_grad_norm = deprecated_alias(clip_grad_norm_, "torch.nn.utils")


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clamp every element of all gradients to ±clip_value, in place. `foreach` has no effect.

    Source: torch.nn.utils.clip_grad_value_.

    >>> p = nn.Parameter(torch.zeros(2))
    >>> p.grad = torch.tensor([3.0, -0.5])
    >>> nn.utils.clip_grad_value_(p, 1.0)
    >>> p.grad
    tensor([ 1.0000, -0.5000])
    """
    limit = float(clip_value)
    with state.scope(grad_enabled=False):
        for grad in _gradients(parameters):
            if not update("clamp_", lambda x, limit: x.clip(-limit, limit, out=x), grad, limit):
                grad.clamp_(-limit, limit)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not tensors and isinstance(parameters, GeneratorType):
        warn("`parameters` is an empty generator, no gradient clipping will occur.")
    return [p.grad for p in tensors if p.grad is not None]
