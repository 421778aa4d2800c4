"""Activation layers and an initializer that PyTorch doesn't have."""

from __future__ import annotations

from ..generator import Generator
from ..ops.activation import acon_a, acon_b, acon_c, bent_identity, swish, tanhexp
from ..tensor import Tensor
from ..type_aliases import Device, Dtype
from . import init as initial
from .modules.layer_helpers import add_parameters, settings_repr
from .modules.module import Module


class BentIdentity(Module):
    """(√(x² + 1) - 1)/2 + x, of any shape. Not in PyTorch.

    >>> nn.BentIdentity()(torch.tensor([0.0, 0.75]))
    tensor([0.0000, 0.8750])
    """

    def forward(self, input: Tensor) -> Tensor:
        return bent_identity(input)


class TanhExp(Module):
    """x · tanh(eˣ), of any shape. Not in PyTorch; Liu, Di (2020).

    >>> nn.TanhExp()(torch.tensor([-1.0, 100.0]))
    tensor([ -0.3521, 100.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return tanhexp(input)


class Swish(Module):
    """x · sigmoid(beta · x), of any shape; SiLU with beta = 1. Not in PyTorch; Ramachandran et al. (2017).

    >>> nn.Swish(2.0)(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8808])
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, input: Tensor) -> Tensor:
        return swish(input, self.beta)

    extra_repr = settings_repr("beta")


class _Acon(Module):
    """Base class of the ACON activations, whose learned parameters have one element, or one per channel (dim 1)."""

    _initial_values: dict[str, float]

    def __init__(self, num_parameters: int = 1, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        add_parameters(self, device, dtype, **dict.fromkeys(self._initial_values, num_parameters))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset all parameters to their initial values."""
        for name, start in self._initial_values.items():
            initial.constant_(getattr(self, name), start)

    def _broadcast(self, name: str, input: Tensor) -> Tensor:
        parameter: Tensor = getattr(self, name)
        return parameter.reshape(-1, *[1] * (input.ndim - 2)) if self.num_parameters > 1 else parameter

    extra_repr = settings_repr("num_parameters")


class AconA(_Acon):
    """x · sigmoid(beta · x), beta learned: a smooth max(x, 0). Not in PyTorch; ACON-A of Ma et al. (2021).

    >>> nn.AconA()(torch.tensor([[0.0, 1.0]]))
    tensor([[0.0000, 0.7311]], grad_fn=...)
    """

    _initial_values = {"beta": 1.0}

    def forward(self, input: Tensor) -> Tensor:
        return acon_a(input, self._broadcast("beta", input))


class AconB(_Acon):
    """(1 - p) · x · sigmoid(beta · (1 - p) · x) + p · x: a smooth max(x, p · x). Not in PyTorch; ACON-B, see AconA.

    beta starts as 1, p as 0.25.

    >>> nn.AconB()(torch.tensor([[0.0, 1.0]]))
    tensor([[0.0000, 0.7594]], grad_fn=...)
    """

    _initial_values = {"beta": 1.0, "p": 0.25}

    def forward(self, input: Tensor) -> Tensor:
        return acon_b(input, self._broadcast("p", input), self._broadcast("beta", input))


class AconC(_Acon):
    """(p1 - p2) · x · sigmoid(beta · (p1 - p2) · x) + p2 · x: a smooth max(p1 · x, p2 · x). Not in PyTorch; ACON-C.

    beta and p1 start as 1, p2 as 0. See AconA.

    >>> nn.AconC()(torch.tensor([[0.0, 1.0]]))
    tensor([[0.0000, 0.7311]], grad_fn=...)
    """

    _initial_values = {"p1": 1.0, "p2": 0.0, "beta": 1.0}

    def forward(self, input: Tensor) -> Tensor:
        return acon_c(input, *(self._broadcast(name, input) for name in self._initial_values))


def small_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers of standard deviation 0.05. Not in PyTorch.

    >>> from microgad.nn.extras import small_normal_
    >>> small_normal_(torch.empty(1000)).std() < 0.06
    tensor(True)
    """
    return initial.normal_(tensor, std=0.05, generator=generator)
