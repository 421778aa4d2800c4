"""The generalized Pareto distribution, which models the tail of other distributions beyond a threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ops.elementwise import isclose, where
from ..ops.random import rand
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .distribution import Distribution
from .utils import alias, broadcast_all


class GeneralizedPareto(Distribution):
    """Generalized Pareto distribution: density (1 + c (x - loc)/scale)^(-1/c - 1)/scale for x ≥ loc, c = concentration.

    At concentration 0 it is exponential; for concentration < 0 the support ends at loc - scale/concentration.
    Source: torch.distributions.GeneralizedPareto.

    >>> d = torch.distributions.GeneralizedPareto(0.0, 2.0, 0.5)
    >>> d.mean, d.cdf(torch.tensor(4.0))
    (tensor(4.), tensor(0.7500))
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc: Real, scale: Real, concentration: Real, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        ends = self.concentration < 0
        upper = self.loc - self.scale / self.concentration.masked_fill(~ends, -1.0)
        return constraints.interval(self.loc, where(ends, upper, math.inf))

    @property
    def mean(self) -> Tensor:
        c = self.concentration.masked_fill(self.concentration >= 1, 0.5)  # any value that has a mean
        return (self.loc + self.scale / (1 - c)).masked_fill(~(self.concentration < 1), math.nan)

    mode: Tensor = alias("loc")

    @property
    def variance(self) -> Tensor:
        c = self.concentration.masked_fill(self.concentration >= 0.5, 0.25)
        variance = self.scale.square() / ((1 - c).square() * (1 - 2 * c))
        return variance.masked_fill(~(self.concentration < 0.5), math.nan)

    def _curved(self) -> tuple[Tensor, Tensor]:
        """Return where concentration is (nearly) 0, and concentration with 1 in those places."""
        straight = isclose(self.concentration, self.concentration.new_zeros(()))
        return straight, self.concentration.masked_fill(straight, 1.0)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        z = (value - self.loc) / self.scale
        straight, c = self._curved()
        power = 1 / c + 1
        curved = where(power == 0, power, power * (c * z).log1p())  # avoids 0 · -inf for the uniform density
        return -self.scale.log() - where(straight, z, curved)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of samples > value."""
        self._maybe_validate(value)
        z = (value - self.loc) / self.scale
        straight, c = self._curved()
        return where(straight, -z, -(c * z).log1p() / c)

    def log_cdf(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of samples ≤ value."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        return self.log_cdf(value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        log_rest = (-value).log1p()
        straight, c = self._curved()
        return self.loc + self.scale * where(straight, -log_rest, (-c * log_rest).expm1() / c)

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1
