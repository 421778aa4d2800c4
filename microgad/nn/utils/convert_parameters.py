"""Conversion of a model's parameters to one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import ShapeError
from ...ops.movement import cat, flatten
from ...tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Concatenate all parameters to one vector; gradients flow through it.

    Raises RuntimeError for none. Source: torch.nn.utils.parameters_to_vector.

    >>> nn.utils.parameters_to_vector(nn.Linear(2, 3).parameters()).shape
    torch.Size([9])
    """
    return cat([flatten(p) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Set the parameters' data to slices of `vec`, whose memory they share from then on.

    Raises TypeError unless `vec` is a Tensor, RuntimeError if it is too short; no parameter is changed then.
    Source: torch.nn.utils.vector_to_parameters.

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
