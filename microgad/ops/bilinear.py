"""The bilinear transformation of two inputs."""

from __future__ import annotations

import math

from ..errors import ShapeError
from ..state import composite
from ..type_aliases import Tensor
from .linalg import linear, matmul


@composite
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return input1ᵀ weight input2 + bias: (..., in1), (..., in2), (out, in1, in2), (out) -> (..., out).

    Raises RuntimeError if the sizes do not fit. Source: torch.bilinear.

    >>> torch.bilinear(torch.tensor([[2.0]]), torch.tensor([[3.0]]), torch.tensor([[[4.0]]]), torch.tensor([1.0]))
    tensor([[25.]])
    """
    lead, sizes = tuple(input1.shape[:-1]), (input1.shape[-1:], input2.shape[-1:])
    if tuple(input2.shape[:-1]) != lead or weight.ndim != 3 or (weight.shape[1:2], weight.shape[2:]) != sizes:
        raise ShapeError(
            "bilinear: needs input1 (..., in1), input2 (..., in2) and weight (out, in1, in2), but they are "
            f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(weight.shape)}"
        )
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:1]):
        raise ShapeError(f"bilinear: bias must be ({weight.shape[0]},), but is {tuple(bias.shape)}")
    (out, in1, in2), rows = weight.shape, math.prod(lead)
    half = linear(input2.reshape(rows, in2), weight.reshape(out * in1, in2)).reshape(rows, out, in1)
    result = matmul(half, input1.reshape(rows, in1, 1)).reshape(*lead, out)
    return result if bias is None else result + bias
