"""The inverse gamma distribution."""

from __future__ import annotations

import math

from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .gamma import Gamma
from .transformed_distribution import TransformedDistribution
from .transforms import PowerTransform
from .utils import alias


class InverseGamma(TransformedDistribution):
    """Inverse gamma distribution: 1/X with X ~ Gamma(concentration, rate). Source: torch.distributions.InverseGamma.

    >>> torch.distributions.InverseGamma(3.0, 1.0).mean
    tensor(0.5000)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, concentration: Real, rate: Real, validate_args: bool | None = None) -> None:
        gamma = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(gamma, PowerTransform(gamma.rate.new_tensor(-1.0)), validate_args=validate_args)

    concentration: Tensor = alias("base_dist.concentration")
    rate: Tensor = alias("base_dist.rate")

    @property
    def mean(self) -> Tensor:
        a = self.concentration
        return (self.rate / (a.masked_fill(a <= 1, 2.0) - 1)).masked_fill(a <= 1, math.inf)

    @property
    def mode(self) -> Tensor:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        a = self.concentration.masked_fill(self.concentration <= 2, 3.0)
        variance = self.rate.square() / ((a - 1).square() * (a - 2))
        return variance.masked_fill(self.concentration <= 2, math.inf)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
