"""The von Mises distribution of angles."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import float64
from ..ops.creation import zeros
from ..ops.elementwise import where
from ..ops.random import rand
from ..ops.special import i0e, i1e
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .distribution import Distribution
from .utils import alias, broadcast_all


class VonMises(Distribution):
    """Von Mises distribution: density ∝ exp(concentration cos(x - loc)) on the circle; mean and variance are circular.

    loc and values are angles modulo 2π. Source: torch.distributions.VonMises, whose approximations of the Bessel
    functions are accurate to 7 digits.

    >>> torch.distributions.VonMises(torch.tensor(1.0), torch.tensor(2.0)).log_prob(torch.tensor(1.0))
    tensor(-0.6619)
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Real, concentration: Real, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean: Tensor = alias("loc")
    mode: Tensor = alias("loc")

    @property
    def variance(self) -> Tensor:
        """The circular variance: 1 - the mean of cos(x - loc)."""
        return 1 - i1e(self.concentration) / i0e(self.concentration)

    def _sample(self, sample_shape: Any) -> Tensor:
        """Draw by rejection from a wrapped Cauchy distribution (Best and Fisher 1979), in float64, as in PyTorch."""
        loc, kappa = self.loc.to(float64), self.concentration.to(float64)
        r = _proposal(kappa)
        x = zeros(self._extended_shape(sample_shape), dtype=float64, device=loc.device)
        accepted = x != 0
        while not accepted.all():
            place, height, side = rand((3, *x.shape), dtype=float64, device=loc.device).unbind()
            z = (math.pi * place).cos()
            cosine = (1 + r * z) / (r + z)
            c = kappa * (r - cosine)
            accept = (c * (2 - c) > height) | ((c / height).log() + 1 - c >= 0)
            x = where(accept, (side - 0.5).sign() * cosine.acos(), x)  # as in PyTorch, accepted samples may be redrawn
            accepted = accepted | accept
        return ((x + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        kappa = self.concentration
        return kappa * ((value - self.loc).cos() - 1) - i0e(kappa).log() - math.log(2 * math.pi)


def _log_modified_bessel_fn(x: Tensor, order: int = 0) -> Tensor:
    """Return log I₀(x), or log I₁(x) for order 1."""
    scaled = i1e(x) if order else i0e(x)
    return scaled.log() + x.abs()


def _proposal(kappa: Tensor) -> Tensor:
    """Return the parameter ½ (ρ + 1/ρ) of the closest wrapped Cauchy distribution."""
    tau = 1 + (1 + 4 * kappa.square()).sqrt()
    rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
    return where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho.square()) / (2 * rho))
