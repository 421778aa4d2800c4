"""What is done to all gradients, or all parameters, of a model at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from types import GeneratorType

import numpy as np

from .. import backend, state
from ..errors import ArgumentError, ShapeError
from ..ops.creation import finished, zeros
from ..ops.movement import cat, flatten
from ..tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients, in place, so that together their norm is at most max_norm; gives the norm that they had.

    Raises RuntimeError where that is no finite number, if error_if_nonfinite, and leaves the gradients then. foreach
    has no effect. Source: torch.nn.utils.clip_grad_norm_; Pascanu et al. (2013).

    >>> p = nn.Parameter(torch.zeros(2))
    >>> p.grad = torch.tensor([3.0, 4.0])
    >>> nn.utils.clip_grad_norm_(p, max_norm=1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    grads = _gradients(parameters)
    if not grads:
        return zeros(())
    norms = [np.linalg.norm(grad.array.reshape(-1), norm_type) for grad in grads]
    norm = finished(backend.as_array(np.linalg.norm(np.stack(norms), norm_type)))
    if error_if_nonfinite and not norm.isfinite():
        raise ArgumentError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite: nothing was clipped. "
            "With error_if_nonfinite=False they are scaled by it all the same"
        )
    with state.scope(grad_enabled=False):
        scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        for grad in grads:
            grad.mul_(scale)
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Hold every element of every gradient within ±clip_value, in place; foreach has no effect.

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
            grad.clamp_(-limit, limit)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not tensors and isinstance(parameters, GeneratorType):
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3)
    return [p.grad for p in tensors if p.grad is not None]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters as one vector, recorded. Source: torch.nn.utils.parameters_to_vector.

    >>> nn.utils.parameters_to_vector(nn.Linear(2, 3).parameters()).shape
    torch.Size([9])
    """
    return cat([flatten(p) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters new values, on the memory of vec's slices. Source: torch.nn.utils.vector_to_parameters.

    Raises TypeError where vec is no Tensor, RuntimeError where it is too short; no parameter is changed then.

    >>> net = nn.Linear(2, 1)
    >>> nn.utils.vector_to_parameters(torch.tensor([1.0, 2.0, 3.0]), net.parameters())
    >>> net.weight.tolist(), net.bias.tolist()
    ([[1.0, 2.0]], [3.0])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    tensors = list(parameters)
    needed = sum(p.numel() for p in tensors)
    if vec.numel() < needed:
        raise ShapeError(f"vec has {vec.numel()} elements, but the parameters have {needed}")
    start = 0
    for p in tensors:
        p.data = vec.data[start : start + p.numel()].view_as(p)
        start += p.numel()
