"""The Kumaraswamy distribution."""

from __future__ import annotations

import math

from ..ops.creation import ones_like, zeros_like
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .uniform import Uniform
from .utils import broadcast_all, euler_constant


class Kumaraswamy(TransformedDistribution):
    """Kumaraswamy distribution: (1 - U^(1/concentration0))^(1/concentration1) with uniform U.

    It resembles Beta, but has a closed-form cdf. Source: torch.distributions.Kumaraswamy.

    >>> d = torch.distributions.Kumaraswamy(1.0, 2.0)
    >>> d.mean, d.cdf(torch.tensor(0.5))
    (tensor(0.3333), tensor(0.7500))
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Real, concentration0: Real, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        a, b = self.concentration1, self.concentration0
        transforms = [PowerTransform(b.reciprocal()), AffineTransform(1.0, -1.0), PowerTransform(a.reciprocal())]
        super().__init__(Uniform(zeros_like(b), ones_like(b), validate_args=validate_args), transforms, validate_args)

    def _moment(self, order: int) -> Tensor:
        power, b = 1 + order / self.concentration1, self.concentration0
        return b * (power.lgamma() + b.lgamma() - (power + b).lgamma()).exp()

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        log_mode = b.reciprocal() * (-b).log1p() - (-b * a).log1p()
        return log_mode.masked_fill((b < 1) | (a < 1), math.nan).exp()

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self.mean.square()

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        mean_log = (b + 1).digamma() + euler_constant
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * mean_log - a.log() - b.log()
