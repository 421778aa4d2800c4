"""Local response normalization, across neighboring channels."""

from __future__ import annotations

from ...errors import ArgumentError, ShapeError
from ...state import composite
from ...type_aliases import Tensor
from ..movement import narrow, pad


@composite
def local_response_norm(
    input: Tensor, size: int, alpha: float | Tensor = 1e-4, beta: float | Tensor = 0.75, k: float | Tensor = 1.0
) -> Tensor:
    """Divide input by (k + alpha · the mean square of `size` neighboring channels)ᵝ. Krizhevsky et al. (2012).

    input is (N, C, L, ...), otherwise ValueError is raised. Channels beyond the first and the last count as 0.
    Source: torch.nn.functional.local_response_norm.

    >>> F.local_response_norm(torch.tensor([[[1.0], [2.0]]]), 2, alpha=2.0, beta=1.0)
    tensor([[[0.5000],
             [0.3333]]])
    """
    if input.ndim < 3:
        raise ShapeError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if size <= 0:
        raise ArgumentError(f"local_response_norm: size should be greater than zero, got {size}")
    if not input.numel():
        return input
    around = pad(input * input, (*(0, 0) * (input.ndim - 2), size // 2, (size - 1) // 2))
    total = sum(narrow(around, 1, i, input.shape[1]) for i in range(size))
    mean = total / size if input.dtype.is_floating_point else total // size
    return input / (mean * alpha + k) ** beta
