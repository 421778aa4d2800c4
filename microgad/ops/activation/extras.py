"""Activations that PyTorch doesn't have."""

from __future__ import annotations

from ...state import composite
from ...type_aliases import Tensor
from ..elementwise import clamp, exp, hypot, sigmoid, tanh


@composite
def bent_identity(input: Tensor) -> Tensor:
    """(√(x² + 1) - 1)/2 + x, of any shape. microgad's own.

    >>> F.bent_identity(torch.tensor([0.0, 0.75]))
    tensor([0.0000, 0.8750])
    """
    return (hypot(input, input.new_ones(())) - 1) / 2 + input


@composite
def tanhexp(input: Tensor) -> Tensor:
    """x · tanh(eˣ), of any shape. microgad's own; Liu and Di (2020).

    >>> F.tanhexp(torch.tensor([-1.0, 100.0]))
    tensor([ -0.3521, 100.0000])
    """
    return input * tanh(exp(clamp(input, max=20)))  # from 20 on tanh(eˣ) is 1, but eˣ may overflow


@composite
def swish(input: Tensor, beta: float | Tensor = 1.0) -> Tensor:
    """x · sigmoid(beta · x), of any shape; with beta 1 it is silu. microgad's own; Ramachandran et al. (2017).

    >>> F.swish(torch.tensor([0.0, 1.0]), 2.0)
    tensor([0.0000, 0.8808])
    """
    return input * sigmoid(input * beta)


@composite
def acon_a(input: Tensor, beta: float | Tensor = 1.0) -> Tensor:
    """x · sigmoid(beta · x): a smooth max(x, 0); beta broadcasts. microgad's own; ACON-A of Ma et al. (2021).

    >>> F.acon_a(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """
    return acon_c(input, 1, 0, beta)


@composite
def acon_b(input: Tensor, p: float | Tensor = 0.25, beta: float | Tensor = 1.0) -> Tensor:
    """(1 - p) · x · sigmoid(beta · (1 - p) · x) + p · x: a smooth max(x, p · x). microgad's own; ACON-B, see acon_a.

    >>> F.acon_b(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7594])
    """
    return acon_c(input, 1, p, beta)


@composite
def acon_c(input: Tensor, p1: float | Tensor = 1.0, p2: float | Tensor = 0.0, beta: float | Tensor = 1.0) -> Tensor:
    """(p1 - p2) · x · sigmoid(beta · (p1 - p2) · x) + p2 · x: a smooth max(p1 · x, p2 · x). microgad's own; ACON-C.

    Parameters broadcast. See acon_a.

    >>> F.acon_c(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """
    above = input * (p1 - p2)
    return above * sigmoid(beta * above) + p2 * input
