"""Dropout. The noise is drawn by the public function and is a setting of the node, so that it can be replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import backend
from .. import generator as draws
from ..errors import ArgumentError, DtypeError
from ..function import Function

if TYPE_CHECKING:
    from ..tensor import Tensor


class Dropout(Function):
    """x times noise: 0 where a value is dropped, 1/(1 - p) elsewhere."""

    symbol = "dropout"

    def forward(self, x):
        return x * self.noise

    def grad_x(self, grad):
        return Dropout.apply(grad, noise=self.noise)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero with probability p, the rest scaled by 1/(1 - p). Source: torch.nn.functional.dropout, Hinton et al. (2012).

    The draws are PyTorch's. Gives input itself where it isn't training, where p is 0, and where input is empty. Raises
    ValueError where p isn't in [0, 1], RuntimeError for integers.

    >>> _ = torch.manual_seed(2024)
    >>> dropout(torch.ones(6))
    tensor([2., 0., 2., 0., 0., 2.])
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}")
    x = input.array
    if not training or p == 0 or x.size == 0:
        return input
    if x.dtype.kind != "f":
        raise DtypeError(f"dropout: input must be floating-point, but is {input.dtype}")
    if inplace:
        input._check_writable("dropout_", True)
    if p == 1:
        noise = np.zeros_like(x)
    else:
        scale = 1 / (1 - p) if x.dtype == np.float64 else float(np.float32(1) / np.float32(1 - p))
        layout = draws.fills.empty_like(x) if backend.is_gpu(x) else x  # its values are not read
        noise = backend.to_device(draws.dropout_noise(layout, 1 - p, scale), input.device)
    return Dropout.apply_(input, noise=noise) if inplace else Dropout.apply(input, noise=noise)
